"""What traded, and at which price: volume flow, volume- and time-weighted prices. Listed in catalog.py, called by frame.py.

Each takes one unbroken run of bars. `typical` is (high + low + close) / 3. A window in which nothing traded has no value.
"""

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS
from engine.features.feature import (
    BASE,
    BPS,
    DEVIATIONS,
    FRACTION,
    PRICE,
    ROUND,
    TAKER_BUY,
    Array,
    day_bars,
    empty,
    feature,
    two_bars,
)
from engine.features.price import zscore
from engine.features.ta import blank, flat, least, most, ta

HLCV = ("high", "low", "close", "volume")


@feature(("close", "volume"), lambda _tf: 0, BASE)
def obv(close: Array, volume: Array) -> Array:
    """On-balance volume since the anchor: volume of rising bars less that of falling ones (Granville; TA-Lib OBV).

    It begins anew at each anchor: compare it with `obv_sma`, or take it `zscored`, never with a value of another bar.
    """
    return ta().OBV(close, volume)


@feature(("close", "volume"), lambda _tf, bars: bars - 1, BASE)
def obv_sma(close: Array, volume: Array, bars: int = 20) -> Array:
    """Mean of the last `bars` values of `obv`, of the same anchor (TA-Lib OBV, SMA)."""
    return ta().SMA(ta().OBV(close, volume), bars)


@feature(HLCV, lambda _tf, bars: bars - 1, FRACTION)
def cmf(high: Array, low: Array, close: Array, volume: Array, bars: int = 20) -> Array:
    """Chaikin money flow, -1 to 1: place of each close in its bar, weighed by volume (TA-Lib CMF).

    NaN where no bar of the window both traded and moved.
    """
    traded = np.where(high > low, volume, 0.0)
    return blank(np.clip(ta().CMF(high, low, close, volume, bars), -1.0, 1.0), most(traded, bars) == 0.0)


@feature(HLCV, lambda _tf, bars: bars - 1, PRICE)
def vwap(high: Array, low: Array, close: Array, volume: Array, bars: int = 96) -> Array:
    """Typical price of the last `bars` bars, weighed by volume (TA-Lib TYPPRICE, SUM); NaN where nothing traded in them."""
    money, traded = ta().TYPPRICE(high, low, close) * volume, _sum(volume, bars)
    out = empty(len(close))
    np.divide(_sum(money, bars), traded, out=out, where=most(volume, bars) > 0.0)
    return np.clip(out, least(low, bars), most(high, bars), out=out)  # a running sum keeps rounding; no price was outside


@feature(HLCV, lambda _tf, bars: bars - 1, FRACTION)
def vwap_distance(high: Array, low: Array, close: Array, volume: Array, bars: int = 96) -> Array:
    """Close over `vwap` of `bars` bars, less 1; NaN where nothing traded in them, or none moved."""
    return blank(close / vwap.compute(high, low, close, volume, bars) - 1.0, flat(high, low, bars))


@feature(("close", "volume"), lambda _tf, bars: bars, ROUND)
def obv_slope(close: Array, volume: Array, bars: int = 20) -> Array:
    """What `obv` gained over `bars` bars as a share of the volume in them; NaN where nothing traded, or none moved."""
    out, sides = empty(len(close)), np.sign(close[1:] - close[:-1])
    traded, gained = most(volume[1:], bars) > 0.0, _sum(sides * volume[1:], bars)
    np.divide(gained, _sum(volume[1:], bars), out=out[1:], where=traded)
    return blank(np.clip(out, -1.0, 1.0), flat(close, close, bars + 1))


@feature(("volume",), lambda _tf, bars: bars - 1, DEVIATIONS, two_bars)
def volume_zscore(volume: Array, bars: int = 96) -> Array:
    """Distance of the volume from its mean over `bars`, in standard deviations (ddof 0); NaN if it is always the same."""
    return blank(zscore.compute(volume, bars), flat(volume, volume, bars))


@feature(("close", "volume"), lambda _tf, bars: bars, f"{BPS} a million quote units")
def amihud(close: Array, volume: Array, bars: int = 96) -> Array:
    """Illiquidity: way of the close over `bars` bars, in bps, over what was paid in them (after Amihud 2002, sums for means).

    Paid is close times volume (TA-Lib LN, SUM). NaN where nothing traded, or none moved.
    """
    out, moves = empty(len(close)), np.abs(ta().LN(close[1:] / close[:-1]))
    paid, traded = _sum(close[1:] * volume[1:], bars), most(volume[1:], bars) > 0.0
    np.divide(1e10 * np.maximum(_sum(moves, bars), 0.0), paid, out=out[1:], where=traded & (paid > 0.0))
    return blank(out, flat(close, close, bars + 1))


@feature(("close_ms", *HLCV, "timeframe_ms"), lambda _tf: 0, PRICE)
def vwap_session(
    close_ms: npt.NDArray[np.int64], high: Array, low: Array, close: Array, volume: Array, timeframe_ms: int
) -> Array:
    """Typical price since 00:00 UTC, weighed by volume (TA-Lib VWAP); NaN until something traded.

    NaN on a day whose first bars are missing, and behind a missing bar until the day ends.
    """
    talib, day, out = ta(), day_bars(timeframe_ms), empty(len(close))
    start = int(-(close_ms[0] - timeframe_ms) % DAY_MS // timeframe_ms)  # the first bar that opens a day
    for begin in range(start, len(close), day):
        end = min(begin + day, len(close))
        part = talib.VWAP(*(np.ascontiguousarray(x[begin:end]) for x in (high, low, close, volume)))
        out[begin:end] = np.where(talib.CUMSUM(volume[begin:end]) > 0.0, part, np.nan)
    return out


@feature(("close",), lambda _tf, bars: bars - 1, PRICE)
def twma(close: Array, bars: int = 20) -> Array:
    """Time-weighted average of the last `bars` closes: weights 1 to `bars`, the newest weighs most (TA-Lib WMA)."""
    return ta().WMA(close, bars)


@feature(("open", "high", "low", "close"), lambda _tf, bars: bars - 1, PRICE)
def twap(open: Array, high: Array, low: Array, close: Array, bars: int = 96) -> Array:
    """Time-weighted average price: mean of (open + high + low + close) / 4 of `bars` bars (TA-Lib AVGPRICE, SMA)."""
    return ta().SMA(ta().AVGPRICE(open, high, low, close), bars)


@feature(("volume", TAKER_BUY), lambda _tf: 0, BASE)
def delta(volume: Array, taker_buy_volume: Array) -> Array:
    """What takers bought less what they sold in the bar; NaN where the file does not record it."""
    return 2.0 * taker_buy_volume - volume


@feature(("volume", TAKER_BUY), lambda _tf, bars: bars - 1, BASE)
def cumulative_delta(volume: Array, taker_buy_volume: Array, bars: int = 96) -> Array:
    """Sum of `delta` over the last `bars` bars (TA-Lib SUM); exactly 0 where nothing traded in them."""
    total = _sum(2.0 * taker_buy_volume - volume, bars)
    total[most(volume, bars) == 0.0] = 0.0
    return total


def _sum(values: Array, bars: int) -> Array:
    """Sum of the last `bars` values (TA-Lib SUM, which takes two bars and more)."""
    return ta().SUM(values, bars) if bars > 1 else values.copy()
