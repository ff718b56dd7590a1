"""The walk over JSON trees is LightGBM's own prediction, bit for bit; a file that is no such dump is refused by name."""

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.errors import BadInput, DataError
from engine.models import lgbm
from engine.models.trees import chances, predict, pruned, read_trees

ROWS = np.random.default_rng(7).normal(size=(900, 6)) * [1.0, 1e-3, 1e4, 1.0, 1.0, 0.0]
TARGET = np.nan_to_num(ROWS[:, 0] * ROWS[:, 3]) + ROWS[:, 1] * 300


def holes(rows: np.ndarray) -> np.ndarray:
    """With missing values, zeros of both signs and values beyond any threshold."""
    out = rows.copy()
    dice = np.random.default_rng(3)
    for value in (np.nan, 0.0, -0.0, 1e300, -1e300, 1e-36):
        out[dice.random(out.shape) < 0.06] = value
    return out


def fitted(objective: str, **settings: Any) -> lgbm.FittedTrees:
    """Trained on rows with holes."""
    target = {"regression": TARGET, "binary": (TARGET > 0.0).astype(float), "multiclass": np.sign(np.round(TARGET))}[objective]
    chosen = lgbm.settings_of({"rounds": 60, "min_data_in_leaf": 10, **settings}, "test")
    return lgbm.fit(holes(ROWS), target, objective, chosen)


@pytest.fixture(scope="module", params=lgbm.OBJECTIVES)
def made(request: pytest.FixtureRequest) -> lgbm.FittedTrees:
    """A model of each objective."""
    return fitted(request.param)


def test_it_predicts_what_lightgbm_does_to_the_bit(made: lgbm.FittedTrees) -> None:
    """Through the text and through the pruned JSON; many rows, with holes; one alone as in the batch."""
    rows = holes(np.random.default_rng(11).normal(size=(3_000, 6)) * 2.0)
    trees = read_trees(json.loads(json.dumps(pruned(made.dump))))
    ours, theirs = predict(trees, rows), np.asarray(lgbm.lgbm().Booster(model_str=made.text).predict(rows))
    if theirs.ndim == 2:
        assert chances(trees, rows).tobytes() == theirs.tobytes()
        theirs = theirs[:, 2] - theirs[:, 0]
    assert ours.tobytes() == theirs.tobytes()
    assert len(np.unique(ours)) > 500
    assert all(predict(trees, rows[n : n + 1])[0] == ours[n] for n in range(0, 3_000, 97))


def test_training_again_is_the_same_text(made: lgbm.FittedTrees) -> None:
    """Bagging and chosen columns come from the seed."""
    again = fitted(next(name for name in lgbm.OBJECTIVES if f"objective={name}" in made.text))
    assert again.text == made.text


def test_another_seed_is_another_model() -> None:
    """So the test above can fail."""
    assert fitted("regression", seed=8).text != fitted("regression").text


def three(dump: Any) -> Any:
    """As of three classes, with trees that three do not divide."""
    own = {"objective": "multiclass num_class:3", "num_class": 3, "num_tree_per_iteration": 3}
    return dump | own | {"tree_info": dump["tree_info"][:4]}


WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "not an object": (lambda d: [], "no tree dump"),
    "another objective": (lambda d: d | {"objective": "poisson"}, "poisson"),
    "several classes": (lambda d: d | {"num_class": 2}, "classes are expected"),
    "a class without its tree": (three, "for each class"),
    "no trees": (lambda d: d | {"tree_info": []}, "tree_info"),
    "a column that is not there": (lambda d: d | {"max_feature_idx": 1}, "split_feature"),
    "a category": (lambda d: node(d, decision_type="=="), "=="),
    "a threshold without a number": (lambda d: node(d, threshold=float("nan")), "finite"),
    "a text for a threshold": (lambda d: node(d, threshold="1.0"), "finite"),
    "no child": (lambda d: node(d, left_child=None), "node is missing"),
    "nobody says where missing values go": (lambda d: node(d, missing_type="?"), "missing values"),
    "deeper than any tree": (lambda d: deep(d, 70), "too large"),
}


def node(dump: Any, **changes: Any) -> Any:
    """A dump whose first split is changed."""
    dump["tree_info"][0]["tree_structure"] |= changes
    return dump


def deep(dump: Any, levels: int) -> Any:
    """A dump whose first tree is a chain."""
    split = {k: v for k, v in dump["tree_info"][0]["tree_structure"].items() if not k.endswith("_child")}
    one: Any = {"leaf_value": 1.0}
    for _ in range(levels):
        one = {**split, "left_child": one, "right_child": {"leaf_value": 0.0}}
    dump["tree_info"][0]["tree_structure"] = one
    return dump


@pytest.mark.parametrize("what", WRONG)
def test_a_dump_that_cannot_be_walked_is_refused(what: str, made: lgbm.FittedTrees) -> None:
    """With the file and the place."""
    change, says = WRONG[what]
    with pytest.raises(DataError, match=says) as refused:
        read_trees(change(copy.deepcopy(pruned(made.dump))), "mine.json")
    assert "mine.json" in str(refused.value)


def test_other_columns_are_refused(made: lgbm.FittedTrees) -> None:
    """A model reads as many as it was trained on."""
    with pytest.raises(DataError, match="6 columns"):
        predict(read_trees(made.dump), np.zeros((2, 5)))


@pytest.mark.parametrize(
    "given", [{"leaves": 3}, {"rounds": 0}, {"rounds": 1.5}, {"learning_rate": float("nan")}, {"seed": True}]
)
def test_a_setting_out_of_bounds_is_one_line(given: dict[str, Any]) -> None:
    """Named, with what it may be."""
    with pytest.raises(BadInput, match=r"vol\.toml"):
        lgbm.settings_of(given, "vol.toml")


def test_nothing_to_train_on_is_refused() -> None:
    """In words of the desk."""
    with pytest.raises(DataError, match="cannot train"):
        lgbm.fit(ROWS[:0], TARGET[:0], "regression", lgbm.settings_of({}, "test"))


def test_two_rows_make_a_model_of_one_leaf() -> None:
    """It says their mean."""
    made = lgbm.fit(ROWS[:2], TARGET[:2], "regression", lgbm.settings_of({}, "test"))
    assert predict(read_trees(made.dump), ROWS[:3]) == pytest.approx([TARGET[:2].mean()] * 3)
