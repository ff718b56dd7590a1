"""Features over several instruments: those listed under INSTRUMENTS. Listed in catalog.py, called by frame.py."""

import numpy as np

from engine.features.feature import ANNUAL, OTHERS_CLOSE, Array, feature
from engine.features.volatility import realised_vol


@feature((OTHERS_CLOSE, "timeframe_ms"), lambda _tf, bars: bars, ANNUAL)
def vol_index(others_close: Array, timeframe_ms: int, bars: int = 96) -> Array:
    """A VIX of coins: mean `realised_vol` of all INSTRUMENTS; NaN where one of them has none, never the mean of fewer."""
    each = [realised_vol.compute(np.ascontiguousarray(close), timeframe_ms, bars) for close in others_close.T]
    return sum(each[1:], each[0]) / len(each)
