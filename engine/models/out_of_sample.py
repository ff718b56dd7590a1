"""One learner and its baselines through the folds of a walk-forward: fitted on the past of each, asked about what comes next.

Called by the trainer. Turns columns and a label into a prediction for every test row, made by a model whose training labels were
all known before the fold's first prediction (folds.py audits it). What a training row is, is decided here once for all of them.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from engine.errors import DataError
from engine.features.frame import FeatureFrame
from engine.models import baselines, lgbm
from engine.models.folds import PurgedFold, walk_forward
from engine.models.labels import BarLabel
from engine.models.learner import FittedTrees, Learner
from engine.models.trees import chances, expected, predict, pruned, read_trees
from engine.models.tuning import FoldSearch, tuned

TRAIN_ROWS_MIN = 500
Array = npt.NDArray[np.float64]


class WalkedFold(NamedTuple):
    """A fold, its model, and what the model says of its rows."""

    fold: PurgedFold
    model: FittedTrees
    settings: Mapping[str, int | float]  # those that the model was fitted with
    of_training: Array  # predictions of `fold.train`, NaN where the label is missing
    of_test: Array  # predictions of `fold.test`
    before: float  # what the training rows say without any column: the mean of their labels
    chances_of_training: Array | None = None  # of a label of classes P of each (m, 3); of_training is P(1) - P(-1) then
    chances_of_test: Array | None = None


class Walked(NamedTuple):
    """Predictions by row number, NaN where no fold tests the row."""

    predictions: Array
    before: Array  # `WalkedFold.before` of the row's fold
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
    return assembled(len(columns), [fit_fold(columns, label, fold, n, objective, settings) for n, fold in enumerate(folds, 1)])


def fit_fold(
    columns: Array,
    label: BarLabel,
    fold: PurgedFold,
    number: int,
    objective: str,
    settings: Mapping[str, int | float],
    search: FoldSearch | None = None,
    learner: Learner = cast("Learner", lgbm),
) -> WalkedFold:
    """Fold `number` alone, by its training rows alone; with a `search` its settings are chosen on them, too."""
    rows = training_rows(label, fold, number)
    if search is not None:
        settings = tuned(columns, label, rows, objective, settings, search, learner)
    model = learner.fit(columns[rows], label.values[rows], objective, settings)
    trees = read_trees(pruned(model.dump))
    known, before = np.isfinite(label.values[fold.train]), float(label.values[rows].mean())
    if label.classes:
        of_classes = np.full((len(known), len(label.classes)), np.nan)
        of_classes[known], tested = chances(trees, columns[rows]), chances(trees, columns[fold.test])
        return WalkedFold(fold, model, settings, expected(of_classes), expected(tested), before, of_classes, tested)
    of_training = np.full(len(known), np.nan)
    of_training[known] = predict(trees, columns[rows])
    return WalkedFold(fold, model, settings, of_training, predict(trees, columns[fold.test]), before)


def training_rows(label: BarLabel, fold: PurgedFold, number: int) -> npt.NDArray[np.int64]:
    """The rows of a fold that a learner is fitted to: those with a label. Raises DataError where they are too few, alike, or
    lack a class."""
    rows = fold.train[np.isfinite(label.values[fold.train])]
    if len(rows) < TRAIN_ROWS_MIN or label.values[rows].min() == label.values[rows].max():
        few = len(rows) < TRAIN_ROWS_MIN
        what = (
            f"fold {number} has {len(rows)} labelled training rows" if few else f"fold {number} has one value of its label alone"
        )
        raise DataError(f"{what}: nothing can be fitted", f"at least {TRAIN_ROWS_MIN}, of two values or more: a longer training")
    for one in label.classes:
        if not (label.values[rows] == one).any():
            what = f"fold {number} has no row of the class {one:g} among its {len(rows):,} labelled training rows"
            raise DataError(f"{what}: nothing can be fitted", "a longer training, or a label of another horizon")
    return rows


def assembled(count: int, walked: Sequence[WalkedFold]) -> Walked:
    """Folds side by side, for `count` rows."""
    predictions, before = np.full(count, np.nan), np.full(count, np.nan)
    for one in walked:
        predictions[one.fold.test], before[one.fold.test] = one.of_test, one.before
    return Walked(predictions, before, tuple(walked))


def har(frame: FeatureFrame, label: BarLabel, folds: Sequence[PurgedFold]) -> Array:
    """What HAR, fitted in each fold, says of its test rows (baselines.har_columns, least_squares)."""
    columns, out = baselines.har_columns(frame), np.full(len(frame), np.nan)
    for fold in folds:
        out[fold.test] = baselines.least_squares(columns[fold.train], label.values[fold.train], columns[fold.test])
    return out
