"""How one model is trained, as a function of bars alone: features, label, folds, learner.

Called by train.py, which runs it fold by fold, and by leak_check.py, which runs the same code on bars whose future was replaced.
Turns a FeatureFrame into rows, and rows into folds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import utc
from engine.errors import BadInput
from engine.features.calls import calls_of, matrix_of
from engine.features.frame import FeatureFrame
from engine.models import out_of_sample
from engine.models.folds import PurgedFold, walk_forward
from engine.models.labels import BarLabel, label_of, parts_of
from engine.models.leak_check import RecipeRun
from engine.models.learners import USUAL, learner_of
from engine.models.portfolio import KIND, portfolio_bars
from engine.models.tuning import FoldSearch

OBJECTIVES = {
    "return": "regression",
    "log_vol": "regression",
    "portfolio_vol": "regression",
    "direction": "binary",
    "triple_barrier": "multiclass",
}
VALUES_MAX = 150_000_000  # rows x columns: 1.2 GB
QUICK_ROUNDS = 10  # of a model whose bits alone are of interest
Array = npt.NDArray[np.float64]


class TrainRecipe(NamedTuple):
    """What a model is made of, but for the bars."""

    features: tuple[str, ...]  # texts, as features/calls.py reads them
    target: str  # a label: log_vol_4
    settings: Mapping[str, int | float]  # all of them (learner.settings_in)
    search: Mapping[str, Any]  # tuning.search_of; empty: none
    days: Mapping[str, float]  # train_days, test_days, step_days
    first_ms: int | None = None  # rows are those that close after it, UTC ms; bars before it warm features up
    portfolio: Mapping[str, float] = {}  # weights of a label of several instruments (portfolio.aliased)
    learner: str = USUAL  # learners.LEARNERS

    @property
    def objective(self) -> str:
        """As the learner calls it."""
        return objective_of(self.target)


class PreparedRows(NamedTuple):
    """Columns and label of every bar of the frame, and the folds by their numbers."""

    columns: Array
    label: BarLabel
    folds: list[PurgedFold]
    close_ms: npt.NDArray[np.int64]


def objective_of(target: str) -> str:
    """regression, binary or multiclass. Raises BadInput for an unknown label."""
    return OBJECTIVES[parts_of(target)[0]]


def labelled_bars(recipe: TrainRecipe, frame: FeatureFrame) -> FeatureFrame:
    """The bars that the label is of: the frame's own, or those of a portfolio."""
    return portfolio_bars(frame, recipe.portfolio) if parts_of(recipe.target)[0] == KIND else frame


def prepare(recipe: TrainRecipe, frame: FeatureFrame) -> PreparedRows:
    """Rows and folds. Raises BadInput for features and spans that do not fit the bars."""
    calls = calls_of(recipe.features)
    if len(frame) * len(calls) > VALUES_MAX:
        raise BadInput(f"{len(frame):,} bars x {len(calls)} features", f"at most {VALUES_MAX:,} values: a shorter span")
    columns, label = matrix_of(frame, calls), label_of(recipe.target, labelled_bars(recipe, frame))
    first = 0 if recipe.first_ms is None else int(np.searchsorted(frame.close_ms, recipe.first_ms, side="right"))
    if len(frame) - first < out_of_sample.TRAIN_ROWS_MIN:
        since = f" after {utc(recipe.first_ms)}" if recipe.first_ms is not None else ""
        raise BadInput(f"{len(frame) - first} bars{since}: nothing can be trained", "choose a longer span")
    found = walk_forward(frame.close_ms[first:], label.known_ms[first:], **recipe.days)  # type: ignore[arg-type]
    moved = [fold._replace(train=fold.train + first, test=fold.test + first) for fold in found]
    return PreparedRows(columns, label, moved, frame.close_ms)


def fit_fold(recipe: TrainRecipe, rows: PreparedRows, number: int) -> out_of_sample.WalkedFold:
    """Fold `number`, from 1 on."""
    search = FoldSearch(recipe.search, rows.close_ms) if recipe.search else None
    fold, learner = rows.folds[number - 1], learner_of(recipe.learner)
    return out_of_sample.fit_fold(rows.columns, rows.label, fold, number, recipe.objective, recipe.settings, search, learner)


def run(recipe: TrainRecipe, frame: FeatureFrame, numbers: Sequence[int]) -> RecipeRun:
    """Some folds of the recipe for the leak check, with QUICK_ROUNDS and without a search: rows and columns are the same."""
    quick = recipe._replace(settings={**recipe.settings, "rounds": min(QUICK_ROUNDS, int(recipe.settings["rounds"]))}, search={})
    rows = prepare(quick, frame)
    walked = [fit_fold(quick, rows, number) for number in numbers]
    models = tuple((int(frame.close_ms[one.fold.test[0]]), one.model.text) for one in walked)
    return RecipeRun(quick.features, rows.columns, out_of_sample.assembled(len(frame), walked).predictions, models)
