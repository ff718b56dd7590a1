"""Features of price variation: ATR, annual volatility, current width against usual. Listed in catalog.py, called by frame.py.

Sizing (D17), stops (D13) and slippage (D16) stand on these. Each takes one unbroken run of bars.
"""

from math import ceil

import numpy as np

from engine.features.feature import ANNUAL, QUOTE, TIMES, Array, day_bars, empty, feature, usual_bars
from engine.features.ta import ta

WARM_HALFLIVES = 3  # D17
MEDIAN_DAYS = 30  # D16


@feature(inputs=("high", "low", "close"), first=lambda _tf, bars: bars, unit=QUOTE)
def atr(high: Array, low: Array, close: Array, bars: int) -> Array:
    """Average true range after Wilder, quote units (TA-Lib ATR)."""
    return ta().ATR(high, low, close, bars)


@feature(
    inputs=("close", "timeframe_ms"),
    first=lambda tf, halflife_days: ceil(WARM_HALFLIVES * halflife_days * day_bars(tf)),
    unit=ANNUAL,
)
def vol(close: Array, timeframe_ms: int, halflife_days: float = 3.0) -> Array:
    """Annual volatility as a fraction: root of the EWMA of squared bar returns, zero mean, 365 days a year (D17).

    Weights fall by half every `halflife_days` and are normalised; NaN until three half-lives of returns are there. The
    average is polars' ewm_mean: its half-life is exact, which TA-Lib's EMA (whole periods only) cannot be.
    """
    import polars as pl

    halflife_bars = halflife_days * day_bars(timeframe_ms)
    moves = close[1:] / close[:-1] - 1.0
    mean = pl.Series(moves * moves).ewm_mean(
        half_life=halflife_bars, adjust=True, min_samples=ceil(WARM_HALFLIVES * halflife_bars)
    )
    out = empty(len(close))
    np.sqrt(mean.to_numpy(), out=out[1:])
    out[1:] *= np.sqrt(365.0 * day_bars(timeframe_ms))
    return out


@feature(
    inputs=("high", "low", "close", "timeframe_ms"),
    first=lambda tf, atr_bars: atr_bars + day_bars(tf) - 1,
    unit=TIMES,
)
def vol_ratio(high: Array, low: Array, close: Array, timeframe_ms: int, atr_bars: int) -> Array:
    """ATR/close over its median of the last 30 days, at least 1: by how much slippage widens (D16).

    In the first 30 days the median is over the bars so far, at least one day; NaN before that.
    """
    import polars as pl

    day = day_bars(timeframe_ms)
    share = ta().ATR(high, low, close, atr_bars) / close
    median = empty(len(close))
    shares = pl.Series(share[atr_bars:])
    median[atr_bars:] = shares.rolling_median(window_size=MEDIAN_DAYS * day, min_samples=day).to_numpy()
    out = empty(len(close))
    np.divide(share, median, out=out, where=median > 0.0)
    return np.maximum(out, 1.0, out=out)


@feature(inputs=("high", "low", "timeframe_ms"), first=usual_bars, unit=TIMES)
def range_times(high: Array, low: Array, timeframe_ms: int) -> Array:
    """High minus low over its mean of the bars before (a day's, at least 24; TA-Lib SMA); NaN where those did not move."""
    return times_usual(high - low, usual_bars(timeframe_ms))


def times_usual(values: Array, bars: int) -> Array:
    """Each value over the mean of the `bars` values before it; NaN where those are all 0."""
    talib, out = ta(), empty(len(values))
    moved = talib.MAX(values, bars)[:-1] > 0.0  # a running mean keeps the rounding of what it has dropped
    np.divide(values[1:], talib.SMA(values, bars)[:-1], out=out[1:], where=moved)
    return out
