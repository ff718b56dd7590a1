"""A live feed -> everything it received in the home's recordings, and its closed bars in the series that backtests read.

Called by `nightdesk data record`, and by the worker of a desk on live data. A bar is stored when it has closed or came late; it
is then what the venue's REST lists,
as after a pull, and goes behind the last bar of the same file, in order. A desk that trades on that file goes on with each bar.
"""

import asyncio
import contextlib
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from app.market_data.pulling import PullRequest, alone, stored_frame
from engine.clock import LOCAL_TIMEFRAME, TIMEFRAMES, timeframe_ms
from engine.data.recorded import pack
from engine.data.recording import Recording
from engine.data.timeframes import clock_of, column_name
from engine.data.writer import file_name, write_series
from engine.errors import BadInput, Busy, DataError
from engine.live.closing import FeedNote, frame_of, texts
from engine.live.feed_live import LiveColumn, LiveFeed
from engine.live.funding_feed import FundingFeed
from engine.venues.candles import CandleSource, Prices, open_candles
from engine.venues.ccxt_data import RATES

if TYPE_CHECKING:
    import polars as pl

SAVE_EVERY_S = 1.0
PACK_EVERY_MS = 600_000
NOTES_SHOWN = 200
COLUMNS_MAX = 60
HOLE_MS = 1_800_000
Report = dict[str, Any]


class RecordRequest(NamedTuple):
    """The command's arguments as typed."""

    venue: str
    symbols: Sequence[str]
    timeframes: Sequence[str]
    market: str
    mirror: str = ""
    corrections: bool = False  # write them into the series


