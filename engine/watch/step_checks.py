"""Checks of a runbook's steps: whether what a step is for holds now, as yes, no or cannot say, with what was read.

Pure readings of what the desk knows: heartbeat, journals, alerts, kept looks. Called by app.people.checklists (a decision: always
read anew), by tools and pages (`kept_readings`). A check that fails, or lacks what it reads, cannot say: that is never a yes.
What a stopped worker last said is not what is: without a worker nothing of its last mark is taken for now.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine

from engine.control.checklists import CANNOT_SAY, Checklist, ChecklistStep, StepReading
from engine.errors import DeskError
from engine.watch import step_asks as ask
from engine.watch.audit_status import last_audit
from engine.watch.drift_status import last_drift
from engine.watch.drill_status import last_drill
from engine.watch.observation import RUNBOOKS
from engine.watch.parity_result import last_result
from engine.watch.silence.status import last_silences
from engine.watch.step_asks import CheckContext, Found

TEXT_MAX = 400
QUICK_MS, SLOW_MS = 2_500, 60_000  # how long a reading is kept for what is only shown
KEPT_MAX = 256


class StepCheck(NamedTuple):
    """A check by its name. `about`: what its yes means. `slow`: it reads more than the ends of files."""

    name: str
    about: str
    ask: Callable[..., Found]
    slow: bool = False
    takes: Collection[str] = ()  # words, of which one is behind its name: `no-alert bars`


def context_of(home: Path, engine: Engine, now_ms: int, one: Checklist, kinds: tuple[str, ...]) -> CheckContext:
    """What the checks of a checklist read."""
    return CheckContext(home, engine, now_ms, one.about, kinds, one.begun_ms)


def check_of(name: object) -> StepCheck | None:
    """The check of that name, as a step has it; None for none."""
    bare, _, word = str(name).partition(" ")
    found = CHECKS.get(bare)
    return found if found is not None and (word in found.takes if found.takes else not word) else None


def readings_of(step: ChecklistStep, ctx: CheckContext) -> tuple[StepReading, ...]:
    """Each check of a step, read now; what is shown next is this."""
    return tuple(_keep(name, ctx, reading(name, ctx)) for name in step.checks)


def reading(name: str, ctx: CheckContext) -> StepReading:
    """One check, read now; it never raises."""
    check, (_, _, word) = check_of(name), name.partition(" ")
    if check is None:
        return StepReading(name, CANNOT_SAY, "this version of the desk has no such check")
    try:
        says, text, event = check.ask(ctx, word) if check.takes else check.ask(ctx)
    except Exception as error:  # noqa: BLE001 - whatever fails: a check that could not look has not seen that all is well
        why = str(error) if isinstance(error, DeskError) else type(error).__name__
        says, text, event = CANNOT_SAY, f"it could not be read: {why}", ""
    return StepReading(name, says, text[:TEXT_MAX], event)


_KEPT: dict[tuple[Any, ...], tuple[int, StepReading]] = {}
_ONE = threading.Lock()


def kept_readings(step: ChecklistStep, ctx: CheckContext) -> tuple[StepReading, ...]:
    """The same for what is shown: a page that asks every five seconds reads a slow check once a minute."""
    return tuple(_kept(name, ctx) for name in step.checks)


def _kept(name: str, ctx: CheckContext) -> StepReading:
    check = check_of(name)
    lasts = SLOW_MS if check is not None and check.slow else QUICK_MS
    with _ONE:
        at, found = _KEPT.get(_key(name, ctx), (0, None))
    if found is not None and 0 <= ctx.now_ms - at < lasts:
        return found
    return _keep(name, ctx, reading(name, ctx))


def _keep(name: str, ctx: CheckContext, found: StepReading) -> StepReading:
    with _ONE:
        while len(_KEPT) >= KEPT_MAX:
            del _KEPT[next(iter(_KEPT))]
        _KEPT.pop(_key(name, ctx), None)
        _KEPT[_key(name, ctx)] = (ctx.now_ms, found)
    return found


def _key(name: str, ctx: CheckContext) -> tuple[Any, ...]:
    """What a reading is of: two homes, or two checklists, share none."""
    return str(ctx.home), name, ctx.about, ctx.kinds, ctx.since_ms


LOOKS: tuple[tuple[str, str, Callable[[Mapping[str, Any]], Found], Callable[[Path], Mapping[str, Any]], str], ...] = (
    ("audit-passes", "no point of the audit began to fail", ask.audit_look, last_audit, "nightdesk audit"),
    (
        "parity-explained",
        "desk and backtest differ by no more than is explained",
        ask.parity_look,
        last_result,
        "nightdesk parity",
    ),
    ("inputs-alike", "no input of a model in use has moved", ask.drift_look, last_drift, "it is looked at once a day"),
    ("nothing-silent", "nothing fell silent", ask.silences_look, last_silences, "nightdesk silences"),
    ("guards-fire", "every guard fired in the drill", ask.drill_look, last_drill, "nightdesk drill"),
)  # what a job or a command keeps of its last look
CHECKS: Mapping[str, StepCheck] = {
    one.name: one
    for one in (
        StepCheck("worker-runs", "a worker runs and its heartbeat is young", ask.worker_runs),
        StepCheck("gate-open", "the account's gate is open", ask.of_mark(ask.gate_open)),
        StepCheck("entries-open", "no sleeve is kept from entering", ask.of_mark(ask.entries_open)),
        StepCheck("stops-work", "every open layer has its protective order", ask.of_mark(ask.stops_work)),
        StepCheck("flat", "no position is open", ask.of_mark(ask.flat)),
        StepCheck("bars-come", "the last bars have prices", ask.of_mark(ask.bars_come)),
        StepCheck("strategies-answer", "every strategy answers", ask.of_mark(ask.strategies_answer)),
        StepCheck("sleeve-paused", "the sleeve is paused", ask.of_mark(ask.sleeve_paused)),
        StepCheck("reconcile-clean", "desk and venue agree", ask.of_mark(ask.reconcile_clean), slow=True),
        StepCheck("no-halt", "no halt is latched", ask.no_halt),
        StepCheck("halted", "the halt is latched", ask.halted),
        StepCheck("journal-verified", "both journals verify", ask.journal_verified, slow=True),
        StepCheck("disk-free", "the disk has room", ask.disk_free),
        StepCheck("healthy", "every health check holds, but those that a release ends", ask.healthy, slow=True),
        StepCheck("database-answers", "the database answers", ask.database_answers),
        StepCheck("identity-holds", "the desk's money adds up", ask.identity_holds, slow=True),
        StepCheck("no-alert", "no alert of that kind is open", ask.no_alert, takes=frozenset(RUNBOOKS)),
        StepCheck("alert-over", "its alert is over", ask.alert_over),
        StepCheck("acknowledged", "its alert is acknowledged", ask.acknowledged),
        StepCheck("delivered", "messages arrive again", ask.delivered),
        StepCheck("window-closed", "its incident window is closed", ask.window_closed, slow=True),
        *(StepCheck(name, about, ask.of_look(read, look, command)) for name, about, read, look, command in LOOKS),
    )
}
