"""A hand-made desk journal of two days for the tools' tests, shaped as engine/book/events.py tells the desk."""

from pathlib import Path
from typing import Any

from engine.store.chain import Event
from engine.store.journal import Journal

BAR = 900_000
DAY = 86_400_000
START = 1_741_046_400_000  # 2025-03-04 00:00 UTC
END = START + 2 * DAY


ENTRY = 100.2


def mark(cash: float, units: float, price: float, **more: Any) -> dict[str, Any]:
    """A mark of a desk with one sleeve on a perpetual: cash is what was realised; more: of the sleeve, or tripped and state."""
    equity = cash + units * (price - ENTRY)
    sleeve: dict[str, Any] = {
        "equity": equity,
        "cash": cash,
        "fees": 0.0,
        "funding": 0.0,
        "slippage": 0.0,
        "trips": 0,
        "version": 1,
    }
    if units:
        layer = {"lots": 10, "entry": ENTRY, "protective": 95.0, "protective_kind": "stop", "protective_state": "working"}
        layer |= {"target": 120.0, "due": None} | more.pop("layer", {})
        position = {"side": "long" if units > 0 else "short", "lots": 10, "quantity": abs(units), "opened_ms": START + BAR}
        sleeve["position"] = position | {"notional": abs(units) * price, "layers": [layer]}
    body = {
        "equity": equity,
        "peak": 1_010.0,
        "gross": abs(units) * price,
        "state": "running",
        "tripped": [],
        "bars": 1,
        "version": 1,
    }
    for key in ("tripped", "state"):
        if key in more:
            body[key] = more.pop(key)
    guard = {"streak": 0, "day_entries": 0, "day_equity": 1000.0, "refused_by": None, "refused_ms": None}
    return body | {"sleeves": {"trend-btc": {"guard": guard} | sleeve | more}, "stamp": "REPLAYED"}


def fill(side: str, price: float, clean: float, fee: float, pnl: float | None = None) -> dict[str, Any]:
    """A fill of one base unit; with `pnl`, the one that closes the round trip by its stop."""
    sign = 1 if side == "buy" else -1
    body = {
        "sleeve": "trend-btc",
        "instrument": "binance:BTC-USDT:perp",
        "slot": "entry" if pnl is None else "protective",
        "side": side,
    }
    body |= {"layer": 0, "lots": 10, "quantity": 1.0, "price": price, "reference_price": clean, "fee": fee, "liquidity": "taker"}
    body |= {"slippage": sign * (price - clean), "cash": 0.0}
    return body | ({"order": "trend-btc-1"} if pnl is None else {"reason": "stop", "round_trip_pnl": pnl})


def bar(price: float | None = 100.0) -> dict[str, Any]:
    """A bar event; None: no price came."""
    return {"bars": {"binance:BTC-USDT:perp": [price] * 5 + [None, None]}, "signals": {"trend-btc": [0, 0.0]}, "features": {}}


REFUSED = {
    "sleeve": "trend-btc",
    "action": "refused",
    "signal": "long",
    "refused_by": "entries paused",
    "price": 99.0,
    "strength": 0.4,
}
ENTERED = {
    "sleeve": "trend-btc",
    "action": "enter",
    "signal": "long",
    "price": 100.0,
    "strength": 0.6,
    "size": {"approved_lots": 10, "wanted": 1.04, "binding": "risk", "risk_frac": 0.0025},
    "caps": {"risk": 1.04, "volatility target": 3.0},
    "features": {"sma(40)": 101.5},
}
SLEEVE = {"name": "trend-btc", "instrument": "binance:BTC-USDT:perp", "rules": {"lot_size": 0.1, "bar_ms": BAR}}
BEGIN = {
    "version": 1,
    "sleeves": [SLEEVE],
    "start": {"timeframe_ms": BAR, "source": "recorded", "instruments": ["binance:BTC-USDT:perp"]},
}


def write_desk(home: Path, last: dict[str, Any] | None = None, bars: list[float | None] | None = None) -> None:
    """First day: entry, funding. Second day: exit by stop, a breaker, a refusal, a version adopted. `last`: a closing mark."""
    journal = Journal(home / "journal" / "desk.jsonl", "worker")

    def group(t: int, *events: tuple[str, dict[str, Any]]) -> None:
        journal.append([Event(kind, t, body) for kind, body in events], sync=False)

    group(START, ("config", BEGIN), ("mark", mark(1000.0, 0.0, 100.0)))
    group(START + BAR, ("bar", bar()), ("decision", ENTERED), ("mark", mark(1000.0, 0.0, 100.0)))
    group(START + 2 * BAR, ("bar", bar()), ("fill", fill("buy", ENTRY, 100.0, 0.05)), ("mark", mark(999.95, 1.0, 101.0)))
    paid = {"sleeve": "trend-btc", "lots": 10, "mark": 101.0, "rate": 0.0001, "cash_flow": -0.01, "cash": 999.94}
    group(START + DAY, ("bar", bar()), ("funding", paid), ("mark", mark(999.94, 1.0, 104.0)))
    left = fill("sell", 94.9, 95.0, 0.05, -5.41)
    group(START + DAY + BAR, ("bar", bar()), ("fill", left), ("mark", mark(994.59, 0.0, 95.0)))
    tripped = {"sleeve": "trend-btc", "breaker": "loss streak", "equity": 994.59, "until_ms": START + 2 * DAY}
    group(START + DAY + 2 * BAR, ("bar", bar()), ("breaker", tripped), ("decision", REFUSED), ("mark", mark(994.59, 0.0, 95.0)))
    adopted = {"sleeve": "trend-btc", "version": 2, "state": "governs"}
    group(START + DAY + 3 * BAR, ("config", {"version": 2}), ("config", adopted), ("mark", mark(994.59, 0.0, 95.0)))
    for n, price in enumerate(bars or []):
        group(END - (len(bars or []) - n) * BAR, ("bar", bar(price)), ("mark", mark(994.59, 0.0, 95.0)))
    group(END, ("bar", bar(None if bars else 95.0)), ("mark", last or mark(994.59, 0.0, 95.0)))
    journal.close()


def write_incident(home: Path) -> None:
    """After the second day a window of incidents is opened; a round trip that makes 39.90 begins and ends inside it."""
    journal = Journal(home / "journal" / "desk.jsonl", "worker")
    opened = {"window": "w1", "what": "open", "taken": True, "by": "mara", "cause": "a feed", "sleeves": ["trend-btc"]}
    t = END + BAR
    journal.append([Event("window", t, opened | {"instruments": []}), Event("decision", t, ENTERED)], sync=False)
    won = fill("sell", 135.0, 135.0, 0.05, 39.90) | {"reason": "target"}
    for n, (body, made) in enumerate(((fill("buy", 95.0, 95.0, 0.05), -0.05), (won, 39.90)), 1):
        after = mark(994.59 + made, 0.0, 95.0, incident=made) | {"incident": made}
        journal.append([Event("fill", t + n * BAR, body), Event("mark", t + n * BAR, after)], sync=False)
    journal.close()
