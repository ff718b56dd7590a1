"""Three classes of a triple barrier through a training: what a fold needs of them, what is said, what is stored."""

import numpy as np
import pytest

from engine.errors import DataError
from engine.models import artifact, column, fold_store, gates, out_of_sample, packed, train_config
from engine.models import recipe as training
from engine.models import train as trainer
from engine.models.folds import PurgedFold
from engine.models.labels import SIDES, BarLabel
from engine.models.leak_check import LeakCheck
from engine.models.out_of_sample import WalkedFold
from engine.models.train import TrainingPlace
from engine.sim.request import moment
from tests.engine.models.conftest import Write
from tests.engine.models.test_train import bars_of, trained


@pytest.mark.parametrize("missing", SIDES)
def test_each_class_of_a_triple_barrier_has_to_be_among_a_folds_training_rows(missing: float) -> None:
    """The fold and the class are named; a class that its test alone lacks is none of it."""
    label = BarLabel(np.resize(SIDES, 900), np.arange(900, dtype=np.int64) + 1, "-1, 0 or 1", SIDES)
    lacking = label.values.copy()
    lacking[:700][lacking[:700] == missing] = SIDES[SIDES.index(missing) - 1]
    fold = PurgedFold(np.arange(700), np.arange(701, 900), 700)
    with pytest.raises(DataError, match=f"fold 3 has no row of the class {missing:g} among its 700 labelled training rows"):
        out_of_sample.training_rows(label._replace(values=lacking), fold, 3)
    assert len(out_of_sample.training_rows(label, fold, 3)) == 700


def test_a_triple_barrier_is_trained_judged_and_stored(
    write: Write, place: TrainingPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Purged by its own intervals; chances of three classes that add up, kept as they were; the column says P(1) - P(-1)."""
    monkeypatch.setattr(trainer.leak_check, "check", lambda *_args, **_named: LeakCheck((), (0,), 3, 1))
    kept: list[WalkedFold] = []
    honest = fold_store.keep
    monkeypatch.setattr(
        trainer.fold_store, "keep", lambda folder, number, made: (kept.append(made), honest(folder, number, made))
    )
    path = write(('"log_vol_4"', '"triple_barrier_16"'), ("rounds = 8", "rounds = 3"))
    unit = train_config.read_config(path, moment)[0]
    rows = training.prepare(unit.recipe, bars_of(unit, place).frame)
    fold = rows.folds[0]
    assert rows.label.known_ms[fold.train].max() < rows.close_ms[fold.test[0]]
    assert fold.train[-1] < fold.test[0] - 1  # rows whose barrier was not touched by then are left out
    found = trained(path, place)["items"][0]
    assert [gate["name"] for gate in found["gates"]] == list(gates.OF_SIDES)
    assert {gate["name"] for gate in found["gates"] if not gate["passed"]} >= {"baseline", "costs"}  # a random walk
    assert (found["figure"], sorted(found["baselines"])) == ("accuracy", ["base rate", "last known"])
    assert [one["class"] for one in found["classes"]] == [-1.0, 0.0, 1.0]
    for name in ("share", "chance"):
        assert sum(one[name] for one in found["classes"]) == pytest.approx(1.0)
    assert found["brier"] >= found["brier_of_base_rate"] - 0.01
    assert 0.4 < found["right_side"] < 0.58
    assert found["trades"]["cost_bps"] == found["round_trip_bps"]
    model = artifact.load(place.models, "vol-btc", "1.0.0")
    assert (model.about["label"]["kind"], model.about["config"]["threshold"]) == ("triple_barrier", 0.2)
    assert [gate.name for gate in gates.stopped_by(model.metrics, model.about["label"])] == [
        gate["name"] for gate in found["gates"] if not gate["passed"]
    ]
    said = column.predictions(model, bars_of(unit, place).frame).values
    first = kept[0]
    assert first.chances_of_test is not None
    assert first.chances_of_test.sum(axis=1) == pytest.approx(1.0)
    assert said[fold.test].tobytes() == (first.chances_of_test[:, 2] - first.chances_of_test[:, 0]).tobytes()
    again, folder = packed.unpack_model(*packed.pack_model(model)), fold_store.folder_of(place.work, unit.recipe, rows)
    assert column.predictions(again, bars_of(unit, place).frame).values.tobytes() == said.tobytes()
    honest(folder, 1, first)
    back = fold_store.kept(folder, 1, rows)
    assert back is not None
    for one, other in zip((first.of_test, first.chances_of_training, first.chances_of_test), (back[4], *back[-2:]), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
