"""What sides earn is counted as a desk would trade them: one at a time, at a stated threshold, less the costs."""

import math

import numpy as np
import pytest

from engine.models.labels import SideOutcome
from engine.models.side_trades import one_at_a_time, side_trades

FOLDS = [np.arange(n, n + 100) for n in range(0, 2_000, 100)]
ENTERED = np.arange(2_000, dtype=np.int64) * 60
LEFT = ENTERED + 240  # four rows later
LEAN = np.where(np.arange(2_000) % 10 < 2, 0.3, -0.1)  # two rows of ten are sure; the second begins while the first is open


def test_no_trade_begins_before_the_one_before_has_ended() -> None:
    """Also where each row has an end of its own; one that ends when the next begins does not overlap."""
    rows = np.array([0, 1, 3, 4, 5, 9])
    left = np.zeros(10, np.int64)
    left[[0, 4, 5, 9]] = 240, 250, 400, 900
    assert one_at_a_time(rows, np.arange(10, dtype=np.int64) * 60, left).tolist() == [0, 4, 5, 9]
    assert one_at_a_time(rows[:0], ENTERED, LEFT).tolist() == []


def test_a_trade_earns_its_sides_move_less_the_costs() -> None:
    """200 buys of 20 bps at 10.5 a round trip; as sales by what the seller's price did; below the threshold none."""
    moves = SideOutcome(np.full(2_000, 0.0020), np.full(2_000, 0.0015))
    found = side_trades(LEAN, 0.2, "when sure", moves, (ENTERED, LEFT), FOLDS, 10.5)
    assert (found.net.rows, found.folds, found.right) == (200, 20, 1.0)
    assert (found.gross_bps, found.net.value) == (pytest.approx(20.0), pytest.approx(9.5))
    assert (found.net.low, found.net.high, found.needed) == (pytest.approx(9.5), pytest.approx(9.5), pytest.approx(0.7625))
    assert found.passed
    sold = side_trades(-LEAN, 0.2, "when sure", moves, (ENTERED, LEFT), FOLDS, 10.5)
    assert sold.net.value == pytest.approx(-25.5)
    assert not sold.passed
    none = side_trades(LEAN, 0.4, "when sure", moves, (ENTERED, LEFT), FOLDS, 10.5)
    assert (none.net.rows, none.passed) == (0, False)
    assert none.text == "0 trades in 0 folds, when sure: too few, at least 100 in 10 folds are asked for"


def test_a_gain_that_could_be_luck_does_not_pass() -> None:
    """Means above 0 whose interval by whole folds reaches below it; one that varies within the folds alone passes."""
    dice = np.random.default_rng(5)
    each = np.repeat(dice.normal(0.0011, 0.0020, 20), 100)
    by_fold = side_trades(LEAN, 0.2, "", SideOutcome(each, each), (ENTERED, LEFT), FOLDS, 5.0)
    assert by_fold.net.value > 0.0 > by_fold.net.low
    assert not by_fold.passed
    within = np.full(2_000, each[::100].mean()) + dice.normal(0.0, 0.0010, 2_000)
    assert side_trades(LEAN, 0.2, "", SideOutcome(within, within), (ENTERED, LEFT), FOLDS, 5.0).passed


def test_rows_without_an_outcome_or_outside_of_the_folds_are_no_trades() -> None:
    """Nor does an instrument without costs pass."""
    moves = np.full(2_000, 0.01)
    moves[:1_000] = math.nan
    found = side_trades(LEAN, 0.2, "", SideOutcome(moves, moves), (ENTERED, LEFT), FOLDS[:15], 10.0)
    assert (found.net.rows, found.folds) == (50, 5)
    free = side_trades(LEAN, 0.2, "", SideOutcome(np.full(2_000, 0.01), np.full(2_000, 0.01)), (ENTERED, LEFT), FOLDS, None)
    assert not free.passed
    assert "knows no costs" in free.text
