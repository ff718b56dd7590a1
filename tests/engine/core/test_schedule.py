"""Schedules as mathematics: golden values of DEFINITIONS D2, an independent QP, limits at both ends."""

from itertools import pairwise
from math import fsum

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from engine.core.schedule import ImpactModel, almgren_chriss, by_volume, cost, cumulated, holdings, kappa, temporary, twap

GOLDEN = ImpactModel(sigma=0.95, gamma=2.5e-7, eta=2.5e-6, epsilon=0.0625)
QUANTITY, HORIZON, SLICES = 1e6, 5.0, 5


@pytest.mark.parametrize(
    ("risk_aversion", "trades", "expected", "deviation"),
    [
        (1e-6, [458_044, 252_101, 141_957, 85_756, 62_142], 911_227, 603_431),
        (2e-6, [571_401, 245_666, 106_637, 48_652, 27_643], 1_140_715, 449_368),
    ],
)
def test_almgren_chriss_has_the_golden_values(risk_aversion: float, trades: list[int], expected: int, deviation: int) -> None:
    """The example of the paper: kappa, trades, expected cost and its standard deviation."""
    urgency = kappa(GOLDEN, risk_aversion, HORIZON / SLICES) * HORIZON
    shares = almgren_chriss(urgency, SLICES)
    assert [round(share * QUANTITY) for share in shares] == trades
    assert [round(x) for x in cost(GOLDEN, shares, QUANTITY, HORIZON)] == [expected, deviation]
    if risk_aversion == 1e-6:
        assert kappa(GOLDEN, risk_aversion, 1.0) == pytest.approx(0.6071, abs=5e-5)


def by_qp(model: ImpactModel, risk_aversion: float, quantity: float, horizon: float, slices: int) -> np.ndarray:
    """The trades with the least expected cost plus risk_aversion times variance: the KKT system of that QP, solved by scipy."""
    tau = horizon / slices
    held = np.triu(np.ones((slices, slices)), 1)  # what is left after slice j: the trades behind it
    hessian = 2.0 * temporary(model, tau) / tau * np.eye(slices)
    hessian += 2.0 * risk_aversion * model.sigma**2 * tau * held.T @ held
    system = np.block([[hessian, np.ones((slices, 1))], [np.ones((1, slices)), np.zeros((1, 1))]])
    return linalg.solve(system, np.append(np.zeros(slices), quantity))[:slices]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(5, 10),
    st.floats(0.1, 3.0),
    st.floats(1e-8, 1e-5),
    st.floats(0.5, 20.0),
    st.floats(0.0, 4e-7),
)
def test_it_is_the_optimum_of_the_qp(slices: int, sigma: float, risk_aversion: float, horizon: float, gamma: float) -> None:
    """Within a thousandth of a share of a million, over horizons, volatilities and aversions."""
    model = ImpactModel(sigma, gamma, 5e-6)
    shares = almgren_chriss(kappa(model, risk_aversion, horizon / slices) * horizon, slices)
    found = np.array(shares) * QUANTITY
    assert found == pytest.approx(by_qp(model, risk_aversion, QUANTITY, horizon, slices), abs=1e-3)


@given(st.floats(0.0, 1e6), st.integers(5, 10))
def test_any_urgency_is_a_schedule(urgency: float, slices: int) -> None:
    """Nothing overflows; no share is negative, none larger than the one before it, and all sum to one."""
    shares = almgren_chriss(urgency, slices)
    assert all(share >= 0.0 for share in shares)
    assert all(after <= before + 1e-12 for before, after in pairwise(shares))
    assert fsum(shares) == pytest.approx(1.0, abs=1e-12)
    assert cumulated(shares)[-1] == 1.0


def test_no_urgency_is_twap_and_the_branch_meets_the_formula() -> None:
    """sinh underflows near 0; on both sides of the branch the trajectory is the same line."""
    assert almgren_chriss(0.0, 8) == pytest.approx(twap(8), abs=1e-15)
    assert holdings(9.9e-7, 8) == pytest.approx(holdings(1.01e-6, 8), abs=1e-12)
    assert kappa(GOLDEN, 0.0, 1.0) == 0.0


def test_a_volume_curve_is_followed_and_a_curve_that_is_none_refused() -> None:
    """Shares as the volumes are; negative, empty, unknown and infinite ones are no curve."""
    assert by_volume([1.0, 3.0, 4.0]) == [0.125, 0.375, 0.5]
    for volumes in ([0.0, 0.0], [1.0, -1.0, 5.0], [float("nan"), 1.0], [float("inf"), 1.0]):
        with pytest.raises(ValueError, match="volume curve"):
            by_volume(volumes)
    for shares in ([0.5, 0.6], [1.5, -0.5]):
        with pytest.raises(ValueError, match="sum to 1"):
            cumulated(shares)


def test_slices_that_are_too_long_for_the_permanent_impact_are_refused() -> None:
    """eta~ must stay above 0, else slower would always be dearer."""
    with pytest.raises(ValueError, match="not above 0"):
        kappa(ImpactModel(0.95, 1e-3, 2.5e-6), 1e-6, 1.0)
