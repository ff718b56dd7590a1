"""Momentum of price: MACD, stochastics, directional movement and their kin. Listed in catalog.py, called by frame.py.

Each takes one unbroken run of bars. TA-Lib answers 0 or 1, or its last value for ever, where a window did not move; here such a
window has no value.
"""

import numpy as np
import numpy.typing as npt

from engine.features.feature import FRACTION, PERCENT, QUOTE, SCORE, Array, empty, faster_first, feature
from engine.features.ta import blank, flat, least, most, ta

HLC = ("high", "low", "close")
BOTH = "-100 to 100"


@feature(("close",), lambda _tf, _fast, slow: slow - 1, QUOTE, faster_first)
def macd(close: Array, fast: int = 12, slow: int = 26) -> Array:
    """Fast minus slow exponential average of the close, both begun at one bar (Appel; TA-Lib MACD).

    NaN if the last `slow` bars did not move: its sign would be that of a rounding. So with `macd_signal`, `macd_hist` and `ppo`.
    """
    return blank(ta().MACD(close, fast, slow, 1)[0], flat(close, close, slow + 1))


@feature(("close",), lambda _tf, _fast, slow, signal: slow + signal - 2, QUOTE, faster_first)
def macd_signal(close: Array, fast: int = 12, slow: int = 26, signal: int = 9) -> Array:
    """Exponential average of `macd` over `signal` bars (Appel; TA-Lib MACD)."""
    return blank(ta().MACD(close, fast, slow, signal)[1], flat(close, close, slow + 1))


@feature(("close",), lambda _tf, _fast, slow, signal: slow + signal - 2, QUOTE, faster_first)
def macd_hist(close: Array, fast: int = 12, slow: int = 26, signal: int = 9) -> Array:
    """`macd` minus `macd_signal` (Appel; TA-Lib MACD)."""
    return blank(ta().MACD(close, fast, slow, signal)[2], flat(close, close, slow + 1))


@feature(("close",), lambda _tf, _fast, slow: slow - 1, PERCENT, faster_first)
def ppo(close: Array, fast: int = 12, slow: int = 26) -> Array:
    """Fast over slow exponential average of the close, less 1, in percent: a MACD that compares coins (TA-Lib PPO)."""
    return blank(ta().PPO(close, fast, slow, 1), flat(close, close, slow + 1))


@feature(HLC, lambda _tf, bars, smooth: bars + smooth - 2, SCORE)
def stoch_k(high: Array, low: Array, close: Array, bars: int = 14, smooth: int = 3) -> Array:
    """Place of the close between lowest low and highest high of `bars`, mean of `smooth` bars (Lane; TA-Lib STOCH).

    NaN where one of the ranges in the mean is nothing.
    """
    return blank(ta().STOCH(high, low, close, bars, smooth, 0, 1, 0)[0], _any_flat(high, low, bars, smooth))


@feature(HLC, lambda _tf, bars, smooth, signal: bars + smooth + signal - 3, SCORE)
def stoch_d(high: Array, low: Array, close: Array, bars: int = 14, smooth: int = 3, signal: int = 3) -> Array:
    """Mean of `stoch_k` over `signal` bars (Lane; TA-Lib STOCH); NaN where one of the ranges in it is nothing."""
    return blank(ta().STOCH(high, low, close, bars, smooth, 0, signal, 0)[1], _any_flat(high, low, bars, smooth + signal - 1))


@feature(HLC, lambda _tf, bars: bars - 1, "-100 to 0")
def williams_r(high: Array, low: Array, close: Array, bars: int = 14) -> Array:
    """Distance of the close below the highest high, in percent of the range of `bars` (Williams; TA-Lib WILLR).

    NaN if nothing moved.
    """
    return blank(ta().WILLR(high, low, close, bars), flat(high, low, bars))


@feature(HLC, lambda _tf, bars: bars - 1, "mean deviations / 0.015")
def cci(high: Array, low: Array, close: Array, bars: int = 20) -> Array:
    """Commodity channel index: typical price less its mean, over 0.015 mean deviations (Lambert; TA-Lib CCI).

    NaN if nothing moved.
    """
    typical = ta().TYPPRICE(high, low, close)
    return blank(ta().CCI(high, low, close, bars), flat(typical, typical, bars))


