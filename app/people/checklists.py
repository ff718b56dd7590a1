"""A person works through a runbook: begins its checklist, looks, marks a step done, refuses it, ends it. By name, journaled.

Called by app/cli/runbooks.py and app/api/checklists.py; no agent reaches it: a role names the next step, a person decides it. The
people journal holds everything, so that another person goes on after any restart. Of two people who decide one step at the same
time one does: it is decided under a lock, as the journal is then, and the step's number is that of what the person saw.
"""

import fcntl
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from app.home.home import Home
from app.people.approvals import permit, record
from app.people.identity import REASON_MAX, Actor, reason_given
from engine.control import checklists
from engine.control.checklists import DONE, KIND, OPEN_MAX, REFUSED, Checklist, StepReading
from engine.control.config import active
from engine.errors import BadInput, Refused
from engine.redaction import redacted
from engine.store.journal import find
from engine.watch import alert_rows
from engine.watch.incidents import windows_of
from engine.watch.observation import RUNBOOKS
from engine.watch.runbooks import kinds_of, steps_with_lessons, titles_in
from engine.watch.step_checks import context_of, readings_of
from tools.shipped import RUNBOOK_PAGES

ACT = "checklist"  # of app.people.authority
EVENTS_MAX = 10  # that a person's words may name
LOOK_MS = 60_000  # a person's look that found the same is written down once in this time
_EVENT = re.compile(r"(?<![\w-])[dp]-\d{1,12}(?![\w-])")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")


def begin(home: Home, runbook: str, about: str, actor: Actor, now_ms: int) -> Checklist:
    """Begin a runbook, about an alert, an incident window, a sleeve, an account or nothing; without a name, the alert's own.

    Raises BadInput for what is not there, Refused where the same is open already or too many are, Denied.
    """
    permit(home, actor, ACT, now_ms)
    about, own = _subject(home, about.strip())
    runbook = runbook.strip().lower() or own
    if not runbook:
        raise BadInput("which runbook?", f"available: {', '.join(titles_in(RUNBOOK_PAGES))}")
    steps = steps_with_lessons(RUNBOOK_PAGES, home.path, runbook)
    with _alone(home):
        found = checklists.checklists_of(home.path)
        open_ = checklists.open_ones(home.path)
        same = next((one for one in open_ if (one.runbook, one.about) == (runbook, about)), None)
        if same is not None:
            raise Refused(f"it is open already: {checklists.where(same)}", f"go on with it: nightdesk runbooks next {same.id}")
        if len(open_) >= OPEN_MAX:
            raise Refused(f"{len(open_)} checklists are open, the most there may be", "end one: nightdesk runbooks end ID")
        ident = f"cl-{len(found) + 1}"
        body = {
            "checklist": ident,
            "act": "begin",
            "runbook": runbook,
            "about": about,
            "title": titles_in(RUNBOOK_PAGES)[runbook],
            "steps": [step._asdict() for step in steps],
            "actor": actor.as_json(),
        }
        record(home, KIND, body, now_ms)
        return checklists.chosen(home.path, ident)


def look(home: Home, ident: str, actor: Actor, now_ms: int) -> tuple[Checklist, tuple[StepReading, ...]]:
    """Read the checks of the current step now, and write down that the person has looked. Raises BadInput, Refused, Denied."""
    permit(home, actor, ACT, now_ms)
    one = checklists.chosen(home.path, ident)
    _require_open(one, None)
    readings = _readings(home, one, now_ms)
    with _alone(home):
        now = checklists.chosen(home.path, one.id)
        if now.current == one.current and now.current is not None and _is_news(now, readings, actor, now_ms):
            body = {"checklist": one.id, "act": "look", "step": now.current.number, "readings": _json(readings)}
            record(home, KIND, {**body, "actor": actor.as_json()}, now_ms)
        return checklists.chosen(home.path, one.id), readings if now.current == one.current else ()


def done(home: Home, ident: str, step: int, evidence: str, actor: Actor, now_ms: int) -> Checklist:
    """Mark the current step done. Its checks are read now, and each must say yes; a step without any takes the person's words.

    Raises Refused where a check says no or cannot say, or the step was decided or is not the current one; BadInput, Denied.
    """
    return _decide(home, ident, step, (DONE, evidence), actor, now_ms)


def refuse(home: Home, ident: str, step: int, reason: str, actor: Actor, now_ms: int) -> Checklist:
    """Refuse the current step: it was not done, and why. Raises as `done`."""
    return _decide(home, ident, step, (REFUSED, reason), actor, now_ms)


