"""Whether two log prices are cointegrated: Engle-Granger both ways, Johansen's trace, the half-life of their spread.

Called by scan.py. The tests are those of statsmodels, with one lag and a constant, which loads when the first is asked for.
"""

import math
import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
LAGS = 1
STATIONARY = 0.01  # of both legs: one of a hundred true pairs is left out by it, at most
COLLINEAR = 1e-4  # of the variance of a leg, within a window: what is left is a tick and a fee, as between two venues


class Johansen(NamedTuple):
    """The trace statistic of no relation, its 95 % bound, and how many relations it accepts: 2 says that both are stationary."""

    trace: float
    bound: float
    rank: int


def collinear(a: Floats, b: Floats) -> bool:
    """Do the two differ by less than COLLINEAR of their variance? Their test says nothing: a spread of one price with itself."""
    with np.errstate(all="ignore"):
        r = float(np.corrcoef(a, b)[0, 1])
    return not 1.0 - r * r >= COLLINEAR


def engle_granger(a: Floats, b: Floats) -> float:
    """The larger p of both directions (MacKinnon's surface): one that is stationary by itself passes in one alone."""
    from statsmodels.tsa.stattools import coint

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [float(coint(x, y, maxlag=LAGS, autolag=None)[1]) for x, y in ((a, b), (b, a))]
    return max(1.0 if math.isnan(p) else p for p in found)


def johansen(a: Floats, b: Floats) -> Johansen:
    """Johansen's trace test with a constant, at 95 %."""
    from statsmodels.tsa.vector_ar.vecm import coint_johansen

    found = coint_johansen(np.column_stack((a, b)), 0, LAGS)
    bounds = found.trace_stat_crit_vals[:, 1]
    rank = next((n for n in range(2) if found.trace_stat[n] <= bounds[n]), 2)
    return Johansen(float(found.trace_stat[0]), float(bounds[0]), rank)


def returns_by_itself(a: Floats) -> float:
    """p that a price has a unit root, by Dickey and Fuller: below STATIONARY it needs no other to return to its mean."""
    from statsmodels.tsa.stattools import adfuller

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p = float(adfuller(a, maxlag=LAGS, autolag=None)[1])
    return 1.0 if math.isnan(p) else p


def half_life(spread: Floats) -> float:
    """Bars until half of a deviation is gone, by a first-order autoregression; infinite where nothing returns."""
    before = spread[:-1] - spread[:-1].mean()
    moved = float(before @ before)
    kept = float(before @ (spread[1:] - spread[1:].mean())) / moved if moved > 0.0 else 1.0
    return math.log(2.0) / -math.log(kept) if 0.0 < kept < 1.0 else (0.0 if kept <= 0.0 else math.inf)
