"""Funding and positioning, from the outside series `funding`, `open_interest` and `long_short` that SERIES declares.

Listed in catalog.py, called by frame.py, which joins each series as of every close (data/sources.asof): a value that is too old
is missing and ends a run, as a missing bar does. Windows count bars of the frame, not observations.
"""

import numpy as np

from engine.features import price
from engine.features.feature import BPS, DEVIATIONS, SERIES, Array, days_bars, empty, feature
from engine.features.ta import blank, flat, ta

FUNDING, INTEREST, CROWD = ((SERIES + name,) for name in ("funding", "open_interest", "long_short"))
TF = ("timeframe_ms",)
LOG = "log"


@feature(FUNDING, lambda _tf: 0, BPS)
def funding_rate(funding: Array) -> Array:
    """The last settled funding rate, in bps of a position; above 0 longs pay."""
    return 1e4 * funding


@feature((*FUNDING, *TF), lambda tf, days: days_bars(tf, days) - 1, DEVIATIONS)
def funding_zscore(funding: Array, timeframe_ms: int, days: float = 30.0) -> Array:
    """Distance of the funding rate from its mean over `days`, in standard deviations (ddof 0); NaN if it never changed."""
    bars = days_bars(timeframe_ms, days)
    return blank(price.zscore.compute(1e4 * funding, bars), flat(funding, funding, bars))


@feature((*FUNDING, *TF), lambda tf, days: days_bars(tf, days) - 1, BPS)
def funding_trend(funding: Array, timeframe_ms: int, days: float = 3.0) -> Array:
    """The funding rate less its mean over `days`, in bps (TA-Lib SMA); 0 if it never changed, as in quiet weeks."""
    bars = days_bars(timeframe_ms, days)
    return np.where(flat(funding, funding, bars), 0.0, 1e4 * funding - ta().SMA(1e4 * funding, bars))


@feature(INTEREST, lambda _tf, bars: bars, LOG)
def open_interest_change(open_interest: Array, bars: int = 96) -> Array:
    """Log change of the open interest over `bars` bars (TA-Lib LN); NaN where one of the two is not above 0."""
    return log_change(open_interest, bars)


@feature(CROWD, lambda _tf: 0, LOG)
def long_short(ratio: Array) -> Array:
    """Log of the ratio of accounts that are long to those that are short (TA-Lib LN); NaN where it is not above 0."""
    return ta().LN(np.where(ratio > 0.0, ratio, np.nan))


def log_change(values: Array, bars: int) -> Array:
    """ln(value / value `bars` bars before); NaN where one of the two is not above 0."""
    out, above = empty(len(values)), np.where(values > 0.0, values, np.nan)
    out[bars:] = ta().LN(above[bars:] / above[:-bars])
    return out
