"""Every leak that was ever published in a pipeline like this is planted and found; honest recipes pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from engine.data.sources import Observations, asof
from engine.errors import BadInput
from engine.features.calls import calls_of, matrix_of
from engine.features.frame import FeatureFrame
from engine.models import leak_check, lgbm, out_of_sample, recipe, regime, regime_fit
from engine.models.labels import label_of
from engine.models.leak_check import LeakCheck, RecipeRun
from engine.models.recipe import TrainRecipe

HOUR = 3_600_000
FIRST = 1_735_689_600_000
DAYS = {"train_days": 25, "test_days": 5, "step_days": 5}
QUICK = lgbm.settings_of({"rounds": 3}, "test")
STATES = regime.model_of(
    {
        "states": ["bear", "sideways", "bull"],
        "mean": [0.0, -0.5, 0.0],
        "scale": [0.02, 0.3, 0.008],
        "start": [0.3, 0.4, 0.3],
        "moves": [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]],
        "means": [[-1.0, 0.5, -0.5], [0.0, -0.5, 0.0], [1.0, 0.5, 0.5]],
        "lower": [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]] * 3,
        "log_det": [0.0, 0.0, 0.0],
        "stay_bars": 6,
    }
)
NAMES = ("returns(1)", "realised_vol(16)", "rsi(14)", "funding_rate")


def bars(count: int = 24 * 36, seed: int = 5) -> FeatureFrame:
    """Bars of an hour with another instrument and funding of every eight hours."""
    dice = np.random.default_rng(seed)
    close_ms = FIRST + HOUR * np.arange(1, count + 1)

    def columns() -> dict[str, Any]:
        close = 100.0 * np.exp(np.cumsum(dice.normal(0.0, 0.004, count)))
        opens = np.concatenate([[100.0], close[:-1]])
        return {
            "open": opens,
            "high": np.maximum(opens, close) * 1.001,
            "low": np.minimum(opens, close) * 0.999,
            "close": close,
            "volume": dice.uniform(1.0, 9.0, count),
        }

    other = FeatureFrame(close_ms, **columns(), timeframe_ms=HOUR)
    settled = np.arange(FIRST + 5 * HOUR, int(close_ms[-1]), 8 * HOUR)
    funding = Observations(settled, dice.normal(0.0, 1e-4, len(settled)), 9 * HOUR, None)
    return FeatureFrame(close_ms, **columns(), timeframe_ms=HOUR, others={"ETH-USDT": other}, outside={"funding": funding})


@pytest.fixture(scope="module")
def frame() -> FeatureFrame:
    """36 days."""
    return bars()


@dataclass
class Planted:
    """A recipe of one's own, honest but for what is named."""

    leak: str = ""
    target: str = "log_vol_4"

    def __call__(self, frame: FeatureFrame) -> RecipeRun:
        """Two folds."""
        label = label_of(self.target, frame)
        columns = matrix_of(frame, calls_of(["returns(1)", "realised_vol(16)", "rsi(14)", "funding_rate()"]))
        names = NAMES
        if self.leak == "availability off by one":
            columns[:, 3] = 1e4 * asof(frame.beside[1]["funding"], frame.close_ms + HOUR)[0]
        if self.leak == "scaler on all":
            columns = (columns - np.nanmean(columns, axis=0)) / np.nanstd(columns, axis=0)
        if self.leak == "target in the features":
            columns, names = np.column_stack([columns, label.values]), (*names, "edge")
        folds = out_of_sample.folds_of(frame, label, **DAYS)[:2]
        if self.leak == "label overlap":
            folds = [fold._replace(train=np.arange(fold.train[0], fold.test[0])) for fold in folds]
        if self.leak == "label overlap of one bar":  # known at the close that is predicted from, not before it
            folds = [fold._replace(train=fold.train[0] + np.arange(fold.test[0] - fold.train[0] - 3)) for fold in folds]
        if self.leak == "fit on all":
            folds = [fold._replace(train=np.arange(fold.train[0], len(frame))) for fold in folds]
        objective = recipe.objective_of(self.target)
        walked = []
        if "regime" in self.leak:
            columns, names = np.column_stack([columns, np.full(len(frame), np.nan)]), (*names, "bull")
        for number, fold in enumerate(folds, 1):
            own = columns.copy()
            if "regime" in self.leak:
                rows = regime.observations(frame)[: fold.test[-1] + 1]
                model = regime_fit.fit(rows[fold.train], HOUR) if "fitted" in self.leak else STATES
                if "smoothed" in self.leak:
                    found = regime.smoothed_for_drawing(model, rows).probabilities
                else:
                    found = regime.filtered(model, rows)[0]
                own[: len(rows), -1] = found[:, 2]
                columns[fold.test] = own[fold.test]
            walked.append(out_of_sample.fit_fold(own, label, fold, number, objective, QUICK))
        models = tuple((int(frame.close_ms[one.fold.test[0]]), one.model.text) for one in walked)
        return RecipeRun(names, columns, out_of_sample.assembled(len(frame), walked).predictions, models)


@pytest.mark.parametrize(
    ("leak", "what"),
    [
        ("fit on all", "model"),
        ("smoothed regime", "column bull"),
        ("scaler on all", "column returns(1)"),
        ("label overlap", "model"),
        ("label overlap of one bar", "model"),
        ("availability off by one", "column funding_rate"),
        ("target in the features", "column edge"),
    ],
)
def test_a_planted_leak_is_found_and_named(frame: FeatureFrame, leak: str, what: str) -> None:
    """With few cuts: the check puts them where leaks show."""
    assert_found(frame, leak, what)


