"""A live desk with its duties on venues that a test scripts, under the virtual clock: what all such benches share."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from engine.book.book import Book
from engine.book.order_laws import OrderLaws
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.live.desk import LiveDesk
from engine.live.duties import AccountDuties
from engine.live.reconcile import Cash
from engine.store.chain import Event, encode_body
from engine.store.journal import Journal, read
from engine.venues.live_port import LiveVenue
from tests.fakes.desks import BAR_MS
from tests.fakes.exchange.virtual import run_virtual

FIRST_MS = 1_700_001_000_000  # a quarter of an hour
LOOK_S = 0.5  # the product looks each 50 ms: under the virtual clock that is most of what a test computes


class Bench:
    """`begin` makes a new desk, journaled. A subclass says which venues there are, and what closes."""

    cash_of: Cash | None = None  # what the account has realised

    def __init__(self, path: Path, clock: Callable[[], int], venues: Mapping[str, LiveVenue], begin: Callable[..., Book]) -> None:
        self.path, self.clock, self.desk_venues = path, clock, venues
        self.latch, self.pages = "", list[str]()
        self.venue_time_ms = 0  # ahead of ours
        self.edited = False  # a test has moved the book by hand: its journal does not fold to it
        self.journal = Journal(path, "bench")
        self.made(begin(self.journal, clock()))

    def made(self, book: Book) -> None:
        """A process on this book."""
        self.desk = LiveDesk(book, self.journal, self.desk_venues, self.clock, lambda: self.latch, self.halt, self.pages.append)
        self.duties = AccountDuties(self.desk, self.desk_venues, self._time, self.cash_of, latch_look_s=LOOK_S)

    async def _time(self) -> int:
        return self.clock() + self.venue_time_ms

    def halt(self, why: str) -> None:
        """Latch."""
        self.latch = self.latch or why

    async def start(self) -> None:
        """The duties run, and venue and book have been compared."""
        await self.duties.start()
        await self.after(10)
        assert not self.desk.book.health, self.desk.book.health

    async def again(self) -> None:
        """The process ends without a word, and another one begins from its journal."""
        self.desk.failed = "killed"
        await self.duties.stop()
        self.journal.close()
        self.journal = Journal(self.path, "bench")
        book = fold(self.path)
        assert book is not None
        self.made(book)
        await self.duties.start()

    async def after(self, seconds: float) -> None:
        """Time passes."""
        await asyncio.sleep(seconds)

    async def to_close(self) -> None:
        """Wait for the next quarter of an hour."""
        await asyncio.sleep((BAR_MS - self.clock() % BAR_MS + 500) / 1000)

    def events(self, *kinds: str) -> list[Event]:
        """Of the journal."""
        return list(read(self.path, set(kinds)))


B = TypeVar("B", bound=Bench)


def benched(path: Path, make: Callable[[Callable[[], int], Any], B], play: Callable[[B], Coroutine[Any, Any, None]]) -> B:
    """Play a test on the bench that `make(clock, loop)` makes; it is sound at the end."""

    async def main(loop: Any) -> B:
        bench = make(loop.clock, loop)
        try:
            await play(bench)
        finally:
            await bench.duties.stop()
            bench.journal.close()
        return bench

    bench: B = run_virtual(main, FIRST_MS - 60_000)
    assert_sound(path, bench)
    return bench


def assert_sound(path: Path, bench: Bench) -> None:
    """No duty has failed, the journal folds to the book, and no law of orders is broken."""
    assert not bench.duties.failures, bench.duties.failures
    if not bench.desk.failed and not bench.edited:
        folded = fold(path, whole=True)
        assert folded is not None
        assert encode_body(to_json(folded)) == encode_body(to_json(bench.desk.book))
        broken = OrderLaws().read(read(path))
        assert not broken, broken
