"""Figures against scikit-learn's own, and their interval."""

import math

import numpy as np
import pytest

from engine.models import scores

DICE = np.random.default_rng(4)
LABELS = (DICE.random(600) > 0.4).astype(float)
CHANCES = np.clip(LABELS * 0.3 + DICE.random(600) * 0.7, 0.0, 1.0)
FOLDS = [np.arange(n, n + 100) for n in range(0, 600, 100)]


def test_sides_are_counted_as_the_library_counts_them() -> None:
    """Accuracy and Matthews' correlation."""
    from sklearn.metrics import accuracy_score, matthews_corrcoef

    said = CHANCES > 0.5
    assert scores.accuracy(LABELS, CHANCES, LABELS) == pytest.approx(accuracy_score(LABELS, said))
    assert scores.matthews(LABELS, CHANCES, LABELS) == pytest.approx(matthews_corrcoef(LABELS, said))
    assert scores.matthews(LABELS, np.ones(600), LABELS) == 0.0
    classes = DICE.integers(-1, 2, 600).astype(float)
    given = np.where(DICE.random(600) < 0.3, classes, DICE.integers(-1, 2, 600).astype(float))
    assert scores.matthews_of_classes(classes, given, LABELS) == pytest.approx(matthews_corrcoef(classes, given))
    assert scores.same_class(classes, given, LABELS) == pytest.approx(accuracy_score(classes, given))


def test_r2_is_against_what_was_known_before() -> None:
    """The library's is against the mean of the test itself, and equal where that is what was known."""
    from sklearn.metrics import r2_score

    values, said = DICE.normal(size=600), DICE.normal(size=600)
    assert scores.r_squared(values, said, np.full(600, values.mean())) == pytest.approx(r2_score(values, said))
    assert scores.r_squared(values, values, np.zeros(600)) == 1.0
    assert math.isnan(scores.r_squared(np.ones(3), np.zeros(3), np.ones(3)))


def test_a_score_has_an_interval_around_it_and_the_folds_spread() -> None:
    """The same each time; rows without a label, a prediction or a base do not count."""
    found = scores.score(scores.accuracy, LABELS, CHANCES, LABELS, FOLDS)
    assert found == scores.score(scores.accuracy, LABELS, CHANCES, LABELS, FOLDS)
    assert found.worst <= found.low <= found.value <= found.high <= found.best
    holes = LABELS.copy()
    holes[:150] = np.nan
    less = scores.score(scores.accuracy, holes, CHANCES, LABELS, FOLDS)
    assert less.rows == 450
    assert less.value == pytest.approx(scores.accuracy(LABELS[150:], CHANCES[150:], LABELS[150:]))


def test_no_rows_are_no_figure() -> None:
    """NaN, not a good one."""
    none = scores.score(scores.accuracy, np.full(600, np.nan), CHANCES, LABELS, FOLDS)
    assert none.rows == 0
    assert math.isnan(none.value)
