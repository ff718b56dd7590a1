"""Beside the coins and on the chain: outside series `vix`, `dxy`, `spx`, `mvrv`, `sopr`, `fear_greed` by these names.

Listed in catalog.py, called by frame.py, which joins each as of every close (data/sources.asof): what was published by then. A
value older than SERIES allows is missing and ends a run. Changes count days of the frame's bars, weekends too.
"""

import numpy as np

from engine.features.feature import FRACTION, PERCENT, SCORE, SERIES, TIMES, Array, days_bars, feature
from engine.features.positioning import LOG, TF, log_change

VIX, DOLLAR, STOCKS, MVRV, SOPR, FEAR_GREED = ((SERIES + name,) for name in ("vix", "dxy", "spx", "mvrv", "sopr", "fear_greed"))


@feature(VIX, lambda _tf: 0, PERCENT)
def vix(level: Array) -> Array:
    """Volatility of US stocks a year as options imply it, in percent (CBOE VIX); NaN where it is not above 0."""
    return _positive(level)


@feature((*DOLLAR, *TF), days_bars, LOG)
def dollar_change(dxy: Array, timeframe_ms: int, days: float = 5.0) -> Array:
    """Log change of the dollar index over `days` (TA-Lib LN)."""
    return log_change(dxy, days_bars(timeframe_ms, days))


@feature((*STOCKS, *TF), days_bars, LOG)
def stocks_change(spx: Array, timeframe_ms: int, days: float = 5.0) -> Array:
    """Log change of the S&P 500 over `days` (TA-Lib LN)."""
    return log_change(spx, days_bars(timeframe_ms, days))


@feature(MVRV, lambda _tf: 0, TIMES)
def mvrv(ratio: Array) -> Array:
    """Market value of a coin over the value at which its units last moved (Mahmudov, Puell 2018); NaN where not above 0."""
    return _positive(ratio)


@feature(SOPR, lambda _tf: 0, FRACTION)
def sopr(ratio: Array) -> Array:
    """Spent output profit ratio less 1: above 0 those who moved coins sold above what they paid (Shirakashi 2019)."""
    return _positive(ratio) - 1.0


@feature(FEAR_GREED, lambda _tf: 0, SCORE)
def fear_greed(index: Array) -> Array:
    """Fear and greed index, 0 (fear) to 100 (greed) (alternative.me); NaN outside of these."""
    return np.where((index >= 0.0) & (index <= 100.0), index, np.nan)


def _positive(values: Array) -> Array:
    return np.where(values > 0.0, values, np.nan)
