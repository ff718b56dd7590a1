"""Settings of a learner chosen inside a fold: on the later part of its training rows, never on its test.

Called by out_of_sample.fit_fold when a configuration asks for a search. Turns training rows into settings. The rows are parted in
time; those of the earlier part whose label is not known before the later part begins are left out, as between training and test.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from engine.errors import BadInput, DataError
from engine.models import lgbm
from engine.models.labels import BarLabel
from engine.models.learner import Learner, Setting, settings_in
from engine.models.trees import predict, pruned, read_trees

TRIALS_MAX = 200
LATER_FRAC = 0.25  # of the training rows, to choose on
ROWS_MIN = 100  # of either part
Array = npt.NDArray[np.float64]


def search_of(given: Mapping[str, Any], where: str, known: Mapping[str, Setting] = lgbm.SETTINGS) -> dict[str, Any]:
    """`{trials, setting: [low, high]}` validated; empty for none. Raises BadInput naming the first fault."""
    if not given:
        return {}
    trials = given.get("trials")
    if isinstance(trials, bool) or not isinstance(trials, int) or not 1 <= trials <= TRIALS_MAX:
        raise BadInput(f"{where}: trials = {str(trials)[:40]!r} is out of bounds", f"1 to {TRIALS_MAX}")
    ranges = {name: value for name, value in given.items() if name != "trials"}
    if not ranges:
        raise BadInput(f"{where}: nothing to search", "name settings with a range: num_leaves = [7, 31]")
    for name, ends in ranges.items():
        if not isinstance(ends, list) or len(ends) != 2:
            raise BadInput(f"{where}: {name[:40]} = {str(ends)[:40]!r} is not a range", f"write {name[:40]} = [low, high]")
        low, high = (settings_in(known, {name: end}, where)[name] for end in ends)
        if low >= high:
            raise BadInput(f"{where}: {name} = {ends} is not a range", "the lower end first")
    return dict(given)


class FoldSearch(NamedTuple):
    """A search, and when each row of the columns predicts (UTC ms)."""

    wanted: Mapping[str, Any]  # as search_of gives it
    close_ms: npt.NDArray[np.int64]


def tuned(
    columns: Array,
    label: BarLabel,
    rows: npt.NDArray[np.int64],
    objective: str,
    settings: Mapping[str, int | float],
    search: FoldSearch,
    learner: Learner = cast("Learner", lgbm),
) -> dict[str, int | float]:
    """The settings with the least error on the later of the training `rows`, of those that optuna's TPE draws from one seed.

    Raises DataError where a part has too few rows, or one value of its label.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    begins = len(rows) - round(len(rows) * LATER_FRAC)
    later = rows[begins:]
    earlier = rows[:begins][label.known_ms[rows[:begins]] < search.close_ms[later[0]]]
    for part in (label.values[earlier], label.values[later]):
        if len(part) < ROWS_MIN or part.min() == part.max():
            raise DataError("the training rows of a fold cannot be parted to search in", "a longer training, or no search")
    ranges = {name: ends for name, ends in search.wanted.items() if name != "trials"}

    def error_of(trial: Any) -> float:
        found = learner.fit(
            columns[earlier], label.values[earlier], objective, {**settings, **drawn(trial, ranges, learner.SETTINGS)}
        )
        predicted = predict(read_trees(pruned(found.dump)), columns[later])
        return float(((predicted - label.values[later]) ** 2).mean())  # Brier's score of probabilities

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=int(settings["seed"])))
    study.optimize(error_of, n_trials=search.wanted["trials"])
    return {**settings, **study.best_params}


def drawn(trial: Any, ranges: Mapping[str, list[Any]], known: Mapping[str, Setting]) -> dict[str, int | float]:
    """One value of each range."""
    return {
        name: trial.suggest_int(name, *map(int, ends)) if known[name].integer else trial.suggest_float(name, *ends)
        for name, ends in ranges.items()
    }
