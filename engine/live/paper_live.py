"""A paper desk on live data: the ordinary loop, one close after another, in a thread of its own.

Called by app.processes.live_worker. Simulated fills, the same journal as on files; the event loop that reads streams never waits
for a strategy, since everything of the desk happens in that one thread.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from engine.book.book import Book
from engine.live import config_event
from engine.live.bar_event import asked_at
from engine.live.closing import FeedNote
from engine.live.data_health import changes, corrected, differences
from engine.live.feed import Span
from engine.live.growing import GrownFeed
from engine.live.loop import Loop

T = TypeVar("T")


class PaperLive:
    """One paper desk. `begin` folds its journal, `open` lets it begin; then `close` for each close and `follow` between them."""

    def __init__(self, loop: Loop, folded: Callable[[], Book | None], about: Mapping[str, Any]) -> None:
        self.loop, self._folded, self._about = loop, folded, about
        self._before: Book | None = None
        self._opened = False
        self.first_ms = 0  # where the first traded bar opens
        self._unwatched = ""
        self._thread = ThreadPoolExecutor(1, "desk")
        loop.unwatched = self._why_unwatched

    @property
    def book(self) -> Book | None:
        """The desk as it stands; None before its first bar is known."""
        return self.loop.book if self._opened else self._before

    @property
    def stamp(self) -> str:
        """REPLAYED, or the loop's own: PAPER, SHADOW."""
        return "REPLAYED" if self._opened and self.loop.replaying else self.loop.stamp

    def pulse(self) -> Mapping[str, Any]:
        """Nothing: no account has streams or polls here."""
        return {}

    async def begin(self) -> None:
        """Fold the journal."""
        self._before = await self._in_thread(self._folded)
        if self._before is not None:
            config_event.belongs(self._before.start, self._about)

    async def open(self, feed: GrownFeed, span: Span, /) -> None:
        """Go on from the journal, or begin at `span`; then what people have set meanwhile, and orders in doubt."""

        def opened() -> None:
            loop = self.loop
            begins = span if self._before is None else Span(*(self._before.start[name] for name in Span._fields))
            self.first_ms = begins.first_ms
            loop.open(self._before, begins, {**self._about, "source": feed.source, "notes": list(feed.notes)})
            loop.go_on_with(feed.covering(config_event.reads_of_book(loop.book, loop.folder)))
            for body in differences(feed, loop.book):
                loop.take("health", body)
            loop.poll_controls()
            loop.adopt(loop.book.version)
            loop.resume()
            asked_at(loop.signals, loop.book, loop.feed, feed.bar_count - 1, live=False)  # strategy processes begin now

        await self._in_thread(opened)
        self._opened = True

    async def follow(self, troubles: Mapping[str, str], notes: Sequence[FeedNote]) -> bool:
        """What people have set, what is not well with the data, what was corrected. True when something was journaled."""
        if not self._opened:
            return False
        return await self._in_thread(lambda: self._followed(troubles, notes))

    def _followed(self, troubles: Mapping[str, str], notes: Sequence[FeedNote]) -> bool:
        before = self.loop.journal.head
        for body in [*changes(self.loop.book.health, troubles), *corrected(notes)]:
            self.loop.take("health", body)
        return self.loop.poll_controls() or self.loop.journal.head != before

    async def close(self, feed: GrownFeed, t: int, unwatched: str) -> None:
        """Walk the close at index t, the next one that the desk has not seen. `unwatched`: why no strategy is asked there."""

        def walked() -> None:
            self._unwatched = unwatched
            self.loop.go_on_with(feed)
            assert feed.after(self.loop.book.close_ms) == t, "closes are walked in order"  # noqa: S101 - halts
            self.loop.step()

        await self._in_thread(walked)

    def _why_unwatched(self, close_ms: int) -> str:
        return self._unwatched if close_ms > self.loop.book.start["replay_until_ms"] else ""

    async def stop(self) -> None:
        """Leave cleanly: a snapshot."""
        if self._opened:
            await self._in_thread(self.loop.signals.close)
            await self._in_thread(self.loop.snapshot)
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
