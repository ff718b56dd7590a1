"""A chart and a sleeve's page for the page's tests, packed by the code that packs them. Used by fake_api.py."""

from typing import Any

from app.views.candle_bars import packed
from tests.app.ui.fake_shapes import DAY_MS, NOW_MS
from tests.fakes import recordings
from tests.fakes.recordings import BAR_MS, FIRST_MS

COUNT = 200
STOP, TARGET = 62_900.0, 67_000.0


def market_chart(trips: int) -> dict[str, Any]:
    """Candles with `trips` round trips, one after the other."""
    ids = [f"t{n}" for n in range(1, trips + 1)]
    entries = [FIRST_MS + 10 * n * BAR_MS for n in range(1, trips + 1)]
    numbers = {name: [1.0] * trips for name in ("entry_price", "exit_price", "net", "r")}
    table = {
        "trip": ids,
        "side": ["long"] * trips,
        "entry_ms": entries,
        "exit_ms": entries,
        "reason": ["stop"] * trips,
        **numbers,
    }
    place = {"subject": "desk", "sleeve": "btc-trend", "instrument": "binance:BTC-USDT:perp", "source": "recorded"}
    clock = FIRST_MS + COUNT * BAR_MS
    window = {"mark": "m1", "clock_ms": clock, "timeframe": "15m", "from_ms": FIRST_MS, "until_ms": clock, "tick": 0.1}
    empty: dict[str, Any] = {"lines": [], "levels": [], "bands": [], "breakers": [], "held": None, "notes": []}
    bars = packed(recordings.bars(COUNT), BAR_MS, 0.1) | {"step_text": "15m"}
    return {**place, **window, **empty, "bars": bars, "trips": table}


def trip_table(trips: int, evil: str) -> dict[str, Any]:
    """The table of a sleeve's trips, newest first."""
    columns = [["trip", "text", False, False], ["exit", "text", True, False], ["net", "money", False, False]]
    return {"columns": columns, "rows": [[f"t{n}", evil or "stop", -1.5] for n in range(trips, 0, -1)]}


def desk_trip(ident: str) -> dict[str, Any]:
    """A trip of the desk with its decision."""
    decision = {
        "close_ms": NOW_MS,
        "signal": {"side": 1, "strength": 0.7},
        "size": {"cap_binding": "risk"},
        "features": {"sma(40)": 5.0},
    }
    return {
        "id": ident,
        "trip": {"side": "long", "layers": 1, "net": 2.5, "exit_ms": NOW_MS},
        "entries": [{"decision": decision}],
    }


def stretches() -> dict[str, Any]:
    """P&L of the four stretches."""
    return {"sleeve": "btc-trend"} | {
        name: {"from_ms": NOW_MS - DAY_MS, "net": net, "r": net / 10, "trips": 2}
        for name, net in (("today", 5.0), ("d7", -26.0), ("d30", 0.0), ("start", -123.5))
    }


def sleeve_page(name: str, evil: str) -> dict[str, Any]:
    """A sleeve with an open long; `evil`: in every text that people or strategy files write."""
    limits = {"low": 0.0, "high": 20.0, "unit": "ATR", "risk": "up", "zero": evil or None, "choices": []}
    stop = {
        "key": "stop_atr",
        "value": 2.5,
        "default": 2.0,
        **limits,
        "about": evil or "initial stop",
        "version": 2,
        "since_ms": NOW_MS,
    }
    words = limits | {"low": None, "high": None, "choices": ["market", "limit"]}
    entry = {"key": "entry", "value": "market", "default": "market", **words, "about": evil, "version": 1, "since_ms": NOW_MS}
    share = {
        "key": "risk_start_frac",
        "value": 0.004,
        "default": 0.0025,
        **limits,
        "about": "risk",
        "version": 1,
        "since_ms": None,
    }
    versions = [
        {"version": 2, "created_ms": NOW_MS, "made_by": evil or "vera", "reason": evil, "proposal": "prop-1", "rollback_of": None,
         "changes": [{"key": "stop_atr", "old": 2.0, "value": 2.5}]},
        {"version": 1, "created_ms": NOW_MS, "made_by": "desk.toml", "reason": "first", "proposal": None, "rollback_of": None,
         "changes": []},
    ]  # fmt: skip
    position = {
        "side": "long", "quantity": 0.1, "opened_ms": NOW_MS - DAY_MS, "layers": 1, "entry": 64_000.0, "mark": 64_500.0,
        "notional": 6450.0, "leverage": 0.65, "unrealised": 50.0, "risk": 110.0, "r": 0.4545,
        "stop": {"price": STOP, "away_frac": -0.0248, "kind": "trail"},
        "target": {"price": TARGET, "away_frac": 0.0388, "kind": ""},
        "liquidation": {"price": None, "away_frac": None, "kind": ""},
    }  # fmt: skip
    closes = [
        {"what": "in a position", "closes": 600, "blocked": False},
        {"what": evil or "spread_frac_max", "closes": 72, "blocked": True},
    ]
    drift = {
        "one": "paper", "other": "backtest", "from_ms": NOW_MS - 7 * DAY_MS, "to_ms": NOW_MS, "difference_usd": -12.4,
        "causes": {"fee": -10.1, "price": -2.3}, "verdict": "worse", "needed": 31, "since_ms": NOW_MS - 2 * DAY_MS,
    }  # fmt: skip
    return {
        "drift": [drift],
        "name": name, "strategy": evil or "trend", "instrument": "binance:BTC-USDT:perp", "timeframe": "15m", "desk_ms": NOW_MS,
        "version": 2, "runs_version": 2, "position": position, "closes": closes, "closes_ms": 7 * DAY_MS,
        "params": [stop, entry, share], "params_why": "", "versions": versions,
    }  # fmt: skip
