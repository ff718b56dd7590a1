"""The trading process of a desk on live data: closes as they come to the desk, on paper or of an account at a venue.

Called by app.processes.live_start, in the worker's place. One asyncio loop: streams and REST of the bars, what people set, and
(with an account) its duties. A start folds the journal, lets an account's duties run, reads the history that is missing,
walks what closed meanwhile without deciding on it, and goes on. What it cannot go on with ends the process; it is started again.
"""

import asyncio
import os
import re
import signal
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

from app.processes.keeping import HeadNotes, Heartbeat, Log
from app.processes.live_data import LiveData
from app.processes.unattended import left_text, open_positions, say
from engine.book.bodies import SIMULATED
from engine.book.book import Book
from engine.clock import utc
from engine.errors import DataError
from engine.live.closing import FeedNote
from engine.live.data_health import DATA
from engine.live.feed import Span
from engine.live.gate import GATE
from engine.live.growing import GrownFeed
from engine.process_memory import trim_memory
from engine.watch.account_state import first_causes, shut_row
from engine.watch.heartbeat import unattended_text
from engine.watch.last_closes import MISSED

LOOK_MS = 250  # between two looks at what people have set
CONNECT_AGAIN_MS = 5_000
NOTE_MAX = 400


class DeskSide(Protocol):
    """The desk that closes come to: engine.live.paper_live.PaperLive or engine.live.account_loop.AccountLoop."""

    @property
    def book(self) -> Book | None:
        """The desk as it stands; None before it begins."""

    @property
    def stamp(self) -> str:
        """What its figures are stamped with: REPLAYED, PAPER, SHADOW, TESTNET, LIVE."""

    def pulse(self) -> Mapping[str, Any]:
        """How streams and polls of an account are; empty on paper."""

    async def begin(self) -> None:
        """Fold the journal; an account's duties begin."""

    async def open(self, feed: GrownFeed, span: Span, /) -> None:
        """History is there; a new paper desk begins at `span`."""

    async def follow(self, troubles: Mapping[str, str], notes: Sequence[FeedNote]) -> bool:
        """What people have set, and what is not well with the data. True when something was journaled."""

    async def close(self, feed: GrownFeed, t: int, unwatched: str) -> None:
        """The next close."""

    async def stop(self) -> None:
        """Leave cleanly."""


