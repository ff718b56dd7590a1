"""A live feed on a local venue, by real ccxt: what tests of the feed and of the recorder have alike."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.live.closing import FeedNote
from engine.live.feed_live import LiveColumn, LiveFeed
from engine.venues.candles import CandleSource, Prices, Tap
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.exchange.market import MINUTE_MS, PICO, Contract, Market, Print, seeded_walk
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.played import Played

SYMBOLS = {"BTC": "BTC/USDT:USDT", "ETH": "ETH/USDT:USDT"}
EVERY_MS, OFTEN_MS = 15_000, 5_000  # between two prints: over sockets nothing pings in the clock's time


@dataclass
class LiveRun:
    """A feed that runs, and everything that came out of it."""

    played: Played
    feed: LiveFeed
    task: asyncio.Task[None]
    notes: list[FeedNote] = field(default_factory=list)
    kept: list[tuple[str, int, Prices, str]] = field(default_factory=list)

    @property
    def faults(self) -> Any:
        """The venue's switches."""
        return self.played.venue.faults

    def kinds(self, *, but: Sequence[str] = ("over",)) -> list[str]:
        """Kinds of the notes so far."""
        return [note.kind for note in self.notes if note.kind not in but]

    async def minutes(self, count: int) -> None:
        """Let minutes pass, up to five seconds after a close, when it is decided."""
        await self.played.wait(count * MINUTE_MS)
        if self.task.done():
            self.task.result()

    def decided(self, column: str) -> list[tuple[int, Prices]]:
        """(open, numbers) of every bar of a column that was decided on."""
        step, found = self.feed.bars_of[column].step_ms, []
        for t in range(self.feed.bar_count):
            row = self.feed.bars(t).get(column)
            if row is not None and row[0] is not None:
                found.append((self.feed.close_ms(t) - step, tuple(row[:5])))
        return found  # type: ignore[return-value]  # a row has all five numbers or none

    def missed(self, column: str) -> int:
        """Closes of a column at which nothing was decided on."""
        rows = [self.feed.bars(t).get(column) for t in range(self.feed.bar_count)]
        return sum(row is not None and row[0] is None for row in rows)

    async def untrue(self, *columns: str) -> list[tuple[str, int]]:
        """Bars that were decided on and are not what REST has, once the venue is well again."""
        for fault in list(self.faults.plan):
            self.faults.off(fault.kind)
        wrong = []
        for name in columns or tuple(self.feed.columns):
            about = self.feed.columns[name]
            for open_ms, prices in self.decided(name):
                ((at, *values),) = await self.played.client.fetch_ohlcv(about.symbol, about.timeframe, open_ms, 1)
                if (at, tuple(values)) != (open_ms, prices):
                    wrong.append((name, open_ms))
        return wrong


def walking(every_ms: int) -> Callable[[Callable[[], int]], Exchange]:
    """BTC and ETH for some hours, a print every so often; the first of a minute at its very start."""
    contracts: tuple[Contract, ...] = ADAPTED["binance"].played.BTC, ADAPTED["binance"].played.ETH

    def made(clock: Callable[[], int]) -> Exchange:
        walks = [joined(seeded_walk(n, clock(), ticks, 2_400, every_ms)) for n, ticks in enumerate((600_000, 300_000))]
        return Exchange(clock, {c.name: Market(c, path) for c, path in zip(contracts, walks, strict=True)}, 100_000 * PICO)

    return made


def joined(path: Iterable[Print], bar_ms: int = MINUTE_MS) -> Iterator[Print]:
    """A path whose bars open where the one before closed, as markets' do: the checks of data know."""
    before = 0
    for print_ in path:
        yield print_._replace(ticks=before) if before and print_.t_ms % bar_ms == 0 else print_
        before = print_.ticks


def columns_on(venue: str, *wanted: str) -> list[LiveColumn]:
    """Columns by words such as `BTC 1m`; the first timeframe is the clock's."""
    clock = wanted[0].split()[1]
    found = []
    for name, timeframe in (word.split() for word in wanted):
        column = f"{venue}:{name}-USDT:perp" + ("" if timeframe == clock else f"@{timeframe}")
        found.append(LiveColumn(column, SYMBOLS[name], timeframe))
    return found


Script = Callable[[LiveRun], Coroutine[Any, Any, Any]]


def live(venue: str, script: Script, *wanted: str, sockets: bool = False, tap: Tap = lambda _what, _message: None) -> Any:
    """What a script returns about a feed of `wanted` (BTC by minutes) at a local venue; it begins five seconds past a minute."""

    async def play(played: Played) -> Any:
        clock = played.venue.exchange.clock

        async def by_hand(ms: int) -> None:
            end = clock() + ms
            while clock() < end:
                await asyncio.sleep(0.001)

        async def by_timer(ms: int) -> None:
            await asyncio.sleep(ms / 1000)

        await played.client.load_markets()
        await played.wait(3 * MINUTE_MS + 5_000)
        source = CandleSource(played.client, venue, tap)
        feed = LiveFeed({venue: source}, columns_on(venue, *(wanted or ("BTC 1m",))), clock, by_hand if sockets else by_timer)
        run = LiveRun(played, feed, asyncio.create_task(feed.run()))
        played.tasks.append(run.task)
        feed.on_note, feed.on_bar = run.notes.append, lambda *bar: run.kept.append(bar)
        return await script(run)

    at = ADAPTED[venue].played
    return (at.over_sockets if sockets else at.under_virtual_clock)(play, walking(OFTEN_MS if sockets else EVERY_MS))[0]
