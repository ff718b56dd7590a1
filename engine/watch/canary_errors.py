"""A promoted model's error beside that of the version before, while it is a canary. Called by app/jobs/model_shadows.py.

The version before runs on as a shadow of the sleeve; what both said is set against the outcomes that are known by now. What it
came to, or why it could not, is a small file of the home that the supervisor's watch reads.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from engine.clock import timeframe_ms, utc
from engine.control.canary import RUNNING, CanaryRun, canaries
from engine.data.catalog import Catalog
from engine.errors import DeskError
from engine.watch.canaries import began
from engine.watch.model_shadow_report import report_of
from engine.watch.model_shadows import ModelShadow, begin, shadows, stop
from engine.watch.window import desk_ms, journal_of

SILENT_CLOSES = 100  # after so many half of them have both predictions and an outcome
LAG_BARS = 12  # closes that the catalog may be behind the desk


def keep_shadows(engine: Engine, home: Path, catalog: Catalog) -> dict[str, str]:
    """Begin the shadow of the version before for each canary that has a model, end those of canaries that are over; why not, by
    proposal.
    """
    failed = dict[str, str]()
    for run in canaries(engine):
        if run.terms["error"] is None:
            continue
        one = _shadow_of(home, run)
        try:
            if run.state != RUNNING and one is not None and not one.stopped:
                stop(home, one.name, one.version, one.sleeve, f"the canary of {run.proposal} has ended")
            elif run.state == RUNNING and one is None and began(journal_of(home), run) is not None:
                error = run.terms["error"]
                begin(engine, home, catalog, error["model"], error["champion"], run.sleeve, _by(run))
        except DeskError as error:
            failed[run.key] = str(error)
    return failed


def compared(
    engine: Engine, home: Path, catalog: Catalog, before: Mapping[str, Any], failed: Mapping[str, str], now_ms: int
) -> dict[str, Any]:
    """What each canary's model came to, by proposal: {known, ratio, ok_ms, why}. `before`: what was
    written last; `now_ms`: wall time.
    """
    found = dict[str, Any]()
    for run in canaries(engine):
        if run.state != RUNNING or run.terms["error"] is None or began(journal_of(home), run) is None:
            continue
        last = dict(before.get(run.key) or {"known": 0, "ratio": None, "ok_ms": 0})
        try:
            found[run.key] = last | _of(home, catalog, run, failed.get(run.key, ""), now_ms)
        except DeskError as error:
            found[run.key] = last | {"why": str(error)}
    return found


def _of(home: Path, catalog: Catalog, run: CanaryRun, why: str, now_ms: int) -> dict[str, Any]:
    one = _shadow_of(home, run)
    if one is None or one.stopped:
        return {"why": why or f"the shadow of the version before has ended: {one.stopped if one else 'none was begun'}"}
    behind = (desk_ms(home) or 0) - one.last_ms
    if behind > LAG_BARS * timeframe_ms(one.timeframe):
        return {"why": f"the catalog has no bar of {one.instrument} after {utc(one.last_ms)}"}
    report = report_of(home, catalog, one)
    silent = report["closes"] - report["known"]
    if silent > max(LAG_BARS, report["closes"] // 2) and report["closes"] >= SILENT_CLOSES:
        return {"why": f"{silent} of {report['closes']} closes have no prediction of both versions, or no outcome"}
    losses = {row["name"]: row["loss"] for row in report["rows"]}
    new, old = losses.get("champion"), losses.get("challenger")  # in the shadow's words the sleeve reads the champion
    ratio = new / old if new is not None and old else None
    return {"known": report["known"], "ratio": ratio, "ok_ms": now_ms, "why": ""}


def _shadow_of(home: Path, run: CanaryRun) -> ModelShadow | None:
    """The shadow that was begun for a canary."""
    return next((one for one in shadows(home) if one.sleeve == run.sleeve and one.by == _by(run)), None)


def _by(run: CanaryRun) -> str:
    return f"canary of {run.proposal}"
