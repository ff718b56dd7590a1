"""Journal events in words and numbers a person reads. Called by tools/journal.py and the page's timeline (app/api/journal.py).

Text from outside is cleaned; a kind without its own wording shows its first plain values.
"""

from collections.abc import Mapping
from typing import Any

from engine.amounts import price_text, quantity_text
from engine.clock import utc
from engine.store.chain import Event
from tools.common.contract import Value, clean

TOLD_MAX = 240
ROUTINE_KINDS = ("bar", "mark", "snapshot", "sent", "amend")  # what a reader of changes leaves out


def is_routine(event: Event) -> bool:
    """Whether an event only says that things go on: bars, orders that are sent or stand, a stop that a fill made idle."""
    if event.kind != "order":
        return event.kind in ROUTINE_KINDS
    body = event.body
    idle = body.get("slot", "entry") != "entry" and body.get("why") == "cancelled"
    return bool(idle) or body.get("state") in ("working", "cancelling")


def kind_of(event: Event) -> str:
    """The kind people search by: a refused decision is `refused`."""
    return "refused" if event.kind == "decision" and event.body.get("action") == "refused" else event.kind


def event_line(e: Event) -> str:
    """One desk event in one line, whichever version of Nightdesk wrote it."""
    try:
        return clean(_words(e), TOLD_MAX)
    except (KeyError, TypeError, ValueError, AttributeError):
        return clean(_first_values(e.body), TOLD_MAX)


def _words(e: Event) -> str:
    """An event of today's shape in words."""
    b = e.body
    match kind_of(e):
        case "bar":
            words = f"the bars of {len(b['bars'])} instruments that closed at {utc(b['close_ms'])}" + _without_price(b["bars"])
        case "fill" | "order" if b.get("booked") is False:
            words = "not booked: " + (f"trade {b['trade']} of " if "trade" in b else "") + f"order {b['order']}"
        case "fill":
            why = f" by {b['reason']}" if b.get("reason") else " to enter" if b.get("slot") == "entry" else ""
            pnl = f", round trip {b['round_trip_pnl']:+,.2f}" if b.get("round_trip_pnl") is not None else ""
            words = f"{b['side']} {quantity_text(b['quantity'])} at {price_text(b['price'])}{why}{pnl}{_of_pairs(b)}"
        case "cross":
            words = f"pairs cross inside at {price_text(b['price'])}, no order leaves{_of_pairs(b)}"
        case "refused":
            words = f"{b.get('signal', '?')} entry{_of_pair(b)} refused: {b.get('refused_by', '?')}"
        case "intent" | "sent" | "amend" | "order" as kind:
            words = _of_order(kind, b)
        case "mark":
            held = sum("position" in sleeve for sleeve in b["sleeves"].values())
            words = f"equity {b['equity']:,.2f}, {held} open positions, desk {b['state']}"
        case "snapshot":
            words = f"the desk's whole state after the bar of {utc(b['close_ms'])}"
        case "decision":
            by = b.get("reason") or b.get("cancelled_by")
            on = _of_pair(b) if b.get("pair") else f" on signal {b.get('signal', '?')}"
            words = f"{b.get('action', '?')}{on}" + (f" by {by}" if by else "")
        case "funding":
            words = f"funding {b['cash_flow']:+,.4f} at a rate of {100 * b['rate']:.4f} %"
        case "health":
            words = f"{b['what']} " + ("is well again: entries go on" if b["state"] == "over" else f"({b['why']}): no entries")
        case "reconcile":
            words = "differs from the venue, no entries: " + "; ".join(map(str, b["differs"].values()))
        case "adopt":
            words = _of_adoption(b)
        case "window":
            words = _of_window(b)
        case "breaker" | "halt" | "config" as kind:
            words = _of_desk(kind, b)
        case _:
            words = _first_values(b)
    return words


def _of_pair(b: Mapping[str, Any]) -> str:
    """Of which pair a decision of a basket is, and where its spread was."""
    if not b.get("pair"):
        return ""
    z = b.get("z")
    return f" of the pair {b['pair']}" + (f" at {z:+.2f} deviations" if z is not None else "")


def _of_pairs(b: Mapping[str, Any]) -> str:
    """What each pair of a basket has of an execution."""
    parts = [
        f"{part['pair']} {part['side']} {part['lots']:,} lots" + (f" by {part['reason']}" if part.get("reason") else " to enter")
        for part in b.get("parts", ())
    ]
    return f" ({'; '.join(parts)})" if parts else ""


def _first_values(body: Mapping[str, Any]) -> str:
    """The first plain values of a body."""
    return ", ".join(f"{key} {value}" for key, value in list(body.items())[:6] if not isinstance(value, dict | list))


def _of_order(kind: str, b: Mapping[str, Any]) -> str:
    """An order's life: what was decided, sent, changed, answered."""
    if kind == "sent":
        return f"{len(b['orders'])} orders sent: {', '.join(b['orders'])}"
    slot = b.get("slot", "entry")
    if kind == "intent":
        at = "at the market" if b.get("price") is None else f"at {price_text(b['price'])}"
        about = f", about {b['notional']:,.2f} USDT" if b.get("notional") is not None else ""
        part = f", slice {b['slice']} of {b['slices']}" if "slice" in b else ""
        return f"{slot} order: {b['side']} {quantity_text(b['quantity'])} {b['instrument']} {b['type']} {at}{about}{part}"
    if kind == "amend":
        return f"{slot} order {b['order']} from {price_text(b['price_before'])} to {price_text(b['price'])}, {b['lots']:,} lots"
    why = b.get("why") or b.get("reason")
    moved = f" at {price_text(b['price'])}" if b.get("price") else ""
    return f"{slot} order {b['state']}{moved}{f' ({why})' if why else ''}: {b['filled_lots']:,} of {b['lots']:,} lots filled"