class FeedRecorder:
    """What comes from one feed, on its way to the disk; `save` writes what is due."""

    def __init__(self, home: Path, request: RecordRequest, now_ms: Callable[[], int], *, raw: bool = True) -> None:
        """`raw`: also keep everything that is received, in the home's recordings."""
        self.home, self.request = home, request
        self.recording = Recording(home / "recordings", request.venue, now_ms)
        self._keep: Callable[[str, Any], None] = self.recording.keep if raw else lambda _what, _body: None
        self.counts: dict[str, Counter[str]] = {}
        self.notes: deque[FeedNote] = deque(maxlen=NOTES_SHOWN)
        self.say: Callable[[str], None] = lambda _line: None
        self._bars: dict[str, dict[int, Prices]] = {}
        self._corrected: dict[str, dict[int, Prices]] = {}
        self._rates: dict[str, dict[int, float]] = {}
        self._last: dict[str, int] = {}  # column -> the open of its last stored bar
        self.now_ms = now_ms

    def use(self, feed: LiveFeed) -> None:
        """Take what this feed gives. Raises BadInput for a series in the home that no pull has written."""
        for name in feed.columns:
            have = stored_frame(self.path_of(name, feed.columns[name].timeframe))
            if have is not None and have.height:
                self._last[name] = int(have["ts"].max())
        self.counts = {name: Counter() for name in feed.columns}
        self._feed, self._columns, self._first_close_ms = feed, list(feed.columns.values()), feed.close_ms(0)
        self._paths = {name: self.path_of(name, column.timeframe) for name, column in feed.columns.items()}
        feed.on_bar, feed.on_note = self._bar, self._note

    def use_funding(self, funding: FundingFeed) -> FundingFeed:
        """Take the settlements of this one too; returns it. Raises BadInput as `use` does."""
        names = {c.symbol: c.name.partition("@")[0] for c in self._columns if c.venue == funding.venue}
        for symbol in funding.symbols:
            stored_frame(self.path_of(names[symbol], "funding"))
        funding.on_settlement = lambda symbol, t_ms, rate: self._settlement(names[symbol], t_ms, rate)
        return funding

    def path_of(self, column: str, timeframe: str) -> Path:
        """The series of a column."""
        venue, symbol, market = column.partition("@")[0].split(":")
        return self.home / "data" / file_name(venue, symbol, market, timeframe)

    def save(self, *, force: bool = False) -> None:
        """Write rows that are due and bars that have come; a file that a pull has locked waits for the next time.

        A thread may call it while more comes in: what is written is taken out by its key, never the whole table.
        """
        self.recording.flush(force=force)
        for column, bars in list(self._bars.items()):
            due = dict(bars) if force else self._in_order(column, dict(bars))
            if due and self._stored(column, self._paths[column], frame_of(due)):
                self._last[column] = max(*due, self._last.get(column, 0))
                _taken_out(bars, due)
        for column, bars in list(self._corrected.items()) if self.request.corrections else ():
            if (due := dict(bars)) and self._stored(column, self._paths[column], frame_of(due), replaces=True):
                _taken_out(bars, due)
        for column, rates in list(self._rates.items()):
            due_rates = dict(rates)
            path = self.path_of(column, "funding")
            if due_rates and self._stored(column, path, settlements_frame(due_rates), replaces=True):
                _taken_out(rates, due_rates)

    def _stored(self, column: str, path: Path, new: "pl.DataFrame", *, replaces: bool = False) -> bool:
        """Whether rows are in the series now."""
        with contextlib.suppress(Busy):
            self._store(column, path, new, replaces=replaces)
            return True
        return False

    def report(self) -> Report:
        """What was recorded, as JSON."""
        columns = [
            {
                "column": name,
                "path": str(self._paths[name]),
                **{how: count[how] for how in ("closed", "missing", "repaired", "corrected")},
            }
            for name, count in self.counts.items()
        ]
        return {
            "folder": str(self.recording.folder),
            **self.recording.size()._asdict(),
            "broken": self.recording.broken or None,
            "columns": columns,
            "notes": texts(self.notes),
        }

    def _bar(self, column: str, open_ms: int, prices: Prices, how: str) -> None:
        self._keep("bar", [column, open_ms, list(prices), how])
        kept = self._corrected if how == "corrected" else self._bars
        kept.setdefault(column, {})[open_ms] = prices
        if how != "repaired" or open_ms + self._feed.bars_of[column].step_ms >= self._first_close_ms:
            self.counts[column][how] += 1  # what closed before the start is history, and no repair

    def _note(self, note: FeedNote) -> None:
        self._keep("note", list(note))
        if note.kind in ("missing", "disagreed", "refused") and note.open_ms:
            self.counts[note.about]["missing"] += 1
        self.notes.append(note)
        self.say(texts([note])[0])

    def _settlement(self, column: str, t_ms: int, rate: float) -> None:
        self._keep("settlement", [column, t_ms, rate])
        self._rates.setdefault(column, {})[t_ms] = rate

    def _in_order(self, column: str, bars: dict[int, Prices]) -> dict[int, Prices]:
        """Those that no missing bar precedes: a desk on this series would stop at a hole that is filled behind it.

        A hole is waited for HOLE_MS; what comes later than that is in the recording alone, until a pull.
        """
        if not bars:
            return {}
        of, last = self._feed.bars_of[column], self._last.get(column)
        first = min(bars) if last is None else last + of.step_ms
        hole = of.first_hole(max(first, self.now_ms() - HOLE_MS), max(bars))
        return bars if hole is None else {t: prices for t, prices in bars.items() if t < hole}

    def _store(self, column: str, path: Path, new: "pl.DataFrame", *, replaces: bool = False) -> None:
        """Add rows behind the last one of a series; `replaces`: anywhere, and for those that are there."""
        import polars as pl

        venue, symbol, market = column.partition("@")[0].split(":")
        with alone(PullRequest(venue, symbol, "", market, None, None, False, False, self.request.mirror)):
            have = stored_frame(path)
            ts = pl.col("ts")
            one = (ts + 30_000) // 60_000 if "rate" in new.columns else ts  # a pulled settlement is stamped some ms late
            if have is not None and not replaces:
                new = new.filter(pl.col("ts") > have["ts"].max())
            both = new if have is None else pl.concat([new, have], how="diagonal").filter(one.is_first_distinct())
            write_series(path, both.sort("ts"), "pulled", {"venue": venue, "mirror": self.request.mirror})


def _taken_out(waiting: dict[int, Any], stored: Mapping[int, Any]) -> None:
    """What is stored waits no more, unless other numbers came for it meanwhile."""
    for t, value in stored.items():
        if waiting.get(t) == value:
            waiting.pop(t, None)


def settlements_frame(rates: Mapping[int, float]) -> "pl.DataFrame":
    """Settlements as the catalog has them: ts Int64, rate."""
    import polars as pl

    return pl.DataFrame([[t, rates[t]] for t in sorted(rates)], schema=RATES, orient="row")


