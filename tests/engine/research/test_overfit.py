"""Figures after a search: golden values of the papers, the library they must equal, and what is undefined."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from engine.errors import BadInput
from engine.research import overfit
from engine.sim.metrics import error_of_moments

YEAR = math.sqrt(365)


def drawn(seed: int, days: int = 400, mean: float = 0.001) -> np.ndarray:
    """Daily returns of one strategy."""
    return np.random.default_rng(seed).normal(mean, 0.01, days)


def brute_force(matrix: np.ndarray, blocks: int) -> float:
    """PBO by the definition, half after half: the share of halves whose winner is in the middle or worse outside."""
    from itertools import combinations

    parts = np.array_split(np.arange(matrix.shape[1]), blocks)
    below = []
    for half in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[b] for b in half])
        outside = np.setdiff1d(np.arange(matrix.shape[1]), inside)
        ratios = [matrix[:, days].mean(axis=1) / matrix[:, days].std(axis=1, ddof=1) for days in (inside, outside)]
        best = int(ratios[0].argmax())
        rank = (ratios[1] < ratios[1][best]).sum() + 1
        omega = rank / (len(matrix) + 1)
        below.append(math.log(omega / (1 - omega)) <= 1e-12)
    return float(np.mean(below))


def test_the_deflated_ratio_of_the_paper() -> None:
    """Bailey & Lopez de Prado 2014: 100 trials of variance 1/2 a year, 1,250 days of 250 a year, skew -3, kurtosis 10, a ratio of
    2.5: the best of luck is 0.1132 a day, the deflated ratio 0.9004."""
    luck = math.sqrt(0.5) * overfit.expected_maximum(100) / math.sqrt(250)
    assert luck == pytest.approx(0.1132, abs=5e-5)
    a_day = 2.5 / math.sqrt(250)
    error = error_of_moments(a_day, 1_250, -3.0, 10.0)
    assert error is not None
    assert NormalDist().cdf((a_day - luck) / error) == pytest.approx(0.9004, abs=5e-5)


def test_psr_by_hand() -> None:
    """Thirty days of +2 % and -1 % in turn: mean .005, ddof 1, skew 0, raw kurtosis 1, so the error is 1 / sqrt(29)."""
    returns = [0.02, -0.01] * 15
    found = overfit.psr(returns)
    a_day = 0.005 / (0.015 * math.sqrt(30 / 29))
    assert found.sharpe == pytest.approx(a_day * YEAR)
    assert found.probability == pytest.approx(NormalDist().cdf(a_day * math.sqrt(29)))
    assert found.low == pytest.approx((a_day - 1.959963984540054 / math.sqrt(29)) * YEAR)
    assert overfit.psr(returns, benchmark=a_day * YEAR).probability == pytest.approx(0.5)


def test_halves_come_in_bounded_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """One piece after the other, whatever the size of the search, and the figure is that of all at once."""
    matrix = np.array([drawn(seed, 64) for seed in range(50)])
    at_once = overfit.pbo(matrix, 8)
    monkeypatch.setattr(overfit, "RATIOS_AT_ONCE", 500)
    pieces = overfit.half_ratios(matrix, 8)
    assert next(pieces)[0].shape == (10, 50)
    assert len(list(pieces)) == 7
    assert overfit.pbo(matrix, 8)[:2] == at_once[:2]


def test_more_trials_deflate_more() -> None:
    """One trial is the PSR; each further one raises the benchmark; a forgotten trial is refused."""
    returns, ratios = drawn(1), [0.1, 0.9, 1.7, -0.4]
    alone = overfit.deflated_sharpe(returns, [1.0], 1)
    few, many = (overfit.deflated_sharpe(returns, ratios, count) for count in (4, 400))
    assert alone == overfit.psr(returns)
    assert alone.probability > few.probability > many.probability
    assert few.benchmark == pytest.approx(np.std(ratios, ddof=1) * overfit.expected_maximum(4))
    with pytest.raises(BadInput, match="3 trials, but 4 ratios"):
        overfit.deflated_sharpe(returns, ratios, 3)


def test_a_trial_without_a_ratio_counts_all_the_same() -> None:
    """A run that never traded was tried."""
    assert overfit.best_of_luck([1.0, None, 2.0], 3) == overfit.best_of_luck([1.0, 2.0], 3)
    assert overfit.best_of_luck([1.0, None], 2).value is None


@pytest.mark.parametrize(("trials", "days", "blocks"), [(6, 120, 6), (8, 131, 8), (5, 90, 4)])
def test_pbo_is_the_definition(trials: int, days: int, blocks: int) -> None:
    """Block sums give what every half computed by itself gives, with blocks of unequal length and an odd number of trials."""
    for seed in range(3):
        matrix = np.random.default_rng(seed).normal(0.0002, 0.01, (trials, days))
        found = overfit.pbo(matrix, blocks)
        assert found.value == pytest.approx(brute_force(matrix, blocks), abs=1e-12)
        assert found.halves == math.comb(blocks, blocks // 2)


def test_one_true_edge_is_no_overfit() -> None:
    """A trial that earns every day wins in every half; pure noise is near a half."""
    draws = [np.random.default_rng(seed).normal(0.0, 0.01, (20, 640)) for seed in range(12)]
    assert 0.35 < np.mean([overfit.pbo(noise, 8).value for noise in draws]) < 0.65
    noise = draws[5]
    noise[3] += 0.01
    assert overfit.pbo(noise).value == 0.0
    assert overfit.pbo(noise).slope is not None


def test_trials_that_never_vary_rank_by_their_mean_place() -> None:
    """Two trials that never traded have the ratio 0 and share a rank; nothing is divided by zero."""
    matrix = np.zeros((3, 64))
    matrix[0] = drawn(2, 64, mean=0.02)
    assert overfit.pbo(matrix, 4).value == 0.0
    assert overfit.pbo(np.zeros((4, 64)), 4).value == 1.0  # all tied: the middle, in every half


@pytest.mark.long  # its scikit-learn takes four seconds to import
def test_the_library_agrees() -> None:
    """purgedcv gives the same PBO and slope to 1e-12 at S = 10, and the same PSR up to its bias correction of the moments."""
    purgedcv = pytest.importorskip("purgedcv")
    for seed in range(3):
        matrix = np.random.default_rng(seed).normal(0.0003, 0.01, (20, 803))
        theirs, ours = purgedcv.probability_of_backtest_overfitting(matrix, n_splits=10), overfit.pbo(matrix, 10)
        assert ours.value == pytest.approx(theirs.pbo, abs=1e-12)
        assert ours.slope == pytest.approx(theirs.slope, abs=1e-12)
        assert overfit.psr(drawn(seed)).probability == pytest.approx(
            purgedcv.probabilistic_sharpe_ratio(drawn(seed), 0.0), abs=2e-3
        )


def test_days_to_tell_by_hand() -> None:
    """A ratio of sqrt(365) a year is 1 a day: its error times sqrt(n - 1) is sqrt(1.5), so 1 + 1.96^2 * 1.5 days, rounded up."""
    assert overfit.days_to_tell(YEAR).value == math.ceil(1 + 1.959963984540054**2 * 1.5)
    assert overfit.days_to_tell(0.5).value > overfit.days_to_tell(1.0).value > 1_000
    assert overfit.days_to_tell(0.0) == overfit.Figure(None, "a ratio of 0 never differs from zero")


def test_what_is_undefined_has_a_reason() -> None:
    """Too short, never varying, one trial, too few days: None and why, never NaN."""
    assert overfit.psr([]).reason == "fewer than 2 whole days"
    assert overfit.psr([0.01] * 40).reason == "the daily returns never vary"
    assert overfit.psr([0.01, 0.02] * 10).reason == "fewer than 30 whole days"
    assert overfit.lo_sharpe([0.0, 0.0]) == overfit.Figure(None, "the daily returns never vary")
    assert overfit.pbo([[0.1] * 64]).reason == "fewer than 2 trials"
    assert overfit.pbo(np.ones((2, 31))).reason == "fewer than 32 days for 16 blocks"
    assert overfit.deflated_sharpe(drawn(1), [], 5).reason.startswith("the ratios of at least 2")


@pytest.mark.parametrize(
    ("matrix", "blocks"), [([[1.0, math.nan]], 2), ([1.0, 2.0], 2), (np.ones((2, 64)), 5), (np.ones((2, 64)), 22)]
)
def test_what_is_no_matrix_is_refused(matrix: object, blocks: int) -> None:
    """NaN, one row alone, an odd or absurd number of blocks: one clear line."""
    with pytest.raises(BadInput):
        overfit.pbo(matrix, blocks)  # type: ignore[arg-type]
