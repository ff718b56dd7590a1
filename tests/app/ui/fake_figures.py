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
    over["closed_ms"] = over["exit_ms"] + 900_000
    return {"subject": "desk", "items": [now, {**now, **over}], "total": 13}


def exposure(reads: str = "same bet", sides: tuple[str, str] = ("long", "long")) -> dict[str, Any]:
    """Two instruments, both held unless they read otherwise."""
    names, amount = ("binance:BTC-USDT:perp", "binance:ETH-USDT:perp"), (0.0 if reads == "not held" else 1_000.0)
    shares = [
        {"name": n, "side": s, "exposure": e, "equity_frac": 0.1} for n, s, e in zip(names, sides, (1_500.0, amount), strict=True)
    ]
    pair = {"one": names[0], "other": names[1], "correlation": None if reads == "not known" else 0.9, "exposure": 2_500.0}
    kept = {"desk_ms": NOW_MS, "event": "d-9", "equity": 30_000.0, "gross": 1_500.0 + amount, "correlated": 2_450.0}
    limits = {"gross_frac_max": 3.0, "correlated_frac_max": 2.5}
    more = {"alike_frac": 0.98, "instruments": shares, "sleeves": [], "strategies": [], "limits": limits, "correlation_days": 30}
    return kept | more | {"pairs": [pair | {"reads": reads}]}


def shocks() -> dict[str, Any]:
    """A fall costs little unless it is a gap, which halts the desk; a rise brings something."""
    own = [{"sleeve": "btc-trend", "instrument": "", "before": 1.0, "after": 1.0, "held": 1.0, "left": 0.0, "exits": ["stop"]}]
    moves = ((-0.1, False, -12.0), (-0.1, True, -260.0), (0.1, False, 30.0), (0.1, True, 30.0))
    return {
        "items": [
            {"move_frac": move, "gap": gap, "symbol": None, "before": 30_000.0, "after": 30_000.0 + lost, "drawdown_frac": 0.01}
            | {"halts": lost < -100, "sleeves": own}
            for move, gap, lost in moves
        ]
    }
