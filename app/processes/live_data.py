"""The bars of a desk on live data: history from files and REST, then each close as it is decided, in order, none twice.

Called by app.processes.live_worker. Streams and REST are public: no key comes near. The series in the home grow with what closes,
as `nightdesk data record` lets them: pages, backtests and the daily comparison see the same bars. Raw messages are not kept.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from app.market_data.pulling import PullRequest, pull
from app.market_data.recorder import SAVE_EVERY_S, FeedRecorder, RecordRequest
from engine.clock import LOCAL_TIMEFRAME, timeframe_ms, utc
from engine.data.catalog import Catalog
from engine.data.timeframes import parts_of, series_of
from engine.data.writer import file_name
from engine.errors import BadInput, Busy, DataError
from engine.features.anchor import QUARTERS_MAX, anchor_ms
from engine.live.closing import FeedNote
from engine.live.feed import Span
from engine.live.feed_live import LiveColumn, LiveFeed
from engine.live.funding_feed import FundingFeed
from engine.live.growing import GrownFeed, LateBar, begin_live, grown, history
from engine.redaction import redacted
from engine.venues.candles import CandleSource, Prices, open_candles
from engine.venues.ccxt_data import unified_name

HOUR_MS = 3_600_000
NOTES_KEPT = 200  # of corrections that wait to be journaled
LATE_KEPT = 5_000  # of bars that wait for the next close
STALE_BARS = 1.5  # a close that is handed over later than this was decided by nobody
PULL_AGAIN_S = (5.0, 10.0, 30.0, 60.0)
Connect = Callable[[str], Awaitable[CandleSource]]  # venue -> its candles
Pull = Callable[[PullRequest], Any]  # blocks; a thread calls it


class Close(NamedTuple):
    """One close to walk: the feed that ends or has it, its index there, and why nobody decides on it ("": it is decided on)."""

    feed: GrownFeed
    t: int
    unwatched: str


class LiveData:
    """`columns` on `clock` for one home. `follow` gives every close after `seen_ms`, the last one the desk saw."""

    def __init__(self, home: Any, clock: str, columns: Sequence[str], log: Any, **more: Any) -> None:
        """`more`: clocks and connections of a test."""
        self.home, self.clock, self.columns, self.log = home, clock, tuple(columns), log
        self.mirror = home.desk.data.rest_url
        self.now_ms: Callable[[], int] = more.get("now_ms", _now_ms)
        self.sleep: Callable[[int], Awaitable[None]] = more.get("sleep", _sleep)
        self.connect: Connect = more.get("connect", lambda venue: open_candles(venue, "perp", self.mirror))
        self.pull: Pull = more.get("pull", lambda request: pull(request, self._paged))
        if clock == LOCAL_TIMEFRAME and not self.mirror:
            raise BadInput(f"{clock} bars are a local venue's alone", "write rest_url of this machine under [data]")
        self.step_ms = timeframe_ms(clock)
        self.corrections: deque[FeedNote] = deque(maxlen=NOTES_KEPT)
        self.is_open: Callable[[str], bool] = lambda _instrument: False
        self.is_off: Callable[[str], bool] = lambda _instrument: False
        self.is_gone: Callable[[str], bool] = lambda _instrument: False
        # without a file as this process begins: what the feed writes while the past of others is read is no past
        self._new = {column for column in columns if not self._is_stored(column)}
        self._unlisted = set[str]()  # instruments that their venue did not list at the start
        self.feed: LiveFeed | None = None
        self._sources: dict[str, CandleSource] = {}
        self._late: deque[LateBar] = deque(maxlen=LATE_KEPT)
        self._tasks: list[asyncio.Task[Any]] = []
        self._recorder: FeedRecorder | None = None
        self._whole = False  # history is there
        self._ending = threading.Event()  # a process waits for its threads: what reads the past ends at its next page
        self.on_account_wait: Callable[[str], None] = lambda _why: None  # who hears why an account is not connected
        self.replay_days = 0 if home.desk.mode == "shadow" else home.desk.worker.replay_days  # a past is not shadowed

    @property
    def venues(self) -> list[str]:
        """Of its columns."""
        return sorted({column.partition(":")[0] for column in self.columns})

    def troubles(self) -> Mapping[str, str]:
        """What is not well with the data -> why; no entries meanwhile."""
        if self.feed is None:
            return {"connection": "not connected yet"}
        return self.feed.troubles if self._whole else {**self.feed.troubles, "history": "bars of the past are being read"}

    def account_waits(self, why: str) -> None:
        """Why the account is not connected yet; "": it is."""
        self.on_account_wait(why)

    def check(self) -> None:
        """Raise DataError when a duty of the feed has ended: the process begins again."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise DataError(f"the live feed has ended: {redacted(repr(error))[:300]}", "the worker starts again by itself")

    # ---- connections ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect and let the feed run. Raises DataError while a venue cannot be reached, BadInput for an unknown instrument."""
        for venue in self.venues:
            if venue not in self._sources:
                self._sources[venue] = await self.connect(venue)
        feed = LiveFeed(self._sources, [self._column(name) for name in self.columns], self.now_ms, self.sleep)
        feed.is_off = lambda column: self._is_unlisted(column) or self.is_off(parts_of(column, self.clock)[0])
        feed.is_gone = lambda column: self._is_unlisted(column) or self.is_gone(parts_of(column, self.clock)[0])
        request = RecordRequest("", (), (), "perp", self.mirror, corrections=True)
        recorder = FeedRecorder(self.home.path, request, self.now_ms, raw=False)
        recorder.use(feed)
        self._recorder, keep_bar, keep_note = recorder, feed.on_bar, feed.on_note

        def bar(column: str, open_ms: int, prices: Prices, how: str) -> None:
            keep_bar(column, open_ms, prices, how)
            if how != "closed":
                self._late.append(LateBar(column, open_ms, prices))

        def note(found: FeedNote) -> None:
            keep_note(found)
            self.log.note("feed", kind=found.kind, about=found.about, open_ms=found.open_ms, text=found.text[:300])
            if found.kind == "corrected":
                self.corrections.append(found)

        feed.on_bar, feed.on_note = bar, note
        fundings = [recorder.use_funding(self._funding(feed, venue)) for venue in self.venues]
        self.feed = feed
        works = (feed.run(), *(funding.run() for funding in fundings), self._save_for_ever())
        self._tasks = [asyncio.create_task(work) for work in works]

    def _column(self, name: str) -> LiveColumn:
        instrument, timeframe = parts_of(name, self.clock)
        venue, symbol, market = instrument.split(":")
        try:
            return LiveColumn(name, self._sources[venue].unified(symbol, market), timeframe)
        except BadInput:
            if not self._is_stored(name):  # of one that was traded the file stays
                raise
            self._unlisted.add(instrument)
            return LiveColumn(name, unified_name(symbol, market), timeframe)

    def _is_unlisted(self, column: str) -> bool:
        return parts_of(column, self.clock)[0] in self._unlisted

    def _is_stored(self, column: str) -> bool:
        instrument, timeframe = parts_of(column, self.clock)
        venue, symbol, market = instrument.split(":")
        return bool((self.home.path / "data" / file_name(venue, symbol, market, timeframe)).exists())

    def _funding(self, feed: LiveFeed, venue: str) -> FundingFeed:
        funding = FundingFeed(feed, self._sources[venue], self.now_ms, self.sleep)
        names = {c.symbol: c.name.partition("@")[0] for c in feed.columns.values() if c.venue == venue}
        funding.is_open = lambda symbol: self.is_open(names[symbol])
        return funding

    async def stop(self) -> None:
        """End everything and hang up, in a bounded time."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._recorder is not None:
            self._save(force=True)
        for source in self._sources.values():
            with suppress(Exception):
                await asyncio.wait_for(source.close(), 5.0)

    # ---- history --------------------------------------------------------------------------------------------------------

    async def past(self, from_ms: int, seen_ms: int | None, policy: Any, waits: Callable[[str], None]) -> tuple[GrownFeed, Span]:
        """History up to now for a desk that trades from `from_ms` on and has seen the close at `seen_ms` (None: a new one, which
        begins at the span that is returned), read by REST where files end. Tried again until it is whole; `waits` hears why not.
        """
        attempt = 0
        while True:
            try:
                await asyncio.to_thread(self._pull_all, from_ms)
                found = await asyncio.to_thread(self._read, seen_ms, policy)
                self._whole = True
                return found
            except asyncio.CancelledError:
                self._ending.set()
                raise
            except (DataError, Busy) as error:
                waits(f"history is not whole: {error}")
            await self.sleep(int(PULL_AGAIN_S[min(attempt, len(PULL_AGAIN_S) - 1)] * 1000))
            attempt += 1

    def _pull_all(self, from_ms: int) -> None:
        """Files up to the last close, each instrument once a timeframe, with its settlements."""
        charged = set[str]()
        for column in self.columns:
            instrument, timeframe = parts_of(column, self.clock)
            venue, symbol, market = instrument.split(":")
            quarters = QUARTERS_MAX if timeframe_ms(timeframe) >= HOUR_MS else 1
            if self._is_unlisted(column):
                continue
            # what a file lacks before its first row the venue may not have: that is asked for once, not at each start
            start = str(anchor_ms(from_ms, quarters)) if column in self._new else None
            if start is not None:
                self.pull(PullRequest(venue, symbol, timeframe, market, start, None, False, False, self.mirror))
                self._new.discard(column)
            self.pull(PullRequest(venue, symbol, timeframe, market, start, None, instrument not in charged, False, self.mirror))
            charged.add(instrument)

    @contextmanager
    def _paged(self, _label: str, _total: float) -> Iterator[Callable[[float], None]]:
        """The progress of a pull: it ends behind a page where the worker does; pages that it has are kept."""

        def page(_done: float) -> None:
            if self._ending.is_set():
                raise DataError("the worker ends", "the next start goes on there")

        yield page

    def _read(self, seen_ms: int | None, policy: Any) -> tuple[GrownFeed, Span]:
        catalog = Catalog(self.home.roots)
        series = series_of(catalog, self.columns, self.clock)
        span = begin_live(series, self.step_ms, self.replay_days)
        ended = {column for column in series if self._is_unlisted(column)}
        return history(catalog, series, self.step_ms, span.first_ms if seen_ms is None else seen_ms, policy, ended), span

    # ---- closes ---------------------------------------------------------------------------------------------------------

    def ahead(self, feed: GrownFeed) -> list[int]:
        """Closes that the live feed has decided and that the history does not have, by the live feed's index."""
        assert self.feed is not None, "start() comes first"  # noqa: S101 - a programmer's error halts
        return list(range(self.feed.after(int(feed.span.close_ms[-1])), self.feed.bar_count))

    def take(self, feed: GrownFeed, n: int) -> Close:
        """The live feed's close `n` behind the history."""
        assert self.feed is not None, "start() comes first"  # noqa: S101 - a programmer's error halts
        close_ms, late = self.feed.close_ms(n), list(self._late)
        self._late.clear()
        found = grown(feed, close_ms, self.feed.bars(n), late)
        old = self.now_ms() - close_ms > STALE_BARS * self.step_ms
        return Close(found, found.bar_count - 1, f"handed over late, at {utc(self.now_ms())}" if old else "")

    async def wait(self, ms: int) -> None:
        """Until the next close is decided, `ms` at most; the series on disk are brought up to date meanwhile."""
        assert self.feed is not None, "start() comes first"  # noqa: S101 - a programmer's error halts
        with suppress(TimeoutError):
            async with asyncio.timeout(ms / 1000):
                await self.feed.next_close()

    def _save(self, *, force: bool = False) -> None:
        assert self._recorder is not None  # noqa: S101 - the caller looked
        try:
            self._recorder.save(force=force)
        except (BadInput, OSError) as error:  # trading goes on without the file; the next start reads the gap by REST
            self.log.warning("the series cannot be written", why=str(error)[:300])

    async def _save_for_ever(self) -> None:
        """Write what has closed, beside everything else."""
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            await asyncio.to_thread(self._save)


def _now_ms() -> int:
    """Wall time, UTC ms."""
    return time.time_ns() // 1_000_000


async def _sleep(ms: int) -> None:
    await asyncio.sleep(ms / 1000)
