"""Turns running in this process, each in its own worker thread, followed by any number of readers. Called by app.api.turns.

agents.turns.ask stores every event before yielding it; a thread here drains it, so a turn runs whether anyone reads or not.
While it runs, readers get its stored events from memory; a tool's progress exists only here, it is not stored.
"""

import asyncio
import contextlib
import json
import threading
import time
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlmodel import col, update

from agents.owed import forgive, posting_in
from app.api.context import ApiContext, now_ms
from app.api.posting import Posting
from app.processes.room import failure_text
from app.tool_wiring import WAIT_S
from app.wiring import Wiring
from engine.errors import Busy, DeskError
from engine.store import db
from engine.store.tables import Turn
from tools.common.render import safe

Event = dict[str, Any]
TURNS_MAX = 32  # concurrent turns; more wait for a thread
POSTING_S = 5.0  # how long a question waits while code posts an answer into its thread
AT_ONCE = 2  # turns of the offline model that compute beside each other, while the others wait for their place
PLACE_S = 0.5  # how long for: one that waits for a job, or computes for long, holds up nobody beyond that
STOP_S = 3.0  # grace for turns when the API stops; the rest are closed at the next start


class LiveTurn:
    """A turn running in this process."""

    def __init__(self, turn: str, thread: str) -> None:
        self.turn, self.thread = turn, thread
        self.stop, self.ended = threading.Event(), threading.Event()
        self.progress: Event | None = None
        self.events: list[Event] = []  # its stored events so far; only grows
        self.left = False  # it has ended or was cancelled: the rows may hold more than `events`
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._mutex = threading.Lock()

    def notice(self) -> None:
        """Wake this turn's followers; called from the turn's thread."""
        with self._mutex:
            for loop, event in self._waiting:
                with contextlib.suppress(RuntimeError):  # a closed loop has no readers
                    loop.call_soon_threadsafe(event.set)

    @contextlib.contextmanager
    def followed(self) -> Generator[asyncio.Event, None, None]:
        """An asyncio event, set on every new event; the reader clears it."""
        mine = (asyncio.get_running_loop(), asyncio.Event())
        with self._mutex:
            self._waiting.add(mine)
        try:
            yield mine[1]
        finally:
            with self._mutex:
                self._waiting.discard(mine)


