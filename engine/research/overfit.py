"""How far a Sharpe ratio may be believed after a search: PSR, deflated Sharpe ratio, probability of backtest overfitting.

Called by research/judge.py, sweeps and walk-forwards. Daily returns of whole UTC days in, figures out; each undefined figure is
None with its reason. The ratio, its standard error and Lo's adjustment are those of a run's report (sim/metrics.py): nothing
is computed a second way here. Sharpe ratios are a year's (365 days) unless a name says
`a_day`.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInput
from engine.sim import metrics
from engine.sim.metrics import CONFIDENCE, DAYS_A_YEAR, DAYS_MIN

YEAR = math.sqrt(DAYS_A_YEAR)
BLOCKS = 16
BLOCKS_MAX = 20  # 184,756 halves; each two blocks more take four times as long
PAIRS_AT_ONCE = 512  # of halves
RATIOS_AT_ONCE = 512_000  # halves x trials: bounds the memory of a search of any size to some 50 MB beside its returns
CELLS_MAX = 50_000_000  # trials x days
FLAT = 1e-12  # a variance below this share of the mean square is a constant's rounding

Floats = NDArray[np.float64]


class Figure(NamedTuple):
    """A number, or None and why."""

    value: float | None
    reason: str = ""


class SharpeBelief(NamedTuple):
    """PSR: how likely the true ratio is above the benchmark; with the ratio, its 95 % interval and the benchmark, a year each."""

    probability: float | None
    sharpe: float | None
    low: float | None
    high: float | None
    benchmark: float | None
    reason: str = ""


class Overfit(NamedTuple):
    """PBO over `halves` splits of the days; `slope` of out-of-sample on in-sample ratios of each split's winner."""

    value: float | None
    halves: int
    slope: float | None
    reason: str = ""


def psr(daily: Sequence[float] | Floats, benchmark: float = 0.0) -> SharpeBelief:
    """Probabilistic Sharpe ratio (Bailey & Lopez de Prado 2012, D7) of (n,) daily returns against a benchmark ratio a year.

    The ratio has ddof 1; skew and raw kurtosis in its error are population moments.
    """
    returns = usable(daily)
    a_day, reason = metrics.a_day_sharpe(returns)
    if a_day is None:
        return SharpeBelief(None, None, None, None, benchmark, reason)
    error = metrics.sharpe_error(returns, a_day)
    if error is None:
        few = len(returns) < DAYS_MIN
        reason = f"fewer than {DAYS_MIN} whole days" if few else "skew and kurtosis are too extreme for an interval"
        return SharpeBelief(None, a_day * YEAR, None, None, benchmark, reason)
    reach = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * error
    probability = NormalDist().cdf((a_day - benchmark / YEAR) / error)
    return SharpeBelief(probability, a_day * YEAR, (a_day - reach) * YEAR, (a_day + reach) * YEAR, benchmark)


def deflated_sharpe(daily: Sequence[float] | Floats, trial_sharpes: Sequence[float | None], n_trials: int) -> SharpeBelief:
    """PSR against the best ratio that `n_trials` trials without skill would show (Bailey & Lopez de Prado 2014, D7).

    trial_sharpes: a year each, as a run's report gives them; None of a trial without one, which counts as a trial all the same.
    """
    expected = best_of_luck(trial_sharpes, n_trials)
    if expected.value is None:
        sharpe = metrics.a_day_sharpe(usable(daily))[0]
        return SharpeBelief(None, None if sharpe is None else sharpe * YEAR, None, None, None, expected.reason)
    return psr(daily, expected.value)


def best_of_luck(trial_sharpes: Sequence[float | None], n_trials: int) -> Figure:
    """The largest ratio a year that `n_trials` trials of no skill are expected to show: the deviation of the trials' ratios
    (ddof 1) times the expected maximum of as many standard normals.

    Raises BadInput for fewer trials than ratios: a search that forgets some of its trials flatters its best.
    """
    found = [value for value in trial_sharpes if value is not None and math.isfinite(value)]
    if n_trials < max(1, len(trial_sharpes)):
        raise BadInput(f"{n_trials} trials, but {len(trial_sharpes)} ratios are given", "count every trial")
    if n_trials == 1:
        return Figure(0.0)
    if len(found) < 2:
        return Figure(None, f"the ratios of at least 2 of the {n_trials:,} trials are needed to deflate by")
    return Figure(float(np.std(found, ddof=1)) * expected_maximum(n_trials))


def expected_maximum(count: int) -> float:
    """Expected largest of `count` standard normals (Bailey & Lopez de Prado 2014); 0 of one."""
    if count < 2:
        return 0.0
    normal, euler = NormalDist(), 0.5772156649015329
    return (1.0 - euler) * normal.inv_cdf(1.0 - 1.0 / count) + euler * normal.inv_cdf(1.0 - 1.0 / (count * math.e))


