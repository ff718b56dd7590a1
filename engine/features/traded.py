"""Features of traded volume. Listed in catalog.py, called by frame.py."""

from engine.features.feature import BASE, TIMES, Array, day_bars, feature, usual_bars
from engine.features.spread import times_usual
from engine.features.ta import ta


@feature(inputs=("volume", "timeframe_ms"), first=lambda tf: day_bars(tf) - 1, unit=BASE)
def day_volume(volume: Array, timeframe_ms: int) -> Array:
    """Volume of the last 24 hours of bars, base units (TA-Lib SUM); exactly 0 when nothing traded.

    A running sum keeps the rounding of what it has dropped, so a day without trades is recognized by its largest bar.
    """
    talib, day = ta(), day_bars(timeframe_ms)
    if day == 1:  # TA-Lib sums two bars and more
        return volume.copy()
    total = talib.SUM(volume, day)
    total[talib.MAX(volume, day) == 0.0] = 0.0
    return total


@feature(inputs=("volume", "timeframe_ms"), first=usual_bars, unit=TIMES)
def volume_times(volume: Array, timeframe_ms: int) -> Array:
    """Volume over its mean of the bars before (a day's, at least 24; TA-Lib SMA); NaN where nothing traded in them."""
    return times_usual(volume, usual_bars(timeframe_ms))
