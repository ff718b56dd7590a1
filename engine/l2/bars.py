"""A tape -> one row a bar with the time at which it was known: what strategies and models read of a book, as an outside series.

Called by app/cli/l2_record.py. Values are those of features.py at each 100 ms: at the bar's close, and their mean over the
bar. A bar of which a tenth or more has no usable book is left out, and so is one that the tape does not hold from open to
close.
"""

import numpy as np
import polars as pl

from engine.errors import BadInput
from engine.l2.features import computed, depth, depth_imbalance, imbalance, spread
from engine.l2.moments import Moments, moments_of
from engine.l2.replay import BookReplay
from engine.l2.tape import BookTape, TapeTrades

EVERY_MS = 100
USABLE_MIN = 0.9
WORD = "book"  # of the series: book_1m
CALLS = ((imbalance, ()), (depth_imbalance, ()), (depth, ()), (spread, ()))


def book_bars(tape: BookTape, replayed: BookReplay, trades: TapeTrades | None, bar_ms: int) -> pl.DataFrame:
    """Columns ts (open, UTC ms), available_ms, NAME_close and NAME_mean of CALLS, taker_flow, usable_frac.

    Spread is in bps, depth in base units; taker_flow is what takers bought less what they sold over the bar, base units, null
    without trades or with a hole.

    A bar ends by the recorder's clock. available_ms is its close, or, where that clock runs slow, the latest time that the
    venue had put on what was received by then: nobody can have known it before. Raises BadInput for a bar that is not whole
    steps of 100 ms.
    """
    if bar_ms < EVERY_MS or bar_ms % EVERY_MS:
        raise BadInput(f"a bar of {bar_ms} ms", f"a multiple of {EVERY_MS} ms")
    m = moments_of(tape, replayed, trades, EVERY_MS)
    per, when_ms = bar_ms // EVERY_MS, m.when_ns // 1_000_000
    if not len(when_ms):
        return pl.DataFrame(schema={"ts": pl.Int64, "available_ms": pl.Int64})
    first = -(-int(when_ms[0]) // bar_ms) * bar_ms  # the first open from which on there are rows
    count = max((int(when_ms[-1]) - first) // bar_ms, 0)
    begin = int(np.searchsorted(when_ms, first)) + 1  # rows in (open, close]
    rows = np.arange(begin, begin + count * per).reshape(count, per)
    usable = (m.part[rows] > 0).mean(axis=1)
    table: dict[str, np.ndarray] = {"ts": first + np.arange(count, dtype=np.int64) * bar_ms}
    table["available_ms"] = np.maximum(table["ts"] + bar_ms, sent_by(tape, m)[rows[:, -1]] if count else 0)
    for column in computed(m, CALLS):
        values = column.values[rows]
        table[f"{column.name}_close"] = values[:, -1]
        table[f"{column.name}_mean"] = mean_of(values)
    table["taker_flow"] = flow_of(m, rows, usable)
    table["usable_frac"] = usable
    frame = pl.DataFrame(table).filter(pl.col("usable_frac") >= USABLE_MIN)
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))


def mean_of(values: np.ndarray) -> np.ndarray:
    """Mean over a bar of the rows with a value, NaN where there is none."""
    good = np.isfinite(values)
    count = good.sum(axis=1)
    out = np.full(len(values), np.nan)
    return np.asarray(np.divide(np.where(good, values, 0.0).sum(axis=1), count, out=out, where=count > 0))


def flow_of(m: Moments, rows: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Taker flow over each bar; NaN where the book had a hole, since trades may be missing there, too."""
    net = (m.bought - m.sold) / m.lots_a_unit
    if not len(rows):
        return np.zeros(0)
    return np.where(usable == 1.0, net[rows[:, -1]] - net[rows[:, 0] - 1], np.nan)


def sent_by(tape: BookTape, m: Moments) -> np.ndarray:
    """For each row, the latest time that the venue had put on a message received by then, ms."""
    latest = np.maximum.accumulate(tape.exch_ms)
    at = np.searchsorted(tape.recv_ns, m.when_ns, side="right") - 1
    return np.where(at >= 0, latest[at], 0)
