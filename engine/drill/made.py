"""Made bars and made signals, in the place of the catalog's bars and of the strategies. Called by engine.drill.copied alone.

The loop asks a Feed for its next bar and SignalSources for what each sleeve says; these two answer what a drill has set.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.book.book import Spec
from engine.core.state import Signal
from engine.data.align import Market
from engine.data.catalog import Catalog
from engine.data.loading import LoadedBars
from engine.features.reads import Reads
from engine.live.feed import Feed
from engine.live.signal_source import SignalReading, SignalSources

NEVER_MS = 1 << 62  # the close of a bar that is not made yet
BARS_MAX = 8_192  # of one copy: no drill needs more than two days of minutes


class Move(NamedTuple):
    """One bar of one instrument, prices in quote units; `volume` NaN: plenty. `rate` and `mark`: of a settlement at its open."""

    open: float
    high: float
    low: float
    close: float
    volume: float = float("nan")
    rate: float = 0.0
    mark: float = 0.0


class MadeFeed(Feed):
    """Bars as they are added."""

    def add(self, close_ms: int, moves: Mapping[str, Move]) -> None:
        """The next bar of the clock, by instrument. A bar of a longer timeframe that closes there is given the same."""
        t = self.bar_count
        self.span.close_ms[t] = close_ms
        columns = (self.span.open, self.span.high, self.span.low, self.span.close, self.span.volume)
        for k, name in enumerate(self.span.instruments):
            move = moves[name.partition("@")[0]]
            for column, value in zip((*columns, self.span.funding_rate, self.span.funding_mark), move, strict=True):
                column[t, k] = value

    @property
    def bar_count(self) -> int:
        """How many bars are made."""
        return int(np.searchsorted(self.span.close_ms, NEVER_MS))

    def after(self, close_ms: int) -> int:
        """Index of the first bar that closes after `close_ms`."""
        return int(np.searchsorted(self.span.close_ms, close_ms, side="right"))

    def closes(self, bar_ms: int, close_ms: int) -> bool:
        """Whether a bar of that timeframe closes there."""
        return close_ms % bar_ms == 0

    def covering(self, _reads: Iterable[Reads]) -> "Feed":
        """Itself: the signals are made, so nothing else is read."""
        return self


def made_feed(columns: Sequence[str], clock_ms: int, first_ms: int, catalog: Catalog) -> MadeFeed:
    """A feed without bars; `columns` as a journal's start names them."""
    names = tuple(columns)
    span = unknown(names, clock_ms, np.full(BARS_MAX, NEVER_MS, dtype=np.int64))
    whole = unknown(names, clock_ms, np.array([first_ms], dtype=np.int64))
    return MadeFeed(span, {clock_ms: LoadedBars(whole, span, 0, ())}, "made", (), (), catalog)


def unknown(names: tuple[str, ...], clock_ms: int, close_ms: np.ndarray) -> Market:
    """Bars of which nothing is known but their closes (UTC ms); arrays of shape (closes, names)."""
    opens, highs, lows, closes, volumes, rate, mark = (np.full((len(close_ms), len(names)), np.nan) for _ in range(7))
    return Market(names, clock_ms, close_ms, opens, highs, lows, closes, volumes, rate, mark, ())


class MadeSignals(SignalSources):
    """What each sleeve says at its close: what was set before the bar."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.said: dict[str, Signal] = {}

    def readings(self, specs: Sequence[Spec], feed: Feed, t: int, *, live: bool) -> list[SignalReading | None]:  # noqa: ARG002 - as the loop asks
        """A reading for each sleeve of which a bar closes there."""
        close_ms = int(feed.span.close_ms[t])
        return [self._reading(spec.source["name"]) if feed.closes(spec.rules.bar_ms, close_ms) else None for spec in specs]

    def _reading(self, name: str) -> SignalReading:
        return SignalReading(self.said[name], {}, "")

    def keep(self, wanted: Sequence[Mapping[str, Any]]) -> None:
        """There are no processes to let go of."""
