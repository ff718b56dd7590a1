"""Features over several instruments: those listed under INSTRUMENTS. Listed in catalog.py, called by frame.py."""

from collections.abc import Callable

import numpy as np

from engine.features.feature import ANNUAL, FRACTION, OTHERS_CLOSE, ROUND, TIMES, Array, empty, feature, two_bars
from engine.features.ta import blank, flat, ta
from engine.features.volatility import realised_vol

BOTH = ("close", OTHERS_CLOSE)


@feature((OTHERS_CLOSE, "timeframe_ms"), lambda _tf, bars: bars, ANNUAL)
def vol_index(others_close: Array, timeframe_ms: int, bars: int = 96) -> Array:
    """A VIX of coins: mean `realised_vol` of all INSTRUMENTS; NaN where one of them has none, never the mean of fewer."""
    each = [realised_vol.compute(np.ascontiguousarray(close), timeframe_ms, bars) for close in others_close.T]
    return sum(each[1:], each[0]) / len(each)


@feature(BOTH, lambda _tf: 0, FRACTION)
def premium(close: Array, others_close: Array) -> Array:
    """Close over that of the first of INSTRUMENTS, less 1: the basis of a perpetual over its spot, or one venue over another."""
    return close / others_close[:, 0] - 1.0


@feature(BOTH, lambda _tf, bars: bars, FRACTION)
def relative_return(close: Array, others_close: Array, bars: int = 16) -> Array:
    """Simple return over `bars` less that of the first of INSTRUMENTS (TA-Lib ROCP); NaN if both did not move."""
    other = _first(others_close)
    values = ta().ROCP(close, bars) - ta().ROCP(other, bars)
    return blank(values, flat(close, close, bars + 1) & flat(other, other, bars + 1))


@feature(BOTH, lambda _tf, bars: bars, ROUND, two_bars)
def correlation(close: Array, others_close: Array, bars: int = 96) -> Array:
    """Pearson's correlation of `bars` bar returns with those of the first of INSTRUMENTS (TA-Lib CORREL).

    NaN if either did not move.
    """
    return _in_returns(close, others_close, bars, lambda own, other: np.clip(ta().CORREL(own, other, bars), -1.0, 1.0))


@feature(BOTH, lambda _tf, bars: bars, TIMES, two_bars)
def beta(close: Array, others_close: Array, bars: int = 96) -> Array:
    """Slope of `bars` bar returns on those of the first of INSTRUMENTS: `correlation` times the ratio of their deviations.

    NaN if either did not move (TA-Lib CORREL, STDDEV).
    """

    def slope(own: Array, other: Array) -> Array:
        talib, out = ta(), empty(len(own))
        ratio, spread = np.clip(talib.CORREL(own, other, bars), -1.0, 1.0), talib.STDDEV(other, bars)
        np.divide(ratio * talib.STDDEV(own, bars), spread, out=out, where=spread > 0.0)
        return out

    return _in_returns(close, others_close, bars, slope)


def _in_returns(close: Array, others_close: Array, bars: int, of: Callable[[Array, Array], Array]) -> Array:
    """`of` the bar returns of both; NaN where either stood still."""
    other, out = _first(others_close), empty(len(close))
    out[1:] = of(close[1:] / close[:-1] - 1.0, other[1:] / other[:-1] - 1.0)
    return blank(out, flat(close, close, bars + 1) | flat(other, other, bars + 1))


def _first(others_close: Array) -> Array:
    return np.ascontiguousarray(others_close[:, 0])
