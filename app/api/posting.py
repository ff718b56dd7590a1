"""Posts what code owes when its jobs have ended: one thread of the API process. Started by app.api.factory, stopped by running.

What is owed is rows (agents/owed.py), so a restart finds it again, and of several API processes one posts each. At rest this
asks the database one small question every IDLE_S; while something is owed it looks at its jobs every OWED_S.
"""

import logging
import threading

from agents import owed as rows
from agents import posting, threads
from agents.owed import PendingAnswer
from app.api.context import Desk, now_ms
from app.jobs.queue import LIVE, Jobs
from app.wiring import Wiring
from engine.errors import BadInput, DeskError

IDLE_S = 5.0
OWED_S = 0.5
STOP_S = 3.0  # for a posting to end when the API stops; what does not is posted by the next start
CHANNEL = "code"  # who writes, in the people journal


class Posting:
    """The one who posts, in one API process."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._news, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look for what is owed, now and from now on."""
        self._thread = threading.Thread(target=self._loop, name="posting", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """A turn has ended here: it may have left something owed."""
        self._news.set()

    def close(self) -> None:
        """Stop; a posting that is on its way may end."""
        self._stop.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def _loop(self) -> None:
        while not self._stop.is_set():
            self._news.clear()
            try:
                wait_s = OWED_S if self.look() else IDLE_S
            except DeskError as error:  # a database that is busy or away: it is still owed
                logging.getLogger(__name__).warning("what is owed could not be posted: %s", error)
                wait_s = IDLE_S
            self._news.wait(wait_s)

    def look(self) -> bool:
        """Post what can be posted; True while more is owed."""
        threads.close_dead(self.desk.engine, now_ms())  # a claim of a process that died is owed again
        left = False
        for owed in rows.all_pending(self.desk.engine):
            if self._stop.is_set() or not (self._ended(owed) and self._post(owed)):
                left = True
        return left

    def _ended(self, owed: PendingAnswer) -> bool:
        """Whether all its jobs have ended, or one of them badly."""
        jobs, states = Jobs(self.desk.home), []
        for job in owed.jobs:
            try:
                states.append(jobs.view(job).state)
            except BadInput:  # rows of jobs are never deleted; by hand they may be
                states.append("failed")
        return all(state not in LIVE for state in states) or any(state in ("failed", "cancelled") for state in states)

    def _post(self, owed: PendingAnswer) -> bool:
        """Post one, in an office of its own."""
        office = Wiring(self.desk.home, owed.person, CHANNEL, 0.0, posting.CodeModel())
        try:
            return posting.post(office, owed)
        finally:
            office.close()
