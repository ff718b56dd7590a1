"""One deterministic CatBoost fit on one thread, its trees written as the dump that trees.py reads: the extra [catboost].

Called through learners.py in the trainer alone. CatBoost rounds a value to single precision and asks whether it is above a
border; trees.py compares doubles with `<=`. Each border is replaced by the greatest double that CatBoost calls not above it, so
both answer alike for every double, and sums and probabilities of two classes are equal bit for bit (test_catboost.py). Of three
classes they are not: its exponential has another last bit in 28 of 100 rows, so that objective is not offered.
"""

import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import BadInput, DataError
from engine.models.learner import Array, FittedTrees, Setting, Settings

PACKAGE = "catboost"
SETTINGS: Mapping[str, Setting] = {
    "rounds": Setting(120, 1, 2_000, True),
    "depth": Setting(4, 1, 8, True),  # every tree has 2^depth leaves
    "border_count": Setting(63, 2, 255, True),
    "learning_rate": Setting(0.05, 0.0001, 1.0, False),
    "subsample": Setting(0.7, 0.01, 1.0, False),
    "column_fraction": Setting(0.6, 0.01, 1.0, False),
    "lambda_l2": Setting(5.0, 0.0, 1e6, False),
    "random_strength": Setting(1.0, 0.0, 100.0, False),
    "seed": Setting(7, 0, 2**31 - 1, True),
}
NAMES = {
    "rounds": "iterations",
    "column_fraction": "rsm",
    "lambda_l2": "l2_leaf_reg",
    "seed": "random_seed",
}  # as the library says
FIXED = {"thread_count": 1, "bootstrap_type": "Bernoulli", "grow_policy": "SymmetricTree", "boosting_type": "Plain"}
SILENT = {"verbose": False, "allow_writing_files": False}
LOSSES = {"regression": ("RMSE", "regression"), "binary": ("Logloss", "binary sigmoid:1")}  # objective -> loss, as trees.py says
OBJECTIVES = tuple(LOSSES)
SINGLE_MAX = float(np.finfo(np.float32).max)


def fit(rows: Array, target: Array, objective: str, settings: Settings) -> FittedTrees:
    """As learner.Learner says."""
    if objective not in LOSSES:
        raise BadInput(f"catboost: the objective {objective!r} is not offered", f"available: {', '.join(OBJECTIVES)}")
    if (np.abs(rows) > SINGLE_MAX).any():
        raise DataError(
            f"CatBoost reads single precision, and a value of these rows is above {SINGLE_MAX:.1e}", "another feature"
        )
    import catboost

    loss, link = LOSSES[objective]
    asked = {NAMES.get(name, name): value for name, value in settings.items()}
    model = catboost.CatBoost({**asked, **FIXED, **SILENT, "loss_function": loss})
    try:
        model.fit(np.ascontiguousarray(rows), target)
    except catboost.CatBoostError as error:
        raise DataError(f"CatBoost cannot train on {len(rows):,} rows: {str(error)[:200]}") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        own = json.loads(path.read_text(encoding="utf-8"))
    kept = {name: own[name] for name in ("oblivious_trees", "scale_and_bias", "features_info")}  # the rest has times of day
    gain = np.asarray(model.get_feature_importance(type="PredictionValuesChange"), dtype=np.float64)
    return FittedTrees(json.dumps(kept, sort_keys=True) + "\n", dump_of(kept, link, rows.shape[1]), gain)


def dump_of(own: Mapping[str, Any], link: str, columns: int) -> dict[str, Any]:
    """The library's JSON as the dump of trees.py. Raises DataError for what the walk could not answer alike."""
    scale, bias = own["scale_and_bias"]
    if scale != 1 or len(bias) != 1:
        raise DataError(f"CatBoost scales its trees by {scale}", "train it anew")
    sides = {one["feature_index"]: one.get("nan_value_treatment") != "AsTrue" for one in own["features_info"]["float_features"]}
    trees = [
        {"num_cat": 0, "tree_structure": _nested(one["splits"] or [], one["leaf_values"], sides)}
        for one in own["oblivious_trees"]
    ]
    trees.append({"num_cat": 0, "tree_structure": {"leaf_value": float(bias[0])}})  # the library adds it last
    top = {
        "objective": link,
        "max_feature_idx": columns - 1,
        "num_class": 1,
        "num_tree_per_iteration": 1,
        "average_output": False,
    }
    return top | {"tree_info": trees}


def _nested(splits: list[Mapping[str, Any]], leaves: list[float], sides: Mapping[int, bool]) -> dict[str, Any]:
    """A tree whose levels ask the same; the split of level d is bit d of a leaf's number."""

    def node(level: int, leaf: int) -> dict[str, Any]:
        if level < 0:
            return {"leaf_value": float(leaves[leaf])}
        one = splits[level]
        if one["split_type"] != "FloatFeature":
            raise DataError(f"CatBoost split by {one['split_type']}", "numbers alone are read")
        column = one["float_feature_index"]
        own = {"split_feature": column, "threshold": most_below(one["border"]), "decision_type": "<=", "missing_type": "NaN"}
        own["default_left"] = sides[column]
        return own | {"left_child": node(level - 1, leaf), "right_child": node(level - 1, leaf | 1 << level)}

    return node(len(splits) - 1, 0)


def most_below(border: float) -> float:
    """The greatest double that is not above `border` once both are of single precision."""
    single = np.float32(border)
    middle = (float(single) + float(np.nextafter(single, np.float32(math.inf)))) / 2.0
    return middle if np.float32(middle) <= single else math.nextafter(middle, -math.inf)
