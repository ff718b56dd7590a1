"""How good predictions were on rows that their models had not seen: figures, their spread over folds, their interval.

Called by the trainer for learners and baselines alike. Turns labels and predictions of the same rows into one number each; rows
where either is missing do not count. R2 is against what the training rows alone would have said, not the mean of the test: that
mean is not known when the prediction is made.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Figure = Callable[[Array, Array, Array], float]  # labels, predictions, what the training rows would have said
DRAWS, SEED = 400, 1  # of whole folds: rows of a fold are not independent


class Score(NamedTuple):
    """One figure over all test rows, its interval of 95 % by draws of whole folds, and how it was in each fold."""

    value: float
    low: float
    high: float
    median: float  # of the folds
    worst: float
    best: float
    rows: int


def r_squared(labels: Array, predictions: Array, before: Array) -> float:
    """1 - sum of squared errors / sum of squared errors of `before`; NaN where `before` made none."""
    errors = float(((labels - before) ** 2).sum())
    return 1.0 - float(((labels - predictions) ** 2).sum()) / errors if errors > 0.0 else math.nan


def accuracy(labels: Array, predictions: Array, before: Array) -> float:
    """Share of rows whose prediction (a probability) is on the side of the label (0 or 1)."""
    del before
    return float(((predictions > 0.5) == (labels > 0.5)).mean()) if len(labels) else math.nan


def side_of_level(labels: Array, predictions: Array, level: Array) -> float:
    """Share of rows whose prediction is on the same side of `level` (the last known value of the label) as the label is."""
    return float(((predictions > level) == (labels > level)).mean()) if len(labels) else math.nan


def matthews(labels: Array, predictions: Array, before: Array) -> float:
    """Matthews' correlation of side and label, -1 to 1; 0 for predictions of one side only (Matthews 1975)."""
    return matthews_of_classes(labels > 0.5, predictions > 0.5, before)


def matthews_of_classes(labels: npt.NDArray[Any], predictions: npt.NDArray[Any], before: Array) -> float:
    """The same of any number of classes, each said as it is labelled (R_K, Gorodkin 2004)."""
    del before
    names = np.unique(np.concatenate([labels, predictions]))
    true, said = ([float((own == name).sum()) for name in names] for own in (labels, predictions))
    count, right = float(len(labels)), float((labels == predictions).sum())
    over = right * count - sum(t * s for t, s in zip(true, said, strict=True))
    below = math.sqrt((count**2 - sum(s * s for s in said)) * (count**2 - sum(t * t for t in true)))
    return over / below if below > 0.0 else 0.0


def same_class(labels: Array, predictions: Array, before: Array) -> float:
    """Share of rows whose predicted class is the label."""
    del before
    return float((predictions == labels).mean()) if len(labels) else math.nan


def score(figure: Figure, labels: Array, predictions: Array, before: Array, folds: Sequence[npt.NDArray[np.int64]]) -> Score:
    """A figure over the rows of `folds`. The draws come from one seed: the same input has the same interval."""
    return _over_folds([(labels, predictions, before)], folds, figure)


def better_by(
    figure: Figure, labels: Array, predictions: Array, other: Array, before: Array, folds: Sequence[npt.NDArray[np.int64]]
) -> Score:
    """How much higher the figure of `predictions` is than that of `other`, over the rows where both say something.

    Both are drawn with the same folds, so the interval is of the difference: it is narrower than the two intervals suggest.
    """
    return _over_folds([(labels, predictions, before), (labels, other, before)], folds, figure)


def _over_folds(given: Sequence[tuple[Array, Array, Array]], folds: Sequence[npt.NDArray[np.int64]], figure: Figure) -> Score:
    """The figure of the first of `given`, less that of the second where there is one."""
    good = np.logical_and.reduce([np.isfinite(values) for one in given for values in one])
    kept = [rows[good[rows]] for rows in folds]
    kept = [rows for rows in kept if len(rows)]
    if not kept:
        return Score(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, 0)

    def over(rows: npt.NDArray[np.int64]) -> float:
        found = [figure(*(values[rows] for values in one)) for one in given]
        return found[0] - found[1] if len(found) > 1 else found[0]

    dice = np.random.default_rng(SEED)
    drawn = [over(np.concatenate([kept[k] for k in dice.integers(0, len(kept), len(kept))])) for _ in range(DRAWS)]
    each = np.array([over(rows) for rows in kept])
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    spread = (float(np.nanmedian(each)), float(np.nanmin(each)), float(np.nanmax(each)))
    rows = np.concatenate(kept)
    return Score(over(rows), float(low), float(high), *spread, rows=len(rows))
