"""Walk-forward folds over labelled rows: fit on the past, judge on what comes next, and no label is in both.

Called by the trainer. Turns the times of predictions and labels into PurgedFolds of row numbers. `spans` is the geometry that the
parameter search shares (research/windows.py). A row is the half-open interval [close, label known) (D10): a training row counts
if it ends before the first prediction of its test, so that whoever predicts at that close could have been fitted by then.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS, MINUTE_MS, utc
from engine.errors import BadInput, DataError

FOLDS_MAX = 2_000
Times = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]


class TrainTestSpan(NamedTuple):
    """One step in time, UTC ms, ends excluded; the embargo is between the two."""

    train_from_ms: int
    train_to_ms: int
    test_from_ms: int
    test_to_ms: int


class PurgedFold(NamedTuple):
    """One step. Rows are numbers of the arrays given to walk_forward, ascending."""

    train: Rows
    test: Rows
    train_end_ms: int  # when the last label of the training rows is known; before the first prediction of the test
    short: bool = False  # the rows end before the test span does


def spans(begin_ms: int, end_ms: int, train_ms: int, test_ms: int, step_ms: int, embargo_ms: int) -> list[TrainTestSpan]:
    """Every step from `begin_ms` whose test begins before `end_ms`. Raises BadInput for lengths that do not fit."""
    if min(train_ms, test_ms, step_ms) <= 0 or embargo_ms < 0:
        raise BadInput("a fold has no length", "train, test and step are above 0, the embargo is 0 or more")
    if step_ms < test_ms:
        raise BadInput("--step is shorter than --test: test windows would overlap, and days would count twice", "step >= test")
    before_ms = train_ms + embargo_ms
    if before_ms + test_ms > end_ms - begin_ms:
        need, have = (before_ms + test_ms) / DAY_MS, (end_ms - begin_ms) / DAY_MS
        raise BadInput(
            f"one fold takes {need:g} days, the data has {have:.1f}", "shorten --train or --test, or choose a longer span"
        )
    count = (end_ms - begin_ms - before_ms - 1) // step_ms + 1
    if count > FOLDS_MAX:
        raise BadInput(f"{count:,} folds", f"at most {FOLDS_MAX:,}: take a longer --step")
    starts = [begin_ms + n * step_ms for n in range(count)]
    return [TrainTestSpan(at, at + train_ms, at + before_ms, at + before_ms + test_ms) for at in starts]


def walk_forward(
    close_ms: Times, known_ms: Times, *, train_days: float = 60, test_days: float = 5, step_days: float = 5, embargo_ms: int = 0
) -> list[PurgedFold]:
    """The folds of rows that predict at `close_ms` (ascending) and whose labels are known at `known_ms`; audited.

    A training span slides: it ends where its test begins, less the embargo, and loses the rows whose label is not known before
    the test's first prediction. A last test span may be `short`. Raises BadInput for lengths that do not fit the rows, and for
    times that do not ascend or labels that are known before they are predicted.
    """
    close, known = np.asarray(close_ms, np.int64), np.asarray(known_ms, np.int64)
    _check_times(close, known)
    train_ms, test_ms, step_ms = (round(days * DAY_MS) for days in (train_days, test_days, step_days))
    end_ms = int(close[-1]) + int(np.diff(close).min(initial=DAY_MS))  # where the next row would be: spans exclude their ends
    found = []
    for span in spans(int(close[0]), end_ms, train_ms, test_ms, step_ms, embargo_ms):
        edges = np.searchsorted(close, span).tolist()
        test = np.arange(edges[2], edges[3])
        if not len(test):
            continue
        train = np.arange(edges[0], edges[1])
        train = train[known[train] < close[test[0]]]
        if len(train):
            found.append(PurgedFold(train, test, int(known[train].max()), span.test_to_ms > end_ms))
    if not found:
        raise BadInput("no fold has both training and test rows", "choose a longer span or a label of a shorter horizon")
    audit_rows(found, close, known)
    return found


def audit_rows(folds: Sequence[PurgedFold], close_ms: Times, known_ms: Times) -> str:
    """One sentence that says what was looked at. Raises DataError naming the first leak.

    Looks at intervals alone, not at how the folds were made: no [close, known) of a training row meets one of its test's rows, no
    training row is later than the test, no row is tested twice, and `train_end_ms` is true.
    """
    gaps = []
    for number, fold in enumerate(folds, 1):
        begun, ended = int(close_ms[fold.test].min()), int(known_ms[fold.test].max())
        meets = (close_ms[fold.train] < ended) & (known_ms[fold.train] > begun)
        if meets.any():
            row = int(fold.train[np.argmax(meets)])
            raise DataError(
                f"fold {number}: the label of {utc(int(close_ms[row]))} is known at {utc(int(known_ms[row]))}, "
                f"its test begins at {utc(begun)}",
                "purge the training rows by their label intervals",
            )
        last = int(known_ms[fold.train].max())
        if last >= begun or fold.train_end_ms != last:
            raise DataError(f"fold {number}: training ends at {utc(last)}, its test begins at {utc(begun)}", "train on the past")
        gaps.append(begun - last)
    for number, (one, after) in enumerate(pairwise(folds), 1):
        if after.test.min() <= one.test.max():
            raise DataError(f"folds {number} and {number + 1} test the same rows", "step >= test")
    return f"{len(folds)} folds: no training interval meets its test (at least {min(gaps) / MINUTE_MS:g} minutes between)"


def _check_times(close: Times, known: Times) -> None:
    if close.ndim != 1 or close.shape != known.shape or not len(close):
        raise BadInput(f"{close.shape} predictions, {known.shape} labels", "give one time of each a row, at least one row")
    if (np.diff(close) <= 0).any():
        at = int(np.argmax(np.diff(close) <= 0))
        raise BadInput(f"predictions do not ascend after {utc(int(close[at]))}", "sort the rows by close, one row a close")
    if (known <= close).any():
        at = int(np.argmax(known <= close))
        raise BadInput(
            f"the label of {utc(int(close[at]))} is known at {utc(int(known[at]))}, when it is predicted",
            "a label looks at what comes after the close",
        )
