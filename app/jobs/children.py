"""A job of several runs: a row for itself and one for each run. `python -m app.jobs.children ID` is its process.

Called by the API and `nightdesk jobs`. It has one turn in the queue and starts its children one after the other, each in a
process of its own: a run that crashes is one run. Counts and table are read from the rows, so a parent that was killed and is
resumed counts nothing twice: what has ended stays, the rest is queued again.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Engine
from sqlmodel import col, select, update

from app.home.home import Home, open_home
from app.jobs import kinds
from app.jobs.queue import LIVE, NICE, RUNS, JobQueue, now_ms, refuse_when_full, run_job
from engine.errors import BadInput, DataError, Refused
from engine.store.db import read, write
from engine.store.tables import Job

RUNS_MAX = 200
START_S = 10.0  # of a child's process, on top of its own time limit
COUNTED = ("done", "failed", "cancelled", "running", "queued")
FIGURES = ("total_return_frac", "sharpe", "max_drawdown_frac", "trades")  # of a run that has ended


def submit_runs(
    jobs: JobQueue,
    wanted: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    thread: str | None = None,
    turn: str | None = None,
) -> str:
    """Queue one job with a child for each of `wanted` (label, arguments of a backtest); returns its id.

    All arguments are checked before anything is queued: BadInput. A run that is already stored has ended at once.
    """
    if not 1 <= len(wanted) <= RUNS_MAX:
        raise BadInput(f"{len(wanted)} runs in one job", f"1 to {RUNS_MAX}")
    parent = jobs.row_of(RUNS, {"runs": len(wanted)}, thread=thread, turn=turn)
    parent.body = json.dumps({"time_limit_s": (jobs.time_limit_s + START_S) * len(wanted)})
    children = []
    for n, (label, args) in enumerate(wanted):
        child = jobs.row_of("backtest", args, parent=parent.id)
        child.id, child.body = f"{parent.id}-{n + 1}", json.dumps({**json.loads(child.body), "label": label[:120]})
        children.append(child)
    jobs.add([parent, *children])
    return parent.id


def children_of(engine: Engine, job_id: str) -> list[Job]:
    """The rows of a job's runs, in the order in which they were asked for."""
    with read(engine) as session:
        found = list(session.exec(select(Job).where(Job.parent == job_id)))
    return sorted(found, key=_number)


def counts_of(rows: Sequence[Job]) -> dict[str, Any]:
    """How many there are and in which state, and the same in words."""
    found = {state: sum(row.state == state for row in rows) for state in COUNTED}
    others = [f"{found[state]} {state}" for state in ("failed", "cancelled", "running") if found[state]]
    return {"text": ", ".join([f"{found['done']} of {len(rows)} runs done", *others]), "total": len(rows), **found}


def table_of(rows: Sequence[Job]) -> dict[str, Any]:
    """A row a run, with the figures of those that have ended; null where there are none yet."""
    lines = []
    for row in rows:
        body = json.loads(row.body)
        metrics = (body.get("result") or {}).get("metrics") or {}
        figures = [metrics.get(name) if row.state == "done" else None for name in FIGURES]
        lines.append([body.get("label", ""), row.state, min(max(row.progress, 0.0), 1.0), row.run_id, *figures])
    return {"columns": ["configuration", "state", "progress", "run_id", *FIGURES], "rows": lines}


def resume(jobs: JobQueue, job_id: str) -> None:
    """Queue a job of several runs again, with its runs that did not end well; the others stay as they are.

    Refused while it lives, when all of its runs are done, and when the queue is full.
    """
    state, rows = jobs.view(job_id).state, children_of(jobs.home.engine, job_id)
    if not rows:
        raise BadInput(f"{job_id} has no runs of its own", "start it again")
    again = [row.id for row in rows if row.state in ("failed", "cancelled")]
    if state in LIVE or not again:
        ended = f"{job_id} is {state}; {len(again)} of its {len(rows)} runs failed or were cancelled"
        raise Refused(ended, "wait until it ends" if state in LIVE else "start it again for other runs")
    fresh: dict[str, Any] = {"state": "queued", "progress": 0.0, "pid": None, "error": None, "started_ms": None, "ended_ms": None}
    with write(jobs.home.engine) as session:
        refuse_when_full(session, now_ms())
        mine = update(Job).where(col(Job.id) == job_id, col(Job.state).not_in(LIVE))
        if session.exec(mine.values(**fresh, created_ms=now_ms())).rowcount != 1:  # its place is at the end of the queue
            raise Refused(f"{job_id} was resumed already", "see nightdesk jobs show")
        session.exec(update(Job).where(col(Job.id).in_(again)).values(**fresh))
    jobs.spawn(job_id)


def run_all(job_id: str, home: Home, _args: Mapping[str, Any], progress: kinds.Progress) -> dict[str, Any]:
    """Start each child that has not begun, one after the other, and wait for it; how they ended. What the process does."""
    jobs, ids = JobQueue(home), [row.id for row in children_of(home.engine, job_id)]
    for n, child in enumerate(ids):
        with read(home.engine) as session:
            begins = session.exec(select(Job.pid).where(Job.id == child, Job.state == "queued")).all() == [None]
        if begins:
            jobs.spawn(child)
        jobs.wait(child, progress=partial(_share, progress, n, len(ids)))
    rows = children_of(home.engine, job_id)
    counts = counts_of(rows)
    if not counts["done"]:
        first = next((row.error for row in rows if row.error), "no reason was recorded")
        raise DataError(f"none of its {len(rows)} runs ended well; the first: {first}", f"nightdesk jobs show {job_id}")
    return {"children": counts}


def _share(progress: kinds.Progress, before: int, count: int, share: float) -> None:
    """The progress of the whole, while one child runs."""
    progress((before + share) / count)


def _number(row: Job) -> int:
    """The place of a child among its siblings, from its id."""
    return int(row.id.rpartition("-")[2])


def main() -> None:
    """`python -m app.jobs.children ID`"""
    os.nice(NICE)
    run_job(open_home(), sys.argv[1], {RUNS: partial(run_all, sys.argv[1])})


if __name__ == "__main__":
    main()
