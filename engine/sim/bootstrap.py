"""Do two runs differ significantly? Daily returns on the days both traded -> an interval on the difference of their means.

Called by sim/versus.py; `means_apart`, of two samples of round trips, by tools/counts.py. Stationary bootstrap (Politis &
Romano 1994, JASA 89) of the paired daily differences: blocks of geometric length, mean n^(1/3) days, around the end of the
sample; percentile interval; the seed is fixed, so the same two runs give the same interval. What is tested is the mean daily
return, not the Sharpe ratio.
"""

from collections.abc import Sequence
from typing import NamedTuple

DAYS_MIN = 30
TRIPS_MIN = 10  # round trips on each side of `means_apart`
RESAMPLES = 4000
SEED = 20_250_101
ALPHA = 0.05


class Difference(NamedTuple):
    """Mean daily return of a variant minus the base's, with its interval; fractions. None: they cannot be compared, and `why`."""

    mean: float | None
    low: float | None
    high: float | None
    days: int
    level: float  # of the interval: 0.95 for one variant, higher when several are compared (Bonferroni)
    why: str = ""  # there is no interval
    favoured: str = ""  # the verdict that the choice of days speaks for: it does not count

    @property
    def verdict(self) -> str:
        """`better`, `worse`, `the same` (no day differs), `cannot be told apart`, or `not comparable` for want of an interval.

        Days that end where one of two runs was stopped by its losses cannot show that the other is the better one.
        """
        if self.low is None or self.high is None:
            return "not comparable"
        if self.low <= 0.0 <= self.high:
            return "the same" if self.low == self.high == 0.0 else "cannot be told apart"
        if self.favoured == ("better" if self.low > 0.0 else "worse"):
            return "cannot be told apart"
        return "better" if self.low > 0.0 else "worse"


def difference(base: Sequence[float], variant: Sequence[float], comparisons: int = 1) -> Difference:
    """The difference of two series of daily returns of the same days, in order, and its interval.

    `comparisons` is the number of variants compared with the base in one table. ValueError when the lengths differ.
    """
    import numpy as np

    gaps = np.asarray(variant, dtype=float) - np.asarray(base, dtype=float)
    n, level = len(gaps), 1.0 - ALPHA / comparisons
    if n < DAYS_MIN:
        why = f"both traded on {n} whole day{'' if n == 1 else 's'} only, and an interval needs {DAYS_MIN}"
        return Difference(float(gaps.mean()) if n else None, None, None, n, level, why)
    if not gaps.any():
        return Difference(0.0, 0.0, 0.0, n, level)
    means = gaps[resampled(n)].mean(axis=1)
    low, high = np.quantile(means, [(1.0 - level) / 2, (1.0 + level) / 2])
    return Difference(float(gaps.mean()), float(low), float(high), n, level)


def resampled(n: int):  # type: ignore[no-untyped-def]  # numpy is imported late
    """Indices of RESAMPLES resamples of n days: (RESAMPLES, n)."""
    import numpy as np

    random = np.random.default_rng(SEED)
    fresh = random.random((RESAMPLES, n)) < 1.0 / max(1.0, n ** (1 / 3))
    fresh[:, 0] = True
    starts = random.integers(0, n, (RESAMPLES, n))
    days = np.arange(n)
    begun = np.maximum.accumulate(np.where(fresh, days, 0), axis=1)
    return (np.take_along_axis(starts, begun, axis=1) + days - begun) % n


class MeansApart(NamedTuple):
    """The mean of one sample minus that of another, with its 95 % interval; None: there is none, and `why`."""

    mean: float | None
    low: float | None
    high: float | None
    why: str = ""


def means_apart(before: Sequence[float], after: Sequence[float]) -> MeansApart:
    """Mean of `after` minus mean of `before`: bootstrap of both samples, percentile interval, fixed seed, values independent."""
    import numpy as np

    one, other = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    mean = float(other.mean() - one.mean()) if len(one) and len(other) else None
    if min(len(one), len(other)) < TRIPS_MIN:
        return MeansApart(mean, None, None, f"{len(one)} round trips before and {len(other)} after; each needs {TRIPS_MIN}")
    random = np.random.default_rng(SEED)
    means = [random.choice(sample, (RESAMPLES, len(sample))).mean(axis=1) for sample in (one, other)]
    low, high = np.quantile(means[1] - means[0], [ALPHA / 2, 1.0 - ALPHA / 2])
    return MeansApart(mean, float(low), float(high))