class RunningTurns:
    """The running turns of one API process."""

    def __init__(self, desk: ApiContext, on_end: Callable[[float, str], None] = lambda _seconds, _state: None) -> None:
        self.desk, self.on_end = desk, on_end
        self.wait_s = WAIT_S  # how long a turn waits for a job before going on without it
        self.posting = Posting(desk)
        self.pool = ThreadPoolExecutor(TURNS_MAX, "turn")
        self.places = threading.Semaphore(AT_ONCE)
        self.live: dict[str, LiveTurn] = {}
        self.unstored: dict[str, str] = {}  # turn -> the answer of one whose end the disk has no room for yet
        self.readers = 0  # open event streams; the event loop alone counts them

    def begin(self, role: str, text: str, person: str, thread: str | None, channel: str) -> Event:
        """Start a turn in the background; returns its first event ({"turn", "thread", "role", ...}). Raises what `ask` raises."""
        from agents.turns import ask

        runtime = Wiring(self.desk.home, person, channel, self.wait_s)
        try:
            events, begun = self._begun(lambda: ask(runtime, role, text, person, thread), thread)
        except BaseException:
            runtime.close()
            raise
        live = self.live[begun["turn"]] = LiveTurn(begun["turn"], begun["thread"])
        live.events.append(begun)
        try:
            self.pool.submit(self._drain, live, events, runtime)
        except RuntimeError:  # the API is stopping: the turn would never run
            self.live.pop(live.turn)
            events.close()
            runtime.close()
            raise DeskError("the API is stopping", "ask again in a moment") from None
        return begun

    def _begun(self, asking: Callable[[], Generator[Event, None, Any]], thread: str | None) -> tuple[Any, Event]:
        """The turn and its first event; waits while code is posting into the same thread."""
        until = time.monotonic() + POSTING_S
        if self.unstored:
            with contextlib.suppress(DeskError, OSError):  # no room yet: a question into its thread is refused as busy
                self.posting.store_late()
        while True:
            events = asking()
            try:
                return events, next(events)
            except Busy:
                if thread is None or time.monotonic() >= until or not posting_in(self.desk.engine, thread):
                    raise
                time.sleep(POSTING_S / 100)

    def _drain(self, live: LiveTurn, events: Generator[Event, None, Any], runtime: Any) -> None:
        """Run a turn until it ends or is stopped. Its row records how it ended in every case."""
        began, placed, pending = time.monotonic(), False, True
        try:
            placed = runtime.model.offline and self.places.acquire(timeout=PLACE_S)
            for event in events:
                live.progress = event if event["kind"] == "tool_progress" else None
                if live.progress is None:
                    live.events.append(event)
                if event["kind"] == "answer":
                    pending = any(call["status"] == "started" for call in event["tool_calls"])
                live.notice()
                if live.stop.is_set():
                    break
        except Exception as error:  # noqa: BLE001 - the turn's row is closed by `ask`; this thread must not die silently
            self._note(live, error)
        finally:
            if placed:
                self.places.release()
            with contextlib.suppress(Exception):
                events.close()
            with contextlib.suppress(Exception):
                runtime.close()
            self.live.pop(live.turn, None)
            live.left = True
            live.ended.set()
            live.notice()
            if pending:  # two queries, which most turns need not cost
                self.posting.wake()
            self.on_end(time.monotonic() - began, "stopped" if live.stop.is_set() else "ended")

    def _note(self, live: LiveTurn, error: Exception) -> None:
        """`failed` instead of `cancelled` in the row, with the reason; of our own bug the traceback into the logs."""
        if isinstance(error, DeskError | OSError):
            why = error.what if isinstance(error, DeskError) else failure_text(error)
            text = f"The answer could not be stored: {safe(why)}. Free disk space, then ask again."
        else:
            path = self.desk.path / "logs" / f"turn-{live.turn}.txt"
            with contextlib.suppress(OSError):
                path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
            text = f"That failed: internal error (our bug), {type(error).__name__}; details in logs/{path.name}."
        if live.stop.is_set():
            return  # it was cancelled, and its row says so already
        try:
            self._fail(live.turn, text)
        except DeskError:
            self.unstored[live.turn] = text
            self.posting.once_there_is_room(lambda: self._fail(live.turn, text))

    def _fail(self, turn: str, text: str) -> None:
        """Close a turn's row as failed, unless it is done."""
        with db.write(self.desk.engine) as session:
            values = {"state": "failed", "ended_ms": now_ms(), "answer": json.dumps({"answer_md": text})}
            session.exec(update(Turn).where(col(Turn.id) == turn, col(Turn.state) != "done").values(**values))
        self.unstored.pop(turn, None)

    def cancel(self, turn: str, wait_s: float = 2.0) -> None:
        """Cancel a turn: its jobs first, then the turn. A turn waiting for a model is closed and its answer dropped.

        It leaves no pending answer, even if one was about to be posted.
        """
        from agents import threads
        from app.jobs.queue import JobQueue

        live = self.live.get(turn)
        if live is not None:
            live.stop.set()
        jobs = JobQueue(self.desk.home)
        for job in threads.jobs_of(self.desk.engine, turn):
            jobs.cancel(job)
        if live is None or live.ended.wait(wait_s):
            forgive(self.desk.engine, turn)
            return
        threads.end(self.desk.engine, turn, "cancelled", {"answer_md": "Cancelled before the answer."}, [], now_ms())
        live.left = True
        live.notice()

    def close(self) -> None:
        """Stop every turn, within STOP_S."""
        self.posting.close()
        for live in list(self.live.values()):
            live.stop.set()
        self.pool.shutdown(wait=False, cancel_futures=True)
        until = time.monotonic() + STOP_S
        for live in list(self.live.values()):
            live.ended.wait(max(0.0, until - time.monotonic()))