class LiveWorker:
    """One home on live data. `stopping` ends it."""

    def __init__(self, home: Any, desk: DeskSide, data: LiveData, journal: Any, log: Log, mode: str) -> None:
        self.home, self.desk, self.data, self.journal, self.log, self.mode = home, desk, data, journal, log, mode
        self.stopping = asyncio.Event()
        self.heartbeat, self.heads = Heartbeat(home.path), HeadNotes(home.engine)
        self.phase, self.note_ = "starting", ""
        self.policy: Any = "none"
        self._row = ""  # of the gate that was said last
        self._said = ""  # of why the account is not connected, without what changes with each try
        data.on_account_wait = self.account_waits

    def account_waits(self, why: str) -> None:
        """Why the account is not connected yet; "": it is. Said once to whoever sees the terminal, and in each heartbeat."""
        said = re.sub(r"\d{10,}|\b\d+ s\b", "", why)  # venues repeat the time in each answer, and how long to wait
        if said != self._said:
            say(why or "the account is connected")
            self._said = said
        self._waits(why)

    async def run(self) -> None:
        """Until it is stopped. Raises DeskError for what it cannot go on with; the desk is left cleanly either way."""
        beats = asyncio.create_task(self._beat_for_ever())
        try:
            if not await self._unless_stopped(self.desk.begin()):
                return
            if self.desk.book is not None and (left := open_positions(self.desk.book)):
                since = utc(self.desk.book.close_ms)
                say(f"looks after {'; '.join(left)} again, left open at {since}. To flatten: nightdesk halt")
            ready = asyncio.create_task(self._history())
            try:
                while not ready.done() and not self.stopping.is_set():
                    await self._follow()
                    await asyncio.wait({ready}, timeout=LOOK_MS / 1000)
            finally:
                if not ready.done():
                    ready.cancel()
                    await asyncio.gather(ready, return_exceptions=True)
            if not self.stopping.is_set():
                await self._walk(*ready.result())
        finally:
            beats.cancel()
            await asyncio.gather(beats, return_exceptions=True)
            await self._stop()

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do something that may take for ever, unless the end comes first; whether it was done."""
        tasks = [asyncio.create_task(work), asyncio.create_task(self.stopping.wait())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        done = tasks[0].done()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if done:
            tasks[0].result()
        return done

    async def _history(self) -> tuple[GrownFeed, Span]:
        """Connect, and read what is missing; tried again until both are done."""
        while True:
            try:
                await self.data.start()
                break
            except DataError as error:
                self._waits(str(error))
            await self.data.sleep(CONNECT_AGAIN_MS)
        book = self.desk.book
        begins = self.data.now_ms() - self.data.replay_days * 86_400_000
        found = await self.data.past(
            begins if book is None else book.close_ms, None if book is None else book.close_ms, self.policy, self._waits
        )
        self._waits("")
        return found

    def _waits(self, why: str) -> None:
        """Why the desk does not trade bars yet."""
        if why != self.note_:
            self.note_ = why
            self.log.note("waits", why=why) if why else None
            self._beat()

    async def _walk(self, feed: GrownFeed, span: Span) -> None:
        """What closed before the live feed began, then every close as it comes."""
        await self.desk.open(feed, span)
        book = self.desk.book
        assert book is not None, "an open desk has a book"  # noqa: S101 - a programmer's error halts
        self.log.note("started", desk_ms=book.close_ms, bars=book.count, version=book.version)
        self._enter("replaying" if self.desk.stamp == "REPLAYED" else "running")
        for t in range(feed.after(book.close_ms), feed.bar_count):
            if self.stopping.is_set():
                return
            await self.desk.close(feed, t, MISSED)
        trim_memory()
        self._enter("running")
        while not self.stopping.is_set():
            self.data.check()
            await self._follow()
            for n in self.data.ahead(feed):
                taken = self.data.take(feed, n)
                feed = taken.feed
                await self._follow()
                await self.desk.close(feed, taken.t, taken.unwatched)
                self._beat()
            self.heads.note(self.journal.head)
            await self._next()

    async def _next(self) -> None:
        """Until a close is decided, a look is due or the end has come."""
        waits = [asyncio.create_task(self.data.wait(LOOK_MS)), asyncio.create_task(self.stopping.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    async def _follow(self) -> None:
        notes = []
        while self.data.corrections:
            notes.append(self.data.corrections.popleft())
        if await self.desk.follow(self.data.troubles(), notes):
            self._beat()

    def _enter(self, phase: str) -> None:
        if phase != self.phase:
            self.phase = phase
            self.log.note(phase)
            self._beat()

    def _beat(self) -> None:
        """Say in the home how the desk stands."""
        book = self.desk.book
        trouble = {} if book is None else book.health
        self._say_gate(trouble)
        about = {
            "phase": self.phase,
            "note": self.note_ or trouble_text(trouble),
            "refused": "",
            "stamp": self.desk.stamp,
            "mode": self.mode,
        }
        self.heartbeat.write(book, **about, source="live", bars_per_second=None, account=dict(self.desk.pulse()))

    def _say_gate(self, trouble: Mapping[str, str]) -> None:
        """Which row keeps the gate closed, once, to whoever sees the terminal: its page comes after a minute and a half."""
        row = shut_row(self.home.desk_journal, os.getpid()) if GATE in trouble else ""
        if row and row != self._row:
            say(f"nothing enters: {row}; nightdesk live gate")
        self._row = row or self._row

    async def _beat_for_ever(self) -> None:
        while True:
            if self.heartbeat.due():
                self._beat()
            await asyncio.sleep(0.2)

    async def _stop(self) -> None:
        """Leave cleanly: the desk with a snapshot, the head anchored, a last note. Orders at a venue stay."""
        await self.data.stop()
        await self.desk.stop()
        if self.phase != "replaying":
            self.heads.end(self.journal.head)
        self.phase, self.note_ = "stopped", ""
        self._beat()
        self.log.note("stopped")
        self.journal.close()
        if self.desk.book is not None:
            say(unattended_text(open_positions(self.desk.book)) if self.mode in SIMULATED else left_text(self.desk.book))


async def until_signalled(worker: LiveWorker) -> None:
    """Run it until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stopping.set)
    await worker.run()


def trouble_text(troubles: Mapping[str, str]) -> str:
    """What is not well (name -> why) in a line: each reason once, behind the names that have it where it does not say whose."""
    of = dict[str, list[str]]()
    for what, why in sorted(first_causes(troubles).items()):
        of.setdefault(why, []).append(what.removeprefix(DATA))
    named = {why: [name for name in names if " " in name and name.split()[-1] not in why] for why, names in of.items()}
    return "; ".join(f"{', '.join(names)}: {why}" if names else why for why, names in named.items())[:NOTE_MAX]
