"""Folds of labelled rows: no label is in training and test, whatever its interval; bad times are one clear line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import DAY_MS, HOUR_MS
from engine.errors import BadInput, DataError
from engine.models.folds import PurgedFold, audit_rows, walk_forward

BAR = 900_000
DAY = 96  # bars


def closes(days: float) -> np.ndarray:
    """15m closes from the beginning of a day."""
    return (np.arange(round(days * DAY)) + 1) * BAR


def test_sixty_days_five_days_five_days_of_a_four_bar_label() -> None:
    """Counts by hand: 60 days less the four rows whose label is not known before the first prediction of the test."""
    close = closes(75)
    folds = walk_forward(close, close + 4 * BAR)
    assert [(f.train[0], f.train[-1] + 1, f.test[0], f.test[-1] + 1, f.short) for f in folds] == [
        (0, 60 * DAY - 4, 60 * DAY, 65 * DAY, False),
        (5 * DAY, 65 * DAY - 4, 65 * DAY, 70 * DAY, False),
        (10 * DAY, 70 * DAY - 4, 70 * DAY, 75 * DAY, False),
    ]
    assert [f.train_end_ms for f in folds] == [int(close[f.test[0]]) - BAR for f in folds]
    assert audit_rows(folds, close, close + 4 * BAR) == (
        "3 folds: no training interval meets its test (at least 15 minutes between)"
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 3), st.integers(0, 30))
def test_no_training_interval_meets_a_test_interval(seed: int, train: int, test: int, embargo: int) -> None:
    """Rows at random times with labels of random lengths, row by row: what is trained on ended before what is tested began."""
    rng = np.random.default_rng(seed)
    close = np.flatnonzero(rng.random(15 * 24) < 0.7) * HOUR_MS
    known = close + rng.integers(1, 40, len(close)) * HOUR_MS
    folds = walk_forward(close, known, train_days=train, test_days=test, step_days=test, embargo_ms=embargo * HOUR_MS)
    tested = np.concatenate([fold.test for fold in folds])
    assert np.all(np.diff(tested) > 0)
    for fold in folds:
        begins = close[fold.test].min()
        assert known[fold.train].max() == fold.train_end_ms < begins
        zero = close[0] + train * DAY_MS + embargo * HOUR_MS
        until = zero + (begins - zero) // (test * DAY_MS) * test * DAY_MS - embargo * HOUR_MS  # of the fold's training span
        there = (close >= until - train * DAY_MS) & (close < until)
        assert fold.train.tolist() == np.flatnonzero(there & (known < begins)).tolist()


def test_the_audit_finds_each_leak_by_hand() -> None:
    """An overlapping label, a training row behind the test, a false end, rows tested twice."""
    close = closes(75)
    known = close + 4 * BAR
    one, two, _ = walk_forward(close, known)
    late = np.append(one.train, one.test[0] - 1)
    with pytest.raises(
        DataError, match="the label of 1970-03-02 00:00Z is known at 1970-03-02 01:00Z, its test begins at 1970-03-02 00:15Z"
    ):
        audit_rows([PurgedFold(late, one.test, int(known[late].max()))], close, known)
    with pytest.raises(DataError, match="fold 1: training ends at"):
        audit_rows([PurgedFold(one.test[-1:] + 400, one.test, 0)], close, known)
    with pytest.raises(DataError, match="fold 1: training ends at"):
        audit_rows([one._replace(train_end_ms=one.train_end_ms - 1)], close, known)
    with pytest.raises(DataError, match="folds 1 and 2 test the same rows"):
        audit_rows([one, two._replace(test=two.test - 1, train=one.train, train_end_ms=one.train_end_ms)], close, known)


@pytest.mark.parametrize(
    ("close", "known", "lengths", "words"),
    [
        (closes(64), closes(64) + BAR, {}, r"one fold takes 65 days, the data has 64\.0"),
        ([], [], {}, "at least one row"),
        (closes(75), closes(75), {}, "is known at .* when it is predicted - a label looks at what comes after"),
        (closes(75)[::-1], closes(75)[::-1] + BAR, {}, "predictions do not ascend after"),
        (closes(75), closes(74) + BAR, {}, "give one time of each a row"),
        (closes(75), closes(75) + 100 * DAY_MS, {}, "no fold has both training and test rows"),
        (closes(75), closes(75) + BAR, {"step_days": 1}, "test windows would overlap"),
        (closes(75), closes(75) + BAR, {"train_days": 0}, "a fold has no length"),
        (closes(75), closes(75) + BAR, {"train_days": 1, "test_days": 0.02, "step_days": 0.02}, "at most 2,000"),
    ],
)
def test_times_and_lengths_that_do_not_fit_are_one_clear_line(close, known, lengths, words) -> None:
    """What is wrong, and what to do."""
    with pytest.raises(BadInput, match=words):
        walk_forward(np.asarray(close), np.asarray(known), **lengths)