def end(home: Home, ident: str, reason: str, actor: Actor, now_ms: int) -> Checklist:
    """End a checklist before its last step, with why. Raises BadInput without a reason, Refused for one that is over, Denied."""
    permit(home, actor, ACT, now_ms)
    words = _words(reason)
    if not words:
        raise BadInput("a checklist that ends early needs a reason", "--reason WHY")
    with _alone(home):
        one = checklists.chosen(home.path, ident)
        _require_open(one, None)
        record(home, KIND, {"checklist": one.id, "act": "end", "words": words, "actor": actor.as_json()}, now_ms)
        return checklists.chosen(home.path, one.id)


def _decide(home: Home, ident: str, step: int, made: tuple[str, str], actor: Actor, now_ms: int) -> Checklist:
    """Decide a step once, in its turn."""
    permit(home, actor, ACT, now_ms)
    state, words = made[0], _words(made[1])
    one = checklists.chosen(home.path, ident)
    _require_open(one, step)
    if state == REFUSED and not words:
        raise BadInput("a step is refused with a reason", "--reason WHY")
    readings = _readings(home, one, now_ms)  # before the lock: a check of both journals may take a while
    events = [*dict.fromkeys([*_events(home, words), *(found.event for found in readings if found.event)])]
    with _alone(home):
        now = checklists.chosen(home.path, one.id)
        _require_open(now, step)
        if state == DONE and now.current is not None and (why := checklists.short_of(now.current, readings, words)):
            hint = (
                "once it says yes, or: nightdesk runbooks refuse STEP --reason WHY" if now.current.checks else "--evidence TEXT"
            )
            raise Refused(f"step {step} of {one.id} is not done: {why}", hint)
        body = {"checklist": one.id, "act": state, "step": step, "words": words, "readings": _json(readings), "events": events}
        record(home, KIND, {**body, "actor": actor.as_json()}, now_ms)
        return checklists.chosen(home.path, one.id)


def _require_open(one: Checklist, step: int | None) -> None:
    if why := checklists.refusal(one, step):
        raise Refused(why, f"nightdesk runbooks show {one.id}")


def _readings(home: Home, one: Checklist, now_ms: int) -> tuple[StepReading, ...]:
    """The checks of the current step, read now."""
    ctx = context_of(home.path, home.engine, now_ms, one, kinds_of(one.runbook))
    return readings_of(one.current, ctx) if one.current is not None else ()


def _is_news(one: Checklist, readings: tuple[StepReading, ...], actor: Actor, now_ms: int) -> bool:
    """Whether a look is written down: another person's, another answer, or the first for a while."""
    same = [(r.check, r.says) for r in readings] == [(r.check, r.says) for r in one.looked]
    again = checklists.name_of(one.looked_by) == actor.name and one.looked_ms is not None and now_ms - one.looked_ms < LOOK_MS
    return not (same and again)


def _json(readings: tuple[StepReading, ...]) -> list[Mapping[str, Any]]:
    return [found._asdict() for found in readings]


def _words(text: str) -> str:
    """A person's words as they are kept: one line, bounded, without what looks like a key."""
    bare = _UNSEEN.sub(" ", reason_given(text[: 4 * REASON_MAX]))
    return redacted(bare).strip()


def _events(home: Home, words: str) -> list[str]:
    """The journal's events that a person names as evidence. Raises BadInput for one that is not there."""
    named = list(dict.fromkeys(_EVENT.findall(words)))
    if len(named) > EVENTS_MAX:
        raise BadInput(f"{len(named)} events are named", f"name at most {EVENTS_MAX}")
    for ident in named:
        if find(home.desk_journal if ident.startswith("d") else home.people_journal, ident) is None:
            raise BadInput(f"the journal has no event {ident}", "nightdesk journal tail lists them")
    return named


def _subject(home: Home, about: str) -> tuple[str, str]:
    """(what a checklist is about as it is kept, the runbook of an alert). Raises BadInput for what the desk has not."""
    low = about.lower()
    if re.fullmatch(r"al-\d{1,9}", low):
        return low, RUNBOOKS.get(alert_rows.get(home.engine, low).kind, "incident")
    if re.fullmatch(r"w\d{1,9}", low):
        if low not in [window.id for window in windows_of(home.desk_journal)]:
            raise BadInput(f"there was never a window {low}", "see nightdesk incidents list")
        return low, "incident"
    names = [sleeve.name for sleeve in active(home.engine, home.path).config.sleeves]
    if about and about not in names and about not in home.desk.accounts:
        raise BadInput(f"{about[:40]!r} is nothing of this desk", f"an alert (al-3), an incident (w1), or of: {', '.join(names)}")
    return about, ""


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """One process and thread at a time: what the journal has is read and added to without another decision in between."""
    home.journal.mkdir(parents=True, exist_ok=True)
    with (home.journal / "checklists.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
