"""The shape of one bar. Listed in catalog.py, called by frame.py. NaN where a bar has no range."""

import numpy as np

from engine.features.feature import FRACTION, Array, empty, feature

OHLC = ("open", "high", "low", "close")


@feature(OHLC, lambda _tf: 0, FRACTION)
def body(open: Array, high: Array, low: Array, close: Array) -> Array:
    """Close less open over high less low, -1 to 1 (TA-Lib's BOP is the same)."""
    return _of_range(close - open, high, low)


@feature(OHLC, lambda _tf: 0, FRACTION)
def upper_wick(open: Array, high: Array, low: Array, close: Array) -> Array:
    """Share of the bar's range above its body."""
    return _of_range(high - np.maximum(open, close), high, low)


@feature(OHLC, lambda _tf: 0, FRACTION)
def lower_wick(open: Array, high: Array, low: Array, close: Array) -> Array:
    """Share of the bar's range below its body."""
    return _of_range(np.minimum(open, close) - low, high, low)


@feature(("high", "low", "close"), lambda _tf: 0, FRACTION)
def close_position(high: Array, low: Array, close: Array) -> Array:
    """Place of the close in its own bar: 0 at the low, 1 at the high."""
    return _of_range(close - low, high, low)


def _of_range(values: Array, high: Array, low: Array) -> Array:
    out = empty(len(values))
    np.divide(values, high - low, out=out, where=high > low)
    return out
