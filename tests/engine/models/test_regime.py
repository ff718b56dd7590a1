"""Regimes are filtered, never smoothed: a prefix, a batch, a bar at a time and a restart give the same bits."""

import json
import math
from typing import Any

import numpy as np
import pytest

from engine.clock import DAY_MS
from engine.errors import DataError
from engine.models import regime, regime_fit

BAR_MS = 900_000
MEANS = np.array([[-2.0, 1.0, -1.0], [0.0, -1.0, 0.0], [2.0, 1.0, 1.0]])


def drawn(count: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three states that last some 200 bars each, and the true states."""
    dice = np.random.default_rng(seed)
    states = np.repeat(dice.integers(0, 3, count // 200 + 1), 200)[:count]
    return MEANS[states] + dice.normal(size=(count, 3)), states


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """With holes of some bars."""
    made = drawn(4_000)[0]
    made[1_000:1_003], made[2_500, 1] = np.nan, np.nan
    return made


@pytest.fixture(scope="module")
def model(rows: np.ndarray) -> regime.RegimeModel:
    """Fitted on the first half."""
    return regime_fit.fit(rows[:2_000], BAR_MS)


def test_a_prefix_says_what_the_whole_said(model: regime.RegimeModel, rows: np.ndarray) -> None:
    """No row looks at a later one: every bit, for prefixes of any length."""
    whole, states, _ = regime.filtered(model, rows)
    for count in (1, 7, 999, 1_001, 1_004, 2_501, 3_999):
        part, part_states, _ = regime.filtered(model, rows[:count])
        assert part.tobytes() == whole[:count].tobytes()
        assert part_states.tobytes() == states[:count].tobytes()


def test_a_restart_from_json_goes_on_to_the_bit(model: regime.RegimeModel, rows: np.ndarray) -> None:
    """Model and state through JSON at any bar."""
    whole, states, end = regime.filtered(model, rows)
    again = regime.model_of(json.loads(json.dumps(regime.as_json(model))))
    assert again == model
    for at in (1, 1_001, 2_500, 3_000):
        state = regime.filtered(model, rows[:at])[2]
        after, after_states, last = regime.filtered(
            again, rows[at:], regime.state_of(json.loads(json.dumps(regime.state_json(state))))
        )
        assert after.tobytes() == whole[at:].tobytes()
        assert after_states.tobytes() == states[at:].tobytes()
        assert last == end


def test_it_is_the_forward_filter_of_the_library(model: regime.RegimeModel) -> None:
    """Against hmmlearn's own forward pass of the same parameters, and not its predict_proba, which has seen the end."""
    from hmmlearn.hmm import GaussianHMM

    rows = drawn(600, seed=8)[0]
    scaled = (rows - model.mean) / model.scale
    hmm = GaussianHMM(3, covariance_type="full", init_params="")
    hmm.startprob_, hmm.transmat_, hmm.means_ = np.array(model.start), np.array(model.moves), np.array(model.means)
    inverse = [np.linalg.inv(np.array(one)) for one in model.lower]
    hmm.covars_ = np.array([one @ one.T for one in inverse])
    ours = regime.filtered(model, rows)[0]
    ends = [hmm.predict_proba(scaled[:count])[-1] for count in (1, 2, 50, 333, 600)]  # at its last row there is nothing to smooth
    assert np.allclose([ours[count - 1] for count in (1, 2, 50, 333, 600)], ends, atol=1e-10)
    assert np.abs(hmm.predict_proba(scaled) - ours).max() > 0.3
    assert np.allclose(regime.smoothed_for_drawing(model, rows).probabilities, hmm.predict_proba(scaled), atol=1e-8)


def test_states_are_ordered_by_return_and_found(model: regime.RegimeModel) -> None:
    """Bear is the lowest; most bars of a new sample are named as they were drawn."""
    rows, true = drawn(3_000, seed=9)
    assert [row[0] for row in model.means] == sorted(row[0] for row in model.means)
    assert (regime.filtered(model, rows)[1] == true).mean() > 0.85


def test_no_state_changes_more_than_four_times_a_day(model: regime.RegimeModel) -> None:
    """Even for rows that jump at every bar."""
    jumps = MEANS[np.tile([0, 2], 2_000)]
    states = regime.filtered(model, jumps)[1]
    assert np.abs(np.diff(np.flatnonzero(np.diff(states)))).min(initial=10**6) >= DAY_MS // BAR_MS // 4
    assert regime.changes_a_day(states, BAR_MS) <= 4.0


def test_holes_move_by_the_transitions_alone(model: regime.RegimeModel) -> None:
    """Before the first whole row nothing is known; a long hole forgets what was."""
    empty = np.full((3, 3), np.nan)
    chances, states, _ = regime.filtered(model, empty)
    assert np.isnan(chances).all()
    assert (states == -1).all()
    after = regime.filtered(model, np.vstack([np.repeat(MEANS[2:], 50, axis=0), np.full((20_000, 3), np.nan)]))[0]
    assert np.allclose(after[-1], after[-2], atol=1e-12)
    assert abs(after[-1].sum() - 1.0) < 1e-9


def test_what_no_state_explains_is_still_a_probability(model: regime.RegimeModel) -> None:
    """A row a thousand deviations away."""
    chances = regime.filtered(model, np.array([[1e4, -1e4, 1e4], [-1e6, 0.0, 0.0]]))[0]
    assert np.isfinite(chances).all()
    assert np.allclose(chances.sum(axis=1), 1.0)


@pytest.mark.parametrize(
    "rows", [np.zeros((2_000, 3)), drawn(100)[0], np.full((2_000, 3), np.nan)], ids=["still", "few", "empty"]
)
def test_rows_that_cannot_be_fitted_are_refused(rows: np.ndarray) -> None:
    """In words, not by a crash of the linear algebra."""
    with pytest.raises(DataError):
        regime_fit.fit(rows, BAR_MS)


def changed(value: dict[str, Any], name: str, to: Any) -> dict[str, Any]:
    """A model's file with one field changed."""
    return {**value, name: to}


@pytest.mark.parametrize(
    ("name", "to"),
    [
        ("states", ["up", "down"]),
        ("mean", []),
        ("scale", [1.0, 1.0]),
        ("scale", [0.0, 1.0, 1.0]),
        ("start", [0.5, 0.5, 0.5]),
        ("moves", [[1.0, 0.0, 0.0]] * 2),
        ("means", "nan"),
        ("log_det", [math.nan, 0.0, 0.0]),
        ("stay_bars", 0),
        ("stay_bars", True),
    ],
)
def test_a_file_that_is_no_model_is_refused(name: str, to: Any, model: regime.RegimeModel) -> None:
    """With the file's name."""
    stored = json.loads(json.dumps(regime.as_json(model)))
    with pytest.raises(DataError, match=r"mine\.json"):
        regime.model_of(changed(stored, name, to), "mine.json")