def pbo(matrix: Sequence[Sequence[float]] | Floats, blocks: int = BLOCKS) -> Overfit:
    """Probability of backtest overfitting by CSCV (Bailey, Borwein, Lopez de Prado & Zhu 2015, D8).

    matrix: (trials, days) daily returns. For every half of the `blocks` blocks of days: the trial with the best Sharpe ratio
    there, its rank in the other half; the share of halves in which that is the middle or worse. A ratio needs sums and squares of
    its blocks alone; one that never varies in a half is 0 there. A transposed matrix gives another figure without a word. Raises
    BadInput for what is not a matrix.
    """
    cells = np.asarray(matrix, np.float64)
    check_matrix(cells, blocks)
    trials, days = cells.shape
    if trials < 2:
        return Overfit(None, 0, None, "fewer than 2 trials")
    if days < 2 * blocks:
        return Overfit(None, 0, None, f"fewer than {2 * blocks} days for {blocks} blocks")
    scores = [scored(*pair) for pair in half_ratios(cells, blocks)]
    below, best_in, best_out = (np.concatenate(column) for column in zip(*scores, strict=True))
    spread = float(np.var(best_in))
    slope = float(np.cov(best_in, best_out, ddof=0)[0, 1]) / spread if spread > 0 else None
    return Overfit(float(below.mean()), len(below), slope)


def check_matrix(cells: Floats, blocks: int) -> None:
    """Raises BadInput for what is not a matrix of finite returns, trials x days."""
    if blocks % 2 or not 2 <= blocks <= BLOCKS_MAX:
        raise BadInput(f"{blocks} blocks of days", f"an even number, 2 to {BLOCKS_MAX}")
    if cells.ndim != 2 or not np.isfinite(cells).all():
        raise BadInput("the returns are not a matrix of finite numbers", "one row a trial, one column a day")
    if cells.size > CELLS_MAX:
        raise BadInput(f"{cells.shape[0]:,} trials x {cells.shape[1]:,} days are too many", f"at most {CELLS_MAX:,} cells")


@cache
def first_halves(blocks: int) -> Floats:
    """(halves / 2, blocks) of 0 and 1: one of each pair of complementary halves."""
    chosen = [half for half in combinations(range(blocks), blocks // 2) if half[0] == 0]
    found = np.zeros((len(chosen), blocks))
    found[np.arange(len(chosen))[:, None], np.array(chosen)] = 1.0
    return found


def half_ratios(cells: Floats, blocks: int) -> Iterator[tuple[Floats, Floats]]:
    """((halves, trials) in-sample, out-of-sample) Sharpe ratios, each pair of halves taken both ways, in bounded pieces."""
    parts = np.array_split(np.arange(cells.shape[1]), blocks)
    counts = np.array([len(part) for part in parts], np.float64)
    sums = np.array([cells[:, part].sum(axis=1) for part in parts])
    squares = np.array([np.square(cells[:, part]).sum(axis=1) for part in parts])
    some = max(1, min(PAIRS_AT_ONCE, RATIOS_AT_ONCE // cells.shape[0]))
    for at in range(0, len(first_halves(blocks)), some):
        one = first_halves(blocks)[at : at + some]
        ratios = [ratio_of_sums(half @ sums, half @ squares, (half @ counts)[:, None]) for half in (one, 1.0 - one)]
        yield ratios[0], ratios[1]
        yield ratios[1], ratios[0]


def ratio_of_sums(total: Floats, squares: Floats, count: Floats) -> Floats:
    """Daily Sharpe ratios (ddof 1) from the sums and the sums of squares over `count` days."""
    mean = total / count
    variance = (squares - total * mean) / (count - 1.0)
    varies = variance > FLAT * np.maximum(squares / count, 1e-300)
    return np.divide(mean, np.sqrt(np.where(varies, variance, 1.0)), out=np.zeros_like(mean), where=varies)


def scored(inside: Floats, outside: Floats) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Of each half: whether its winner is in the middle or worse outside, and its ratios in and out of sample."""
    rows = np.arange(len(inside))
    best = inside.argmax(axis=1)
    own = outside[rows, best]
    lower, equal = (outside < own[:, None]).sum(axis=1), (outside == own[:, None]).sum(axis=1)
    rank = lower + (equal + 1) / 2.0  # ties share their mean rank
    return 2.0 * rank <= outside.shape[1] + 1, inside[rows, best], own


def lo_sharpe(daily: Sequence[float] | Floats) -> Figure:
    """Sharpe ratio a year under the returns' autocorrelation (Lo 2002)."""
    return Figure(*metrics.lo_sharpe(usable(daily)))


def days_to_tell(sharpe: float, skew: float = 0.0, kurtosis: float = 3.0) -> Figure:
    """Days until the 95 % interval of a Sharpe ratio a year leaves zero out; normal returns unless their moments are given."""
    a_day = sharpe / YEAR
    error = metrics.error_of_moments(a_day, 2, skew, kurtosis)
    return (
        Figure(None, "skew and kurtosis are too extreme for an interval")
        if error is None
        else Figure(*metrics.days_at(a_day, error))
    )


def usable(daily: Sequence[float] | Floats) -> Floats:
    """The returns as (n,) finite numbers. Raises BadInput."""
    found = np.asarray(daily, np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise BadInput("the daily returns are not a row of finite numbers", "one return a whole day, flat days as 0")
    return found
