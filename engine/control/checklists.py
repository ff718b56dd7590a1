"""Checklists: a runbook begun at a time, worked through step by step by people. Events of the people journal, folded here.

Written by app.people.checklists alone; read by the tools, pages, commands, the status and the handover through `checklists_of`.
A step is decided once, in its turn, by a named person: done, with the readings of its checks and the person's words, or refused
with a reason. What the fold cannot follow it leaves out, so that two decisions of one step are one, whoever wrote the second.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from engine.clock import utc
from engine.errors import BadInput, DeskError
from engine.store.chain import Event
from engine.store.onward import onward
from engine.store.opened import size_of

KIND = "checklist"  # of its events
OPEN_MAX = 20  # checklists that are open at once
STEPS_MAX = 40
TEXT_MAX = 1_500  # characters of a step
Says = Literal["yes", "no", "cannot say"]
YES: Says = "yes"
NO: Says = "no"
CANNOT_SAY: Says = "cannot say"
OPEN, DONE, REFUSED = "open", "done", "refused"  # states of a step
FINISHED, ENDED = "finished", "ended"  # states of a checklist beside OPEN


class StepReading(NamedTuple):
    """What a check of a step read: `says` whether what the step is for holds now, `event` where it can be seen."""

    check: str
    says: Says
    text: str
    event: str = ""


class ChecklistStep(NamedTuple):
    """A step as it was when the checklist began. Without `checks` a person looks. `origin`: of which lesson; "" of the page."""

    number: int
    text: str
    checks: tuple[str, ...]
    origin: str = ""


class StepDecision(NamedTuple):
    """What a person made of a step. `words`: the evidence of one that is done, the reason of one that is refused."""

    step: int
    state: str
    words: str
    readings: tuple[StepReading, ...]
    events: tuple[str, ...]
    by: Mapping[str, Any]
    t_ms: int  # wall time
    event: str


class Checklist(NamedTuple):
    """A runbook that was begun. `about`: an alert, an incident window, a sleeve, an account, or "". Times are wall times."""

    id: str
    runbook: str
    title: str
    about: str
    steps: tuple[ChecklistStep, ...]
    by: Mapping[str, Any]
    begun_ms: int
    begun_event: str
    decisions: tuple[StepDecision, ...] = ()
    looked: tuple[StepReading, ...] = ()  # the last look at the current step that a person took
    looked_by: Mapping[str, Any] | None = None
    looked_ms: int | None = None
    ended_by: Mapping[str, Any] | None = None  # ended before its last step was decided
    ended_ms: int | None = None
    ended_why: str = ""

    @property
    def current(self) -> ChecklistStep | None:
        """The step whose turn it is; None once the checklist is over."""
        return None if self.ended_by is not None or len(self.decisions) >= len(self.steps) else self.steps[len(self.decisions)]

    @property
    def state(self) -> str:
        """open, finished (each step decided) or ended (before that)."""
        return ENDED if self.ended_by is not None else OPEN if self.current is not None else FINISHED


def folded(found: dict[str, Checklist], event: Event) -> None:
    """Take one event; one that does not follow from those before changes nothing."""
    body = event.body
    ident, act = str(body.get("checklist")), body.get("act")
    if act == "begin":
        if ident not in found and body.get("steps"):
            found[ident] = _begun(ident, event)
        return
    one = found.get(ident)
    if one is None or one.current is None:
        return
    by = body.get("actor") or {}
    if act == "end":
        found[ident] = one._replace(ended_by=by, ended_ms=event.t_event_ms, ended_why=str(body.get("words")))
    elif body.get("step") != one.current.number:
        return
    elif act == "look":
        found[ident] = one._replace(looked=_readings(body), looked_by=by, looked_ms=event.t_event_ms)
    elif act in (DONE, REFUSED) and not (act == DONE and short_of(one.current, _readings(body), str(body.get("words") or ""))):
        events = tuple(map(str, body.get("events") or ()))
        words = str(body.get("words") or "")
        made = StepDecision(one.current.number, act, words, _readings(body), events, by, event.t_event_ms, event.id)
        found[ident] = one._replace(decisions=(*one.decisions, made), looked=(), looked_by=None, looked_ms=None)


def _begun(ident: str, event: Event) -> Checklist:
    body = event.body
    steps = tuple(
        ChecklistStep(int(one["number"]), str(one["text"]), tuple(map(str, one["checks"])), str(one.get("origin") or ""))
        for one in body["steps"][:STEPS_MAX]
    )
    about = (str(body["runbook"]), str(body.get("title") or body["runbook"]), str(body.get("about") or ""))
    return Checklist(ident, *about, steps, body.get("actor") or {}, event.t_event_ms, event.id)


def _readings(body: Mapping[str, Any]) -> tuple[StepReading, ...]:
    return tuple(
        StepReading(str(one["check"]), one["says"], str(one["text"]), str(one.get("event") or ""))
        for one in body.get("readings") or ()
    )


def short_of(step: ChecklistStep, readings: Sequence[StepReading], words: str) -> str:
    """Why a step cannot be marked done; "" when it can. Each of its checks has to say yes; without any a person's words count."""
    read = {one.check: one for one in readings}
    for name in step.checks:
        one = read.get(name) or StepReading(name, CANNOT_SAY, "it was not read")
        if one.says != YES:
            return f"the check {name} {'says no' if one.says == NO else 'cannot say'}: {one.text}"
    return "" if step.checks or words else "no check can decide it: what did you see?"


