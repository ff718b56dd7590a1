"""A stored model trained again: on the same bars the same bytes, of every kind of model; on more bars it ends later."""

from pathlib import Path

import pytest

from app.home.home import open_home
from app.jobs import training
from engine.data.catalog import Catalog
from engine.errors import BadInput, DataError
from engine.models import artifact, train_config
from engine.models import train as trainer
from engine.models.leak_check import LeakCheck
from engine.models.retrain import unit_again
from engine.models.train import TrainingPlace
from engine.sim.request import moment
from tests.engine.models.conftest import Write
from tests.engine.models.test_portfolio import HALVES, changed
from tests.fakes import recordings


def trained(units: list[train_config.TrainUnit], place: TrainingPlace) -> artifact.Artifact:
    """The one model of these units, stored."""
    (item,) = trainer.train(units, place, lambda _done: None, lambda _line: None)["items"]
    return artifact.load(place.models, item["name"], item["version"])


@pytest.fixture(autouse=True)
def no_leak_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its own tests, and costs as much as the training."""
    monkeypatch.setattr(trainer.leak_check, "check", lambda *_args, **_named: LeakCheck((), (0,), 3, 1))


SEARCHED = ("rounds = 8", "rounds = 8\nsearch = {trials = 2, num_leaves = [3, 6]}")
SIDED = ('"log_vol_4"', '"direction_4"'), ('name = "vol-btc"', 'name = "vol-btc"\nthreshold = 0.3')
REGIME = (('"log_vol_4"', '"regime"'),)
BESIDE = ('"returns(1)"', '"returns(1)", "ETH-USDT.returns(1)"'), ("[folds]", 'instruments = ["ETH-USDT"]\n[folds]')


@pytest.mark.sample(1)
@pytest.mark.parametrize("changes", [(), (SEARCHED,), SIDED, BESIDE, changed(HALVES), REGIME])
def test_the_same_bars_give_the_same_bytes(write: Write, place: TrainingPlace, changes: tuple[tuple[str, str], ...]) -> None:
    """But for its number: setting, folds, search, threshold, what is read beside, weights."""
    (unit,) = train_config.read_config(write(*changes), moment)
    first = trained([unit], place)
    again = unit_again(first)
    assert again == unit._replace(version="", recipe=again.recipe, reads=again.reads)
    second = trained([again], place)
    assert (first.version, second.version) == ("1.0.0", "1.0.1")
    assert first.sha256 == second.sha256


@pytest.mark.slow
def test_more_bars_end_later(write: Write, tmp_path: Path) -> None:
    """The next version has the folds that the new bars make; the one before stays as it is."""
    folder = recordings.record(tmp_path / "bars", 3_000)
    place = TrainingPlace(Catalog([(folder, "test")]), {}, tmp_path / "models", tmp_path / "work")
    first = trained(train_config.read_config(write(), moment), place)
    recordings.record(folder, 3_600)
    second = trained([unit_again(first)], place._replace(catalog=Catalog([(folder, "test")])))
    assert len(second.fits) > len(first.fits)
    assert artifact.load(place.models, first.name, first.version).sha256 == first.sha256


def test_one_without_what_it_reads_is_refused(write: Write, place: TrainingPlace) -> None:
    """It was stored by an older program; the line says what to do."""
    first = trained(train_config.read_config(write(), moment), place)
    with pytest.raises(DataError, match=r"vol-btc@1.0.0 was trained before"):
        unit_again(first._replace(distribution=None))


def test_a_model_that_is_not_stored_is_one_line(own_home: Path) -> None:
    """The command of the job."""
    assert own_home
    with pytest.raises(BadInput, match="is not stored"):
        training.train_again(open_home(), "nothing")
