"""Runbooks as steps for the operator (READ): where people are in one, its next step, what its checks read. Called by the catalog.

A role decides no step and begins no runbook: it names the step, its check and the command; a person's click or command decides.
"""

import re

from pydantic import Field

from engine.control.checklists import OPEN, YES, Checklist, ChecklistStep, StepReading, checklists_of, name_of
from tools.alerts import page_for
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Fact,
    Table,
    ToolContext,
    ToolResult,
    Value,
    asked_as,
    clean,
    make_facts,
    no_data,
    tool,
)
from tools.shipped import RUNBOOK_PAGES

STEP_MAX = 600
_SUBJECT = re.compile(r"\bal-\d{1,9}\b|\bw\d{1,9}\b")
SHOWN = 6


class ChecklistArgs(Args):
    """about: a checklist (cl-2), an alert (al-3), incident (w1), sleeve or runbook; null: those that are open."""

    about: str | None = Field(None, max_length=200)


class StepsArgs(Args):
    """about: a runbook by name, an alert (al-3), or words such as `dead worker`; null: of the checklist that is open."""

    about: str | None = Field(None, max_length=200)


@tool(
    "checklist",
    Effect.READ,
    asked_as(
        "",
        "where are we in the runbook?; what is the next step of the runbook?; which runbook step is next?; start the runbook "
        "for this alert; begin the runbook for al-3; which checklists are open?; is anyone working through a runbook?; who is "
        "working through the runbook?; how far are we in the runbook?",
    ),
)
def checklist(ctx: ToolContext, args: ChecklistArgs) -> ToolResult:
    """Where people are in a runbook: the next step, what its checks read now (yes, no, cannot say), steps done and refused with
    evidence. Only a person's command or click decides a step."""
    wanted = (args.about or "").strip()
    found = _meant(ctx, wanted)
    if not found:
        return no_data(_none(ctx, wanted))
    facts: list[Fact] = []
    lines, rows = [], list[tuple[Value, ...]]()
    for one in found[:SHOWN]:
        h = ctx.handle("l", one.id)
        facts += _facts(h, one)
        lines.append(_sentence(ctx, h, one))
        rows += [
            (one.id, d.step, d.state, clean(name_of(d.by), 60), clean(d.words or _read(d.readings), 160)) for d in one.decisions
        ]
    if len(found) > SHOWN:
        lines.append(f"Others are open: {', '.join(one.id for one in found[SHOWN:])}.")
    evidence = tuple(
        Evidence("event", ident) for one in found[:SHOWN] for ident in (one.begun_event, *(d.event for d in one.decisions))
    )
    table = Table(("checklist", "step", "state", "by", "evidence or reason"), tuple(rows)) if rows else None
    data = {"checklists": [one.id for one in found], "open": sum(one.state == OPEN for one in found)}
    return ToolResult("ok", "\n\n".join(lines), tuple(facts), evidence, table, data)


def _none(ctx: ToolContext, about: str) -> str:
    """That nothing is worked through, and how a person begins it."""
    page = page_for(ctx, about) if about else None
    subject = f" --about {found[0]}" if (found := _SUBJECT.search(about.lower())) else ""
    what = f"the runbook {page}" if page else "a runbook"
    how = f"nightdesk runbooks begin {page or 'NAME'}{subject} --as NAME"
    return f"Nobody is working through {what}. A person begins it: {how}, or the button under its alert on the page."


def _meant(ctx: ToolContext, about: str) -> list[Checklist]:
    """The checklists that are meant, newest first: one by its id, whatever became of it; else open ones."""
    every = checklists_of(ctx.home)
    low = about.lower()
    if low in every:
        return [every[low]]
    open_ = [one for one in every.values() if one.state == OPEN][::-1]
    if not about:
        return open_
    named = [one for one in open_ if low == one.about.lower()]
    return named or [one for one in open_ if one.runbook == page_for(ctx, about)]


def _facts(h: str, one: Checklist) -> tuple[Fact, ...]:
    """How far it is."""
    done = sum(d.state == "done" for d in one.decisions)
    values: dict[str, tuple[Value, str]] = {"steps": (len(one.steps), "count"), "done": (done, "count")}
    values |= {"refused": (len(one.decisions) - done, "count"), "begun": (one.begun_ms, "ms")}
    values |= {"step": (one.current.number if one.current else None, "count")}
    return make_facts(h, f"checklist {one.id}", Evidence("event", one.begun_event), values)


