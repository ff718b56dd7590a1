"""A desk that trades an account: closes to the live desk, what people set to both, duties in the same event loop.

Called by app.processes.live_worker, which gives it closes in order. Strategies are asked in a thread that waits for their
processes; fold, journal and requests happen in the event loop, so that a fill and a halt never wait for a strategy. A start folds
the journal, lets the duties run, follows people, and only then are bars walked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.book.book import Book
from engine.book.replay import fold
from engine.book.transitions import begin
from engine.control.halt import NO_REASON
from engine.core.state import DAY_MS
from engine.errors import BadInput, DeskError
from engine.features.reads import Reads
from engine.live import config_event
from engine.live.bar_event import asked_at, bar_body, complaints
from engine.live.basket_bar import BasketBars, silent
from engine.live.closing import FeedNote
from engine.live.controls import Controls
from engine.live.data_health import changes, corrected, differences
from engine.live.desk import LiveDesk
from engine.live.duties import AccountDuties
from engine.live.feed import Span
from engine.live.following import Following, Reread
from engine.live.gate import AccountGate
from engine.live.gate_code import last_opened
from engine.live.growing import GrownFeed
from engine.live.health import VenueClock
from engine.live.reconcile import Cash
from engine.live.record import record
from engine.live.signal_source import SignalSources
from engine.ports import Clock
from engine.redaction import redacted
from engine.store.journal import Journal
from engine.venues.account_facts import AccountReader
from engine.venues.gone import GoneVenue
from engine.venues.live_port import LiveVenue
from engine.venues.private_stream import PrivateSource

DRAWDOWN = "desk drawdown breaker"  # what engine.live.desk latches for it
ANSWERS_S = 3.0  # what a clean stop gives requests that are under way
LIVE_BARS = 2  # a close at most this old is answered in a bounded time


class AccountConnection(NamedTuple):
    """An account whose venue has answered; `close` hangs up."""

    venues: Mapping[str, LiveVenue]
    halting: Mapping[str, LiveVenue]  # by clients that only a halt uses
    venue_clock: VenueClock
    cash: Cash
    source: PrivateSource
    reader: AccountReader  # by a client of its own
    close: Callable[[], Awaitable[None]]


GateMaker = Callable[[AccountConnection, AccountDuties], AccountGate]
Connect = Callable[[Sequence[str]], Awaitable[AccountConnection]]  # instruments -> the account; waits until its venue answers


class AccountHome(NamedTuple):
    """What of a home an account's desk needs. `page` wakes a person; `withheld` says why no entry may be made."""

    journal: Journal
    controls: Controls
    strategies: Path
    body_of: Reread
    now_ms: Clock
    stamp: str  # TESTNET or LIVE
    page: Callable[[str], None]
    withheld: Callable[[], str]
    about: Mapping[str, Any]  # of the first event of a new desk
    gate: GateMaker


