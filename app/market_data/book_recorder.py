"""A venue's public book and trades, recorded as they come: dialled, watched for silence, asked again for a snapshot after a gap.

Called by `nightdesk l2 record`. ccxt.pro subscribes and answers pings; everything that it receives is read before it does
(engine/venues/book_pushes.py) and written by engine/l2/recorder.py, so that nothing of a tape depends on ccxt's own book.
"""

import asyncio
import contextlib
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from app.home.written import alone_in
from app.market_data.book_columns import bars_report, followers_of
from engine.clock import TIMEFRAMES
from engine.errors import BadInput, DataError
from engine.l2.recorder import BookRecorders
from engine.venues.answers import silent
from engine.venues.book_pushes import pushes_of
from engine.venues.candles import CandleSource, open_candles

DEPTH = {"okx": None, "binance": 1000, "bybit": 200}  # levels of a snapshot; OKX has its own 400
SYMBOLS_MAX = 20
SYMBOL = re.compile(r"[A-Z0-9]{1,20}-[A-Z0-9]{1,20}")  # it names folders and files
SILENT_MS = 10_000
QUIET_NS = 120_000_000_000  # without a change of a book on a line that lives; doubled while dialling brings none
BARE_NS = 30_000_000_000  # of deltas without a snapshot before them
QUIET_DOUBLED_MAX = 5
FLUSH_S = 1.0
PACK_EVERY_NS = 3_600_000_000_000
DAY_S = 86_400
WAIT_S = (1.0, 2.0, 5.0, 10.0)  # before a next try; Binance takes a connection a second on average
OFTEN_NS = 60_000_000_000
NOTES_SHOWN = 50
Report = dict[str, Any]
Beside = Callable[["BookSession"], Coroutine[Any, Any, None]]


class BookRequest(NamedTuple):
    """The command's arguments as typed."""

    venue: str
    symbols: Sequence[str]
    market: str
    mirror: str = ""
    bars: str = ""  # a timeframe: also write columns at its closes


