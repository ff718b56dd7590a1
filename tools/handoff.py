"""Updates memory's handoff page from the database. Called by agents/turns.py when a turn has ended, never by a model."""

from functools import cache
from pathlib import Path
from typing import Any

import orjson

from engine.clock import utc
from memory import handoff
from memory.shelf import Shelf
from tools.common.contract import clean


def write_handoff(engine: Any, home: Path) -> None:
    """Write who asked which role, what ran and was proposed, and what is pending, into memory/handoff.md.

    ShelfError when the page cannot be written: the caller ignores it.
    """
    from engine.store.db import read_rows

    asked, ran, waits, alive = _statements()
    with read_rows(engine) as rows:
        turns = rows.execute(asked).all()
        jobs = rows.execute(ran, {"turns": [turn.id for turn in turns]}).all()
        waiting = rows.execute(waits).all()
        going = rows.execute(alive).all()
        entries = [
            handoff.Entry(
                utc(turn.created_ms),
                turn.role,
                clean(turn.person or "someone", 40),
                turn.thread,
                tuple(dict.fromkeys(job.run_id for job in jobs if job.turn == turn.id and job.run_id)),
                tuple(_proposed(turn.answer)),
            )
            for turn in turns
        ]
        pending = [f"{p.id}: {p.sleeve}, {p.direction}, until {utc(p.expires_ms)}" for p in waiting]
        open_jobs = [f"{job.id}: {job.kind}, {job.state}" for job in going]
    handoff.write(Shelf(home / "memory"), entries, pending, open_jobs)


@cache
def _statements() -> tuple[Any, Any, Any, Any]:
    """The last turns, the jobs of some, pending proposals, live jobs: built once, since most turns end with this page."""
    from sqlmodel import bindparam, col, select

    from engine.store.tables import Job, Proposal, Thread, Turn

    asked: Any = select(Turn.id, Turn.created_ms, Turn.role, Turn.thread, Turn.answer, Thread.person)  # type: ignore[call-overload]  # typed up to four
    asked = asked.outerjoin(Thread, col(Thread.id) == col(Turn.thread))
    asked = asked.where(col(Turn.model) != "code")  # a posting answers a question that is listed already
    asked = asked.order_by(col(Turn.created_ms).desc()).limit(handoff.ENTRIES_MAX)
    ran = select(Job.turn, Job.run_id).where(col(Job.turn).in_(bindparam("turns", expanding=True)))
    waits = select(Proposal.id, Proposal.sleeve, Proposal.direction, Proposal.expires_ms).where(Proposal.state == "pending")
    alive = select(Job.id, Job.kind, Job.state).where(col(Job.state).in_(("queued", "running")))
    return asked, ran, waits, alive


def _proposed(answer: str) -> list[str]:
    """Ids of the proposals in a stored answer (the `proposals` of `chat --json`)."""
    try:
        made = orjson.loads(answer).get("proposals", [])
    except (ValueError, AttributeError):
        return []
    return [clean(p.get("id", "") if isinstance(p, dict) else p, 60) for p in made if p][:5]