@pytest.mark.long
def test_a_regime_that_is_fitted_in_the_fold_and_smoothed_is_found(frame: FeatureFrame) -> None:
    """As hmmlearn's own predictions are; filtered, the same fit is clean."""
    assert_found(frame, "fitted and smoothed regime", "column bull")
    assert leak_check.check(Planted("fitted and filtered regime"), frame, 3).clean


def assert_found(frame: FeatureFrame, leak: str, what: str) -> None:
    """The leak is among those that are named, and the verdict says so."""
    found = leak_check.check(Planted(leak), frame, 3)
    assert what in {one.what for one in found.leaks}
    assert not found.clean
    assert found.text.startswith("LOOK-AHEAD: ")


@pytest.mark.parametrize("leak", ["fit on all", "label overlap", "target in the features"])
def test_it_is_found_of_a_label_of_two_values(frame: FeatureFrame, leak: str) -> None:
    """A direction changes only if the price passes the close: two futures, up and down, leave no label as it was."""
    assert not leak_check.check(Planted(leak, "direction_4"), frame, 3).clean


@pytest.mark.parametrize("leak", ["", "filtered regime"])
def test_the_same_recipe_without_a_leak_is_clean(frame: FeatureFrame, leak: str) -> None:
    """A regime that is fitted on a fold's past and filtered forward, too; the text says how hard it was tried."""
    found = leak_check.check(Planted(leak), frame, 3)
    assert found.clean, found.text
    assert found.text.startswith("no leak found (")
    assert f"{len(found.cuts_ms)} cuts" in found.text


def made(features: list[str], target: str, train_days: float, test_days: float) -> TrainRecipe:
    """A recipe of the trainer."""
    texts = tuple(call.text for call in calls_of(features))
    days = {"train_days": train_days, "test_days": test_days, "step_days": test_days}
    return TrainRecipe(texts, target, QUICK, {}, days)


GROUPS = (
    ["returns(1)", "returns(4)", "realised_vol(16)"],
    ["rsi(14)", "volume_zscore(24)", "parkinson(16)", "hour_sin()"],
    ["funding_rate()", "4h.returns(1)", "4h.rsi(14)"],
    ["ETH-USDT.returns(1)", "zscored(rsi(14),24)", "returns(1)"],
    ["skewness(24)", "ema(20)", "macd()", "week_cos()"],
)
HONEST = [
    (GROUPS[n % 5], f"{('return', 'direction', 'log_vol', 'log_vol')[n // 5]}_{(4, 1, 12, 8)[n % 4]}", 24 + n % 3, 2 + n % 4)
    for n in range(20)
]


def checked(given: tuple[Any, ...], frame: FeatureFrame, count: int) -> LeakCheck:
    """Of the trainer's own recipe, as train.py does it."""
    own = made(*given)
    last = len(recipe.prepare(own, frame).folds)

    def run(bars: FeatureFrame) -> RecipeRun:
        return recipe.run(own, bars, sorted({1, last}))

    return leak_check.check(run, frame, count)


@pytest.mark.parametrize("n", [2, 8, 14])
def test_honest_recipes_of_the_trainer_are_clean(frame: FeatureFrame, n: int) -> None:
    """Three of the twenty, each other features, label and folds."""
    assert (found := checked(HONEST[n], frame, 2)).clean, found.text


@pytest.mark.long
@pytest.mark.parametrize("n", range(20))
def test_none_of_twenty_honest_recipes_is_accused(frame: FeatureFrame, n: int) -> None:
    """With all cuts."""
    assert (found := checked(HONEST[n], frame, leak_check.CUTS)).clean, found.text


@pytest.mark.parametrize("up", [True, False])
def test_what_was_known_stays_and_what_comes_is_other(frame: FeatureFrame, up: bool) -> None:
    """Bars of both instruments, funding: to the bit up to the cut, and no value after it stays."""
    cut = 500
    again = leak_check.replaced(frame, cut, up)
    pairs: list[tuple[FeatureFrame, FeatureFrame]] = [(frame, again), (frame.beside[0]["ETH-USDT"], again.beside[0]["ETH-USDT"])]
    for was, now in pairs:
        for name in ("open", "high", "low", "close", "volume"):
            old, new = getattr(was, name), getattr(now, name)
            assert old[: cut + 1].tobytes() == new[: cut + 1].tobytes()
            assert not (old[cut + 2 :] == new[cut + 2 :]).any(), name
    assert (again.close[cut + 1] > frame.close[cut]) == up
    was, now = frame.beside[1]["funding"], again.beside[1]["funding"]
    after = was.available_ms > frame.close_ms[cut]
    assert (was.values[~after] == now.values[~after]).all()
    assert not (was.values[after] == now.values[after]).any()


@pytest.mark.parametrize(
    "broken",
    [
        lambda run: run._replace(models=()),
        lambda run: run._replace(columns=run.columns[:-1]),
        lambda run: run._replace(predictions=run.predictions[:-1]),
    ],
)
def test_a_recipe_that_shows_nothing_is_no_clean_one(frame: FeatureFrame, broken: Callable[[RecipeRun], RecipeRun]) -> None:
    """Nothing to compare is refused, not passed."""
    with pytest.raises(BadInput, match="a recipe gave"):
        leak_check.check(lambda bars: broken(Planted()(bars)), frame, 2)
