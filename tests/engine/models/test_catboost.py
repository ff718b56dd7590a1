"""CatBoost behind the same interface: its trees, written as ours, are its own predictions bit for bit; without it, one line."""

import json
import math
from typing import Any

import numpy as np
import pytest

from engine.errors import BadInput, DataError
from engine.models import artifact, catboost_fit, learners, out_of_sample, train_config
from engine.models import train as trainer
from engine.models.catboost_fit import most_below
from engine.models.leak_check import LeakCheck
from engine.models.learner import settings_in
from engine.models.train import TrainingPlace
from engine.models.trees import predict, pruned, read_trees
from engine.sim.request import moment
from tests.engine.models.conftest import Write
from tests.engine.models.test_train import trained
from tests.engine.models.test_trees import ROWS, TARGET, holes

there = pytest.mark.skipif(learners.find_spec("catboost") is None, reason="the extra [catboost] is not installed: make catboost")


def settings(**given: Any) -> dict[str, int | float]:
    """Few rounds."""
    return settings_in(catboost_fit.SETTINGS, {"rounds": 40, **given}, "test")


def test_without_the_library_it_is_one_line(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any bar is read; nothing else of the desk needs it."""
    monkeypatch.setattr(learners, "find_spec", lambda _name: None)
    with pytest.raises(BadInput, match=r"train.toml: \[learners.small\]: catboost is not installed - make catboost"):
        train_config.read_config(write(("rounds = 8", 'kind = "catboost"')), moment)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ((("rounds = 8", 'kind = "catboost"\nnum_leaves = 5'),), "unknown setting 'num_leaves'"),
        ((("rounds = 8", 'kind = "catboost"\ndepth = 9'),), "depth = '9' is out of bounds"),
        ((("rounds = 8", 'kind = "catboost"\nsearch = {trials = 2, num_leaves = [2, 4]}'),), "unknown setting 'num_leaves'"),
        (
            (("rounds = 8", 'kind = "catboost"'), ("log_vol_4", "triple_barrier_16")),
            "catboost is not offered for triple_barrier_16",
        ),
    ],
)
def test_its_settings_are_its_own(
    write: Write, monkeypatch: pytest.MonkeyPatch, change: tuple[tuple[str, str], ...], what: str
) -> None:
    """And an objective whose bits are not ours is refused by name."""
    monkeypatch.setattr(learners, "find_spec", lambda _name: True)
    with pytest.raises(BadInput, match=what):
        train_config.read_config(write(*change), moment)


@pytest.mark.parametrize("border", [0.5, -0.4730734229, 1e-36, -1e-36, 0.0, 3.4e38, 1.0000001])
def test_a_border_of_single_precision_is_a_threshold_of_doubles(border: float) -> None:
    """The greatest double that is not above it once rounded; the next one is."""
    found, single = most_below(border), np.float32(border)
    assert np.float32(found) <= single < np.float32(math.nextafter(found, math.inf))


@there
@pytest.mark.parametrize("objective", catboost_fit.OBJECTIVES)
def test_our_walk_is_its_own_prediction_to_the_bit(objective: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many rows, with holes, also in a column that had none, and values around each border; the same text each time."""
    import catboost

    models, honest = list[Any](), catboost.CatBoost.save_model
    monkeypatch.setattr(
        catboost.CatBoost, "save_model", lambda own, *args, **named: (models.append(own), honest(own, *args, **named))
    )
    target = TARGET if objective == "regression" else (TARGET > 0.0).astype(float)
    rows = np.clip(holes(ROWS), -1e30, 1e30)
    rows[:, 1] = ROWS[:, 1]
    made = catboost_fit.fit(rows, target, objective, settings())
    assert catboost_fit.fit(rows, target, objective, settings()).text == made.text
    assert catboost_fit.fit(rows, target, objective, settings(seed=8)).text != made.text
    trees = read_trees(json.loads(json.dumps(pruned(made.dump))))
    asked = holes(np.random.default_rng(11).normal(size=(3_000, 6)) * [1.0, 1e-3, 1e4, 1.0, 1.0, 0.0])
    asked[:, 1] = np.where(np.isnan(asked[:, 1]), 0.0, asked[:, 1])
    borders = [one["borders"] for one in json.loads(made.text)["features_info"]["float_features"]]
    for column, own in enumerate(borders):
        near = [math.nextafter(most_below(one), side) for one in own for side in (-math.inf, math.inf)]
        asked[: len(near), column] = near
    ours = predict(trees, asked)
    kind = "Probability" if objective == "binary" else "RawFormulaVal"
    theirs = models[0].predict(asked, prediction_type=kind)  # not of the JSON: the library reads some numbers of it a bit off
    theirs = theirs[:, 1].copy() if objective == "binary" else theirs
    assert ours.tobytes() == np.asarray(theirs).tobytes()
    assert len(np.unique(ours)) > 500
    assert all(predict(trees, asked[n : n + 1])[0] == ours[n] for n in range(0, 3_000, 97))
    assert made.gain.shape == (6,)
    assert (made.gain >= 0.0).all()


@there
def test_what_it_cannot_be_fitted_to_is_refused() -> None:
    """In words of the desk."""
    with pytest.raises(DataError, match="CatBoost cannot train"):
        catboost_fit.fit(ROWS[:0], TARGET[:0], "regression", settings())
    with pytest.raises(DataError, match="reads single precision"):
        catboost_fit.fit(ROWS * 1e300, TARGET, "regression", settings())
    with pytest.raises(BadInput, match="'multiclass' is not offered"):
        catboost_fit.fit(ROWS, TARGET, "multiclass", settings())


@there
def test_it_is_trained_stored_and_read_like_the_usual_one(
    write: Write, place: TrainingPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both in one file; the artifact says which, and is walked without the library. A search draws within its range."""
    monkeypatch.setattr(trainer.leak_check, "check", lambda *_args, **_named: LeakCheck((), (0,), 3, 1))
    kept: list[Any] = []
    honest = out_of_sample.assembled
    monkeypatch.setattr(trainer, "assembled", lambda count, folds: kept.append(folds) or honest(count, folds))
    own = 'rounds = 8\n[learners.cat]\nkind = "catboost"\nrounds = 8\nsearch = { trials = 2, depth = [2, 3] }'
    items = trained(write(("rounds = 8", own)), place)["items"]
    assert [item["learner"] for item in items] == ["small", "cat"]
    model = artifact.load(place.models, "vol-btc-cat", "1.0.0")
    assert (model.about["learner"]["name"], model.about["learner"]["depth"]) == ("catboost", 4)
    assert {fold.settings["depth"] for fold in kept[1]} <= {2, 3}
    assert model.text.startswith("vol-btc-cat@1.0.0")
    assert model.fits[0].trees is not None
    assert items[1]["test"]["rows"] == items[0]["test"]["rows"]
