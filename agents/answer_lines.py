"""The two lines under every answer, made by code: the state of the desk, and what this turn did. Called by turns.answer_of.

A model's words may say anything; these lines say what is. API, page, command and postings show the same two, made here from
the halt latch, the open pages, the configuration in force and the answered calls of the turn.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlmodel import col, select

from agents.state import AnsweredCall
from engine.clock import utc
from engine.control import halt
from engine.control.config import active_pointer
from engine.errors import DeskError
from engine.store import db
from engine.store.tables import Alert
from tools.catalog import TOOLS
from tools.common.contract import Effect
from tools.common.render import one_line, safe

PAGES_NAMED = 3
REFUSALS_NAMED = 4
WHY_MAX = 140
_OPEN_PAGES = select(Alert.id).where(Alert.state == "open", Alert.severity == "page").order_by(col(Alert.opened_ms))
NOTHING = "nothing was changed, proposed or noted"


class AnswerLines(NamedTuple):
    """The state of the desk and the acts of the turn, one line each, in markdown that needs no further check."""

    state: str
    acts: str


def answer_lines(home: Path, engine: Any, stamp: str, calls: Sequence[AnsweredCall], own_act: str = "") -> AnswerLines:
    """Both lines. `stamp`: desk time, PAPER, source of the bars; `own_act`: what code did before any model, a halt for one."""
    return AnswerLines(state_line(home, engine, stamp), acts_line(calls, own_act))


def state_line(home: Path, engine: Any, stamp: str) -> str:
    """Halted by whom since when, open pages, version in force, stamp. What cannot be read is said to be unknown."""
    return f"State: {halt_text(halt.read(home, engine))} · {_book_text(engine)} · {stamp}"


def halt_text(latch: halt.Latch) -> str:
    """The latch in words, without its reason: anyone may have written that."""
    if not latch.halted:
        return "not halted"
    if latch.unreadable:
        return "HALTED: the latch cannot be read"
    since = "" if latch.since_ms is None else f" since {utc(latch.since_ms)} (wall time)"
    return f"HALTED by {_quoted(latch.by or 'unknown', 60)}{since}"


def _book_text(engine: Any) -> str:
    """The open pages, and the version in force."""
    try:
        with db.read_rows(engine) as rows:
            return f"{_pages_text(rows.execute(_OPEN_PAGES).scalars().all())} · configuration version {active_pointer(rows)}"
    except DeskError:
        return "open pages unknown · configuration version unknown"


def _pages_text(ids: Sequence[str]) -> str:
    """Open alerts of the severity page: how many, and the first ids."""
    if not ids:
        return "no open page"
    more = ", ..." if len(ids) > PAGES_NAMED else ""
    return f"{len(ids)} open page{'s' if len(ids) > 1 else ''} ({', '.join(ids[:PAGES_NAMED])}{more})"


def acts_line(calls: Sequence[AnsweredCall], own_act: str = "") -> str:
    """What the calls of a turn did; what was refused or failed, and why."""
    made = [text for entry in calls if (text := _made(entry))]
    parts = [own_act or ("; ".join(made) if made else NOTHING)]
    if looked := _names(calls, ("ok", "no_data"), (Effect.READ, Effect.COMPUTE)):
        parts.append(f"looked up by {looked}")
    if started := _names(calls, ("started",), tuple(Effect)):
        parts.append(f"started {started}")
    if not calls and not own_act:
        parts.append("no tool was called")
    bad = [entry for entry in calls if entry.result.status in ("refused", "failed")]
    parts += [f"{_status(entry)} {_quoted(entry.call.name, 40)} ({_why(entry)})" for entry in bad[:REFUSALS_NAMED]]
    if len(bad) > REFUSALS_NAMED:
        parts.append(f"{len(bad) - REFUSALS_NAMED} more refused or failed")
    return f"This turn: {' · '.join(parts)}"


def _made(entry: AnsweredCall) -> str:
    """What a PROPOSE call left behind; empty for every other call."""
    line = TOOLS.get(entry.call.name)
    if line is None or line.effect is not Effect.PROPOSE or entry.result.status != "ok":
        return ""
    proposals = [e.id for e in entry.result.evidence if e.kind == "proposal"]
    if proposals:
        return f"proposed {', '.join(dict.fromkeys(proposals))}: a person decides, nothing is applied"
    watches = [e.id for e in entry.result.evidence if e.kind == "watch"]
    if watches:
        return f"asked for watch {', '.join(watches)}: a person confirms it, nothing is watched yet"
    return f"noted {', '.join(e.id for e in entry.result.evidence if e.kind == 'page')}: not confirmed by a person"


def _names(calls: Sequence[AnsweredCall], states: Sequence[str], effects: Sequence[Effect]) -> str:
    """The tools of the calls that ended in one of `states`, each once."""
    known = [(entry.call.name, TOOLS[entry.call.name].effect) for entry in calls if _ended(entry, states)]
    return ", ".join(dict.fromkeys(name for name, effect in known if effect in effects))


def _ended(entry: AnsweredCall, states: Sequence[str]) -> bool:
    return entry.call.name in TOOLS and entry.result.status in states


def _status(entry: AnsweredCall) -> str:
    return "REFUSED" if entry.result.status == "refused" else "FAILED"


def _why(entry: AnsweredCall) -> str:
    return _quoted(entry.result.text, WHY_MAX).rstrip(". ")


def _quoted(text: str, length: int) -> str:
    """Outside text inside a line: one piece of it, never two."""
    return safe(one_line(text, length)).replace("\u00b7", ".")