class BookSession:
    """One venue's recording while it runs."""

    def __init__(
        self, home: Path, request: BookRequest, source: CandleSource, now_ns: Callable[[], int], say: Callable[[str], None]
    ) -> None:
        """Raises BadInput for a symbol that the venue does not list."""
        self.request, self.source, self.now_ns, self._say = request, source, now_ns, say
        self.client = source._exchange  # dialled for this recording alone
        markets = {symbol: self.client.market(source.unified(symbol, request.market)) for symbol in request.symbols}
        self._units = {str(m["id"]): float(m["contractSize"] or 1.0) for m in markets.values()}
        names = {str(m["id"]): symbol for symbol, m in markets.items()}
        self.unified = [str(m["symbol"]) for m in markets.values()]
        self.recorders = BookRecorders(home / "level2", request.venue, request.market, names, self._gap)
        self.followers = followers_of(home, list(self.recorders.by_id.values()), request.bars, now_ns)
        self._begun_ns = now_ns()
        self.unreadable, self.notes = 0, deque[str](maxlen=NOTES_SHOWN)
        self._quiet = {symbol: (now_ns(), 0) for symbol in request.symbols}  # since when, and how often that was doubled
        self._asked_ns = dict[str, int]()
        self._wanted = asyncio.Event()  # a snapshot, by dialling anew

    def received(self, what: str, message: Any) -> None:
        """Keep what a message says of a book or a trade; one that cannot be read is counted and noted."""
        now_ns = self.now_ns()
        try:
            pushes = pushes_of(self.request.venue, what, message, lambda name: self._units.get(name, 1.0))
        except DataError as error:
            self.unreadable += 1
            self._note(now_ns, "unreadable", str(error))
            return
        for push in pushes:
            self.recorders.take(now_ns, push)

    async def run(self, stop: asyncio.Event, *beside: Coroutine[Any, Any, None]) -> None:
        """Record until `stop`; whatever breaks is dialled again. What was received is on the disk at the end.

        `beside` works while it records; what one of them raises ends the recording.
        """
        self.recorders.event(self.now_ns(), "start", f"{self.request.venue}, {', '.join(self.request.symbols)}")
        calls = [self.client.watch_order_book, self.client.watch_trades]
        works = [self._watch(call, symbol) for symbol in self.unified for call in calls]
        works += [self._redial(), self._watch_silence(), self._flush(), *beside]
        works += [self._follow()] if self.followers else []
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(work) for work in works]
        ended: asyncio.Task[Any] = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({*tasks, ended}, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in (*tasks, ended):
                task.cancel()
            await asyncio.gather(*tasks, ended, return_exceptions=True)
            self.recorders.event(self.now_ns(), "stop", "")
            self.recorders.flush(self.now_ns(), force=True)
            for follower in self.followers:
                follower.catch_up()

    def report(self) -> Report:
        """What was recorded so far, as JSON: size, and the rate of this process (messages a second, bytes a day)."""
        span_s = (self.now_ns() - self._begun_ns) / 1e9
        items = [
            {"symbol": r.symbol, "folder": str(r.folder), "broken": r.broken or None, **size._asdict()}
            | {"messages_second": size.messages / span_s if span_s > 0 else 0.0}
            | {"bytes_day": size.bytes / span_s * DAY_S if span_s > 0 else 0.0}
            for r in self.recorders.by_id.values()
            for size in [r.size()]
        ]
        bars = [bars_report(follower) for follower in self.followers]
        return {
            "venue": self.request.venue,
            "items": items,
            "bars": bars,
            "unreadable": self.unreadable,
            "notes": list(self.notes),
        }

    async def _watch(self, call: Callable[..., Awaitable[Any]], symbol: str) -> None:
        """Stay subscribed to one channel of one instrument."""
        failed, before = 0, ""
        limit = DEPTH[self.request.venue] if call == self.client.watch_order_book else None
        while True:
            try:
                await call(symbol, limit=limit)
                failed, before = 0, ""
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                await asyncio.sleep(WAIT_S[0])  # ccxt cancels what waits on a connection that is given up
            except Exception as error:  # noqa: BLE001 - ccxt raises anything; the next try says whether it lasts
                what = f"{call.__name__} of {symbol}"
                if (text := silent(self.request.venue, what, error).what) != before:  # what lasts is noted once
                    self._note(self.now_ns(), "error", text)
                before = text
                await asyncio.sleep(WAIT_S[min(failed, len(WAIT_S) - 1)])
                self.source.dial_at_once()
                failed += 1

    async def _redial(self) -> None:
        """Dial anew where a snapshot is wanted: it is the one way to one that all three venues have. More rarely if often."""
        recent: deque[int] = deque(maxlen=len(WAIT_S) - 1)
        while True:
            await self._wanted.wait()
            await self.source.redial()
            self._wanted.clear()
            often = sum(self.now_ns() - at < OFTEN_NS for at in recent)
            recent.append(self.now_ns())
            await asyncio.sleep(WAIT_S[often])

    async def _watch_silence(self) -> None:
        """A connection that brings nothing, not even a pong, is given up."""
        while True:
            await asyncio.sleep(FLUSH_S)
            since = self.source.silent_since_ms()
            if since is not None and not self._wanted.is_set() and self.now_ns() // 1_000_000 - since > SILENT_MS:
                self._note(self.now_ns(), "error", f"nothing received for {SILENT_MS // 1000} s")
                self._wanted.set()

            self._look_for_quiet(self.now_ns())

    def _look_for_quiet(self, now_ns: int) -> None:
        """A subscription may end without a word while its line answers pings, and a snapshot may be one that cannot be read."""
        for one in self.recorders.by_id.values():
            since, doubled = self._quiet[one.symbol]
            if one.heard_ns > since:
                self._quiet[one.symbol] = since, doubled = one.heard_ns, 0
            asked_ns = max(one.bare_ns, self._asked_ns.get(one.symbol, 0))
            bare = one.bare_ns > 0 and now_ns - asked_ns > BARE_NS
            if (bare or now_ns - since > QUIET_NS << doubled) and not self._wanted.is_set():
                what, from_ns = ("snapshot", one.bare_ns) if bare else ("change of its book", since)
                self._note(now_ns, "error", f"{one.symbol}: no {what} for {(now_ns - from_ns) // 1_000_000_000} s")
                self._asked_ns[one.symbol] = now_ns
                self._quiet[one.symbol] = now_ns, min(doubled + 1, QUIET_DOUBLED_MAX)
                self._wanted.set()

    async def _flush(self) -> None:
        before, packed_ns = "", self.now_ns()
        packing: asyncio.Future[None] | None = None
        while True:
            await asyncio.sleep(FLUSH_S)
            if self.now_ns() - packed_ns > PACK_EVERY_NS and (packing is None or packing.done()):
                packed_ns, packing = self.now_ns(), asyncio.ensure_future(asyncio.to_thread(self._pack))
                for item in self.report()["items"]:
                    self._say(f"{item['symbol']}: {size_text(item)}")
            self.recorders.flush(self.now_ns())
            broken = next((r.broken for r in self.recorders.by_id.values() if r.broken), "")
            if broken != before:
                self._say(broken or "the disk takes parts again")
            before = broken

    def _pack(self) -> None:
        """Pack days that are over; one that cannot be is named and tried again, and what comes in is kept meanwhile."""
        from engine.l2.packing import pack_days

        for one in self.recorders.by_id.values():
            try:
                for name in pack_days(one.folder, self.now_ns() // 1_000_000):
                    self._say(f"packed {name}")
            except DataError as error:
                self._say(str(error))

    async def _follow(self) -> None:
        """Write the bars that are over, beside the recording, which waits for none of it."""
        before = dict[Path, str]()
        while True:
            await asyncio.sleep(FLUSH_S)
            for one in self.followers:
                await asyncio.to_thread(one.catch_up)
                if one.broken != before.get(one.series, ""):
                    self._say(one.broken or f"bars are written again: {one.series.name}")
                before[one.series] = one.broken

    def _gap(self, symbol: str, why: str) -> None:
        self._say(f"{symbol}: {why}: a snapshot is asked for")
        self.notes.append(f"{symbol}: {why}")
        self._wanted.set()

    def _note(self, now_ns: int, kind: str, text: str) -> None:
        self.recorders.event(now_ns, kind, text)
        self.notes.append(text)
        self._say(text)


def size_text(item: Report) -> str:
    """How much was recorded of an instrument, and how fast."""
    counts = f"{item['messages']:,} messages, {item['trades']:,} trades, {item['bytes'] / 1e6:,.1f} MB in {item['parts']:,} parts"
    return f"{counts}; {item['messages_second']:,.1f} messages a second, {item['bytes_day'] / 1e9:,.2f} GB a day"


async def record_books(
    home: Path,
    request: BookRequest,
    stop: asyncio.Event,
    say: Callable[[str], None],
    now_ns: Callable[[], int] = time.time_ns,
    beside: Beside | None = None,
) -> Report:
    """Record until `stop` is set, with other work `beside` it; the report. Raises BadInput, DataError and Busy, one line each."""
    check_request(request)
    sessions: list[BookSession] = []

    def tap(what: str, message: Any) -> None:
        for session in sessions:  # none before the instruments are known
            session.received(what, message)

    with contextlib.ExitStack() as stack:
        for symbol in request.symbols:
            busy = f"another recording of {request.venue} {symbol} {request.market} is running"
            stack.enter_context(alone_in(home / "level2", f".{request.venue}_{symbol}_{request.market}.lock", busy))
        source = await open_candles(request.venue, request.market, request.mirror, tap)
        try:
            sessions.append(BookSession(home, request, source, now_ns, say))
            await sessions[0].run(stop, *([beside(sessions[0])] if beside else []))
        finally:
            with contextlib.suppress(Exception):
                await source.close()
    return sessions[0].report()


def check_request(request: BookRequest) -> None:
    """Raise BadInput for what cannot be recorded."""
    if request.venue not in DEPTH:
        raise BadInput(f"unknown venue {request.venue!r}", f"available: {', '.join(DEPTH)}")
    if request.market not in ("perp", "spot"):
        raise BadInput(f"unknown market {request.market!r}", "use perp or spot")
    if request.bars and request.bars not in TIMEFRAMES:
        raise BadInput(f"unknown timeframe {request.bars!r}", f"use {', '.join(TIMEFRAMES)}")
    if not 0 < len(set(request.symbols)) == len(request.symbols) <= SYMBOLS_MAX:
        raise BadInput(f"{len(request.symbols)} instruments to record", f"name 1 to {SYMBOLS_MAX} with --symbol, each once")
    if wrong := [symbol for symbol in request.symbols if not SYMBOL.fullmatch(symbol)]:
        raise BadInput(f"symbol {wrong[0][:40]!r}", "BASE-QUOTE, as in BTC-USDT")
