"""How bad a bad day is, and how long a run stays below its peak. Called by sim/metrics.py for a run's figures, and by
research/overfit.py, which shows them beside the ratios.

Value at risk and expected shortfall are historical: of the run's own whole days, no distribution is assumed. Losses are positive
fractions of the equity at the day's start.
"""

import math

import numpy as np
from numpy.typing import NDArray

from engine.clock import DAY_MS

TAIL_SHARE = 0.05  # the worst 5 % of days: a level of 95 %
TAIL_DAYS_MIN = 30  # under it the tail is one day

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


def value_at_risk(returns: Floats) -> tuple[float | None, str]:
    """(n,) daily returns -> the loss that the mildest of the worst 5 % of days had; negative where even that day earned."""
    worst = tail(returns)
    return (-float(worst[-1]), "") if worst.size else (None, f"fewer than {TAIL_DAYS_MIN} whole days")


def expected_shortfall(returns: Floats) -> tuple[float | None, str]:
    """(n,) daily returns -> the mean loss of the worst 5 % of days (Acerbi & Tasche 2002)."""
    worst = tail(returns)
    return (-float(worst.mean()), "") if worst.size else (None, f"fewer than {TAIL_DAYS_MIN} whole days")


def tail(returns: Floats) -> Floats:
    """The worst 5 % of days, the worst first, at least one; empty under TAIL_DAYS_MIN days."""
    if len(returns) < TAIL_DAYS_MIN:
        return np.empty(0)
    return np.sort(returns)[: math.ceil(TAIL_SHARE * len(returns))]


def worst_day(returns: Floats) -> tuple[float | None, str]:
    """The return of the worst whole day."""
    return (float(returns.min()), "") if len(returns) else (None, "no whole day")


def under_water(close_ms: Times, equity: Floats, timeframe_ms: int, cash: float) -> tuple[float, float]:
    """(share of bars below the peak so far, longest time from a peak until equity is back there, in days).

    close_ms, equity: (n,) at each close, n >= 1; the first peak is the cash at the first bar's open. A fall that has not
    recovered counts until the last close.
    """
    times = np.concatenate(([int(close_ms[0]) - timeframe_ms], close_ms))
    curve = np.concatenate(([cash], equity))
    at_peak = curve >= np.maximum.accumulate(curve)
    peaks = np.append(times[at_peak], times[-1])
    before_fall = np.append(np.diff(np.flatnonzero(at_peak)) > 1, not at_peak[-1])  # peaks that the next bar falls from
    lengths = np.diff(peaks)[before_fall]
    return float((~at_peak[1:]).mean()), float(lengths.max()) / DAY_MS if lengths.size else 0.0
