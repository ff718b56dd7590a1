"""How much a model may hold at once, counted in the tables: called by tools/catalog.py before a tool runs.

One PROPOSE a turn and last; one running and three queued jobs; notes are counted by tools/notes.py where they are made.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from engine.errors import Refused
from tools.contract import ToolContext, clean

JOBS_RUNNING_MAX, JOBS_QUEUED_MAX = 1, 3
JOBS_MAX = JOBS_RUNNING_MAX + JOBS_QUEUED_MAX
NOTES_DAY_MAX = 20
DAY_MS = 86_400_000

# shapes of keys that people paste into a chat by mistake: never kept in a journal
_SECRET = re.compile(
    r"(sk-[\w-]{16,}|xox[a-z]-[\w-]{10,}|gh[a-z]_\w{20,}|AKIA[A-Z0-9]{12,}|Bearer\s+[\w.~+/=-]{16,}|\b[A-Za-z0-9]{48,}\b)"
)


def redacted(text: str) -> str:
    """`text` with everything that looks like a key replaced; run ids and hashes are shorter or known and stay."""
    return _SECRET.sub("[secret]", text)


def recordable(args: Mapping[str, Any]) -> Any:
    """Arguments as the journal keeps them: plain JSON of at most 2,000 characters, keys masked."""
    try:
        text = json.dumps(dict(args), ensure_ascii=False, sort_keys=True, allow_nan=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return {"unreadable": clean(repr(args), 200)}
    text = redacted(clean(text, 2000))
    try:
        return json.loads(text)
    except ValueError:
        return {"cut": text}


def reason_against(ctx: ToolContext) -> str:
    """Why any call is refused now; empty when it is not."""
    return "this turn has already proposed or noted something: one a turn, and as the last step" if ctx.proposed else ""


def require_room(ctx: ToolContext, wanted: int) -> None:
    """Raise Refused when `wanted` more jobs are more than the roles may have open."""
    open_now = jobs_open(ctx)
    if open_now + wanted > JOBS_MAX:
        raise Refused(
            f"{open_now} jobs are open and this needs {wanted} more; the limit is one running and three queued",
            "wait for one to end",
        )


def jobs_open(ctx: ToolContext) -> int:
    """How many jobs that a role asked for are queued or running."""
    from sqlmodel import Session, col, func, select

    from engine.store.tables import Job

    with Session(ctx.engine) as session:
        count = select(func.count()).where(col(Job.state).in_(("queued", "running")), col(Job.thread).is_not(None))
        return int(session.exec(count).one())