def _of_adoption(b: Mapping[str, Any]) -> str:
    """A person's decision about a difference."""
    moved = (
        f"{b['sleeve']} layer {b['key']} from {b['lots_before']:,} to {b['lots_after']:,} lots" if "lots_after" in b else "kept"
    )
    done = "adopted" if b["adopted"] else f"could not adopt ({b['why']})"
    return f"{b['by']} {done} the difference {b['difference']}: position {moved} ({b['reason']})"


def _of_window(b: Mapping[str, Any]) -> str:
    """An incident window that opens, goes on with a further cause, or ends."""
    if not b["taken"]:
        return f"{b.get('by', '?')} could not {b['what']} an incident window: {b['why']}"
    about = ", ".join(b.get("sleeves") or b.get("instruments", ()))
    if b["what"] == "open":
        return f"incident window {b['window']} opened by {b['by']} ({b['cause']}): P&L of {about} is apart from here on"
    if b["what"] == "joins":
        return f"incident window {b['window']}: {b['cause']}"
    return f"incident window {b['window']} closed by {b['by']} ({b['cause']}): {b['money']['pnl']:+,.2f} is of the incident"


def _of_desk(kind: str, b: Mapping[str, Any]) -> str:
    """Events above single orders: breakers, halts, configurations."""
    name = b.get("sleeve") or "the desk"
    if kind == "breaker":
        until = f" until {utc(b['until_ms'])}" if b.get("until_ms") else ", latched until a person releases it"
        return f"{name}: breaker {b.get('breaker', '?')} tripped{until}"
    if kind == "halt":
        by = b.get("by")
        who = by.get("name", "?") if isinstance(by, Mapping) else by or "?"
        return f"desk {b.get('state', 'halted')} by {who}: {b.get('reason', '')}"
    if b.get("state") == "resumes":
        return f"{name} resumes: the end of its pause has come (version {b.get('version', '?')})"
    return f"version {b.get('version', '?')} " + (f"{b['state']} {name}" if "state" in b else "adopted by the desk")


def _without_price(bars: Mapping[str, Any]) -> str:
    """Which instruments had no price."""
    silent = [name for name, values in bars.items() if None in values[:4]]
    return f"; no price of {', '.join(silent)}" if silent else ""


def people_event_line(e: Event) -> str:
    """One event of the people journal in words."""
    b = e.body
    actor = b.get("actor") or {}
    who = (actor.get("name") if isinstance(actor, Mapping) else None) or b.get("person") or b.get("role") or ""
    kept = {
        k: v
        for k, v in b.items()
        if k
        in (
            "act",
            "who",
            "before",
            "now",
            "proposal",
            "run",
            "name",
            "outcome",
            "version",
            "reason",
            "tool",
            "status",
            "direction",
        )
        and v
    }
    return clean(" ".join(filter(None, [str(who), ", ".join(f"{k} {v}" for k, v in kept.items())])), 240)


def reason_text(e: Event, handle: str) -> str:
    """The costs of a fill, or the size of a decision."""
    b = e.body
    if e.kind == "fill":
        costs = f"slippage {{{handle}.slippage}}, fee {{{handle}.fee}} ({b['liquidity']})"
        return f"; price without slippage {{{handle}.reference_price}}, {costs}"
    if e.kind == "decision" and "size" in b:
        return f"; {{{handle}.size_approved_lots}} lots approved, bound by {b['size'].get('binding', '?')}"
    return ""


_UNITS = {
    "price": "price",
    "reference_price": "price",
    "mark": "price",
    "protective": "price",
    "target": "price",
    "stop_distance": "price",
    "target_distance": "price",
    "fee": "usd",
    "slippage": "usd",
    "cash": "usd",
    "equity": "usd",
    "notional": "usd",
    "cash_flow": "usd",
    "round_trip_pnl": "usd",
    "peak": "usd",
    "high_water": "usd",
    "gross": "usd",
    "quantity": "base",
    "wanted": "base",
    "risk_frac": "frac",
    "rate": "frac",
}
_COUNTS = ("lots", "layers", "layer", "key", "leg", "pair", "version", "bars", "trips")


def flat_values(body: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Value, str]]:
    """Every number of an event's body with its unit, nested ones as `caps_risk`; names become reference-safe."""
    found: dict[str, tuple[Value, str]] = {}
    for key, value in body.items():
        name = "".join(c if c.isalnum() else "_" for c in f"{prefix}{key}")
        if isinstance(value, Mapping) and key in ("size", "caps", "features"):
            found |= flat_values(value, f"{key}_")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            unit = "base" if prefix == "caps_" else _UNITS.get(key, _unit_by_name(key))
            found[name] = (value, unit)
    return found


def _unit_by_name(key: str) -> str:
    """The unit that a name's end tells."""
    if key.endswith("_ms"):
        return "ms"
    return "count" if key.endswith("lots") or key in _COUNTS else "ratio"


def words_of(event: Event) -> dict[str, str]:
    """Every string in an event's body; what a thread was asked or answered stays in the thread."""
    private = {"ask": "text", "answer": "answer"}.get(event.kind)
    return {key: value for key, value in event.body.items() if isinstance(value, str) and key != private}
