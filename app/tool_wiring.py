"""What a tool call needs of an opened home: its context, the people journal, the desk's time and source. No agent is loaded.

Called by app/cli/tool.py and app/mcp; app/wiring.py builds the runtime of agents upon it. No venue key and no private venue
can be reached from here.
"""

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from app.home.home import Home
from engine.watch import window

if TYPE_CHECKING:
    from app.jobs.queue import JobQueue
    from engine.store.chain import Head
    from engine.store.journal import Journal
    from tools.common.contract import JobView, ToolContext

WAIT_S = 20.0  # a call that takes longer answers "started", and its result is posted when the job ends


class LateJobs:
    """The job queue of a home, loaded when the first job is asked for: it brings the data frames of the engine."""

    def __init__(self, home: Home, person: str) -> None:
        self._home, self._person = home, person

    @cached_property
    def _queue(self) -> "JobQueue":
        from app.jobs.queue import JobQueue

        return JobQueue(self._home, self._person)

    def submit(self, kind: str, args: Mapping[str, Any], *, thread: str | None, turn: str | None) -> str:
        """As the queue does."""
        return self._queue.submit(kind, args, thread=thread, turn=turn)

    def wait(self, job_id: str, timeout_s: float | None, progress: Callable[[float], None]) -> "JobView":
        """As the queue does."""
        return self._queue.wait(job_id, timeout_s, progress)

    def cancel(self, job_id: str) -> None:
        """As the queue does."""
        self._queue.cancel(job_id)


class ToolWiring:
    """Tool calls of one person on one home. `wait_s`: how long a COMPUTE call waits for its job; None waits until it ends."""

    def __init__(self, home: Home, person: str, channel: str, wait_s: float | None = WAIT_S) -> None:
        self._home, self.person, self.channel, self.wait_s = home, person, channel, wait_s
        self.engine, self.home = home.engine, home.path
        self._synced: Head | None = None  # the last record of this runtime that is on the disk

    @cached_property
    def source(self) -> str:
        """Source of the desk's bars: from its journal, else as noted at the first start."""
        source = window.start_of(window.journal_of(self.home)).get("source") or self._home.feed.get("source")
        return str(source or "no")

    @property
    def stamp(self) -> str:
        """PAPER, TESTNET or LIVE; REPLAYED and that while the desk replays."""
        mark = window.mark_at(window.journal_of(self.home))
        stamp = str(mark.body.get("stamp") or "") if mark is not None else ""
        mode = window.mode_of(window.journal_of(self.home)).upper()
        return mode if stamp in ("", mode) else f"{stamp} \u00b7 {mode}"

    def now_ms(self) -> int:
        """The machine's time."""
        return time.time_ns() // 1_000_000

    def desk_ms(self) -> int | None:
        """The desk's time: the close of the last bar it decided on."""
        return window.desk_ms(self.home)

    def context(self, **of_the_turn: Any) -> "ToolContext":
        """A tool context for one turn."""
        from memory.shelf import Shelf
        from tools.common.contract import ToolContext

        Shelf(self._home.memory).stock()
        return ToolContext(
            engine=self.engine,
            home=self.home,
            catalog=self._home.catalog,
            jobs=LateJobs(self._home, self.person),
            record=self.record,
            canary=self._home.desk.canary.plan,
            wait_s=self.wait_s,
            **of_the_turn,
        )

    @cached_property
    def _people(self) -> "Journal":
        from engine.store.journal import Journal

        return Journal(self._home.people_journal, self.channel)

    def close(self) -> None:
        """Close the people journal if it was opened; for a process that makes one runtime per turn."""
        if "_people" in vars(self):
            self._people.close()

    def record(self, kind: str, body: Mapping[str, Any]) -> str:
        """Append to the people journal, durably; the id of the event."""
        return self.append(kind, body)

    def append(self, kind: str, body: Mapping[str, Any], *, sync: bool = True) -> str:
        """The same; without `sync` it is on the disk with the next that has it."""
        from engine.store.chain import Event

        head = self._people.append([Event(kind, self.now_ms(), dict(body))], sync)[0]
        self._synced = head if sync else self._synced
        return head.id
