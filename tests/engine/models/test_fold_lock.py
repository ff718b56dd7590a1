"""Two trainings of one recipe at once: one has the folds, the other is refused; a training that dies gives them back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import Busy
from engine.models import artifact, fold_store
from engine.models import recipe as training
from engine.models import train as trainer
from engine.models.leak_check import LeakCheck
from engine.models.train import TrainingPlace
from tests.engine.models.conftest import Write
from tests.engine.models.test_train import trained

ROOT = Path(__file__).parents[3]
OTHER = """
import sys, time
from pathlib import Path
from engine.data.catalog import Catalog
from engine.models import recipe as training, train as trainer, train_config
from engine.models.leak_check import LeakCheck
from engine.models.train import TrainingPlace
from engine.sim.request import moment

config, bars, models, work = map(Path, sys.argv[1:])
trainer.leak_check.check = lambda *_args, **_named: LeakCheck((), (0,), 3, 1)
honest = training.fit_fold

def slow(recipe, rows, number):
    if number == 3:
        print("two folds are fitted", flush=True)
        time.sleep(600)
    return honest(recipe, rows, number)

training.fit_fold = slow
place = TrainingPlace(Catalog([(bars, "test")]), {}, models, work)
trainer.fold_store.digest_of = lambda _code: "same"
trainer.train(train_config.read_config(config, moment), place, lambda _done: None, lambda _line: None)
"""


def test_a_second_training_is_refused_while_the_first_has_its_folds(
    write: Write, place: TrainingPlace, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process is at its third fold: one line here. It is killed: its two folds are taken, and the version is whole."""
    path, fitted, honest = write(), list[int](), training.fit_fold

    def counted(recipe, rows, number):
        fitted.append(number)
        return honest(recipe, rows, number)

    monkeypatch.setattr(trainer.leak_check, "check", lambda *_args, **_named: LeakCheck((), (0,), 3, 1))
    monkeypatch.setattr(fold_store, "digest_of", lambda _code: "same")
    monkeypatch.setattr(training, "fit_fold", counted)
    words = [sys.executable, "-c", OTHER, str(path), str(data), str(place.models), str(place.work)]
    other = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "two folds are fitted\n"
        with pytest.raises(Busy, match="another process trains this model at this moment") as refused:
            trained(path, place)
        assert "\n" not in str(refused.value)
        assert (fitted, artifact.names(place.models)) == ([], [])
        assert len(list(place.work.glob("*/fold-*.json"))) == 2
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
    trained(path, place)
    assert fitted == [3, 4]
    assert len(artifact.load(place.models, "vol-btc", "1.0.0").fits) == 4
    assert list(place.work.iterdir()) == []


def test_a_lock_whose_file_was_removed_meanwhile_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training that had it ends between our opening of the file and our lock on it: a file of our own keeps others out."""
    folder, honest, opened = tmp_path / "folds", fold_store.fcntl.flock, list[int]()

    def late(file, how):
        opened.append(1)
        honest(file, how)
        if len(opened) == 1:
            folder.with_suffix(".lock").unlink()

    monkeypatch.setattr(fold_store.fcntl, "flock", late)
    with fold_store.alone(folder):
        assert len(opened) == 2
        fold_store.forget(folder)
        with pytest.raises(Busy), fold_store.alone(folder):
            raise AssertionError("two have it")
    assert list(tmp_path.iterdir()) == []
