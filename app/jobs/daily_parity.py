"""The daily comparison of the desk with its backtest, and of what its models read with their training; reports that are
due, and once a week the audit.

The first is a job of the queue, waited for, so that a failure is seen, too.

Started by app.processes.scheduler after the morning's handover, as a process of its own: the supervisor loads no backtest.
"""

from contextlib import suppress

from app.home.home import Home, open_home
from app.jobs.desk_reports import keep_due
from app.jobs.model_drift import watch_drift
from app.jobs.queue import JobQueue, now_ms
from app.jobs.weekly_audit import watch_audit
from engine.clock import DAY_MS
from engine.errors import DeskError
from engine.parity.tape import NEVER_RAN
from engine.watch.parity_result import keep_result
from engine.watch.window import first_mark, journal_of, mark_at

DAYS = 7  # of desk time


def compare(home: Home) -> None:
    """Compare the last days; why that failed is kept for the watch. Nothing where the desk has decided on no bar yet."""
    path = journal_of(home.path)
    mark, first = mark_at(path), first_mark(path)
    if mark is None or first is None:
        return
    queue = JobQueue(home)
    try:
        done = queue.wait(queue.submit("parity", {"since": mark.t_event_ms - DAYS * DAY_MS}))
        why = "" if done.state in ("done", "cancelled") else done.error or "the job ended without a reason"
    except DeskError as error:
        why = str(error)
    if why.startswith(NEVER_RAN) and first.t_event_ms > mark.t_event_ms - DAYS * DAY_MS:
        return  # a new desk is asked in its first minute: it has its comparison tomorrow
    if why:
        keep_result(home.path, {"failed": why}, now_ms())
    elif home.desk.drift.homes:
        with suppress(DeskError):  # its own row says why it failed: nightdesk jobs
            queue.wait(queue.submit("desk_drift", {"since": mark.t_event_ms - DAYS * DAY_MS}))


if __name__ == "__main__":
    opened = open_home()
    try:
        compare(opened)
    finally:
        try:
            watch_drift(opened)
        finally:
            try:
                keep_due(opened, now_ms())
            finally:
                watch_audit(opened)
