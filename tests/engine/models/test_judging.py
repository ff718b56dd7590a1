"""Calibration, costs and reasons of a model against sums by hand."""

import numpy as np
import pytest

from engine.models import judging
from engine.models.labels import SideOutcome
from engine.venues.instruments import costs_of


def test_a_calibrated_model_observes_what_it_predicts() -> None:
    """Labels drawn from the probabilities themselves; a model that is twice as sure is not calibrated."""
    dice = np.random.default_rng(1)
    chances = dice.uniform(0.3, 0.7, 50_000)
    labels = (dice.uniform(size=50_000) < chances).astype(float)
    bins = judging.reliability(labels, chances)
    assert [one.rows for one in bins] == [5_000] * 10
    assert judging.calibration_error(bins) == pytest.approx(0.0, abs=0.01)
    assert judging.calibration_error(judging.reliability(labels, 2.0 * chances - 0.5)) > 0.09
    assert judging.brier(labels, chances) == pytest.approx((chances * (1 - chances)).mean(), abs=0.005)
    assert judging.calibration_error([]) is judging.brier(labels[:0], chances[:0]) is None


def test_rows_without_a_label_do_not_count() -> None:
    """Nor those without a prediction."""
    labels, said = np.array([1.0, np.nan, 0.0, 1.0]), np.array([0.9, 0.9, np.nan, 0.5])
    assert judging.brier(labels, said) == pytest.approx((0.01 + 0.25) / 2)
    assert sum(one.rows for one in judging.reliability(labels, said)) == 2


def test_average_precision_is_the_area_by_hand() -> None:
    """Of 1, 0, 1 in the order of the predictions: (1/1 + 2/3) / 2."""
    assert judging.average_precision(np.array([0.0, 1.0, 1.0]), np.array([0.5, 0.9, 0.1])) == pytest.approx((1 + 2 / 3) / 2)
    assert judging.average_precision(np.zeros(3), np.ones(3)) is None


def test_what_a_side_earns_is_set_against_the_desks_costs() -> None:
    """Moves of 20 bps, three of four right: 10 bps a row; at 10.46 bps a round trip 0.7615 have to be right."""
    costs = costs_of("binance", "BTC-USDT", "perp")
    cost = judging.round_trip_bps(costs)
    assert cost == pytest.approx(2e4 * (costs.taker_frac + costs.half_spread_frac))
    moves = np.array([0.002, 0.002, -0.002, 0.002, 0.5])
    found = judging.paid_sides(np.array([0.4, 0.4, -0.4, -0.4, np.nan]), SideOutcome(moves, moves), cost)
    sure = next(one for one in found if one.confidence == 0.65)
    assert (sure.rows, sure.recall, sure.precision) == (4, 1.0, 0.75)
    assert sure.needed == pytest.approx(0.5 * (1 + cost / 20))
    assert (sure.gross_bps, sure.net_bps) == (pytest.approx(10.0), pytest.approx(10.0 - cost))
    nothing = judging.paid_sides(np.array([0.02]), SideOutcome(np.array([0.1]), np.array([0.1])), cost)[-1]
    assert (nothing.rows, nothing.precision, nothing.net_bps) == (0, None, None)


def test_the_drift_of_importance_is_what_moves_to_other_columns() -> None:
    """None for one fold; all of it for two that split on other columns; a model that never split has no share."""
    one, other = np.array([3.0, 1.0, 0.0]), np.array([0.0, 0.0, 5.0])
    found = judging.importance(("a", "b", "c"), [one, one * 2, other])
    assert found["drift"] == {"median": 0.5, "most": 1.0}
    assert [row["feature"] for row in found["features"]] == ["a", "c", "b"]
    assert found["features"][0]["share"] == pytest.approx(0.5)
    assert judging.importance(("a",), [np.zeros(1)])["drift"] == {"median": None, "most": None}
