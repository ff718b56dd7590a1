"""Features of the close: averages, momentum, place in the recent range. Listed in catalog.py, called by frame.py.

Each takes one unbroken run of closes (quote units) and gives one value a bar, NaN until its window is full.
"""

import numpy as np

from engine.features.feature import Array, empty, feature
from engine.features.ta import ta


@feature(inputs=("close",), first=lambda _tf, bars: bars - 1)
def sma(close: Array, bars: int) -> Array:
    """Simple moving average of the last `bars` closes, quote units (TA-Lib SMA)."""
    return ta().SMA(close, bars)


@feature(inputs=("close",), first=lambda _tf, bars: bars - 1)
def ema(close: Array, bars: int) -> Array:
    """Exponential moving average, weight 2/(bars+1), started at the mean of the first `bars` closes (TA-Lib EMA)."""
    return ta().EMA(close, bars)


@feature(inputs=("close",), first=lambda _tf, bars: bars)
def rsi(close: Array, bars: int) -> Array:
    """Wilder's relative strength index, 0 to 100 (TA-Lib RSI); NaN where nothing moved over the last `bars` bars.

    TA-Lib answers 0 when there is neither gain nor loss: a frozen feed would look like the deepest of all falls.
    """
    talib = ta()
    value = talib.RSI(close, bars)
    if not np.any(value == 0.0):
        return value
    still = np.flatnonzero(value == 0.0)
    flat = talib.MAX(close, bars + 1)[still] == talib.MIN(close, bars + 1)[still]
    value[still[flat]] = np.nan
    return value


@feature(inputs=("close",), first=lambda _tf, bars: bars)
def returns(close: Array, bars: int = 1) -> Array:
    """Simple return over `bars` bars, as a fraction (TA-Lib ROCP)."""
    return ta().ROCP(close, bars)


@feature(inputs=("close",), first=lambda _tf, bars: bars - 1)
def zscore(close: Array, bars: int) -> Array:
    """Distance of the close from its mean over `bars`, in standard deviations (ddof 0; TA-Lib SMA, STDDEV); NaN if still."""
    talib = ta()
    deviation = talib.STDDEV(close, bars)
    out = empty(len(close))
    np.divide(close - talib.SMA(close, bars), deviation, out=out, where=deviation > 0.0)
    return out


@feature(inputs=("high",), first=lambda _tf, bars: bars - 1)
def highest(high: Array, bars: int) -> Array:
    """Highest high of the last `bars` bars, this one included, quote units (TA-Lib MAX)."""
    return ta().MAX(high, bars)


@feature(inputs=("low",), first=lambda _tf, bars: bars - 1)
def lowest(low: Array, bars: int) -> Array:
    """Lowest low of the last `bars` bars, this one included, quote units (TA-Lib MIN)."""
    return ta().MIN(low, bars)
