"""Hierarchical risk parity: skfolio's numbers, what is known of two and of twins, and intervals that hold what they should."""

import numpy as np
import pytest

from engine.research.hrp import firm_weights, hrp


def returns_of(random: np.random.Generator, k: int, n: int = 500) -> np.ndarray:
    """Returns of two common factors, each series with its own scale."""
    factors, load, scale = random.normal(size=(n, 2)), random.uniform(0, 1, (2, k)), random.uniform(0.005, 0.03, k)
    return (factors @ load + random.normal(size=(n, k))) * scale  # type: ignore[no-any-return]


def test_the_weights_are_those_of_skfolio() -> None:
    """HierarchicalRiskParity of skfolio 1.12.2 with single linkage and the leaves as they are, run on these very returns; its
    linkage is on the distances themselves, which orders these leaves alike.
    """
    random = np.random.default_rng(20160523)
    golden = {
        2: [0.52089543, 0.47910457],
        3: [0.22580965, 0.39442934, 0.37976101],
        5: [0.05275688, 0.69416826, 0.05109361, 0.12288421, 0.07909704],
        8: [0.29666271, 0.11355622, 0.17890882, 0.04189829, 0.08147745, 0.0553083, 0.1738459, 0.05834231],
    }
    for k, weights in golden.items():
        assert hrp(returns_of(random, k)).tolist() == pytest.approx(weights, abs=1e-8)


def test_two_series_are_weighed_by_inverse_variance_and_one_is_all() -> None:
    """A tenth of the variance, ten times the weight."""
    random = np.random.default_rng(1)
    calm = random.normal(size=4_000)
    wild = np.roll(calm, 2_000) * np.sqrt(10.0)  # the same numbers on other days
    assert hrp(np.column_stack([calm, wild])).tolist() == pytest.approx([10 / 11, 1 / 11])
    assert hrp(calm[:, None]).tolist() == [1.0]


def test_twins_share_the_weight_of_one() -> None:
    """Two sleeves that trade the same are one bet: together they weigh about as much as one that is apart."""
    random = np.random.default_rng(2)
    one, other = random.normal(size=(2, 4_000))
    twin = one + 0.01 * random.normal(size=4_000)
    apart, *twins = hrp(np.column_stack([other, one, twin]))
    assert sum(twins) == pytest.approx(apart, rel=0.1)


@pytest.mark.slow
def test_an_interval_is_wide_where_days_are_few() -> None:
    """It holds the weight, sums stay 1, and a tenth of the days say less."""
    random = np.random.default_rng(3)
    returns = returns_of(random, 4, 1_000)
    many, few = firm_weights(returns), firm_weights(returns[:100])
    for found in (many, few):
        assert found.draws == 500
        assert (found.low < found.weights).all()
        assert (found.weights < found.high).all()
        assert found.weights.sum() == pytest.approx(1.0)
    assert np.mean(few.high - few.low) > 1.5 * np.mean(many.high - many.low)
    assert (firm_weights(returns).low == many.low).all()  # nothing is drawn anew


def test_a_draw_in_which_a_series_does_not_move_is_none() -> None:
    """One of its few days may be in no draw at all."""
    random = np.random.default_rng(4)
    returns = random.normal(size=(60, 2))
    returns[2:, 1] = 0.0
    assert 0 < firm_weights(returns).draws < 500
