"""Features of the close: averages, momentum, position in the recent range. Listed in catalog.py, called by frame.py.

Each takes one unbroken run of closes (quote units) and gives one value a bar, NaN until its window is full.
"""

import numpy as np

from engine.features.feature import DEVIATIONS, FRACTION, PRICE, SCORE, Array, empty, feature
from engine.features.ta import ta


@feature(inputs=("close",), first=lambda _tf, bars: bars - 1, unit=PRICE)
def sma(close: Array, bars: int) -> Array:
    """Simple moving average of the last `bars` closes, quote units (TA-Lib SMA)."""
    return ta().SMA(close, bars)


@feature(inputs=("close",), first=lambda _tf, bars: bars - 1, unit=PRICE)
def ema(close: Array, bars: int) -> Array:
    """Exponential moving average, weight 2/(bars+1), started at the mean of the first `bars` closes (TA-Lib EMA)."""
    return ta().EMA(close, bars)


@feature(inputs=("close",), first=lambda _tf, bars: bars, unit=SCORE)
def rsi(close: Array, bars: int) -> Array:
    """Wilder's relative strength index, 0 to 100 (TA-Lib RSI); NaN where the last `bars` bars did not move at all.

    TA-Lib answers 0 when it has seen neither gain nor loss, and keeps its last value when a feed freezes: both would look
    oversold for ever.
    """
    talib = ta()
    value = talib.RSI(close, bars)
    again = np.flatnonzero(close[bars:] == close[:-bars]) + bars  # a frozen window starts and ends alike
    if len(again):
        flat = talib.MAX(close, bars + 1)[again] == talib.MIN(close, bars + 1)[again]
        value[again[flat]] = np.nan
    return value


@feature(inputs=("close",), first=lambda _tf, bars: bars, unit=FRACTION)
def returns(close: Array, bars: int = 1) -> Array:
    """Simple return over `bars` bars, as a fraction (TA-Lib ROCP)."""
    return ta().ROCP(close, bars)


@feature(inputs=("close",), first=lambda _tf, bars: bars - 1, unit=DEVIATIONS)
def zscore(close: Array, bars: int) -> Array:
    """Distance of the close from its mean over `bars`, in standard deviations (ddof 0; TA-Lib SMA, STDDEV); NaN if still."""
    talib = ta()
    deviation = talib.STDDEV(close, bars)
    out = empty(len(close))
    np.divide(close - talib.SMA(close, bars), deviation, out=out, where=deviation > 0.0)
    return out


@feature(inputs=("high",), first=lambda _tf, bars: bars - 1, unit=PRICE)
def highest(high: Array, bars: int) -> Array:
    """Highest high of the last `bars` bars, this one included, quote units (TA-Lib MAX)."""
    return ta().MAX(high, bars)


@feature(inputs=("low",), first=lambda _tf, bars: bars - 1, unit=PRICE)
def lowest(low: Array, bars: int) -> Array:
    """Lowest low of the last `bars` bars, this one included, quote units (TA-Lib MIN)."""
    return ta().MIN(low, bars)
