"""Outside series that a strategy reads: funding, open interest, or any imported numbers, joined as of when they were known.

A strategy declares them (`SERIES`, see features/reads.py); data/loading.py reads the files; features/frame.py joins them with
`asof`, the one join there is. A row of a period (`oi_1h`) is known at the period's end, a settlement at its time, both plus the
declared lag; a file may say it itself in a column `available_ms`. What is older than the declared age is missing (law 9), counted
from when it was known, or from a column `published_ms` where a file has one: what was fetched late is not young.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import HOUR_MS, MINUTE_MS, timeframe_ms, utc
from engine.data.gaps import LONGEST_MS
from engine.errors import DataError

if TYPE_CHECKING:  # who only reads a declaration needs no polars
    from engine.data.catalog import Catalog, Series

FUNDING = "funding"


class OutsideSeries(NamedTuple):
    """A declaration: which file and column, how old a value may be, how late it is published."""

    series: str  # as in the file's name: funding, oi_1h, vix_1d
    column: str
    max_age_hours: float  # counted from when the value was known
    lag_minutes: float = 0.0  # from the end of its period until it is published
    of: str = ""  # an instrument, or the venue of a series of none; empty: the sleeve's own instrument

    @property
    def name(self) -> str:
        """As journal, manifest and notes list it: `binance:BTC-USDT:perp funding.rate`."""
        return f"{self.of} {self.series}.{self.column}"

    @property
    def max_age_ms(self) -> int:
        """The oldest age at which a value still counts."""
        return round(self.max_age_hours * HOUR_MS)

    @property
    def delay_ms(self) -> int:
        """From a row's `ts` until it is known: its period, if it has one, and the lag."""
        period = 0 if self.series == FUNDING else timeframe_ms(self.series.rpartition("_")[2])
        return period + round(self.lag_minutes * MINUTE_MS)


class Observations(NamedTuple):
    """A series as it became known, oldest first, rows without a value left out; NaN: from here on the last one is too old."""

    available_ms: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    max_age_ms: int
    until_ms: int | None  # of funding: closes before it need no settlement that the file does not have yet


class ReadFiles(NamedTuple):
    """The files behind what strategies read beside the traded instruments."""

    bars: Mapping[str, "Series"] = MappingProxyType({})  # full name of an instrument -> its bars
    series: Mapping[OutsideSeries, "Series"] = MappingProxyType({})

    @property
    def files(self) -> "dict[str, Series]":
        """What is read -> its file."""
        return {**self.bars, **{declared.name: s for declared, s in self.series.items()}}


NO_FILES = ReadFiles()


def asof(known: Observations, close_ms: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """(value, when it was known) at each close: the last one with available_ms <= close_ms; NaN and 0 where none or too old."""
    at = np.searchsorted(known.available_ms, close_ms, side="right") - 1
    values, available = np.full(len(close_ms), np.nan), np.zeros(len(close_ms), np.int64)
    rows = np.flatnonzero(at >= 0)
    rows = rows[(close_ms[rows] - known.available_ms[at[rows]] <= known.max_age_ms) & ~np.isnan(known.values[at[rows]])]
    values[rows], available[rows] = known.values[at[rows]], known.available_ms[at[rows]]
    return values, available


def why_missing(known: Observations, close_ms: int) -> str:
    """Why `asof` has no value at a close, in words; empty where it has one."""
    if not np.isnan(asof(known, np.array([close_ms], np.int64))[0][0]):
        return ""
    values = np.flatnonzero(~np.isnan(known.values))
    if not len(values):
        return "nothing was received yet"
    before = values[known.available_ms[values] <= close_ms]
    if not len(before):
        return f"nothing was known before {utc(int(known.available_ms[values[0]]))}"
    last = utc(int(known.available_ms[before[-1]]))
    return f"the last value was known at {last} and is older than {known.max_age_ms / HOUR_MS:g} h"


def observations(catalog: "Catalog", declared: OutsideSeries, s: "Series") -> Observations:
    """The series as it became known. Raises DataError for a missing column and for times that do not ascend.

    Of several rows that are known by a time the one of the latest period counts: a late revision of an older one does not return.
    """
    until, published = None, None
    if declared.series == FUNDING:
        frame: Any = catalog.funding(s.venue, s.symbol)
        if declared.column != "rate":
            raise DataError(f"{s.path} has no column {declared.column}; its columns: rate", "funding is its rate")
        ts, values = frame["ts"].to_numpy(), frame["rate"].to_numpy()
        step = min(int(ts[-1] - ts[-2]), LONGEST_MS) if len(ts) > 1 else LONGEST_MS
        until = int(ts[-1]) + step + declared.delay_ms
        available = ts + declared.delay_ms
    else:
        frame = catalog.rows(s, declared.column)
        ts, values = frame["ts"].to_numpy(), frame["value"].to_numpy()
        own = "available_ms" in frame.columns
        available = frame["available_ms"].to_numpy() + round(declared.lag_minutes * MINUTE_MS) if own else ts + declared.delay_ms
        published = frame["published_ms"].to_numpy() if "published_ms" in frame.columns else None
    published = available if published is None else published
    good = np.isfinite(values)
    ts, values, available, published = ts[good], values[good], available[good], published[good]
    order = np.lexsort((ts, available))
    ts, values, available, published = ts[order], values[order], available[order], published[order]
    newest = ts >= np.maximum.accumulate(ts) if len(ts) else np.zeros(0, np.bool_)
    available, values = _with_ends(available[newest], values[newest], published[newest], declared.max_age_ms)
    return Observations(available, values, declared.max_age_ms, until)


def _with_ends(
    available: npt.NDArray[np.int64], values: npt.NDArray[np.float64], published: npt.NDArray[np.int64], max_age_ms: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """(available, values) with a NaN where a value that came later than it was published is too old, unless the next is there."""
    after = np.append(available[1:], np.iinfo(np.int64).max)[: len(available)]
    at = np.maximum(published + max_age_ms + 1, available)
    ends = (available > published) & (at < after)
    place = np.flatnonzero(ends) + 1
    return np.insert(available, place, at[ends]), np.insert(values, place, np.nan)