@feature((*HLC, "volume"), lambda _tf, bars: bars, SCORE)
def mfi(high: Array, low: Array, close: Array, volume: Array, bars: int = 14) -> Array:
    """Money flow index: share of typical price times volume that came with a rise (Quong, Soudack; TA-Lib MFI).

    NaN where no bar of the window both traded and moved.
    """
    talib = ta()
    typical, moved = talib.TYPPRICE(high, low, close), np.zeros(len(close))
    moved[1:] = np.where(typical[1:] != typical[:-1], volume[1:], 0.0)
    values = talib.MFI(high, low, close, volume, bars)
    return blank(np.clip(values, 0.0, 100.0), most(moved, bars) == 0.0)


@feature(HLC, lambda _tf, bars: 2 * bars - 1, SCORE)
def adx(high: Array, low: Array, close: Array, bars: int = 14) -> Array:
    """Average directional index: strength of a trend, whichever way (Wilder; TA-Lib ADX); NaN if the last `bars` did not move."""
    return blank(ta().ADX(high, low, close, bars), flat(high, low, bars + 1))


@feature(HLC, lambda _tf, bars: bars, SCORE)
def plus_di(high: Array, low: Array, close: Array, bars: int = 14) -> Array:
    """Share of the true range that was new highs (Wilder's +DI; TA-Lib PLUS_DI); NaN if the last `bars` did not move."""
    return blank(ta().PLUS_DI(high, low, close, bars), flat(high, low, bars + 1))


@feature(HLC, lambda _tf, bars: bars, SCORE)
def minus_di(high: Array, low: Array, close: Array, bars: int = 14) -> Array:
    """Share of the true range that was new lows (Wilder's -DI; TA-Lib MINUS_DI); NaN if the last `bars` did not move."""
    return blank(ta().MINUS_DI(high, low, close, bars), flat(high, low, bars + 1))


@feature(("high", "low"), lambda _tf, bars: bars, BOTH)
def aroon(high: Array, low: Array, bars: int = 25) -> Array:
    """Aroon oscillator: how much later the highest high came than the lowest low, in percent of `bars` (Chande; TA-Lib AROONOSC).

    NaN if nothing moved.
    """
    return blank(ta().AROONOSC(high, low, bars), flat(high, low, bars + 1))


@feature(("close",), lambda _tf, bars: 3 * bars - 2, PERCENT)
def trix(close: Array, bars: int = 15) -> Array:
    """Change over one bar of a three times smoothed exponential average, in percent (Hutson; TA-Lib TRIX).

    NaN if the last three times `bars` bars did not move.
    """
    return blank(ta().TRIX(close, bars), flat(close, close, 3 * bars))


@feature(("close",), lambda _tf, bars: bars, BOTH)
def cmo(close: Array, bars: int = 14) -> Array:
    """Chande momentum oscillator: Wilder's averages of gains less losses over their sum (TA-Lib CMO); NaN if nothing moved."""
    return blank(ta().CMO(close, bars), flat(close, close, bars + 1))


def _ascending(short: int, middle: int, long: int) -> None:
    if not short < middle < long:
        raise ValueError(f"{short}, {middle}, {long} do not ascend")


@feature(HLC, lambda _tf, _short, _middle, long: long, SCORE, _ascending)
def ultimate(high: Array, low: Array, close: Array, short: int = 7, middle: int = 14, long: int = 28) -> Array:
    """Ultimate oscillator: buying pressure over true range in three windows, weighed 4, 2, 1 (Williams; TA-Lib ULTOSC).

    NaN if the last `short` bars did not move.
    """
    return blank(ta().ULTOSC(high, low, close, short, middle, long), flat(high, low, short + 1))


@feature(("close",), lambda _tf, bars: bars, FRACTION)
def efficiency(close: Array, bars: int = 10) -> Array:
    """Kaufman's efficiency ratio: net move of `bars` over the way gone, 0 to 1; NaN if nothing moved."""
    talib, out = ta(), empty(len(close))
    way = talib.SUM(np.abs(close[1:] - close[:-1]), bars) if bars > 1 else np.abs(close[1:] - close[:-1])
    net = np.abs(close[bars:] - close[:-bars])
    np.divide(net, way[bars - 1 :], out=out[bars:], where=most(close, bars + 1)[bars:] > least(close, bars + 1)[bars:])
    return np.minimum(out, 1.0, out=out)


def _any_flat(high: Array, low: Array, bars: int, seen: int) -> npt.NDArray[np.bool_]:
    """Where one of the last `seen` bars ended a window of `bars` that was flat."""
    return most(flat(high, low, bars).astype(np.float64), seen) > 0.0
