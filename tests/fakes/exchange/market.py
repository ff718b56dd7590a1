"""A contract, the path of its price, and what the market offers now: in ticks and lots, integers throughout.

Nothing here knows a venue. The path is a series of prints that the test gives (a seeded walk, or bars); the market offers
`depth_lots` at each tick beside the spread, so that a large order pays more, and a resting order fills out of a print's volume.
"""

import random
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

PICO = 10**12  # cash is counted in 1e-12 quote units: a fee in ppm of any notional is then an integer
MINUTE_MS = 60_000
FUNDING_MS = 8 * 3_600_000


class Contract(NamedTuple):
    """What is traded: sizes in lots, prices in ticks."""

    name: str
    tick: Decimal  # quote units
    lot: Decimal  # base units
    min_lots: int = 1
    max_market_lots: int = 1_200_000
    min_notional: int = 0  # quote units; 0: none
    maker_ppm: int = 200
    taker_ppm: int = 500
    leverage_max: int = 100
    depth_lots: int = 50  # on offer at each tick
    spread_ticks: int = 1  # between best bid and best ask

    @property
    def pico(self) -> int:
        """Cash in PICO of one lot times one tick. Raises ValueError where fees would not be integers."""
        value = self.tick * self.lot * PICO
        if value != int(value) or int(value) % 1_000_000:
            raise ValueError(f"{self.name}: a lot times a tick is {value} pico, not a multiple of 1,000,000")
        return int(value)


class Print(NamedTuple):
    """One trade of others: it moves the price, and resting orders may fill out of its volume."""

    t_ms: int
    ticks: int
    lots: int
    mark: int = 0  # ticks; 0: as the price


def seeded_walk(seed: int, start_ms: int, ticks: int, count: int, every_ms: int = MINUTE_MS, swing: int = 200) -> Iterator[Print]:
    """`count` prints from a seed, `every_ms` apart, each at most `swing` ticks from the one before."""
    dice = random.Random(seed)
    for number in range(count):
        ticks = max(swing, ticks + dice.randint(-swing, swing))
        yield Print(start_ms + number * every_ms, ticks, dice.randint(1, 400))


def prints_of_bars(bars: Iterable[Sequence[int]], bar_ms: int) -> Iterator[Print]:
    """Four prints a bar (open, the nearer extreme, the other, close) of rows (open_ms, o, h, l, c, lots), prices in ticks."""
    for open_ms, first, high, low, last, lots in bars:
        middle = (high, low) if abs(high - first) <= abs(first - low) else (low, high)
        for part, ticks in enumerate((first, *middle, last)):
            yield Print(open_ms + part * bar_ms // 4, ticks, max(1, lots // 4))


class Candle(NamedTuple):
    """A minute, or more of them."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    lots: int


def joined(first: Candle, other: Candle) -> Candle:
    """Two candles, the second later, as one."""
    return Candle(
        first.open_ms, first.open, max(first.high, other.high), min(first.low, other.low), other.close, first.lots + other.lots
    )


class Market:
    """One contract's market: the last print, what is left of its volume, minutes that have passed, and the funding rate."""

    def __init__(self, contract: Contract, path: Iterable[Print], rate_e8: int = 10_000, least_ms: int = MINUTE_MS) -> None:
        """`least_ms`: the shortest candle that it keeps, a minute or a part of one."""
        self.contract, self.least_ms = contract, least_ms
        self.rate_e8 = rate_e8  # funding rate in 1e-8; 10,000 is 0.01 %
        self.depth_lots = contract.depth_lots
        self.minutes: list[Candle] = []
        self._path = iter(path)
        self.coming: Print | None = next(self._path)
        self.now = self.coming
        self.room = 0  # lots of the last print that resting orders have not taken

    @property
    def last(self) -> int:
        """The last price in ticks."""
        return self.now.ticks

    @property
    def mark(self) -> int:
        """The mark price in ticks."""
        return self.now.mark or self.now.ticks

    def best(self, side: int) -> int:
        """The price in ticks at which a taker of this side (1 buys) trades first: the ask is above the last price."""
        return self.last + (self.contract.spread_ticks if side > 0 else 0)

    def move(self, print_: Print) -> None:
        """A print has come."""
        self.now, self.room = print_, print_.lots
        minute = print_.t_ms // self.least_ms * self.least_ms
        bar = Candle(minute, print_.ticks, print_.ticks, print_.ticks, print_.ticks, print_.lots)
        if self.minutes and self.minutes[-1].open_ms == minute:
            self.minutes[-1] = joined(self.minutes[-1], bar)
        else:
            self.minutes.append(bar)

    def step(self) -> None:
        """The next print of the path comes; after the last one the price rests."""
        if self.coming is not None:
            self.move(self.coming)
            self.coming = next(self._path, None)

    def candles(self, span_ms: int, latest: int = 0) -> list[Candle]:
        """Candles of `span_ms` (or the `latest` alone), oldest first; the last one may still be forming."""
        found: list[Candle] = []
        start = self.minutes[-1].open_ms // span_ms * span_ms - (latest - 1) * span_ms if latest and self.minutes else 0
        for minute in self.minutes[bisect_left(self.minutes, start, key=lambda candle: candle.open_ms) :]:
            open_ms = minute.open_ms // span_ms * span_ms
            if found and found[-1].open_ms == open_ms:
                found[-1] = joined(found[-1], minute)
            else:
                found.append(minute._replace(open_ms=open_ms))
        return found
