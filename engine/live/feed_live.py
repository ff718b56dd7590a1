"""The live feed: closed bars of several instruments and timeframes as they close, by the port that a recorded feed implements.

Duties of one asyncio loop; they own neither clock nor sleep. At each close of the clock the columns that end there are read from
REST until flag, clock and REST agree or the wait is over (closing.py); the row is then decided on and never changes. What is
late, missing or corrected is a note. `troubles` says why entries are off; exits and orders at the venue do not ask this feed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from statistics import median
from typing import NamedTuple

from engine.clock import timeframe_ms, utc
from engine.errors import BadInput, DataError
from engine.live.closing import ColumnBars, FeedNote, Patience
from engine.live.cross_venue import pairs_of, parted
from engine.venues.candles import CandleSource, Prices, PushedCandle, RateLimited

Now = Callable[[], int]  # UTC ms
Sleep = Callable[[int], Awaitable[None]]  # ms
Note = Callable[[FeedNote], None]
Kept = Callable[[str, int, Prices, str], None]  # column, open, numbers, one of closed, repaired, corrected
Charge = Callable[[str, int], tuple[float, float] | None]  # column, open -> rate and mark of the settlement there; None: unknown
NO_ROW = (None,) * 5 + (0.0, 0.0)
ROWS_KEPT = 5_000
READ_BARS = 6  # of a REST read at a close: the bar, the one that forms, and those whose corrections are still looked for
FILL_BARS = 200  # of a page of a gap
FILL_PAGES = 25  # of a gap that is filled here; a longer one is for nightdesk data pull
CLOCK_EVERY_MS, CLOCK_OFF_MS, CLOCK_OLD_MS = 60_000, 1_000, 300_000
CLOCK_AGAIN_MS = 10_000  # while it is off: a clock that was set right is seen to be
SILENT_MS, WATCHED_EVERY_MS, DIAL_AGAIN_MS = 10_000, 2_000, 1_000


class LiveColumn(NamedTuple):
    """One column of a bar: its name as the desk has it (`okx:BTC-USDT:perp`, `...@4h`), ccxt's symbol, its timeframe."""

    name: str
    symbol: str
    timeframe: str

    @property
    def venue(self) -> str:
        """Whose bars these are."""
        return self.name.partition(":")[0]

    @property
    def of(self) -> str:
        """What these are bars of, at any venue."""
        return f"{self.name.partition(':')[2].partition('@')[0]} {self.timeframe}"


