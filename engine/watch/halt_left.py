"""How far a halt has come: KILLED, or KILL_INCOMPLETE with what is left. Called by `nightdesk halt`.

Reads the end of the desk journal alone: what a live account's halt has said of itself since the latch, else what the last mark
holds. Never raises for what a journal contains: what cannot be read is left.
"""

from pathlib import Path
from typing import Any, NamedTuple

from engine.amounts import quantity_text
from engine.book.bodies import SIMULATED
from engine.store.journal import tail
from engine.watch.window import mark_at, mode_of

KILLED, INCOMPLETE = "KILLED", "KILL_INCOMPLETE"
LOOKED_AT = 500  # events at the journal's end
LEFT_MAX = 50


class HaltState(NamedTuple):
    """`left`: what is still there, a line each."""

    state: str
    left: list[str]


def halt_state(path: Path, since_ms: int) -> HaltState:
    """How the halt that was latched at `since_ms` (wall time) has ended, or how far it is."""
    try:
        said = [
            e
            for e in tail(path, LOOKED_AT, {"incident"})
            if e.t_recv_ms >= since_ms and e.body.get("state") in (KILLED, INCOMPLETE)
        ]
        if said:
            return HaltState(str(said[-1].body["state"]), [str(line)[:300] for line in said[-1].body.get("left", ())][:LEFT_MAX])
        mark = mark_at(path)
        sleeves = {} if mark is None else mark.body["sleeves"]
        how = "leaves at the next open" if mode_of(path) in SIMULATED else "is being closed at the venue"
        left = [line for name, sleeve in sleeves.items() for line in _left(name, sleeve, how)]
    except Exception as error:  # noqa: BLE001 - the halt is latched; a journal that cannot be read must not look like its end
        return HaltState(INCOMPLETE, [f"not known: the journal cannot be read ({type(error).__name__})"])
    return HaltState(INCOMPLETE if left else KILLED, left[:LEFT_MAX])


def _left(name: str, sleeve: dict[str, Any], how: str) -> list[str]:
    """What a sleeve of the mark still holds."""
    lines = []
    if position := sleeve.get("position"):
        lines.append(f"{name}: {position['side']} {quantity_text(position['quantity'])}, {how}")
    if order := sleeve.get("order"):
        lines.append(f"{name}: {order['side']} entry order of {order['lots']:,} lots, to be cancelled")
    return lines