def refusal(one: Checklist, step: int | None) -> str:
    """Why nothing can be decided about `step` (None: about the checklist); "" when it can."""
    current = one.current
    now = f"now it is step {current.number}" if current is not None else f"it is {one.state}"
    if made := next((d for d in one.decisions if d.step == step), None):
        return f"step {step} of {one.id} was {made.state} by {name_of(made.by)} at {utc(made.t_ms)}; {now}"
    if current is None:
        return f"{one.id} is {one.state} already"
    if step is None or step == current.number:
        return ""
    there = any(step == other.number for other in one.steps)
    return f"step {step} of {one.id} {'has its turn later' if there else 'does not exist'}; {now}"


def name_of(by: Mapping[str, Any] | None) -> str:
    """Who acted."""
    return str((by or {}).get("name") or "unknown")


def open_ones(home: Path) -> list[Checklist]:
    """Checklists that are open, oldest first."""
    return [one for one in checklists_of(home).values() if one.state == OPEN]


def where(one: Checklist) -> str:
    """`cl-2 (worker-down, al-3): step 3 of 7, begun by ann`."""
    about = f", {one.about}" if one.about else ""
    at = f"step {one.current.number} of {len(one.steps)}" if one.current else one.state
    return f"{one.id} ({one.runbook}{about}): {at}, begun by {name_of(one.by)}"


def open_lines(home: Path) -> list[str]:
    """Where each open checklist is, a line each, for status and handover; it never raises for what a journal contains."""
    try:
        return [where(one) for one in open_ones(home)]
    except DeskError as error:
        return [f"checklists cannot be read: {error}"]


def chosen(home: Path, ident: str) -> Checklist:
    """The checklist of that id, or, for "", the one that is open. Raises BadInput for none, and where several are open."""
    found = checklists_of(home)
    if bare := ident.strip().lower():
        key = f"cl-{bare}" if bare.isdigit() else bare
        if key not in found:
            raise BadInput(f"no checklist {bare[:40]!r}", "see nightdesk runbooks list")
        return found[key]
    waiting = [one for one in found.values() if one.state == OPEN]
    if len(waiting) != 1:
        hint = (
            "name it: " + ", ".join(where(one) for one in waiting[:5]) if waiting else "nightdesk runbooks begin NAME --as NAME"
        )
        raise BadInput(f"{len(waiting)} checklists are open", hint)
    return waiting[0]


# ---- the reading that is kept --------------------------------------------------------------------------------------------------


class _Kept(NamedTuple):
    """What was read of a people journal, and how far."""

    inode: int
    end: int
    found: dict[str, Checklist]


_KEPT: dict[Path, _Kept] = {}
_ONE = threading.Lock()
HOMES_MAX = 8  # of which a process keeps a reading


def checklists_of(home: Path) -> Mapping[str, Checklist]:
    """Every checklist of a home by id, oldest first. What the journal had at an earlier call is not read again.

    Raises JournalBroken where a checklist's record cannot be read.
    """
    path = home / "journal" / "people.jsonl"
    with _ONE:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return {}
        kept = _KEPT.get(path)
        size = size_of(path)
        if kept is None or kept.inode != status.st_ino or size < kept.end:
            kept = _Kept(status.st_ino, 0, {})
        if size > kept.end:
            events, end = onward(path, kept.end, (KIND,))
            found = dict(kept.found) if events else kept.found
            for event in events:
                folded(found, event)
            kept = _Kept(status.st_ino, end, found)
        while len(_KEPT) >= HOMES_MAX and path not in _KEPT:
            del _KEPT[next(iter(_KEPT))]
        _KEPT[path] = kept
        return kept.found
