"""What a close without a row of its own was: a position held, a refusal that lasts, an order that rests, or nothing at all.

Called by sim/explain (a run's sleeve, worked out again), `journal explain` and the tool explain_event (a sleeve's part of a
mark). Turns state and signal into one sentence, verdict first.
"""

from collections.abc import Mapping
from typing import Any

from engine.book.bodies import RESTING, SleeveBody
from engine.clock import utc
from engine.core.ledger import open_lots
from engine.core.state import RULES, SIDES, Sleeve

SIGNALS = {1: "long signal", -1: "short signal", 0: "no signal", None: "signal not known"}


def quiet_close(sleeve: Sleeve, lot_size: float, side: int | None) -> str:
    """Of a sleeve after the close; `side`: of the signal, None when it is not known."""
    position, order, guard = sleeve.position, sleeve.order, sleeve.guard
    held = (SIDES[position.side], open_lots(position) * lot_size) if position.open_layers > 0 else None
    rests = (SIDES[order.side], order.lots) if order.side != 0 else None
    refused = (RULES[guard.refused], guard.refused_ms) if guard.refused else None
    return sentence(refused, held, rests, "the sleeve is paused; " if guard.paused else "", side)


def quiet_mark(body: SleeveBody, side: int | None) -> str:
    """The same of a sleeve as a mark shows it."""
    guard, position, order = body["guard"], body.get("position"), body.get("order")
    held = (position["side"], position["quantity"]) if position is not None else None
    rests = (order["side"], order["lots"]) if order is not None else None
    refused = (guard["refused_by"], guard["refused_ms"] or 0) if guard["refused_by"] is not None else None
    stage = body.get("stage", "paper")
    why = f"the sleeve is {pause_text(body)}; " if body.get("paused") else f"its stage is {stage}; " if stage in RESTING else ""
    return sentence(refused, held, rests, why, side)


def pause_text(body: Mapping[str, Any]) -> str:
    """People's pause of a sleeve as a mark shows it, and its end: `paused by a person until 2025-03-05 06:00Z`."""
    if not body.get("paused"):
        return ""
    end = body.get("resumes_ms")
    return "paused by a person" + (f" until {utc(end)}" if end else "")


def shut_text(until_ms: int) -> str:
    """A no_entry window and its end."""
    return (
        f"no entries until {utc(until_ms)} (no_entry window)" if until_ms > 0 else "no entries: the no_entry windows never open"
    )


def sentence(
    refused: tuple[str, int] | None,
    held: tuple[str, float] | None,
    rests: tuple[str, int] | None,
    barred: str,
    side: int | None,
) -> str:
    """refused: rule and since when (UTC ms); held: side and base units; rests: side and lots of an entry order; barred: why
    people want no entries, "" when they do not.
    """
    signal = SIGNALS.get(side, SIGNALS[None])
    if refused is not None:
        return f"no trade: still refused by {refused[0]}, since {utc(refused[1])}; {signal}"
    if held is not None:
        return f"held {held[0]} {held[1]:g}, nothing to change; {signal}"
    if rests is not None:
        return f"no trade: the {rests[0]} entry order of {rests[1]:,} lots rests; {signal}"
    return f"no trade: {barred}{signal}, no position, nothing refused"
