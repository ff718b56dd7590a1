"""A regime from its training file: states of each fold's past, judged by gates of their own."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data.catalog import Catalog
from engine.features.frame import FeatureFrame
from engine.models import artifact, column, leak_check, regime, regime_fit, train_config, train_regime
from engine.models import train as trainer
from engine.models.leak_check import LeakCheck, RecipeRun
from engine.models.train import TrainingPlace
from engine.sim.request import moment
from tests.engine.models.test_train import bars_of
from tests.fakes import recordings

CONFIG = """
name = "states"
symbols = ["BTC-USDT"]
timeframes = ["15m"]
targets = ["regime"]
[folds]
train_days = 20
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> TrainingPlace:
    """36 days of 15m bars, and folders of the module's own."""
    folder = tmp_path_factory.mktemp("regimes")
    data = recordings.record(folder / "bars", 3_456, ("BTC-USDT",))
    return TrainingPlace(Catalog([(data, "test")]), {}, folder / "models", folder / "work")


def units(folder: Path, text: str = CONFIG) -> list[train_config.TrainUnit]:
    """What a file names."""
    path = folder / "train.toml"
    path.write_text(text)
    return train_config.read_config(path, moment)


def trained(found: list[train_config.TrainUnit], place: TrainingPlace) -> dict[str, Any]:
    """Its only model."""
    (item,) = trainer.train(found, place, lambda _done: None, lambda _line: None)["items"]
    return item


def test_a_regime_is_trained_without_a_label(tmp_path: Path, place: TrainingPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """States of each fold's past, its own features, gates of its own; what it is read as is what was judged."""
    honest = train_regime.leak_check.check
    monkeypatch.setattr(train_regime.leak_check, "check", partial(honest, count=2))
    (unit,) = units(tmp_path)
    assert (unit.name, unit.learner, unit.recipe.features) == ("states", "", ("returns(96)", "realised_vol(16)", "returns(16)"))
    found = trained([unit], place)
    model = artifact.load(place.models, "states", "1.0.0")
    assert model.is_regime
    assert [gate["name"] for gate in found["gates"]] == ["rows", "changes", "states", "leaks"]
    assert found["leak_check"]["clean"]
    own = found["regime"]
    seen = column.ModelColumn(model).regimes(bars_of(unit, place).frame)
    known = seen.states[seen.states >= 0]
    assert own["share"]["bull"] == pytest.approx(float((known == 2).mean()))
    assert sum(own["share"].values()) == pytest.approx(1.0)
    assert (own["folds"], found["gates"][0]["passed"]) == (len(model.fits), len(known) >= 2_000)
    assert all(fit.train_end_ms < fit.from_ms for fit in model.fits)
    assert model.text.startswith("states@1.0.0")


@pytest.mark.slow
def test_a_regime_that_was_stopped_goes_on(tmp_path: Path, place: TrainingPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in its third fold: what was fitted is not fitted again, a damaged fold is; the model is the same to the bit."""
    own = place._replace(models=tmp_path / "models", work=tmp_path / "work")
    found = units(tmp_path)
    checked = LeakCheck((), (0,), 3, 1)
    monkeypatch.setattr(train_regime.leak_check, "check", lambda *_args, **_named: checked)
    trained(found, own)
    fitted: list[int] = []
    honest = regime_fit.fit

    def counted(rows: Any, timeframe_ms: int) -> Any:
        fitted.append(len(rows))
        if len(fitted) == 3:
            raise KeyboardInterrupt
        return honest(rows, timeframe_ms)

    monkeypatch.setattr(train_regime.regime_fit, "fit", counted)
    with pytest.raises(KeyboardInterrupt):
        trained(found, own)
    (folder,) = own.work.iterdir()
    kept = sorted(folder.iterdir())
    assert [path.name for path in kept] == ["fold-0001.json", "fold-0002.json"]
    kept[1].write_text(kept[1].read_text().replace("0.", "0.1", 1))
    fitted[:] = [0, 0, 0]
    again = trained(found, own)
    assert (len(fitted) - 3, again["regime"]["folds"]) == (3, 4)
    first, second = (artifact.load(own.models, "states", version) for version in ("1.0.0", "1.0.1"))
    assert [fit.regime for fit in first.fits] == [fit.regime for fit in second.fits]
    assert list(own.work.iterdir()) == []


def test_other_bars_or_days_have_other_folds_of_a_regime(tmp_path: Path, place: TrainingPlace) -> None:
    """Nothing that was fitted for one is taken for another."""
    (unit,) = units(tmp_path)
    frame = bars_of(unit, place).frame
    shorter = unit.recipe._replace(days={**unit.recipe.days, "train_days": 19.0})
    given = ((unit.recipe, frame), (shorter, frame), (unit.recipe, leak_check.replaced(frame, 3_000, True)))
    folders = [train_regime.folder_of(tmp_path, *one) for one in given]
    assert len(set(folders)) == 3
    assert train_regime.folder_of(tmp_path, unit.recipe, frame) == folders[0]


@pytest.mark.slow
def test_a_regime_that_knows_its_test_is_found(tmp_path: Path, place: TrainingPlace) -> None:
    """The fit of each fold on its test too: the leak check of the trainer names it."""
    (unit,) = units(tmp_path)
    frame = bars_of(unit, place).frame

    def leaking(bars: FeatureFrame) -> RecipeRun:
        folds, _, _ = train_regime.folds_of(unit.recipe, bars)
        rows = regime.observations(bars)
        late = np.concatenate([folds[0].train, folds[0].test])
        found = [train_regime.FittedRegime(folds[0], regime_fit.fit(rows[late], bars.timeframe_ms))]
        seen = train_regime.states_of(unit.recipe, bars, "15m", found)
        models = ((int(bars.close_ms[folds[0].test[0]]), repr(found[0].model)),)
        return RecipeRun(("x",), rows[:, :1], seen.probabilities[:, 2], models)

    assert not leak_check.check(leaking, frame, 1).clean
    assert leak_check.check(partial(train_regime.run, unit.recipe, numbers=[1], timeframe="15m"), frame, 1).clean


def test_a_regime_beside_other_targets_is_one_model(tmp_path: Path) -> None:
    """Whatever the learners are, and named by what differs."""
    text = CONFIG.replace('["regime"]', '["log_vol_4", "regime"]\nfeatures = ["returns(1)"]')
    found = units(tmp_path, text + "[learners.small]\nrounds = 8\n[learners.large]\nrounds = 9\n")
    assert [unit.name for unit in found] == ["states-log-vol-4-small", "states-log-vol-4-large", "states-regime"]
