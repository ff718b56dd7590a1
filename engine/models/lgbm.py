"""LightGBM, loaded at its first use and without what it only accepts as input, and one deterministic fit.

Called through learners.py in the trainer alone: the worker reads the trees as JSON (trees.py) and never loads this library.
Turns rows and targets into a text model and its tree dump. Pandas, scikit-learn, matplotlib and dask are hidden during the import
unless they are loaded already: this desk passes numpy arrays, and the import costs 65 MB instead of 222 (measured).
"""

import sys
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from engine.errors import BadInput, DataError
from engine.models.learner import Array, FittedTrees, Setting, Settings, settings_in
from engine.models.trees import CLASSES

HIDDEN = ("pandas", "sklearn", "matplotlib", "graphviz", "dask", "datatable")


PACKAGE = "lightgbm"
SETTINGS = {
    "rounds": Setting(120, 1, 2_000, True),
    "num_leaves": Setting(15, 2, 256, True),
    "max_depth": Setting(8, 1, 32, True),
    "min_data_in_leaf": Setting(100, 1, 100_000, True),
    "max_bin": Setting(63, 2, 255, True),
    "bagging_freq": Setting(1, 0, 100, True),
    "learning_rate": Setting(0.05, 0.0001, 1.0, False),
    "feature_fraction": Setting(0.6, 0.01, 1.0, False),
    "bagging_fraction": Setting(0.7, 0.01, 1.0, False),
    "lambda_l1": Setting(0.0, 0.0, 1e6, False),
    "lambda_l2": Setting(5.0, 0.0, 1e6, False),
    "seed": Setting(7, 0, 2**31 - 1, True),
}
FIXED = {"deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1}  # the same bits in every process
OBJECTIVES = ("regression", "binary", "multiclass")  # the last of the labels -1, 0 and 1


@cache
def lgbm() -> ModuleType:
    """The lightgbm module."""
    hide = [name for name in HIDDEN if name not in sys.modules]
    for name in hide:
        sys.modules[name] = None  # type: ignore[assignment]  # the import system's own mark for "not to be found"
    try:
        import lightgbm
    finally:
        for name in hide:
            del sys.modules[name]
    return lightgbm


def settings_of(given: Mapping[str, Any], where: str) -> dict[str, int | float]:
    """As learner.settings_in."""
    return settings_in(SETTINGS, given, where)


def fit(rows: Array, target: Array, objective: str, settings: Settings) -> FittedTrees:
    """Train on `rows` (n, k), NaN where missing, and `target` (n,), finite: the same text for the same input, in any process.

    Raises DataError when the library refuses the rows.
    """
    if objective not in OBJECTIVES:
        raise BadInput(f"unknown objective {objective!r}", f"available: {', '.join(OBJECTIVES)}")
    lightgbm = lgbm()
    rest: dict[str, Any] = {name: value for name, value in settings.items() if name != "rounds"}
    if objective == "multiclass":
        rest, target = {**rest, "num_class": CLASSES}, target + 1.0  # it numbers classes from 0
    try:
        data = lightgbm.Dataset(np.ascontiguousarray(rows), target, params={"verbosity": -1})
        booster = lightgbm.train({**rest, **FIXED, "objective": objective}, data, int(settings["rounds"]))
    except lightgbm.basic.LightGBMError as error:
        raise DataError(f"LightGBM cannot train on {len(rows):,} rows: {str(error)[:200]}") from error
    gain = np.asarray(booster.feature_importance("gain"), dtype=np.float64)
    return FittedTrees(booster.model_to_string(), booster.dump_model(), gain)
