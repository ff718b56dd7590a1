"""Channels around price and the place of the close in them. Listed in catalog.py, called by frame.py.

Each takes one unbroken run of bars. Their middles are features already: `sma` of Bollinger's, `ema` of Keltner's; `highest` and
`lowest` are Donchian's.
"""

import numpy as np

from engine.features import price, spread
from engine.features.feature import FRACTION, PRICE, SIDE, Array, empty, feature
from engine.features.ta import blank, flat, least, most, ta

HLC = ("high", "low", "close")


@feature(("close",), lambda _tf, bars, _deviations: bars - 1, PRICE)
def bollinger_upper(close: Array, bars: int = 20, deviations: float = 2.0) -> Array:
    """Mean of `bars` closes plus `deviations` standard deviations of them, ddof 0 (Bollinger; TA-Lib SMA, STDDEV)."""
    return ta().SMA(close, bars) + deviations * ta().STDDEV(close, bars)


@feature(("close",), lambda _tf, bars, _deviations: bars - 1, PRICE)
def bollinger_lower(close: Array, bars: int = 20, deviations: float = 2.0) -> Array:
    """Mean of `bars` closes less `deviations` standard deviations of them, ddof 0 (Bollinger; TA-Lib SMA, STDDEV)."""
    return ta().SMA(close, bars) - deviations * ta().STDDEV(close, bars)


@feature(("close",), lambda _tf, bars, _deviations: bars - 1, FRACTION)
def bollinger_position(close: Array, bars: int = 20, deviations: float = 2.0) -> Array:
    """Place of the close between the Bollinger bands: 0 at the lower, 1 at the upper, beyond outside (%b).

    NaN if nothing moved.
    """
    return 0.5 + price.zscore.compute(close, bars) / (2.0 * deviations)


@feature(("close",), lambda _tf, bars, _deviations: bars - 1, FRACTION)
def bollinger_width(close: Array, bars: int = 20, deviations: float = 2.0) -> Array:
    """Distance of the Bollinger bands over their mean (BandWidth); 0 where nothing moved."""
    return 2.0 * deviations * ta().STDDEV(close, bars) / ta().SMA(close, bars)


def _keltner_first(_tf: int, bars: int, atr_bars: int, _width: float) -> int:
    return max(bars - 1, atr_bars)


@feature(HLC, _keltner_first, PRICE)
def keltner_upper(high: Array, low: Array, close: Array, bars: int = 20, atr_bars: int = 10, width: float = 2.0) -> Array:
    """`ema` of the close plus `width` times `atr` (Keltner's channel as Raschke draws it; TA-Lib EMA, ATR)."""
    return price.ema.compute(close, bars) + width * spread.atr.compute(high, low, close, atr_bars)


@feature(HLC, _keltner_first, PRICE)
def keltner_lower(high: Array, low: Array, close: Array, bars: int = 20, atr_bars: int = 10, width: float = 2.0) -> Array:
    """`ema` of the close less `width` times `atr` (Keltner's channel as Raschke draws it; TA-Lib EMA, ATR)."""
    return price.ema.compute(close, bars) - width * spread.atr.compute(high, low, close, atr_bars)


@feature(HLC, lambda _tf, bars: bars - 1, FRACTION)
def donchian_position(high: Array, low: Array, close: Array, bars: int = 20) -> Array:
    """Place of the close between lowest low (0) and highest high (1) of `bars` (Donchian; TA-Lib MAX, MIN).

    NaN if nothing moved.
    """
    top, bottom, out = most(high, bars), least(low, bars), empty(len(close))
    np.divide(close - bottom, top - bottom, out=out, where=top > bottom)
    return out


@feature(HLC, lambda _tf, bars, _width: bars, PRICE)
def supertrend(high: Array, low: Array, close: Array, bars: int = 10, width: float = 3.0) -> Array:
    """SuperTrend: the band of `width` ATRs around (high + low) / 2 that trails the close (Seban; TA-Lib SUPERTREND).

    NaN until its side no longer depends on the side that it was begun on, and where the last `bars` bars did not move.
    """
    line, side, other = _supertrends(high, low, close, bars, width)
    return blank(line, (side != other) | flat(high, low, bars + 1))


@feature(HLC, lambda _tf, bars, _width: bars, SIDE)
def supertrend_side(high: Array, low: Array, close: Array, bars: int = 10, width: float = 3.0) -> Array:
    """1 while the close is above its `supertrend`, -1 while below; NaN where that is."""
    _, side, other = _supertrends(high, low, close, bars, width)
    return blank(side.astype(np.float64), (side != other) | (side == 0) | flat(high, low, bars + 1))


def _supertrends(high: Array, low: Array, close: Array, bars: int, width: float) -> tuple[Array, np.ndarray, np.ndarray]:
    """(line, its side when begun upwards, its side when begun downwards): TA-Lib begins upwards, in a mirror downwards."""
    talib = ta()
    line, side = talib.SUPERTREND(high, low, close, bars, width)
    return line, side, -talib.SUPERTREND(-low, -high, -close, bars, width)[1]