class AccountLoop:
    """One account. `begin` once, then `open`, then `close` for each close and `follow` between them; `stop` at the end."""

    def __init__(self, home: AccountHome, connect: Connect) -> None:
        self.home, self._connect = home, connect
        self.stamp = home.stamp
        self.signals = SignalSources(home.strategies)
        self.basket_bars = BasketBars(home.strategies)
        self.troubles: dict[str, str] = {}  # sleeve -> what its strategy did wrong at the last close
        self._desk: LiveDesk | None = None
        self._duties: AccountDuties | None = None
        self._following: Following | None = None
        self._connection: AccountConnection | None = None
        self._feed: GrownFeed | None = None
        self._held = ""  # why this process halts, where nobody else can be made to see it

    # ---- what follows people, and the worker, need -------------------------------------------------------------------------

    @property
    def book(self) -> Any:
        """The desk as it stands; None before it begins."""
        return None if self._desk is None else self._desk.book

    def pulse(self) -> Mapping[str, Any]:
        """How streams and polls of the account are; empty before they begin."""
        return {} if self._duties is None else self._duties.pulse()

    @property
    def desk(self) -> LiveDesk:
        """The live desk."""
        assert self._desk is not None, "begin() comes first"  # noqa: S101 - a programmer's error halts
        return self._desk

    @property
    def following(self) -> Following:
        """What people have set."""
        assert self._following is not None, "begin() comes first"  # noqa: S101 - a programmer's error halts
        return self._following

    def take(self, kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """As FollowedDesk."""
        return self.desk.take(kind, body)

    def incident(self, what: str, more: Mapping[str, Any]) -> None:
        """As FollowedDesk."""
        self.desk.incident(what, **more)

    def cover(self, reads: Sequence[Reads]) -> None:
        """As FollowedDesk."""
        if self._feed is not None:
            self._feed.covering(reads)

    def keep_signals(self, wanted: Sequence[Mapping[str, Any]]) -> None:
        """As FollowedDesk."""
        self.signals.keep(wanted)

    # ---- start and stop ------------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Fold or begin the desk, connect, let the duties run, follow people. Nothing enters until venue and book agree."""
        home = self.home
        folded = await asyncio.to_thread(fold, home.journal.path)
        if folded is not None:
            config_event.belongs(folded.start, home.about)
        first = self._first() if folded is None else {}
        self._connection = at = await self._connect(first["start"]["instruments"] if folded is None else folded.instruments)
        self._lists(at.venues)
        book = folded or self._begun(first)  # a start that is refused has fixed nothing of the home
        self._desk = desk = LiveDesk(book, home.journal, at.venues, home.now_ms, self._latched, self._latch, home.page)
        desk.halt_body = self._halt_body
        self._following = Following(self, home.journal, home.controls, home.strategies, home.body_of, home.now_ms)
        self._duties = AccountDuties(desk, at.halting, at.venue_clock, at.cash, at.source)
        self._duties.gate = home.gate(at, self._duties)
        await self._duties.start()
        self.following.verified(home.withheld())
        self.following.poll()
        self.following.adopt(desk.book.version)
        if home.journal.set_aside:
            files = [path.name for path in home.journal.set_aside]
            desk.incident("the end of the journal was unfinished and is kept aside", files=files)

    def _lists(self, venues: Mapping[str, LiveVenue]) -> None:
        """Refuse an instrument that the venue does not list, unless the gate was open once: then it was there, and is gone."""
        gone = [name for name, venue in venues.items() if isinstance(venue, GoneVenue)]
        if gone and not last_opened(self.home.journal.path):
            raise BadInput(f"the venue does not list {', '.join(gone)}", "symbols look like BTC-USDT; begin a new home")

    def _first(self) -> dict[str, Any]:
        """The first `config` event of a new desk, without when it begins."""
        desk, _ = self.home.controls.config(self.home.controls.poll().version, {})
        return self.home.body_of(desk) | {"start": config_event.start_of(desk.config)}

    def _begun(self, body: dict[str, Any]) -> Book:
        """A new desk, journaled: it begins with the bar that forms now."""
        home, start = self.home, body["start"]
        first_ms = home.now_ms() // start["timeframe_ms"] * start["timeframe_ms"]
        body |= {"start": {**start, **Span(first_ms, first_ms, first_ms)._asdict(), **home.about}}
        book, following = begin(body)
        record(home.journal, book, home.now_ms(), [("config", body, following)], sync=True)
        return book

    async def open(self, feed: GrownFeed, _span: Span, /) -> None:
        """History is there (the span is a paper desk's). Raises BadInput for a strategy that reads more than its own bars."""
        self._feed = feed.covering(config_event.reads_of_book(self.desk.book, self.home.strategies))
        for body in differences(feed, self.desk.book):
            self.take("health", body)
        # strategy processes take seconds to begin: at the first close that would be too late
        await asyncio.to_thread(asked_at, self.signals, self.desk.book, self._feed, feed.bar_count - 1, live=False)

    async def stop(self) -> None:
        """Leave cleanly: requests under way get a moment, orders at the venue stay as they are, a snapshot is the last event."""
        try:
            if self._duties is not None:
                if self.desk.tasks and not self.desk.failed:
                    await asyncio.wait(set(self.desk.tasks), timeout=ANSWERS_S)
                await self._duties.stop()
            await asyncio.to_thread(self.signals.close)
            if self._desk is not None and not self.desk.failed:
                self.desk.snapshot()
        finally:
            if self._connection is not None:
                await self._connection.close()

    # ---- closes and what comes between -----------------------------------------------------------------------------------------

    async def follow(self, troubles: Mapping[str, str], notes: Sequence[FeedNote]) -> bool:
        """What people have set, what is not well with the data, what was corrected. True when something was journaled.

        Raises DeskError once the desk accepts nothing more: a new process folds the journal and goes on.
        """
        if self._desk is None:
            return False
        if self.desk.failed:
            what = f"the desk of the account has stopped: {redacted(self.desk.failed)[:300]}"
            raise DeskError(what, "it starts again by itself")
        before = self.home.journal.head
        self.following.verified(self.home.withheld())
        for body in [*changes(self.desk.book.health, troubles), *corrected(notes)]:
            self.take("health", body)
        self.following.poll()
        return self.home.journal.head != before

    async def close(self, feed: GrownFeed, t: int, unwatched: str) -> None:
        """Walk the close at index t. `unwatched`: why no strategy is asked there; the desk then only marks and moves stops."""
        desk, self._feed = self.desk, feed
        close_ms = int(feed.span.close_ms[t])
        live = self.home.now_ms() - close_ms < LIVE_BARS * feed.span.timeframe_ms
        now, waits = await asyncio.to_thread(asked_at, self.signals, desk.book, feed, t, live=live, unwatched=unwatched)
        body = bar_body(feed, desk.book, t, self.stamp, now, waits)
        if desk.book.basket is not None:
            found = self.basket_bars.body(desk.book, feed, t, growing=True)
            body["basket"] = silent(found) if unwatched else found
        desk.close(body, {name: r.read for name, r in now.items()}, {name: r.read for name, r in waits.items()})
        wrong = {} if unwatched else {name: reading.wrong for name, reading in now.items() if reading.wrong}
        for what, more in complaints(self.troubles, wrong):
            self.incident(what, more)
        self.troubles = wrong
        if close_ms % DAY_MS == 0:
            desk.snapshot()

    # ---- the halt --------------------------------------------------------------------------------------------------------------

    def _latched(self) -> str:
        """Why the desk is halted; "" when it is not. Looked at before every entry, and twenty times a second."""
        latch = self.home.controls.poll().latch
        return (latch.reason or NO_REASON) if latch.halted else self._held

    def _halt_body(self, why: str) -> dict[str, Any]:
        latch = self.home.controls.poll().latch
        return {"state": "halted", "reason": latch.reason or why, "by": latch.by or "latch"}

    def _latch(self, why: str) -> None:
        """Latch for people too, durably; a latch that cannot be written halts the book all the same."""
        controls, now = self.home.controls, self.home.now_ms()
        try:
            if why == DRAWDOWN and self.desk.book.tripped_ms:
                controls.latch_drawdown(self.desk.book.tripped_ms, now)
            else:
                controls.latch_for_people(why, now)
        except DeskError as error:
            self.home.page(f"the halt could not be latched: {error}")
        if not controls.poll().latch.halted:  # neither file nor database could be written: this process stays halted
            self._held = why
