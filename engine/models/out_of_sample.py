"""One learner and its baselines through the folds of a walk-forward: fitted on the past of each, asked about what comes next.

Called by the trainer. Turns columns and a label into a prediction for every test row, made by a model whose training labels were
all known before the fold's first prediction (folds.py audits it). What a training row is, is decided here once for all of them.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.errors import DataError
from engine.features.frame import FeatureFrame
from engine.models import baselines, lgbm
from engine.models.folds import PurgedFold, walk_forward
from engine.models.labels import BarLabel
from engine.models.trees import predict, pruned, read_trees

TRAIN_ROWS_MIN = 500
Array = npt.NDArray[np.float64]


class WalkedFold(NamedTuple):
    """A fold, its model, and what the model says of the rows that it was fitted to."""

    fold: PurgedFold
    model: lgbm.FittedTrees
    of_training: Array  # predictions of `fold.train`, NaN where the label is missing


class Walked(NamedTuple):
    """Predictions by row number, NaN where no fold tests the row."""

    predictions: Array
    before: Array  # what the training rows of the row's fold say without any column: their mean
    folds: tuple[WalkedFold, ...]

    @property
    def tests(self) -> Sequence[npt.NDArray[np.int64]]:
        """The rows of each fold's test."""
        return [walked.fold.test for walked in self.folds]


def folds_of(frame: FeatureFrame, label: BarLabel, **days: float) -> list[PurgedFold]:
    """The folds of a label; `days` as for folds.walk_forward."""
    return walk_forward(frame.close_ms, label.known_ms, **days)  # type: ignore[arg-type]


def walk(
    columns: Array, label: BarLabel, folds: Sequence[PurgedFold], objective: str, settings: Mapping[str, int | float]
) -> Walked:
    """Fit and predict fold by fold. `columns` (n, k), NaN where missing. Raises DataError for a fold with too few labels."""
    predictions, before, walked = np.full(len(columns), np.nan), np.full(len(columns), np.nan), []
    for number, fold in enumerate(folds, 1):
        rows = fold.train[np.isfinite(label.values[fold.train])]
        target = label.values[rows]
        if len(rows) < TRAIN_ROWS_MIN or target.min() == target.max():
            what = f"fold {number} has {len(rows)} labelled training rows" if len(rows) < TRAIN_ROWS_MIN else "one value of label"
            raise DataError(f"{what}: nothing can be fitted", f"at least {TRAIN_ROWS_MIN}, of two values or more")
        made = lgbm.fit(columns[rows], target, objective, settings)
        trees = read_trees(pruned(made.dump))
        predictions[fold.test], before[fold.test] = predict(trees, columns[fold.test]), target.mean()
        of_training = np.full(len(fold.train), np.nan)
        of_training[np.isfinite(label.values[fold.train])] = predict(trees, columns[rows])
        walked.append(WalkedFold(fold, made, of_training))
    return Walked(predictions, before, tuple(walked))


def har(frame: FeatureFrame, label: BarLabel, folds: Sequence[PurgedFold]) -> Array:
    """What HAR, fitted in each fold, says of its test rows (baselines.har_columns, least_squares)."""
    columns, out = baselines.har_columns(frame), np.full(len(frame), np.nan)
    for fold in folds:
        out[fold.test] = baselines.least_squares(columns[fold.train], label.values[fold.train], columns[fold.test])
    return out
