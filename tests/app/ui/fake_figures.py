"""Small made-up figures of the desk, in the shapes of app/api/figures.py. Used by fake_api.py."""

from collections.abc import Sequence
from typing import Any

from tests.app.ui.fake_shapes import DAY_MS, NOW_MS, curve

LENGTHS = {"day": DAY_MS, "week": 7 * DAY_MS, "month": 30 * DAY_MS}
PARTS = {"realised": -30.5, "unrealised": 4.0, "fees": 8.25, "funding": -0.5, "slippage": 1.5, "net": -26.5}


def hold_line() -> dict[str, Any]:
    """Holding lost a tenth."""
    times = curve()["close_ms"]
    equity = [30_000.0 - 50.0 * n for n in range(len(times))]
    back = equity[-1] / 30_000.0 - 1
    return {
        "instruments": ["binance:BTC-USDT:perp"],
        "close_ms": times,
        "equity": equity,
        "return_frac": back,
        "assumptions": "no costs",
    }


def lately(names: Sequence[str | None]) -> dict[str, Any]:
    """The four stretches of each name."""
    made = {"today": 12.5, "d7": -40.0, "d30": -120.0, "start": -349.88}
    one = {key: {"from_ms": NOW_MS - DAY_MS, "net": net, "r": net / 100, "trips": 3} for key, net in made.items()}
    return {"items": [{"sleeve": name, **one} for name in names]}


def periods(unit: str) -> dict[str, Any]:
    """Three periods, the last one a gain."""
    last = {name: abs(value) for name, value in PARTS.items()}
    ends = [NOW_MS - n * LENGTHS[unit] for n in (2, 1, 0)]
    items = [{"from_ms": end - LENGTHS[unit], "until_ms": end, **(last if end == NOW_MS else PARTS)} for end in ends]
    return {"unit": unit, "sleeve": None, "items": items}


def trips() -> dict[str, Any]:
    """Round trips of btc-trend: one that is open, with the money at risk at its first stop, and one that a stop closed."""
    now = {"trip": "t13", "sleeve": "btc-trend", "side": "long", "reason": "open", "risk": 110.0, "exit_ms": None}
    over = {"trip": "t12", "reason": "stop", "net": -22.0, "r": -0.9, "exit_ms": NOW_MS - DAY_MS, "exit_event": "d-3"}
    return {"subject": "desk", "items": [now, {**now, **over}], "total": 13}
