"""Jobs that run where they are submitted. A process loads two seconds before it works: for tests of what a job leaves, not of
how it runs. Called by the fixture `jobs_here` and by tests.evals.answers.
"""

from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import copy_context
from typing import Any

from app.jobs import queue


def ran_here(jobs: queue.JobQueue, job_id: str) -> None:
    """In the place of JobQueue.spawn: the job has ended when this returns."""
    with suppress(Exception):  # what it was is in the job's row, as when its process ends
        copy_context().run(queue.run_job, jobs.home, job_id)


def unlimited(*_: Any, **__: Any) -> AbstractContextManager[None]:
    """In the place of kinds.limited: a job's time limit is a signal, and signals reach main threads alone."""
    return nullcontext()
