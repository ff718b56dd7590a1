"""Limits on what a model may start, counted in the database. Called by tools/catalog.py before a tool runs.

One PROPOSE per turn, as the last call; one running and three queued jobs; tools/notes.py counts notes.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from engine.errors import Refused
from engine.redaction import redacted
from tools.common.contract import Effect, ToolContext, clean

JOBS_RUNNING_MAX, JOBS_QUEUED_MAX = 1, 3
JOBS_MAX = JOBS_RUNNING_MAX + JOBS_QUEUED_MAX
NOTES_DAY_MAX = 20
RECORD_MAX, DEPTH_MAX, WIDTH_MAX = 2000, 6, 30  # of a call's arguments in the journal


def recordable(args: Any) -> Any:
    """Arguments as journaled: plain JSON of bounded depth, width and length, text cleaned, keys masked."""
    kept = _recordable_value(args, 0)
    text = json.dumps(kept, ensure_ascii=False)
    return kept if len(text) <= RECORD_MAX else {"cut": clean(text, RECORD_MAX)}


def _recordable_value(value: Any, depth: int) -> Any:
    """One value of the arguments; what is too deep, too wide or not JSON becomes text."""
    if isinstance(value, str):
        return redacted(clean(value))
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 1 << 53):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if depth < DEPTH_MAX and isinstance(value, Mapping):
        return {redacted(clean(k, 80)): _recordable_value(v, depth + 1) for k, v in list(value.items())[:WIDTH_MAX]}
    if depth < DEPTH_MAX and isinstance(value, list | tuple):
        return [_recordable_value(v, depth + 1) for v in value[:WIDTH_MAX]]
    return redacted(clean(type(value).__name__ if isinstance(value, Mapping | list | tuple) else value))


def reason_against(ctx: ToolContext, effect: Effect) -> str:
    """Why a call of this effect is refused now; empty when it is not."""
    if ctx.proposed:
        return "this turn has already made a proposal or note: only one per turn, as the last call"
    return ctx.over_budget(effect)


def require_room(ctx: ToolContext, wanted: int) -> None:
    """Raise Refused when `wanted` more jobs are more than the roles may have open."""
    open_now = jobs_open(ctx)
    if open_now + wanted > JOBS_MAX:
        raise Refused(
            f"{open_now} jobs are open and this needs {wanted} more; at most one may run and three may queue",
            "wait for one to end",
        )


def jobs_open(ctx: ToolContext) -> int:
    """How many jobs that a role asked for are queued or running."""
    from sqlmodel import Session, col, func, select

    from engine.store.tables import Job

    with Session(ctx.engine) as session:
        count = select(func.count()).where(col(Job.state).in_(("queued", "running")), col(Job.thread).is_not(None))
        return int(session.exec(count).one())
