"""How far a watch's measures go without a cause: limits that one watch in two hundred passes, by the round trips of a run.

Called by engine.control.canary_terms. Turns the entries, exits, slippages, refusals and equity of a run into the number of each
breach. A measure is looked at on every bar, so each limit is of its largest value in a whole watch, never of one look; and a run
of few round trips makes it wider (docs/changes.md has what came of it on recorded bars).
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LEVEL = 0.005  # of each measure: five of them err in one watch of forty at most
DRAWS = 10_000  # watches that are drawn from a run
DRAWN_MAX = 5_000_000  # round trips in all of them
SEED = 0  # the same run has the same numbers


class RunTrips(NamedTuple):
    """The closed round trips of a run by entry, and its curve; times in ms since 1970. Those of a basket's pairs overlap."""

    entry_ms: Ints
    exit_ms: Ints
    slippage_bps: Floats  # of each, both ways
    refused_ms: Ints  # closes at which a rule began to refuse
    close_ms: Ints
    equity: Floats
    of_pairs: bool = False

    @property
    def waits_ms(self) -> Ints:
        """From each time that nothing is open any more to the next entry; from entry to entry where something always was."""
        flat = np.maximum(self.entry_ms[1:] - np.maximum.accumulate(self.exit_ms)[:-1], 0)
        return np.asarray(flat if flat.any() else np.diff(self.entry_ms), np.int64)


def wait_limit(run: RunTrips, trips: int) -> float:
    """The longest wait for an entry, ms, that a watch of so many round trips has.

    Waits above the median are taken to fall off like an exponential; its mean is known from `above` of them, so that the tail is
    (1 + x / sum) ^ -above. No longer than the run: one that long has not been seen among all its trips.
    """
    waits = run.waits_ms.astype(np.float64)
    middle = float(np.median(waits))
    excess = waits[waits > middle] - middle
    above = len(excess)
    if not above:
        return middle
    rare = above / len(waits) * trips / LEVEL
    far = middle + float(excess.sum()) * (math.pow(max(rare, 1.0), 1.0 / above) - 1.0)
    return min(far, float(run.exit_ms.max()) - float(run.entry_ms[0]))


def refused_limit(run: RunTrips, trips: int) -> int:
    """The most refused entries of a watch: a rate a trip, half a refusal added for those not yet seen."""
    each = np.histogram(run.refused_ms, np.append(run.entry_ms, max(run.entry_ms[-1], run.close_ms[-1]) + 1))[0]
    return _most(each, trips, LEVEL)


def day_limit(run: RunTrips, trips: int) -> int:
    """The most entries in 24 h of a watch, at any of its entries."""
    whole = run.entry_ms[run.entry_ms <= run.entry_ms[-1] - DAY_MS]  # a day that the run saw to its end
    begins = whole if len(whole) else run.entry_ms
    after = np.searchsorted(run.entry_ms, begins + DAY_MS) - np.searchsorted(run.entry_ms, begins) - 1
    return 1 + _most(after, 1, LEVEL / trips)


def _most(counts: Ints, times: int, level: float) -> int:
    """The count that `times` further ones together pass with that probability: negative binomial, as spread as the counts are and
    as their mean is known.
    """
    number = len(counts)
    mean = times * (float(counts.sum()) + 0.5) / number
    spread = float(counts.var(ddof=1) / counts.mean()) if number > 1 and counts.any() else 1.0
    variance = mean * max(spread, 1.0) * (1.0 + times / number)
    size, kept, found = mean * mean / (variance - mean), mean / variance, 0
    head = size * math.log(kept)
    below = math.exp(head)
    while 1.0 - below > level:
        found += 1
        log = math.lgamma(found + size) - math.lgamma(size) - math.lgamma(found + 1) + found * math.log1p(-kept)
        below += math.exp(head + log)
    return found


def drawn(count: int, trips: int) -> Ints:
    """Watches as (draw, trip): numbers of a run's round trips, each drawn trip put back with a copy of itself.

    That is what further trips are like where nothing but these has been seen; drawn without copies, few trips would claim to know
    more.
    """
    draws = max(min(DRAWS, DRAWN_MAX // trips), 1)
    rng, found = np.random.default_rng(SEED), np.empty((draws, trips), np.int64)
    for n in range(trips):
        found[:, n] = rng.integers(0, count, draws)
        if n:
            again = rng.random(draws) < n / (count + n)
            found[:, n] = np.where(again, found[np.arange(draws), rng.integers(0, n, draws)], found[:, n])
    return found


def slippage_limit(run: RunTrips, watches: Ints, least: int) -> float:
    """The highest mean slippage, bps, of all trips of a watch so far, from the `least`-th on."""
    return _rare(running_mean(run.slippage_bps[watches], least))


def running_mean(paid: Floats, least: int) -> Floats:
    """The highest of the means of the first `least`, `least` + 1, ... all, along the last axis."""
    sums = np.cumsum(paid, axis=-1)[..., least - 1 :]
    return np.asarray((sums / np.arange(least, paid.shape[-1] + 1)).max(axis=-1), np.float64)


def drawdown_limit(run: RunTrips, watches: Ints) -> float:
    """The largest drawdown of a watch, of its peak: the equity of the drawn trips, one after the other, each up to the next."""
    last, top, bottom, within = _legs_of(run).T
    level, peak, worst = np.ones(len(watches)), np.ones(len(watches)), np.zeros(len(watches))
    for trip in watches.T:
        worst = np.maximum(worst, np.maximum(within[trip], 1.0 - level * bottom[trip] / peak))
        peak = np.maximum(peak, level * top[trip])
        level *= last[trip]
    return _rare(worst)


def _legs_of(run: RunTrips) -> Floats:
    """(trip, [last, highest, lowest over the first equity, drawdown within]): from the close before an entry to the next."""
    begins = np.maximum(np.searchsorted(run.close_ms, run.entry_ms) - 1, 0)
    ends = np.append(begins[1:] + 1, len(run.equity))
    found = np.empty((len(begins), 4))
    for n, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        curve = run.equity[begin : max(end, begin + 1)]
        found[n] = curve[-1] / curve[0], curve.max() / curve[0], curve.min() / curve[0], fall(curve)
    return found


def fall(curve: Floats) -> float:
    """The largest drawdown of an equity curve, of its peak."""
    if len(curve) < 2:
        return 0.0
    return float(np.max(1.0 - curve / np.maximum.accumulate(curve)))


def _rare(values: Floats) -> float:
    return float(np.quantile(values, 1.0 - LEVEL))
