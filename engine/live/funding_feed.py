"""Funding and marks of a live feed's perpetuals: the rate and its time each ten minutes, settlements as they happen, the mark.

Called beside feed_live.py, which asks `charge` what a bar's open settled. The mark comes by stream, and by REST each 30 s while a
position is open. The mark of a settlement is the first one seen within a minute of it, else the last close before it (D4).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from engine.errors import DataError
from engine.live.closing import FeedNote
from engine.live.feed_live import LiveColumn, LiveFeed, Now, Sleep
from engine.venues.candles import CandleSource

RATE_EVERY_MS, MARK_EVERY_MS = 600_000, 30_000
SETTLED_AFTER_MS, SETTLED_AGAIN_MS = 5_000, 10_000  # from a settlement to the first question for it, and between two
MARK_NEAR_MS, DIAL_AGAIN_MS, MARKS_KEPT, SETTLEMENTS_KEPT = 60_000, 1_000, 2_000, 400
BACK_MS = 24 * 3_600_000  # settlements read at the start


class Funding(NamedTuple):
    """The rate that will be settled, as it was last said."""

    rate: float
    next_ms: int
    asked_ms: int


class FundingFeed:
    """One venue's perpetuals of a feed. `run` does the work until it is cancelled."""

    def __init__(self, feed: LiveFeed, source: CandleSource, now_ms: Now, sleep: Sleep) -> None:
        columns = [c for c in feed.columns.values() if c.venue == source.venue and c.symbol.partition(":")[2]]
        self.venue, self.symbols = source.venue, sorted({column.symbol for column in columns})
        self.funding: dict[str, Funding] = {}
        self.settled: dict[str, dict[int, float]] = {symbol: {} for symbol in self.symbols}
        self.marks: dict[str, deque[tuple[int, float]]] = {symbol: deque(maxlen=MARKS_KEPT) for symbol in self.symbols}
        self.is_open: Callable[[str], bool] = lambda _symbol: False  # whether a position in a symbol is open
        self.on_settlement: Callable[[str, int, float], None] = lambda _symbol, _t_ms, _rate: None
        self._feed, self._source, self._now, self._sleep = feed, source, now_ms, sleep
        self._others, feed.charge = feed.charge, self.charge
        self._due: dict[str, set[int]] = {symbol: set() for symbol in self.symbols}  # announced: settlements that will happen

    async def run(self) -> None:
        """All duties, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for symbol in self.symbols:
                group.create_task(self._follow_rate(symbol))
                group.create_task(self._follow_settlements(symbol))
                group.create_task(self._follow_mark(symbol))
                group.create_task(self._ask_mark(symbol))

    def charge(self, column: str, open_ms: int) -> tuple[float, float] | None:
        """(rate, mark) of the settlement at a bar's open, zeros where none was due, None where one was and is not known."""
        about = self._feed.columns[column]
        if about.symbol not in self.settled or about.venue != self._source.venue:
            return self._others(column, open_ms)
        rate = self.settled[about.symbol].get(open_ms)
        if rate is None:
            return None if open_ms in self._due[about.symbol] else (0.0, 0.0)
        mark = self._mark_at(about, open_ms)
        return None if mark is None else (rate, mark)

    def mark(self, symbol: str) -> tuple[int, float] | None:
        """(when, price) of the last mark; None before the first."""
        return self.marks[symbol][-1] if self.marks[symbol] else None

    async def _follow_rate(self, symbol: str) -> None:
        """The rate and its time, each ten minutes; each time that is announced is waited for."""
        while True:
            try:
                rate, next_ms = await self._source.funding(symbol)
            except DataError as error:
                self._trouble(symbol, "funding", error.what)
                await self._sleep(SETTLED_AGAIN_MS)
                continue
            self.funding[symbol] = Funding(rate, next_ms, self._now())
            self._due[symbol] = {t for t in self._due[symbol] if t > next_ms - BACK_MS} | {next_ms}
            self._trouble(symbol, "funding", "")
            left = next_ms - self._now() + 1  # past: the venue is late, or our clock ahead of it
            await self._sleep(min(RATE_EVERY_MS, left) if left > 0 else SETTLED_AGAIN_MS)

    async def _follow_settlements(self, symbol: str) -> None:
        """What has been settled: at the start, and after each time that was announced until it is there."""
        since = self._now() - BACK_MS
        while True:
            try:
                found = await self._source.settlements(symbol, since)
            except DataError as error:
                self._trouble(symbol, "settlements", error.what)
            else:
                self._trouble(symbol, "settlements", "")
                for t_ms, rate in found.items():
                    if self.settled[symbol].get(t_ms) != rate:
                        self.settled[symbol][t_ms] = rate
                        self.on_settlement(symbol, t_ms, rate)
                for t_ms in sorted(self.settled[symbol])[:-SETTLEMENTS_KEPT]:
                    del self.settled[symbol][t_ms]
            await self._sleep(self._until_settled(symbol))

    def _until_settled(self, symbol: str) -> int:
        """How long until a settlement is to be asked for; ms."""
        open_ = [t for t in self._due[symbol] if t not in self.settled[symbol]]
        first = min(open_, default=self._now() + MARK_EVERY_MS)
        return max(SETTLED_AGAIN_MS, first + SETTLED_AFTER_MS - self._now())

    async def _follow_mark(self, symbol: str) -> None:
        """The stream of marks."""
        while True:
            try:
                self._take_mark(symbol, await self._source.watch_mark(symbol))
                self._trouble(symbol, "mark", "")
            except DataError as error:
                self._trouble(symbol, "mark", error.what)
                await self._sleep(DIAL_AGAIN_MS)
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                await self._sleep(DIAL_AGAIN_MS)  # ccxt cancels what waits on a connection that is given up

    async def _ask_mark(self, symbol: str) -> None:
        """The mark by REST while a position is open: a stream may be silent."""
        while True:
            await self._sleep(MARK_EVERY_MS)
            if self.is_open(symbol):
                try:
                    self._take_mark(symbol, await self._source.mark(symbol))
                except DataError as error:
                    self._trouble(symbol, "mark", error.what)

    def _take_mark(self, symbol: str, price: float) -> None:
        self.marks[symbol].append((self._now(), price))

    def _mark_at(self, about: LiveColumn, open_ms: int) -> float | None:
        """The mark of a settlement."""
        near = (price for t, price in self.marks[about.symbol] if open_ms <= t <= open_ms + MARK_NEAR_MS)
        bars = self._feed.bars_of[about.name]
        before = bars.known.get(open_ms - bars.step_ms)
        return next(near, before[3] if before is not None else None)

    def _trouble(self, symbol: str, what: str, why: str) -> None:
        """Noted when it begins and when it is over; entries are off meanwhile."""
        mine = (c.name for c in self._feed.columns.values() if (c.venue, c.symbol) == (self._source.venue, symbol))
        name, troubles = f"{what} {next(mine, symbol).partition('@')[0]}", self._feed.troubles
        if bool(why) != (name in troubles):
            self._feed.on_note(FeedNote("funding" if why else "over", self._source.venue, 0, why or f"{name} is well again"))
        if why:
            troubles[name] = why
        else:
            troubles.pop(name, None)