async def record(home: Path, request: RecordRequest, stop: asyncio.Event, say: Callable[[str], None]) -> Report:
    """Record until `stop` is set; the report. Raises BadInput and DataError, one line each."""
    check_request(request)
    recorder = FeedRecorder(home, request, _now_ms)
    recorder.say = say
    source = await open_candles(request.venue, request.market, request.mirror, recorder.recording.keep)
    try:
        feed = LiveFeed({request.venue: source}, columns_of(request, source), _now_ms, _sleep)
        recorder.use(feed)
        works = [feed.run(), pack_days(recorder, _sleep)]
        if request.market == "perp":
            works.append(recorder.use_funding(FundingFeed(feed, source, _now_ms, _sleep)).run())
        await run(works, recorder, stop)
    finally:
        await source.close()
    return recorder.report()


async def pack_days(recorder: FeedRecorder, sleep: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    """Pack days that are over, for ever; one that cannot be packed is named and tried again, and what comes in is kept."""
    recording = recorder.recording
    while True:
        try:
            for day in await asyncio.to_thread(pack, recording.folder.parent, recording.folder.name, recorder.now_ms()):
                recorder.say(f"packed {day} of {recording.folder.name}")
        except DataError as error:
            recorder.say(str(error))
        await sleep(PACK_EVERY_MS)


async def run(works: Sequence[Coroutine[Any, Any, None]], recorder: FeedRecorder, stop: asyncio.Event) -> None:
    """The duties of feeds beside the one that saves; ends with `stop`, or with a feed's own error."""
    duties: asyncio.Future[Any] = asyncio.gather(*works)
    ended: asyncio.Future[Any] = asyncio.create_task(stop.wait())
    try:
        while not (duties.done() or ended.done()):
            await asyncio.wait({duties, ended}, timeout=SAVE_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            recorder.save()
        if duties.done():
            duties.result()
    finally:
        for task in (duties, ended):
            task.cancel()
        await asyncio.gather(duties, ended, return_exceptions=True)
        recorder.save(force=True)


async def until_stopped(work: Callable[[asyncio.Event], Coroutine[Any, Any, Report]], minutes: float | None) -> Report:
    """Work that ends at SIGINT, at SIGTERM or after some minutes, in its own order."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if minutes is not None:
        loop.call_later(minutes * 60, stop.set)
    return await work(stop)


def check_request(request: RecordRequest) -> None:
    """Raise BadInput for what cannot be recorded."""
    if request.market not in ("perp", "spot"):
        raise BadInput(f"unknown market {request.market!r}", "use perp or spot")
    known = (*TIMEFRAMES, LOCAL_TIMEFRAME) if request.mirror else TIMEFRAMES
    if wrong := [timeframe for timeframe in request.timeframes if timeframe not in known]:
        raise BadInput(f"unknown timeframe {wrong[0]!r}", f"use {', '.join(known)}")
    count = len(set(request.symbols)) * len(set(request.timeframes))
    if not 0 < count <= COLUMNS_MAX:
        raise BadInput(f"{count} series to record", f"name 1 to {COLUMNS_MAX}: --symbol, --timeframe")


def columns_of(request: RecordRequest, source: CandleSource) -> list[LiveColumn]:
    """A column a symbol and timeframe, each once. Raises BadInput for a symbol that the venue does not list."""
    clock, found = clock_of(request.timeframes), []
    for symbol in dict.fromkeys(request.symbols):
        unified = source.unified(symbol, request.market)
        for timeframe in sorted(set(request.timeframes), key=timeframe_ms):
            name = column_name(f"{request.venue}:{symbol}:{request.market}", timeframe, clock)
            found.append(LiveColumn(name, unified, timeframe))
    return found


def rate_line(report: Mapping[str, Any]) -> str:
    """Size and rate of a recording as a line."""
    rate = report["bytes_per_day"]
    per_day = "rate not known yet" if rate is None else f"{rate / 1e6:,.1f} MB a day"
    lost = f", {report['lost_rows']:,} rows lost" if report["lost_rows"] else ""
    return f"{report['folder']}: {report['rows']:,} rows, {report['written_bytes'] / 1e6:,.1f} MB, {per_day}{lost}"


def _now_ms() -> int:
    """Wall time, UTC ms."""
    return time.time_ns() // 1_000_000


async def _sleep(ms: int) -> None:
    await asyncio.sleep(ms / 1000)