class LiveFeed:
    """Closed bars as they close (engine.ports.BarFeed). `run` does the work until it is cancelled."""

    source = "live"

    def __init__(
        self,
        sources: Mapping[str, CandleSource],
        columns: Sequence[LiveColumn],
        now_ms: Now,
        sleep: Sleep,
        patience: Patience | None = None,
    ) -> None:
        """`sources` by venue. Raises BadInput without columns, or for one of a venue that has no source."""
        if not columns:
            raise BadInput("a live feed without an instrument", "name at least one")
        if lacking := {column.venue for column in columns} - set(sources):
            raise BadInput(f"no connection to {', '.join(sorted(lacking))}", f"connected: {', '.join(sorted(sources))}")
        self.on_note: Note = lambda _note: None
        self.on_bar: Kept = lambda _column, _open_ms, _prices, _how: None
        self.charge: Charge = lambda _column, _open_ms: (0.0, 0.0)
        self.troubles: dict[str, str] = {}  # what is not well -> why; no entries meanwhile
        # its venue does not trade a column's instrument: nobody waits for its bars, nor takes its silence for the venue's; gone:
        # the venue does not list it, so that it is not asked for
        self.is_off: Callable[[str], bool] = lambda _column: False
        self.is_gone: Callable[[str], bool] = lambda _column: False
        self.patience = patience or Patience()
        self.columns = {column.name: column for column in columns}
        steps = {column.name: timeframe_ms(column.timeframe) for column in columns}
        self.step_ms = min(steps.values())
        self.bars_of = {name: ColumnBars(name, step, self.patience) for name, step in steps.items()}
        self._sources, self._now, self._sleep = sources, now_ms, sleep
        self._rows: dict[int, dict[str, list[float | None]]] = {}  # the last ROWS_KEPT
        self._count = 0
        self._first_close_ms = (now_ms() // self.step_ms + 1) * self.step_ms
        self._apart: dict[str, tuple[int, int]] = {}  # venue -> (its clock minus ours, when that was measured)
        self._quiet_until: dict[str, int] = {}  # venue -> when it may be asked again
        self._pushed_ms: dict[str, int] = {}  # column -> when the stream brought anything of it last
        self._unflagged: dict[str, int] = {}  # column -> the close of its last bar, where REST lists it and no flag came
        self._closed_row = asyncio.Event()
        self._pairs = pairs_of({column.name: (column.venue, column.of) for column in columns})
        for venue, source in sources.items():
            source.on_push = partial(self._pushed, venue)
            source.on_unreadable = partial(self._trouble, f"stream {venue}", venue)

    # ---- the port -------------------------------------------------------------------------------------------------------

    @property
    def bar_count(self) -> int:
        """How many closes of the clock are decided."""
        return self._count

    def bars(self, t: int) -> dict[str, list[float | None]]:
        """Close t as the journal holds it: open, high, low, close, volume, funding rate and mark; None is missing.

        A longer timeframe is there only where one of its bars closes. Raises DataError for one that is no longer kept.
        """
        if t not in self._rows:
            raise DataError(f"close {t} of the live feed is not kept: {self._count} decided, the last {ROWS_KEPT} are", "")
        return {name: list(row) for name, row in self._rows[t].items()}

    def after(self, close_ms: int) -> int:
        """Index of the close that follows `close_ms`; the count when none has come."""
        return min(max((close_ms - self._first_close_ms) // self.step_ms + 1, 0), self.bar_count)

    def close_ms(self, t: int) -> int:
        """When bar t closed."""
        return self._first_close_ms + t * self.step_ms

    async def next_close(self) -> int:
        """Wait for the next close to be decided; its index."""
        self._closed_row.clear()
        await self._closed_row.wait()
        return self.bar_count - 1

    # ---- duties ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """All duties, until cancelled. An error that is not the venue's ends them all."""
        async with asyncio.TaskGroup() as group:
            for venue in self._sources:
                group.create_task(self._watch_clock(venue))
                group.create_task(self._watch_silence(venue))
            for column in self.columns.values():
                group.create_task(self._watch(column))
            group.create_task(self._close())

    async def _watch(self, column: LiveColumn) -> None:
        """Keep a subscription alive; what it brings comes by `on_push`."""
        source, about = self._sources[column.venue], f"stream {column.venue}"
        while True:
            if self.is_gone(column.name):
                await self._sleep(WATCHED_EVERY_MS)
                continue
            try:
                await source.watch(column.symbol, column.timeframe)
            except DataError as error:
                self._trouble(about, column.venue, error.what)
                await self._sleep(DIAL_AGAIN_MS)
                source.dial_at_once()
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                await self._sleep(DIAL_AGAIN_MS)  # ccxt cancels what waits on a connection that is given up

    async def _watch_silence(self, venue: str) -> None:
        """Give up connections that bring nothing, not even a pong, or nothing of a column of which REST lists a bar: a lost
        subscription is not made again on a connection that lives."""
        source, about = self._sources[venue], f"stream {venue}"
        while True:
            await self._sleep(WATCHED_EVERY_MS)
            since = source.silent_since_ms()
            lost = [name for name, close in self._unflagged.items() if self._pushed_ms.get(name, 0) < close]
            lost = [name for name in lost if self.columns[name].venue == venue]
            if since is not None and self._now() - since > SILENT_MS:
                self._trouble(about, venue, f"nothing since {utc(since)}: dialled anew")
            elif lost:
                text = f"nothing of {', '.join(lost)} since its close: dialled anew"
                self._trouble(about, venue, self.troubles.get(about, text))  # what cannot be read says more
            else:
                continue
            for name in lost:
                del self._unflagged[name]  # until its next close
            await source.redial()

    async def _watch_clock(self, venue: str) -> None:
        """Compare the venue's clock with ours each minute, sooner while it is off; a difference is measured twice more before it
        counts, and is said anew once it is another.
        """
        shown, what = 0, f"clock {venue}"
        while True:
            if (apart := await self._measure(venue)) is not None:
                if abs(apart) > CLOCK_OFF_MS:
                    more = [again for _ in range(2) if (again := await self._measure(venue)) is not None]
                    apart = int(median([apart, *more]))
                self._apart[venue] = (apart, self._now())
                shown = apart if abs(apart - shown) > CLOCK_OFF_MS or what not in self.troubles else shown
                self._set(what, "clock", venue, f"{shown} ms from ours" if abs(apart) > CLOCK_OFF_MS else "")
            await self._sleep(CLOCK_AGAIN_MS if what in self.troubles else CLOCK_EVERY_MS)

    async def _measure(self, venue: str) -> int | None:
        """The venue's clock minus ours, in the middle of the question; None without an answer."""
        before = self._now()
        try:
            server = await self._sources[venue].server_ms()
        except DataError as error:
            self._rest_failed(venue, error)
            return None
        return server - (before + self._now()) // 2

    async def _close(self) -> None:
        """Every close of the clock, in order; what came late or was missed is read afterwards."""
        await asyncio.gather(*(self._fill(name, self._first_close_ms - FILL_BARS * self.step_ms) for name in self.columns))
        while True:
            close_ms = self.close_ms(self.bar_count)
            await self._sleep(max(0, close_ms + self.patience.settle_ms - self._now()))
            due = [name for name, bars in self.bars_of.items() if close_ms % bars.step_ms == 0]
            await self._read_until_closed(due, close_ms)
            self._decide(due, close_ms)
            for name in due:
                await self._repair(name)

    async def _read_until_closed(self, due: Sequence[str], close_ms: int) -> None:
        """Ask REST for the bars that end at `close_ms` until all have closed or the wait is over."""
        until, waited_for = close_ms + self.patience.wait_ms, due
        while (pending := self._pending(due, close_ms)) and waited_for:
            if (left := until - self._now()) <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(left / 1000):
                    await asyncio.gather(*(self._read(name, close_ms) for name in pending))
            waited_for = [name for name in self._pending(pending, close_ms) if not self.is_off(name)]
            if waited_for:  # what has closed is decided on now: its orders wait for nothing
                await self._sleep(min(self.patience.again_ms, max(0, until - self._now())))

    def _pending(self, names: Sequence[str], close_ms: int) -> list[str]:
        """The columns of which the bar that ends at `close_ms` has not closed."""
        return [name for name in names if self.bars_of[name].closed(close_ms - self.bars_of[name].step_ms) is None]

    async def _read(self, name: str, close_ms: int) -> None:
        """One REST read of a column around a close."""
        bars = self.bars_of[name]
        await self._ask(name, close_ms - (READ_BARS - 1) * bars.step_ms, READ_BARS)

    async def _ask(self, name: str, since_ms: int, limit: int) -> int:
        """One REST read; how many rows came. A venue that wants fewer requests gets none for a while."""
        column, bars, before = self.columns[name], self.bars_of[name], self._now()
        if before < self._quiet_until.get(column.venue, 0) or self.is_gone(name):
            return 0
        try:
            rows = await self._sources[column.venue].rows(column.symbol, column.timeframe, since_ms, limit)
        except DataError as error:
            if not self.is_off(name):
                self._rest_failed(column.venue, error)
            return 0
        self._set(f"rest {column.venue}", "rest", column.venue, "")
        for note in bars.read(rows, before):
            self.on_note(note)
            if note.kind == "corrected":
                self.on_bar(name, note.open_ms, bars.known[note.open_ms], "corrected")
        return len(rows)

    def _decide(self, due: Sequence[str], close_ms: int) -> None:
        """The row of a close: what it holds now is decided on."""
        row: dict[str, list[float | None]] = {}
        for name in due:
            bars, open_ms = self.bars_of[name], close_ms - self.bars_of[name].step_ms
            charge = self.charge(name, open_ms)
            unsettled = "" if charge else f"the settlement of {utc(open_ms)} is not known"
            found, notes = bars.decide(open_ms, self._blocked(self.columns[name].venue) or unsettled)
            row[name] = list(NO_ROW) if found is None else [*found, *(charge or ())]
            if found is not None:
                self.on_bar(name, open_ms, found, "closed")
            for note in notes:
                self.on_note(note)
            self._unflagged.pop(name, None)
            if bars.is_unflagged(open_ms) and not self.is_off(name):
                self._unflagged[name] = close_ms
            self._set(f"bar {name}", "missing", name, notes[0].text if notes else "", quiet=bool(notes))
        for one, other in self._pairs:
            if one in row:
                why = parted(self.bars_of[one], self.bars_of[other], close_ms)
                self._set(f"parted {one} {other}", "parted", why.partition(" against ")[0] or one, why)
        self._rows[self._count] = row
        self._rows.pop(self._count - ROWS_KEPT, None)
        self._count += 1
        self._closed_row.set()

    def _blocked(self, venue: str) -> str:
        """Why nothing of a venue is decided on now: its clock is off, or has not been seen for long."""
        apart, at = self._apart.get(venue, (0, -CLOCK_OLD_MS))
        if self._now() - at > CLOCK_OLD_MS + CLOCK_EVERY_MS:
            return f"the clock of {venue} has not been seen since {utc(at) if at > 0 else 'the start'}"
        return f"the clock of {venue} is {apart} ms from ours" if not abs(apart) <= CLOCK_OFF_MS else ""

    # ---- gaps -----------------------------------------------------------------------------------------------------------

    async def _repair(self, name: str) -> None:
        """Read what a column lacks up to its last close, unless the next close is due first."""
        bars, known = self.bars_of[name], self.bars_of[name].known
        self._take_late(name)
        hole = bars.first_hole(min(known, default=self._now()), self._now() // bars.step_ms * bars.step_ms)
        if hole is not None:
            left = self.close_ms(self.bar_count) + self.patience.settle_ms - self._now()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0, left) / 1000):
                    await self._fill(name, hole)

    async def _fill(self, name: str, from_ms: int) -> None:
        """Read a span from REST, page by page, into history. What the venue does not have stays missing."""
        bars, end = self.bars_of[name], self._now() // self.bars_of[name].step_ms * self.bars_of[name].step_ms
        start = max(from_ms // bars.step_ms * bars.step_ms, end - FILL_PAGES * FILL_BARS * bars.step_ms)
        while start < end and await self._ask(name, start, FILL_BARS):
            start += FILL_BARS * bars.step_ms
        self._take_late(name)

    def _take_late(self, name: str) -> None:
        repaired, notes = self.bars_of[name].late()
        for open_ms, prices in repaired.items():
            self.on_bar(name, open_ms, prices, "repaired")
        for note in notes:
            if note.kind != "repaired" or note.open_ms + self.bars_of[name].step_ms >= self._first_close_ms:
                self.on_note(note)  # what was there before the start is no repair

    # ---- what is not well -----------------------------------------------------------------------------------------------

    def _pushed(self, venue: str, candle: PushedCandle) -> None:
        self._set(f"stream {venue}", "stream", venue, "")
        for name, column in self.columns.items():
            bars = self.bars_of[name]
            if (column.venue, column.symbol, bars.step_ms) == (venue, candle.symbol, candle.timeframe_ms):
                self._pushed_ms[name] = self._now()
                for note in bars.push(candle, self._now()):
                    self.on_note(note)

    def _rest_failed(self, venue: str, error: DataError) -> None:
        if isinstance(error, RateLimited):
            self._quiet_until[venue] = self._now() + error.wait_ms
        self._set(f"rest {venue}", "rest", venue, error.what)

    def _trouble(self, what: str, venue: str, why: str) -> None:
        self._set(what, "stream", venue, why)

    def _set(self, what: str, kind: str, about: str, why: str, *, quiet: bool = False) -> None:
        """A trouble begins, goes on, or is over (`why` empty): noted when it begins and when it ends."""
        before = self.troubles.get(what)
        if why:
            self.troubles[what] = why
        else:
            self.troubles.pop(what, None)
        if bool(before) != bool(why) and not quiet:
            self.on_note(FeedNote(kind if why else "over", about, 0, why or f"{what} is well again"))
