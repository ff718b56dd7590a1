"""What clients may use: calls a minute for each, jobs and proposals a day for all. Called by app/mcp/calls.py.

Jobs, proposals and notes are counted where they are, in the database, so that neither a second connection nor a new process
begins anew; calls are counted in this process.
"""

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from app.home.night import McpEntry
from engine.clock import DAY_MS, MINUTE_MS
from tools.common.contract import Effect

THREAD = "mcp-"  # how the thread of every MCP conversation begins


class CallRate:
    """The calls of one client within the last minute."""

    def __init__(self, calls_max: int) -> None:
        self._at: deque[int] = deque(maxlen=calls_max)
        self._refused_ms = -MINUTE_MS

    def refusal(self, now_ms: int) -> str:
        """Why a call at this time is one too many; empty when it is not, and then it counts."""
        full = len(self._at) == self._at.maxlen and now_ms - self._at[0] < MINUTE_MS
        if full:
            return f"more than {self._at.maxlen} calls within a minute: wait, then call again"
        self._at.append(now_ms)
        return ""

    def is_first(self, now_ms: int) -> bool:
        """Whether this refusal is the first of a minute: it is journaled, the others would only fill the disk."""
        first = now_ms - self._refused_ms >= MINUTE_MS
        if first:
            self._refused_ms = now_ms
        return first


def day_limits(engine: Any, entry: McpEntry, now_ms: int) -> Callable[[Effect], str]:
    """Why a call of an effect is beyond what all clients together may use on this UTC day; empty when it is not."""

    def over(effect: Effect) -> str:
        since = now_ms - now_ms % DAY_MS
        if effect is Effect.PROPOSE and _proposals(engine, since) >= entry.proposals_day:
            return (
                f"MCP clients have made {entry.proposals_day} proposals and notes today ([mcp] proposals_day): a person can go on"
            )
        if effect is Effect.COMPUTE and _jobs(engine, since) >= entry.jobs_day:
            return f"MCP clients have started {entry.jobs_day} jobs today ([mcp] jobs_day): a person can go on"
        return ""

    return over


def _jobs(engine: Any, since_ms: int) -> int:
    """Jobs that MCP conversations started since then."""
    from sqlmodel import col, func, select

    from engine.store.db import read
    from engine.store.tables import Job

    with read(engine) as session:
        count = select(func.count()).where(col(Job.thread).startswith(THREAD), col(Job.created_ms) >= since_ms)
        return int(session.exec(count).one())


def _proposals(engine: Any, since_ms: int) -> int:
    """Proposals and notes that MCP conversations made since then."""
    from sqlmodel import col, func, select

    from engine.store.db import read
    from engine.store.tables import InboxNote, Proposal

    with read(engine) as session:
        notes = select(func.count()).where(col(InboxNote.thread).startswith(THREAD), col(InboxNote.created_ms) >= since_ms)
        requesters = session.exec(select(Proposal.requester).where(col(Proposal.created_ms) >= since_ms)).all()
        made = sum(str(json.loads(one).get("thread", "")).startswith(THREAD) for one in requesters)
        return int(session.exec(notes).one()) + made
