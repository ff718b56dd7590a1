"""Hierarchical risk parity (Lopez de Prado 2016): weights of return series from how they cluster, and how firm they are.

Called by engine/watch/sleeve_weights.py. Turns daily returns into weights that sum to 1, and into intervals from resampled days.
No expected return is used, and no matrix is inverted.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.sim.bootstrap import resampled

DRAWS = 500
LEVEL = 0.90  # of the intervals
Array = npt.NDArray[np.float64]


class FirmWeights(NamedTuple):
    """Weights, (k,), with the interval of each over resampled days; `draws`: those in which every series moved."""

    weights: Array
    low: Array
    high: Array
    draws: int


def hrp(returns: Array) -> Array:
    """Weights of the columns of (days, k) returns, each of which varies.

    Distance sqrt((1 - rho) / 2), single linkage on the Euclidean distance of its columns, recursive bisection of the leaves in
    their order by inverse variance. Of two series that is inverse variance, of one it is 1.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import pdist

    k = returns.shape[1]
    if k == 1:
        return np.ones(1)
    cov, rho = np.cov(returns, rowvar=False), np.corrcoef(returns, rowvar=False)
    apart = np.sqrt(np.clip((1.0 - rho) / 2.0, 0.0, 1.0))
    order = leaves_list(linkage(pdist(apart), "single"))
    weights, parts = np.ones(k), [order]
    while parts:
        parts = [half for part in parts if len(part) > 1 for half in (part[: len(part) // 2], part[len(part) // 2 :])]
        for left, right in zip(parts[::2], parts[1::2], strict=True):
            one, other = _variance(cov, left), _variance(cov, right)
            weights[left] *= other / (one + other)
            weights[right] *= one / (one + other)
    return weights


def _variance(cov: Array, part: npt.NDArray[np.int32]) -> float:
    """Of a cluster whose members are weighted by inverse variance."""
    own = cov[np.ix_(part, part)]
    inverse = 1.0 / np.diag(own)
    inverse /= inverse.sum()
    return float(inverse @ own @ inverse)


def firm_weights(returns: Array) -> FirmWeights:
    """Weights of (days, k) returns, and their intervals: the stationary bootstrap of whole days, all series together."""
    found = []
    for days in resampled(len(returns))[:DRAWS]:
        drawn = returns[days]
        if (drawn.std(axis=0) > 0.0).all():
            found.append(hrp(drawn))
    low, high = np.quantile(found, [(1.0 - LEVEL) / 2, (1.0 + LEVEL) / 2], axis=0)
    return FirmWeights(hrp(returns), low, high, len(found))