def _sentence(ctx: ToolContext, h: str, one: Checklist) -> str:
    """Where it is, its next step, what the step's checks read, and what a person types."""
    about = f" about {clean(one.about, 60)}" if one.about else ""
    head = f"{one.id}, runbook {one.runbook}{about}, begun at {{{h}.begun}} by {clean(name_of(one.by), 60)}: "
    if one.current is None:
        why = f" by {clean(name_of(one.ended_by), 60)} ({clean(one.ended_why, 200)})" if one.ended_by else ""
        return f"{head}{one.state}{why}; {{{h}.done}} of {{{h}.steps}} steps done, {{{h}.refused}} refused."
    step, readings = one.current, _readings(ctx, one)
    text = f"{head}step {{{h}.step}} of {{{h}.steps}} is next, {{{h}.done}} done, {{{h}.refused}} refused. {_step(step)}"
    text += f" {_read(readings)}" if readings else " No check decides it: a person writes what they saw."
    if all(found.says == YES for found in readings):
        words = "" if readings else ' --evidence "what you saw"'
        return (
            f"{text} To decide: nightdesk runbooks done {step.number} --of {one.id}{words} --as NAME, or the button on the page."
        )
    refuse = f'nightdesk runbooks refuse {step.number} --of {one.id} --reason "why" --as NAME'
    return f"{text} It cannot be marked done as it is; if it does not apply: {refuse}."


def _step(step: ChecklistStep) -> str:
    origin = f" ({clean(step.origin, 60)})" if step.origin else ""
    text = clean(step.text, STEP_MAX)
    return f"Step {step.number}{origin}: {text}{'' if text.endswith(('.', '?', '!')) else '.'}"


def _read(readings: tuple[StepReading, ...]) -> str:
    """What the checks of a step read."""
    return " ".join(f"Check {found.check}: {found.says}, {clean(found.text, 200).rstrip('.')}." for found in readings)


def _readings(ctx: ToolContext, one: Checklist) -> tuple[StepReading, ...]:
    from engine.watch.runbooks import kinds_of
    from engine.watch.step_checks import context_of, kept_readings

    assert one.current is not None  # noqa: S101 - its caller looked
    return kept_readings(one.current, context_of(ctx.home, ctx.engine, ctx.now_ms, one, kinds_of(one.runbook)))


@tool(
    "runbook_steps",
    Effect.READ,
    asked_as(
        "",
        "which steps of the runbook have a check?; which checks does the runbook for a dead worker have?; list the steps and "
        "checks of the runbook for stale bars",
    ),
)
def runbook_steps(ctx: ToolContext, args: StepsArgs) -> ToolResult:
    """The steps of a runbook in order, each with the check that decides it or `a person looks`, and lessons of incidents."""
    from engine.watch.runbooks import steps_with_lessons
    from engine.watch.step_checks import CHECKS

    worked = None if args.about else next(iter(_meant(ctx, "")), None)
    page = page_for(ctx, args.about) if args.about else worked.runbook if worked else None
    if page is None:
        return no_data(f"no runbook matches {clean(args.about or 'it', 80)!r}: name one, as in `the runbook for a dead worker`")
    steps = steps_with_lessons(RUNBOOK_PAGES, ctx.home, page)
    rows = []
    for step in steps:
        about = "; ".join(f"{name}: {CHECKS[name.partition(' ')[0]].about}" for name in step.checks) or "a person looks"
        rows.append((step.number, clean(step.text, 200), about, clean(step.origin, 60) or "-"))
    decided = sum(bool(step.checks) for step in steps)
    h = ctx.handle("l", f"runbook {page}")
    values: dict[str, tuple[Value, str]] = {"steps": (len(steps), "count"), "checked": (decided, "count")}
    facts = make_facts(h, f"runbook {page}", Evidence("page", f"docs/runbooks/{page}.md"), values)
    text = f"Runbook {page}: {{{h}.steps}} steps, {{{h}.checked}} of them decided by a check, the others by a person's sight."
    evidence = (Evidence("page", f"docs/runbooks/{page}.md"),)
    table = Table(("step", "what", "check", "from"), tuple(rows))
    return ToolResult("ok", text, facts, evidence, table, {"runbook": page, "steps": len(steps)})
