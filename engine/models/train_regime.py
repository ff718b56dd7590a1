"""Train a regime model: of each fold the states that its past has, filtered over what comes next. Called by train.py.

Turns a TrainUnit whose target is `regime` into a stored artifact and its report. There is no label: a row is known at its close.
A regime predicts nothing, so nothing is compared with a baseline; what is judged is whether its states can be used at all: they
look at no later bar, change rarely enough, and each of them occurs.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.amounts import percent_text
from engine.clock import DAY_MS, utc
from engine.errors import BadInput
from engine.features import manifest
from engine.features.calls import calls_of, matrix_of
from engine.features.frame import FeatureFrame
from engine.models import fold_store, gates, leak_check, regime, regime_fit
from engine.models.artifact import Artifact, LoadedFit, ModelDraft, ModelFit
from engine.models.column import ModelColumn, RegimeColumn
from engine.models.folds import PurgedFold, audit_rows, walk_forward
from engine.models.gates import Gate
from engine.models.leak_check import LeakCheck, RecipeRun
from engine.models.recipe import TrainRecipe
from engine.models.regime import STATES, RegimeModel

CHANGES_MAX = 4.0  # a day, with hysteresis
SHARE_MIN = 0.01  # of the bars that each state has
AHEAD = 4  # bars of the return that is shown beside each state
Progress = Callable[[float], None]
Times = npt.NDArray[np.int64]


class FittedRegime(NamedTuple):
    """A fold and its states."""

    fold: PurgedFold
    model: RegimeModel


class RegimeTraining(NamedTuple):
    """What is stored of a training, and its report."""

    fits: list[ModelFit]
    report: dict[str, Any]
    text: str


def folds_of(recipe: TrainRecipe, frame: FeatureFrame) -> tuple[list[PurgedFold], Times, Times]:
    """(folds by row of the frame, closes, when each row is known). Raises BadInput for spans that do not fit the bars."""
    first = 0 if recipe.first_ms is None else int(np.searchsorted(frame.close_ms, recipe.first_ms, side="right"))
    if len(frame) - first < regime_fit.ROWS_MIN:
        raise BadInput(f"{len(frame) - first} bars: no regime can be fitted", "choose a longer span")
    known = frame.close_ms + 1
    found = walk_forward(frame.close_ms[first:], known[first:], **recipe.days)  # type: ignore[arg-type]
    return [f._replace(train=f.train + first, test=f.test + first) for f in found], frame.close_ms, known


def folder_of(root: Path, recipe: TrainRecipe, frame: FeatureFrame) -> Path:
    """Where the folds of this recipe on these bars are kept."""
    rows = regime.observed(matrix_of(frame, calls_of(recipe.features)))
    return fold_store.regime_folder(root, recipe, rows, frame.close_ms, (folds_of, regime_fit.fit))


def fitted(
    recipe: TrainRecipe, frame: FeatureFrame, numbers: Sequence[int], progress: Progress, folder: Path | None = None
) -> list[FittedRegime]:
    """Some folds, from 1 on; in a `folder` each is kept, and one that was kept there is not fitted again.

    Raises DataError for rows that three states cannot be fitted to.
    """
    rows, out = regime.observed(matrix_of(frame, calls_of(recipe.features))), []
    folds = folds_of(recipe, frame)[0]
    for done, number in enumerate(numbers, 1):
        fold = folds[number - 1]
        model = None if folder is None else fold_store.kept_regime(folder, number)
        if model is None:
            model = regime_fit.fit(rows[fold.train], frame.timeframe_ms)
            if folder is not None:
                fold_store.keep_regime(folder, number, model)
        out.append(FittedRegime(fold, model))
        progress(done / len(numbers))
    return out


def states_of(recipe: TrainRecipe, frame: FeatureFrame, timeframe: str, found: Sequence[FittedRegime]) -> RegimeColumn:
    """The states at each bar as whoever reads the model sees them: the column of the artifact that these folds would be."""
    features = manifest.manifest_of(list(recipe.features), timeframe, int(frame.close_ms[0]) - frame.timeframe_ms)
    fits = tuple(LoadedFit(one.fold.train_end_ms, int(frame.close_ms[one.fold.test[0]]), None, one.model) for one in found)
    return ModelColumn(Artifact("regime", "0.0.0", "", {"timeframe": timeframe}, features, fits, {})).regimes(frame)


def run(recipe: TrainRecipe, frame: FeatureFrame, numbers: Sequence[int], timeframe: str) -> RecipeRun:
    """Some folds for the leak check."""
    found = fitted(recipe, frame, numbers, lambda _done: None)
    seen = states_of(recipe, frame, timeframe, found)
    models = tuple((int(frame.close_ms[one.fold.test[0]]), repr(one.model)) for one in found)
    columns = matrix_of(frame, calls_of(recipe.features))
    return RecipeRun(recipe.features, columns, seen.probabilities[:, -1] + seen.states, models)


def train(
    recipe: TrainRecipe, frame: FeatureFrame, timeframe: str, folder: Path, progress: Progress, say: Callable[[str], None]
) -> RegimeTraining:
    """Leak check, all folds (kept in `folder`), report."""
    folds, close_ms, known = folds_of(recipe, frame)
    checked = sorted({1, (len(folds) + 1) // 2, len(folds)})
    leaks = leak_check.check(
        partial(run, recipe, numbers=checked, timeframe=timeframe), frame, progress=lambda share: progress(0.4 * share)
    )
    say(f"regime: {leaks.text}")
    found = fitted(recipe, frame, range(1, len(folds) + 1), lambda share: progress(0.4 + 0.6 * share), folder)
    seen = states_of(recipe, frame, timeframe, found)
    report = report_of(found, seen, frame, leaks) | {"audit": audit_rows(folds, close_ms, known)}
    fits = [ModelFit(one.fold.train_end_ms, int(close_ms[one.fold.test[0]]), None, one.model) for one in found]
    last = found[-1].model
    lines = [f"{name}: mean {means}" for name, means in zip(STATES, last.means, strict=True)]
    return RegimeTraining(fits, report, "\n".join([*lines, f"moves: {last.moves}"]) + "\n")


def report_of(found: Sequence[FittedRegime], seen: RegimeColumn, frame: FeatureFrame, leaks: LeakCheck) -> dict[str, Any]:
    """What the states were after each fold's past: how often each, how they change, and what the bars after them did."""
    tested = np.concatenate([one.fold.test for one in found])
    states = seen.states[tested]
    known = states >= 0
    after = np.full(len(frame), np.nan)
    after[:-AHEAD] = frame.close[AHEAD:] / frame.close[:-AHEAD] - 1.0
    rows = {name: tested[states == k] for k, name in enumerate(STATES)}
    share = {name: len(own) / max(int(known.sum()), 1) for name, own in rows.items()}
    changes = regime.changes_a_day(states, frame.timeframe_ms)
    argmax = np.where(known, np.argmax(seen.probabilities[tested], axis=1), -1).astype(np.int8)
    rarest = min(share, key=lambda name: share[name])
    judged = (
        Gate("rows", int(known.sum()) >= gates.ROWS_MIN, f"{int(known.sum()):,} rows, at least {gates.ROWS_MIN:,} are asked for"),
        Gate("changes", changes <= CHANGES_MAX, f"{changes:.2f} changes of state a day, at most {CHANGES_MAX:g}"),
        Gate("states", share[rarest] >= SHARE_MIN, f"{rarest} is the rarest with {percent_text(share[rarest], 1)} of the bars"),
        Gate("leaks", leaks.clean, leaks.text),
    )
    own = {
        "share": share,
        "next_bps": {name: _mean_bps(after[own]) for name, own in rows.items()},
        "ahead": AHEAD,
        "changes_a_day": changes,
        "changes_a_day_without_hysteresis": regime.changes_a_day(argmax, frame.timeframe_ms),
        "converged": sum(one.model.converged for one in found),
        "folds": len(found),
        "from": utc(int(frame.close_ms[tested[0]])),
        "to": utc(int(frame.close_ms[tested[-1]])),
        "days": len(tested) * frame.timeframe_ms / DAY_MS,
    }
    return {"regime": own, "leak_check": leaks.as_json(), **gates.as_json(judged)}


def _mean_bps(values: npt.NDArray[np.float64]) -> float | None:
    kept = values[np.isfinite(values)]
    return 1e4 * float(kept.mean()) if len(kept) else None


def draft_of(one: RegimeTraining, frame: FeatureFrame, features: Sequence[str], about: dict[str, Any]) -> ModelDraft:
    """What artifact.write stores; `about`: timeframe, instrument, config and data of the unit."""
    first_ms = int(frame.close_ms[0]) - frame.timeframe_ms
    label = {"name": "regime", "states": list(STATES), "unit": "state: -1 bear, 0 sideways, 1 bull"}
    learner = {"name": "gaussian hmm", "states": len(STATES), "rounds": regime_fit.ROUNDS, "enter": regime.ENTER}
    own = manifest.manifest_of(list(features), about["timeframe"], first_ms)
    return ModelDraft(label=label, learner=learner, features=own, fits=one.fits, metrics=one.report, text=one.text, **about)
