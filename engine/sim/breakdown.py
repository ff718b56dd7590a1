"""Round trips and equity taken apart: by exit path, side, hour, weekday, month, symbol; months and deepest drawdowns of a curve.

Called by sim/report.py's parts. Turns a frame of round trips (sim/trips.py, trips.parquet) or the equity at each close into rows.
Hours, weekdays (1 Monday to 7) and months are those of the entry, UTC.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

By = Literal["exit", "side", "hour", "weekday", "month", "symbol", "sleeve", "version"]
SUMS = ("net", "fees", "funding", "slippage")
COLUMN_OF = {"exit": "reason", "side": "side", "symbol": "instrument", "sleeve": "sleeve", "version": "version"}
TIME_OF = {"hour": "%H", "weekday": "%u", "month": "%Y-%m"}


class Drawdown(NamedTuple):
    """A fall of the equity from a peak until it was back there (None: not yet), in UTC ms; depth as a fraction and in money."""

    peak_ms: int
    trough_ms: int
    recovered_ms: int | None
    depth_frac: float
    depth: float


def split(trips: pl.DataFrame, by: By) -> pl.DataFrame:
    """One row for each value of `by`, in order: key, trips, wins, win_frac, the sums, mean_r, median_hold_ms."""
    at = pl.from_epoch("entry_ms", "ms")
    key = at.dt.strftime(TIME_OF[by]) if by in TIME_OF else pl.col(COLUMN_OF[by]).cast(pl.String)
    won = pl.col("net") > 0
    return (
        trips.group_by(key.alias("key"))
        .agg(
            pl.len().alias("trips"),
            won.sum().alias("wins"),
            won.mean().alias("win_frac"),
            *(pl.col(name).sum() for name in SUMS),
            pl.col("r").mean().alias("mean_r"),
            (pl.col("exit_ms") - pl.col("entry_ms")).median().alias("median_hold_ms"),
        )
        .sort("key")
    )


def months(close_ms: Sequence[int], equity: Sequence[float]) -> list[tuple[int, int, float]]:
    """(year, month, return) of each UTC month, from the equity at its end and at the end of the one before; the first value is
    the start. A close at midnight belongs to the day that ends."""
    at, worth = np.asarray(close_ms, np.int64), np.asarray(equity, np.float64)
    month = (at - 1).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    last = np.flatnonzero(np.append(month[1:] != month[:-1], True))
    before = np.concatenate(([worth[0]], worth[last][:-1]))
    return [
        (1970 + int(m) // 12, int(m) % 12 + 1, float(w / b - 1)) for m, w, b in zip(month[last], worth[last], before, strict=True)
    ]


def drawdowns(close_ms: Sequence[int], equity: Sequence[float], n: int) -> list[Drawdown]:
    """The n deepest falls, the deepest first."""
    at, worth = np.asarray(close_ms, np.int64), np.asarray(equity, np.float64)
    peak = np.maximum.accumulate(worth)
    below = np.concatenate(([False], worth < peak, [False]))
    edges = np.flatnonzero(below[1:] != below[:-1])
    found = []
    for first, end in zip(edges[0::2], edges[1::2], strict=True):
        low = int(first + np.argmin(worth[first:end]))
        top, bottom = float(peak[low]), float(worth[low])
        back = int(at[end]) if end < len(at) else None
        found.append(Drawdown(int(at[first - 1]), int(at[low]), back, 1.0 - bottom / top, top - bottom))
    return sorted(found, key=lambda fall: -fall.depth_frac)[:n]
