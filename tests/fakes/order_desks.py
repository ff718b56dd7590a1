"""A small desk without files, venue or journal for the tests of orders: three sleeves, two instruments, several layers."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.book.bodies import FORMAT
from engine.book.book import Book
from engine.book.snapshot import as_json
from engine.core.state import Signal
from tests.fakes.desks import BAR_MS, LOOSE, RULES

FIRST_MS = 1_735_689_600_000
CASH = 1_000_000.0
LOT = 0.001
SLEEVES: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("adds", 0, {"layers_max": 3, "fixed_lots": 10}),
    ("rests", 0, {"layers_max": 2, "fixed_lots": 7, "trail_atr": 0.0, "fade_below": 0.3}),
    ("turns", 1, {"layers_max": 5, "fixed_lots": 12, "target_atr": 0.0, "arm_atr": 0.1, "trail_atr": 0.5}),
)
LOOSER: dict[str, Any] = {
    "lot_size": LOT,
    "add_atr": 0.0,
    "streak_max": 1 << 40,
    "day_entries_max": 1 << 40,
    "day_loss_frac_max": 1e9,
    "leverage_max": 50.0,
    "notional_frac_max": 50.0,
    "risk_max_frac": 1.0,
    "risk_limit_frac": 1e9,
    "participation_max": 1.0,
    "vol_target": 0.0,
}


def config_body() -> dict[str, Any]:
    """The first config event; no limit binds, so that orders are many."""
    sleeves = []
    for name, instrument, changes in SLEEVES:
        rules = RULES._replace(instrument=instrument, bars=instrument, **{**LOOSER, **changes})
        sleeves.append({"name": name, "instrument": f"i{instrument}", "cash": CASH, "paused": False, "rules": as_object(rules)})
    start = {"format": FORMAT, "instruments": ["i0", "i1"], "own_bars": [], "first_ms": FIRST_MS, "timeframe_ms": BAR_MS}
    return {"version": 1, "sha256": "", "limits": as_object(LOOSE), "sleeves": sleeves, "start": start}


def as_object(value: Any) -> dict[str, Any]:
    """A NamedTuple as JSON by its field names."""
    return dict(zip(value._fields, as_json(value), strict=True))


def bar_body(book: Book, bars: Sequence[Sequence[float | None]], signals: Mapping[str, Signal]) -> dict[str, Any]:
    """The next bar event: open, high, low, close, volume, funding rate and mark of each instrument."""
    return {
        "close_ms": book.close_ms + BAR_MS,
        "stamp": "PAPER",
        "bars": {f"i{k}": list(values) for k, values in enumerate(bars)},
        "signals": {name: as_json(signal) for name, signal in signals.items()},
        "features": dict.fromkeys(book.names, "0" * 32),
    }
