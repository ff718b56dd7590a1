"""Posts pending answers when their jobs end, on one thread of the API process, and stores what a full disk had no room for.

Started by app.api.factory, stopped by running.

Pending answers are rows (agents/owed.py), so they survive a restart, and of several API processes one posts each. When idle it
polls the database every IDLE_S; while answers are pending it polls their jobs every OWED_S.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable

from agents import owed as rows
from agents import posting, threads
from agents.owed import PendingAnswer
from app.api.context import ApiContext, now_ms
from app.jobs.queue import LIVE, JobQueue
from app.wiring import Wiring
from engine.errors import BadInput, DeskError

IDLE_S = 5.0
OWED_S = 0.5
STOP_S = 3.0  # grace for a posting when the API stops; the rest is posted after the next start
LATE_MAX = 1_000
CHANNEL = "code"  # the writer in the people journal


class Posting:
    """The posting thread of one API process."""

    def __init__(self, desk: ApiContext) -> None:
        self.desk = desk
        self._news, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._late: deque[Callable[[], object]] = deque(maxlen=LATE_MAX)
        self._storing = threading.Lock()

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._loop, name="posting", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """A turn has ended that may have left a pending answer."""
        self._news.set()

    def once_there_is_room(self, work: Callable[[], object]) -> None:
        """Try `work` again at each poll until it does not raise: a row or a record that the disk had no room for."""
        self._late.append(work)

    def store_late(self) -> None:
        """Store what waits for room, oldest first; raises what the first one raises, and keeps it."""
        with self._storing:
            while self._late:
                self._late[0]()
                self._late.popleft()

    def close(self) -> None:
        """Stop; a posting in progress may finish."""
        self._stop.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def _loop(self) -> None:
        while not self._stop.is_set():
            self._news.clear()
            try:
                wait_s = OWED_S if self.poll() else IDLE_S
            except (DeskError, OSError) as error:  # the database is busy or down, the disk full: the answer stays pending
                logging.getLogger(__name__).warning("a pending answer could not be posted: %s", error)
                wait_s = IDLE_S
            self._news.wait(wait_s)

    def poll(self) -> bool:
        """Post what is ready; True while more answers are pending."""
        self.store_late()
        threads.close_dead(self.desk.engine, now_ms())  # a dead process' claim becomes pending again
        left = False
        for owed in rows.all_pending(self.desk.engine):
            if self._stop.is_set() or not (self._ended(owed) and self._post(owed)):
                left = True
        return left

    def _ended(self, owed: PendingAnswer) -> bool:
        """Whether all its jobs have ended, or one has failed."""
        jobs, states = JobQueue(self.desk.home), []
        for job in owed.jobs:
            try:
                states.append(jobs.view(job).state)
            except BadInput:  # job rows are never deleted, except by hand
                states.append("failed")
        return all(state not in LIVE for state in states) or any(state in ("failed", "cancelled") for state in states)

    def _post(self, owed: PendingAnswer) -> bool:
        """Post one answer, with its own runtime."""
        runtime = Wiring(self.desk.home, owed.person, CHANNEL, 0.0, posting.CodeModel())
        try:
            return posting.post(runtime, owed)
        finally:
            runtime.close()
