"""Signs of a result that is too good, or stands on too little: pure functions of a run's days, trips and neighbours.

Called by page.py. Each returns (value, reason): None and why where it is undefined. What passes is declared in limits.py.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.research.plateau import Tried, plateau_of
from engine.sim.metrics import Floats

SHARE_OF_TRIPS = 0.05
TRIPS_MIN = 20  # under it 5 % of the trips is less than one

Value = tuple[float | None, str]


def smoothness(daily: Floats) -> Value:
    """R2 of a straight line through log equity at each midnight, from daily returns."""
    if len(daily) < 30:
        return None, "fewer than 30 whole days"
    if (daily <= -1.0).any():
        return None, "the equity was not positive"
    curve = np.concatenate(([0.0], np.cumsum(np.log1p(daily))))
    if float(np.ptp(curve)) == 0.0:
        return None, "the equity never moved"
    return float(np.corrcoef(np.arange(len(curve)), curve)[0, 1] ** 2), ""


def largest_share(nets: Sequence[float], what: str, least: int) -> Value:
    """The largest part's share of the sum; above 1 where the others lose."""
    if len(nets) < least:
        return None, f"fewer than {least} {what}"
    total = math.fsum(nets)
    return (max(nets) / total, "") if total > 0 else (None, f"the sum of all {what} is not a profit")


def without_best(nets: Sequence[float]) -> Value:
    """Net of all trips but the best 5 %, as a share of the net of all."""
    if len(nets) < TRIPS_MIN:
        return None, f"fewer than {TRIPS_MIN} round trips"
    total = math.fsum(nets)
    if total <= 0:
        return None, "the round trips lose together"
    best = sorted(nets, reverse=True)[: math.ceil(SHARE_OF_TRIPS * len(nets))]
    return (total - math.fsum(best)) / total, ""


def plateau(params: Mapping[str, Any], sharpe: float | None, rings: Sequence[Sequence[Tried]]) -> Value:
    """The lowest plateau score (research/plateau.py) among rings of neighbours: those 10 % away, those 25 % away."""
    scores = [plateau_of(params, sharpe, ring) for ring in rings]
    if missing := next((score.reason for score in scores if score.score is None), ""):
        return None, missing
    return min(score.score for score in scores if score.score is not None), ""
