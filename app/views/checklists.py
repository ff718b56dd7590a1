"""Checklists as plain JSON: each step with what became of it, and what the checks of the current one read now.

Called by app/cli/runbooks.py and app/api/checklists.py. A page asks every few seconds: the journal is read onward, a reading is
kept for a moment (engine/watch/step_checks.py).
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from engine.control.checklists import CANNOT_SAY, NO, OPEN, Checklist, ChecklistStep, StepReading, checklists_of
from engine.watch.incidents import lessons_of
from engine.watch.runbooks import LESSONS_MAX, kinds_of, steps_of, titles_in
from engine.watch.step_checks import CHECKS, context_of, kept_readings
from engine.watch.window import journal_of

LISTED_MAX = 50


def checklist_list(home: Path, engine: Engine, now_ms: int, *, about: str = "", ended: bool = False) -> list[dict[str, Any]]:
    """Those that are open, and with `ended` the others, newest first; of one subject or of all."""
    found = [one for one in checklists_of(home).values() if about in ("", one.about) and (ended or one.state == OPEN)]
    return [shown_checklist(home, engine, now_ms, one) for one in found[::-1][:LISTED_MAX]]


def shown_checklist(
    home: Path, engine: Engine, now_ms: int, one: Checklist, readings: Sequence[StepReading] | None = None
) -> dict[str, Any]:
    """A checklist. `readings`: of the current step, where they were read already."""
    current = one.current
    if readings is None and current is not None:
        readings = kept_readings(current, context_of(home, engine, now_ms, one, kinds_of(one.runbook)))
    made = {decision.step: decision for decision in one.decisions}
    steps = []
    for step in one.steps:
        decision, read = made.get(step.number), tuple(readings or ()) if step == current else ()
        steps.append(
            {
                **step._asdict(),
                "state": decision.state if decision else state_now(read),
                "words": decision.words if decision else "",
                "by": dict(decision.by) if decision else None,
                "t_ms": decision.t_ms if decision else None,
                "event": decision.event if decision else None,
                "events": list(decision.events) if decision else [],
                "readings": [found._asdict() for found in (decision.readings if decision else read)],
            }
        )
    kept = {name: getattr(one, name) for name in ("id", "runbook", "title", "about", "begun_ms", "begun_event", "state")}
    over = {"ended_ms": one.ended_ms, "ended_why": one.ended_why, "ended_by": dict(one.ended_by) if one.ended_by else None}
    return {**kept, **over, "by": dict(one.by), "current": current.number if current else None, "steps": steps}


def state_now(readings: Sequence[StepReading]) -> str:
    """Of a step that nobody has decided: open, or cannot say where its checks say neither yes nor no."""
    says = [found.says for found in readings]
    return CANNOT_SAY if CANNOT_SAY in says and NO not in says else OPEN


def runbook_list(home: Path, pages: Path) -> list[dict[str, Any]]:
    """Every runbook: its title, its steps, how many of them a check decides, and how many lessons of this desk are added."""
    lessons = Counter(page for one in lessons_of(journal_of(home)) for page in one.pages)
    found = []
    for name, title in titles_in(pages).items():
        steps = steps_of(pages, name)
        counts = {"steps": len(steps), "checked": sum(bool(step.checks) for step in steps)}
        found.append({"name": name, "title": title, **counts, "lessons": min(lessons[name], LESSONS_MAX)})
    return found


def steps_shown(steps: Sequence[ChecklistStep]) -> list[dict[str, Any]]:
    """The steps of a runbook that was not begun, each check with what its yes means."""
    named = [{name: CHECKS[name.partition(" ")[0]].about for name in step.checks} for step in steps]
    return [{**step._asdict(), "checks": checks} for step, checks in zip(steps, named, strict=True)]
