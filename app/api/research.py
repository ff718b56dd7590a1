"""Routes of research on the page: what searches, walk-forwards, judgements, parity checks and drills came to.

Registered by app.api.factory. The same jobs, with their raw results: app/api/jobs.py.
"""

from typing import Any

from fastapi import APIRouter, Path, Query

from app.api import models_figures as m
from app.api.context import At, NotFound, Who
from app.api.jobs import job_status
from app.views.research import NAMES, VIEWS, lines, subject_of, view_of

router = APIRouter(prefix="/api/research", tags=["jobs"])
JobId = Path(max_length=60, pattern=r"^[\w-]+$", examples=["j-20261120-0a1b2c3d"])


@router.get("")
def listed(at: At, _: Who, limit: int = Query(20, ge=1, le=100)) -> m.ResearchLines:
    """Research jobs, newest first, with a line on what each came to."""
    return m.ResearchLines(items=[m.ResearchLine(**line) for line in lines(at.engine, limit)])


@router.get("/{job_id}")
def one(at: At, _: Who, job_id: str = JobId) -> m.ResearchView:
    """One of them: verdict, figures, tables; without them while it runs or when it failed. 404 for another kind of job."""
    job = job_status(at, job_id)
    if job.kind not in VIEWS:
        raise NotFound(f"{job_id!r} is a {job.kind}, not research", "see /api/research")
    found: dict[str, Any] = {"title": f"{NAMES[job.kind]} {subject_of(job.args)}", "verdict": job.error or "", "look": "calm"}
    if job.state == "done" and job.result:
        found = view_of(job.kind, job.result)
    kept = ("id", "kind", "state", "progress", "thread", "person", "created_ms", "ended_ms")
    return m.ResearchView(**{name: getattr(job, name) for name in kept}, **found)
