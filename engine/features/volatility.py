"""Annual volatilities of a window, each from another part of the bars. Listed in catalog.py, called by frame.py.

Each takes one unbroken run of bars and gives a fraction a year of 365 days. A window without any movement has no value: that is
a frozen feed, not a calm market. Logarithms are TA-Lib's LN, one value at a time: the same bits in any array.
"""

from math import log

import numpy as np

from engine.features.feature import ANNUAL, Array, day_bars, empty, feature, two_bars
from engine.features.ta import blank, flat, most, ta

OHLC = ("open", "high", "low", "close", "timeframe_ms")
SPREAD_MIN = 1e-9  # of returns in bps, squared: less is the rounding of a running mean
BODY_WEIGHT = 2.0 * log(2.0) - 1.0  # of Garman and Klass


def _three_bars(bars: int) -> None:
    if bars < 3:
        raise ValueError("a skewness needs 3 bars and more")


@feature(("close", "timeframe_ms"), lambda _tf, bars: bars, ANNUAL)
def realised_vol(close: Array, timeframe_ms: int, bars: int = 96) -> Array:
    """Root of the mean squared log return of `bars` bars, zero mean (TA-Lib LN, SMA); NaN if nothing moved."""
    out, moves = empty(len(close)), ta().LN(close[1:] / close[:-1])
    out[1:] = _annual(ta().SMA(moves * moves, bars), timeframe_ms)
    return blank(out, flat(close, close, bars + 1))


@feature(("high", "low", "timeframe_ms"), lambda _tf, bars: bars - 1, ANNUAL)
def parkinson(high: Array, low: Array, timeframe_ms: int, bars: int = 96) -> Array:
    """From the range of each bar: ln(high/low) squared over 4 ln 2 (Parkinson 1980); NaN if nothing moved."""
    wide = ta().LN(high / low)
    return _of_bars(wide * wide / (4.0 * log(2.0)), high, low, timeframe_ms, bars)


@feature(OHLC, lambda _tf, bars: bars - 1, ANNUAL)
def garman_klass(open: Array, high: Array, low: Array, close: Array, timeframe_ms: int, bars: int = 96) -> Array:
    """From range and body of each bar: ln(high/low) squared / 2 less (2 ln 2 - 1) ln(close/open) squared (1980).

    NaN if nothing moved.
    """
    wide, moved = ta().LN(high / low), ta().LN(close / open)
    return _of_bars(0.5 * wide * wide - BODY_WEIGHT * moved * moved, high, low, timeframe_ms, bars)


@feature(OHLC, lambda _tf, bars: bars - 1, ANNUAL)
def rogers_satchell(open: Array, high: Array, low: Array, close: Array, timeframe_ms: int, bars: int = 96) -> Array:
    """From the ends of each bar, whatever its drift (Rogers, Satchell 1991); NaN if nothing moved."""
    return _of_bars(_drift_free(open, high, low, close), high, low, timeframe_ms, bars)


@feature(("close", "timeframe_ms"), lambda _tf, bars: bars, ANNUAL)
def downside_vol(close: Array, timeframe_ms: int, bars: int = 96) -> Array:
    """`realised_vol` of the falls alone, a rise counting as 0 (semi-deviation; TA-Lib LN, SMA); NaN if nothing moved."""
    out, moves = empty(len(close)), np.minimum(ta().LN(close[1:] / close[:-1]), 0.0)
    fell = most((moves < 0.0).astype(np.float64), bars) > 0.0  # a running mean keeps the rounding of what it has dropped
    out[1:] = np.where(fell, _annual(ta().SMA(moves * moves, bars), timeframe_ms), 0.0 * moves)
    out[1:bars] = np.nan
    return blank(out, flat(close, close, bars + 1))


@feature(("close",), lambda _tf, bars: bars, "third moment / deviation cubed", _three_bars)
def skewness(close: Array, bars: int = 96) -> Array:
    """Skewness of `bars` log returns: below 0 where the falls are the larger ones (TA-Lib LN, SMA); NaN if nothing moved."""
    talib, out = ta(), empty(len(close))
    moves = 1e4 * talib.LN(close[1:] / close[:-1])  # in bps: their cubes are not small numbers
    mean, squares, cubes = (talib.SMA(x, bars) for x in (moves, moves * moves, moves * moves * moves))
    spread = squares - mean * mean
    third = cubes - 3.0 * mean * squares + 2.0 * mean * mean * mean
    np.divide(third, spread * np.sqrt(np.maximum(spread, 0.0)), out=out[1:], where=spread > SPREAD_MIN)
    return blank(out, flat(close, close, bars + 1))


@feature(OHLC, lambda _tf, bars: bars, ANNUAL, two_bars)
def yang_zhang(open: Array, high: Array, low: Array, close: Array, timeframe_ms: int, bars: int = 96) -> Array:
    """Variance of the gaps between bars, k of that of the bodies, 1 - k of `rogers_satchell` (Yang, Zhang 2000).

    NaN if nothing moved.
    """
    talib, out = ta(), empty(len(close))
    k = 0.34 / (1.34 + (bars + 1) / (bars - 1))
    gaps, bodies = talib.LN(open[1:] / close[:-1]), talib.LN(close / open)[1:]
    sample = bars / (bars - 1)
    parts = sample * (talib.VAR(gaps, bars) + k * talib.VAR(bodies, bars))
    parts += (1.0 - k) * talib.SMA(_drift_free(open, high, low, close)[1:], bars)
    out[1:] = _annual(parts, timeframe_ms)
    return blank(out, flat(high, low, bars + 1))


def _drift_free(open: Array, high: Array, low: Array, close: Array) -> Array:
    """ln(h/c) ln(h/o) + ln(l/c) ln(l/o) of each bar."""
    ln = ta().LN
    return ln(high / close) * ln(high / open) + ln(low / close) * ln(low / open)


def _of_bars(variance: Array, high: Array, low: Array, timeframe_ms: int, bars: int) -> Array:
    """Annual root of the mean variance of `bars` bars; NaN where none of them had a range."""
    still = flat(high - low, np.zeros(len(high)), bars)
    return blank(_annual(ta().SMA(variance, bars), timeframe_ms), still)


def _annual(variance: Array, timeframe_ms: int) -> Array:
    """A bar's variance as an annual volatility; a running mean may keep less than nothing of what it has dropped."""
    return np.sqrt(np.maximum(variance, 0.0) * (365.0 * day_bars(timeframe_ms)))
