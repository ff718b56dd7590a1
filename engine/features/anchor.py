"""Where a feature's history begins: the anchor, given by the bar's time alone (docs/decisions/0014).

Called by frame.py for every feature, and by sim/ and live/ for the first bar to load and to name in manifest and journal. Turns
a bar's time into the first bar that its features are computed from, the same in backtest, training and on paper: how long a file
is, where a backtest begins or how long a desk has run changes no value, and a new bar costs the same after a year as after a day.
"""

from math import ceil
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS

ANCHOR = "first bar of the calendar quarter (UTC) before the bar's own; earlier quarters where the warm-up is longer than 90 days"
QUARTER_DAYS = 90  # the shortest quarter
QUARTERS_MAX = 4  # no feature looks farther back than this many whole quarters


class AnchoredSpan(NamedTuple):
    """Bars `start` to `end` (excluded), whose features are computed from bar `anchor` on."""

    anchor: int
    start: int
    end: int


def quarters_back(first: int, timeframe_ms: int) -> int:
    """How many whole quarters before its own a bar's history begins, for a warm-up of `first` bars."""
    return max(1, ceil(first * timeframe_ms / (QUARTER_DAYS * DAY_MS)))


def anchor_ms(open_ms: int, quarters: int = QUARTERS_MAX) -> int:
    """Where the history of the bar that opens at `open_ms` begins (UTC ms)."""
    return int(_quarter_starts(_quarter(open_ms) - quarters, 1)[0])


def anchored_spans(close_ms: npt.NDArray[np.int64], timeframe_ms: int, quarters: int) -> list[AnchoredSpan]:
    """The bars cut into spans of one anchor each, in order; a history that begins after its anchor begins at its first bar."""
    count = len(close_ms)
    if not count:
        return []
    opened, last = int(close_ms[0]) - timeframe_ms, int(close_ms[-1]) - timeframe_ms
    first, end = _quarter(opened), _quarter(last) + 1
    starts = _quarter_starts(first - quarters, end - first + quarters + 1)
    at = np.clip(-((opened - starts) // timeframe_ms), 0, count).tolist()  # the first bar that opens in each quarter
    spans = [AnchoredSpan(at[n], at[n + quarters], at[n + quarters + 1]) for n in range(end - first)]
    joined: list[AnchoredSpan] = []
    for span in spans:
        if joined and joined[-1].anchor == span.anchor:  # the first quarters of a history have one anchor: its first bar
            joined[-1] = joined[-1]._replace(end=span.end)
        elif span.end > span.start:
            joined.append(span)
    return joined


def quarter_rows(close_ms: npt.NDArray[np.int64], timeframe_ms: int) -> npt.NDArray[np.int64]:
    """The first bar of each quarter that the bars reach into, the first bar of all among them."""
    if not len(close_ms):
        return np.empty(0, np.int64)
    opened = close_ms - timeframe_ms
    first, last = _quarter(int(opened[0])), _quarter(int(opened[-1]))
    return np.unique(np.searchsorted(opened, _quarter_starts(first, last - first + 1)))


def within(runs: list[tuple[int, int]], span: AnchoredSpan) -> list[tuple[int, int]]:
    """The unbroken runs that reach into the span, cut at its anchor and end, counted from the anchor."""
    return [
        (max(start, span.anchor) - span.anchor, min(end, span.end) - span.anchor)
        for start, end in runs
        if end > span.start and start < span.end
    ]


def _quarter(ms: int) -> int:
    """Quarters since 1970."""
    return int(np.datetime64(ms, "ms").astype("datetime64[M]").astype(np.int64)) // 3


def _quarter_starts(first: int, count: int) -> npt.NDArray[np.int64]:
    """UTC ms at which quarters begin."""
    months = (np.arange(first, first + count) * 3).astype("datetime64[M]")
    return months.astype("datetime64[ms]").astype(np.int64)
