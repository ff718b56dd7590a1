"""Routes of jobs: list, show, cancel. Registered by app.api.factory."""

import json
from typing import Any

from fastapi import APIRouter, Path, Query
from sqlmodel import col, select

from app.api import models as m
from app.api.context import ApiContext, At, NotFound, Who
from app.api.models_people import EmptyBody
from app.jobs.queue import LIVE, JobQueue
from engine.store import db
from engine.store.tables import Job

router = APIRouter(prefix="/api/jobs", tags=["jobs"])
JobId = Path(max_length=60, pattern=r"^[\w-]+$", examples=["j-20261120-0a1b2c3d"])


@router.get("")
def jobs(at: At, _: Who, *, live: bool = False, limit: int = Query(50, ge=1, le=500)) -> m.JobList:
    """Jobs, newest first; `live`: only those queued or running."""
    query = select(Job.id).order_by(col(Job.created_ms).desc(), col(Job.id).desc()).limit(limit)
    with db.read(at.engine) as session:
        found = list(session.exec(query.where(col(Job.state).in_(LIVE)) if live else query))
    return m.JobList(items=[job_status(at, job) for job in found])


@router.get("/{job_id}")
def one(at: At, _: Who, job_id: str = JobId) -> m.JobStatus:
    """One job's current state."""
    return job_status(at, job_id)


@router.post("/{job_id}/cancel")
def cancel(at: At, _: Who, body: EmptyBody, job_id: str = JobId) -> m.JobStatus:  # noqa: ARG001 - an empty body is checked too
    """Cancel a job: its process is killed, and what it was writing never becomes a run."""
    job_status(at, job_id)
    JobQueue(at.home).cancel(job_id)
    return job_status(at, job_id)


def job_status(at: ApiContext, job_id: str) -> m.JobStatus:
    """The API's view of a job; a dead process is detected here."""
    with db.read(at.engine) as session:
        row = session.get(Job, job_id)
    if row is None:
        raise NotFound(f"unknown job {job_id!r}", "see /api/jobs")
    now: dict[str, Any] = {}
    if row.state in LIVE:
        view = JobQueue(at.home).view(job_id)
        with db.read(at.engine) as session:
            row = session.get(Job, job_id) or row
        if row.state in LIVE and view.state == "failed":  # dead, and the disk has no room to store that
            now = {"state": view.state, "error": view.error}
    apart, body = ("args", "result", "progress", "partly"), json.loads(row.body)
    columns = {k: getattr(row, k) for k in m.JobStatus.model_fields if k not in apart} | now
    progress = min(max(row.progress, 0.0), 1.0)
    found = {"result": body.get("result"), "partly": body.get("partly")}
    return m.JobStatus(**columns, **found, args=json.loads(row.args), progress=progress)
