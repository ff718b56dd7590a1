"""Is one side worse than the other says, since when, and after how many round trips one can tell.

Called by desk_drift.py with the dollars that one side made more in each round trip, in the order of entry. The mean has a 95 %
interval by the bootstrap of sim/bootstrap.py. The change point is the split with the largest t of two means (Hinkley 1970), its
p-value by permutation and its interval from splits of resampled halves, fixed seed: the same trips give the same answer.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.sim.bootstrap import ALPHA, SEED

CENT = 0.005  # what rounds to a cent
TRIPS_MIN = 10  # round trips that an interval needs
EDGE = 5  # and that a change point has on either side
PERMUTATIONS = RESAMPLES = 999
Z_BOTH = 1.959964 + 0.841621  # two-sided 5 %, power 80 %
NEEDED_MAX = 1_000_000


class Worse(NamedTuple):
    """Dollars a round trip, one side less the other. None where it cannot be said, and `why`."""

    trips: int
    mean: float | None
    low: float | None  # 95 % interval
    high: float | None
    verdict: str  # worse | better | the same | not known yet
    needed: int | None  # round trips after which a mean of this size shows (5 %, power 80 %); None: the same, or nothing to go by
    since_ms: int | None = None  # entry of the first trip after the change
    since_low_ms: int | None = None  # 95 % interval of it
    since_high_ms: int | None = None
    before: float | None = None  # means on either side of the change
    after: float | None = None
    p: float | None = None  # of a split as large as this one without any change
    why: str = ""


def worse(gaps: Sequence[tuple[int, float]]) -> Worse:
    """Of (entry in UTC ms, dollars more) a round trip."""
    import numpy as np

    values = np.asarray([usd for _, usd in gaps], dtype=float)
    n = len(values)
    if n == 0:
        return Worse(0, None, None, None, "not known yet", None, why="no round trip is closed")
    if not np.abs(values).max() >= CENT:
        return Worse(n, 0.0, 0.0, 0.0, "the same", None)
    mean, spread = float(values.mean()), float(values.std(ddof=1)) if n > 1 else math.nan
    needed = _needed(mean, spread)
    if n < TRIPS_MIN:
        why = f"{n} round trips, and an interval needs {TRIPS_MIN}"
        return Worse(n, mean, None, None, "not known yet", needed, why=why)
    random = np.random.default_rng(SEED)
    means = random.choice(values, (4 * RESAMPLES, n)).mean(axis=1)
    low, high = (float(edge) for edge in np.quantile(means, [ALPHA / 2, 1.0 - ALPHA / 2]))
    verdict = "worse" if high < 0.0 else "better" if low > 0.0 else "not known yet"
    found = Worse(n, mean, low, high, verdict, needed)
    return found if n < 2 * EDGE else _with_change(found, values, [ms for ms, _ in gaps])


def _needed(mean: float, spread: float) -> int | None:
    """Round trips after which a true mean of this size is found with a power of 80 %."""
    if not (math.isfinite(spread) and mean):
        return None
    return min(NEEDED_MAX, max(TRIPS_MIN, math.ceil((Z_BOTH * spread / mean) ** 2)))


def _with_change(found: Worse, values: Any, entries: list[int]) -> Worse:
    """The same with the most likely change, where one this large is rare without any (p < 0.05)."""
    import numpy as np

    at, size = _split(values)
    random = np.random.default_rng(SEED)
    rarer = sum(_split(random.permutation(values))[1] >= size for _ in range(PERMUTATIONS))
    p = (1 + rarer) / (1 + PERMUTATIONS)
    if not p < ALPHA:
        return found._replace(p=p)
    halves = (values[:at], values[at:])
    again = [_split(np.concatenate([random.choice(half, len(half)) for half in halves]))[0] for _ in range(RESAMPLES)]
    edges = np.quantile(again, [ALPHA / 2, 1.0 - ALPHA / 2], method="nearest").astype(int)
    ends = [entries[min(int(edge), len(entries) - 1)] for edge in edges]
    before, after = (float(half.mean()) for half in halves)
    return found._replace(since_ms=entries[at], since_low_ms=ends[0], since_high_ms=ends[1], before=before, after=after, p=p)


def _split(values: Any) -> tuple[int, float]:
    """(index, |t|) of the split into two means that differ most, each side with EDGE values; its spread is that of both sides."""
    import numpy as np

    n = len(values)
    cuts = np.arange(EDGE, n - EDGE + 1)
    sums, squares = np.cumsum(values), np.cumsum(values * values)
    left, right = sums[cuts - 1], sums[-1] - sums[cuts - 1]
    inside = squares[-1] - left * left / cuts - right * right / (n - cuts)
    scale = np.sqrt(np.maximum(inside, 1e-12) / (n - 2) * (1.0 / cuts + 1.0 / (n - cuts)))
    sizes = np.abs(left / cuts - right / (n - cuts)) / scale
    best = int(np.argmax(sizes))
    return int(cuts[best]), float(sizes[best])
