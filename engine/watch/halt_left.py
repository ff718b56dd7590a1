"""How far a halt has come: KILLED, or KILL_INCOMPLETE with what is left. Called by `nightdesk halt` and the account's page.

Reads the end of the desk journal: what a live account's halt has said of itself since the latch, else what the last mark holds,
unless the worker had been further than that: then the journal has lost its end, and what is left is not known. A flat book ends
no halt at an account: stops may stand at its venue, and a book can be wrong. Never raises for what a journal contains: what
cannot be read is left.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.amounts import quantity_text
from engine.book.bodies import GONE, SIMULATED
from engine.clock import utc
from engine.store.journal import tail
from engine.watch.heartbeat import heartbeat_of
from engine.watch.window import instruments_of, journal_of, mark_at, mode_of

KILLED, INCOMPLETE = "KILLED", "KILL_INCOMPLETE"
TRIES_S = 66  # that an account's halt tries at least, before it says what is left: engine/live/halt.py
RUNBOOK = "docs/runbooks/delisted.md"
LOOKED_AT = 500  # events at the journal's end
LEFT_MAX = 50
NOT_LOOKED = "not known yet: the book is flat, and no worker has found the venue without position and orders since the halt"


class HaltState(NamedTuple):
    """`left`: what is still there, a line each. At an account `tries_until_ms` (wall time): when it has ended trying, and until
    then the earliest that it can; None of a simulated venue, where exits wait for the next bar.
    """

    state: str
    left: list[str]
    tries_until_ms: int | None = None
    tried: bool = False  # nothing is tried any more


def halt_state(path: Path, since_ms: int) -> HaltState:
    """How the halt that was latched at `since_ms` (wall time) has ended, or how far it is."""
    try:
        said = [
            e
            for e in tail(path, LOOKED_AT, {"incident"})
            if e.t_recv_ms >= since_ms and e.body.get("state") in (KILLED, INCOMPLETE)
        ]
        if said:
            lines = [str(line)[:300] for line in said[-1].body.get("left", ())][:LEFT_MAX]
            return HaltState(str(said[-1].body["state"]), lines, said[-1].t_recv_ms, tried=True)
        mark = mark_at(path)
        sleeves = {} if mark is None else mark.body["sleeves"]
        simulated = mode_of(path) in SIMULATED
        how = "leaves at the next open" if simulated else "is being closed at the venue"
        gone = {} if mark is None or simulated else _gone(path, mark.body.get("off") or {})
        left = [line for name, sleeve in sleeves.items() for line in _left(name, sleeve, gone.get(name, how))]
        if not left and not simulated and mark is not None:  # the book is flat; stops may stand there, and a book can be wrong
            left = [NOT_LOOKED]
        if lost := lost_end(path.parent.parent):
            open_ = [f"{text}, as the worker last said" for text in heartbeat_of(path.parent.parent).get("open", ())]
            left = [f"not known: {lost}", *open_, *left]
    except Exception as error:  # noqa: BLE001 - the halt is latched; a journal that cannot be read must not look like its end
        return HaltState(INCOMPLETE, [f"not known: the journal cannot be read ({type(error).__name__})"])
    until_ms = since_ms + TRIES_S * 1000 if left and not simulated else None
    return HaltState(INCOMPLETE if left else KILLED, left[:LEFT_MAX], until_ms)


def tried_text(path: Path, since_ms: int | None) -> str:
    """What a halt has left once it has tried everything, in a line; "" before, and where nothing is left."""
    found = HaltState(KILLED, []) if since_ms is None else halt_state(path, since_ms)
    return f"{INCOMPLETE}: still there: {'; '.join(found.left)}" if found.tried and found.state == INCOMPLETE else ""


def lost_end(home: Path) -> str:
    """How the journal of a home ends before what its worker had reached; "" when it does not."""
    beat = heartbeat_of(home)  # first: a worker that goes on meanwhile has journaled what it said
    seen_ms = beat.get("desk_ms") if beat.get("bars", 1) else 0  # before its first bar a desk has begun and reached nothing
    mark = mark_at(journal_of(home))
    at_ms = 0 if mark is None else mark.t_event_ms
    if not isinstance(seen_ms, int) or seen_ms <= at_ms:
        return ""
    ends = f"ends at {utc(at_ms)}" if mark is not None else "has no bar"
    return f"the journal {ends}, and the worker had reached {utc(seen_ms)}: records are missing (nightdesk journal verify)"


def lost_and_open(home: Path) -> str:
    """What `lost_end` says, and what the worker last said of open positions; "" where nothing is lost."""
    lost = lost_end(home)
    return f"{lost}. Open then: {'; '.join(map(str, heartbeat_of(home).get('open', ()))) or 'nothing'}" if lost else ""


def _gone(path: Path, off: Mapping[str, str]) -> dict[str, str]:
    """Sleeve -> why nothing of it can be closed: its venue does not list its instrument. Others are left out."""
    why = f"cannot be closed: {GONE}; {RUNBOOK}"
    return {name: why for name, traded in instruments_of(path).items() if str(off.get(traded, "")).startswith(GONE)}


def _left(name: str, sleeve: dict[str, Any], how: str) -> list[str]:
    """What a sleeve of the mark still holds."""
    lines = []
    if position := sleeve.get("position"):
        lines.append(f"{name}: {position['side']} {quantity_text(position['quantity'])}, {how}")
    if order := sleeve.get("order"):
        lines.append(f"{name}: {order['side']} entry order of {order['lots']:,} lots, to be cancelled")
    return lines
