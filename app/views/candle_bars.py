"""Bars as candles of a longer step, and numbers as text that a browser unpacks. Pure; called by app/views/candles.py.

`joined` keeps what a trader reads: first open, highest high, lowest low, last close, the sum of the volume. `packed` turns bars
into a fifth of their JSON: whole ticks as differences, byte by byte in columns, deflated (app/ui/candles/unpack.js undoes it).
"""

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.clock import DAY_MS, HOUR_MS, MINUTE_MS

LADDER = (MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, 30 * MINUTE_MS, *(n * HOUR_MS for n in (1, 2, 4, 6, 12)), DAY_MS)
LEVEL = 4  # of deflate: beyond it a year takes twice the time for 5 % less
UNIT_PART = 1e-7  # of a price: the grid of prices that are not on their tick
INT_MAX = 2**31 - 1


def step_of(first_ms: int, last_ms: int, bar_ms: int, points: int) -> int:
    """The shortest step of the ladder, a multiple of the bar, at which bars that open in first..last make at most `points`."""
    steps = [step for step in LADDER if step >= bar_ms and step % bar_ms == 0] or [bar_ms]
    for step in steps:
        if last_ms // step - first_ms // step + 1 <= points:
            return step
    step = steps[-1]
    while last_ms // step - first_ms // step + 1 > points:
        step *= 2
    return step


def joined(bars: pl.DataFrame, step_ms: int) -> pl.DataFrame:
    """Bars (ts, open, high, low, close, volume; ascending) as candles that open at multiples of `step_ms`."""
    to_open = (pl.col("ts") // step_ms * step_ms).alias("ts")
    return bars.group_by(to_open, maintain_order=True).agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    )


def unit_of(prices: NDArray[np.float64], tick: float) -> float:
    """What prices are counted in: the tick if all are on it, else a part of the price that no chart can show."""
    if tick > 0.0 and len(prices) and float(np.max(np.abs(prices / tick - np.rint(prices / tick)))) < 1e-3:
        return tick
    top = float(np.max(np.abs(prices))) if len(prices) else 1.0
    return max(top * UNIT_PART, 1e-12)


def packed(bars: pl.DataFrame, step_ms: int, tick: float) -> dict[str, Any]:
    """Candles for the browser: {first_ms, step_ms, count, unit, text}; a gap is a step in `at`, never an invented bar."""
    prices = {name: bars[name].to_numpy() for name in ("open", "high", "low", "close")}
    unit = unit_of(np.concatenate(list(prices.values())), tick) if bars.height else 1.0
    units = {name: np.rint(values / unit).astype(np.int64) for name, values in prices.items()}
    opens, closes = units["open"], units["close"]
    first_ms = int(bars["ts"][0]) if bars.height else 0
    columns = [
        np.diff((bars["ts"].to_numpy() - first_ms) // step_ms, prepend=0),
        np.diff(closes, prepend=0),
        opens - np.concatenate(([0], closes[:-1]))[: bars.height],
        units["high"] - np.maximum(opens, closes),
        np.minimum(opens, closes) - units["low"],
    ]
    volume = bars["volume"].to_numpy().astype("<f4")
    text = deflated([*(column.clip(-INT_MAX, INT_MAX).astype("<i4") for column in columns), volume])
    return {"first_ms": first_ms, "step_ms": step_ms, "count": bars.height, "unit": unit, "text": text}


def packed_line(values: NDArray[np.float64], unit: float) -> str:
    """A line of prices, one a candle, as differences of whole units; where it has no value it repeats, and `present` says so."""
    there = np.isfinite(values)
    whole = np.rint(np.where(there, values, 0.0) / unit)
    kept = whole[np.maximum.accumulate(np.where(there, np.arange(len(values)), 0))] if len(values) else whole
    steps = np.diff(kept, prepend=0.0).clip(-INT_MAX, INT_MAX).astype("<i4")
    return deflated([steps, there.astype("<i4")])


def deflated(columns: Sequence[NDArray[Any]]) -> str:
    """Columns of 4-byte numbers: first bytes of all, second bytes of all, ...; deflated, as base64."""
    planes = [column.view(np.uint8).reshape(-1, 4).T.tobytes() for column in columns]
    return base64.b64encode(zlib.compress(b"".join(planes), LEVEL)).decode("ascii")
