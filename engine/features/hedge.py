"""The spread of two log prices: its hedge ratio, mean and deviation, fitted on bars of the past.

The one fit of pairs: called by strategies/pairs.py, which trades it, and research/pairs/, which scans for it.
"""

from typing import NamedTuple

import numpy as np

from engine.features.feature import Array


class Fit(NamedTuple):
    """log a = intercept + hedge * log b + spread, by least squares; the spread's deviation about 0."""

    hedge: float
    intercept: float
    deviation: float

    def z(self, a: float, b: float) -> float:
        """The spread of two log prices in deviations."""
        return (a - self.hedge * b - self.intercept) / self.deviation


def fit(a: Array, b: Array) -> Fit | None:
    """The least squares of log a on log b (n,). None where one of them does not move, or nothing is left of the other."""
    if not (np.ptp(a) > 0.0 and np.ptp(b) > 0.0):
        return None
    moved = float(b.var())
    hedge = float(np.mean((a - a.mean()) * (b - b.mean()))) / moved
    intercept = float(a.mean()) - hedge * float(b.mean())
    deviation = float((a - hedge * b - intercept).std())
    return Fit(hedge, intercept, deviation) if deviation > 0.0 else None
