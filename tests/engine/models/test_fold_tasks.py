"""Folds on a real Dask cluster are the folds that are fitted here; a worker with other code fits none."""

from typing import Any

import pytest

from engine import cluster
from engine.errors import DataError
from engine.models import artifact, fold_store, fold_tasks, train_config
from engine.models import train as trainer
from engine.models.train import TrainingPlace
from engine.sim.request import moment
from tests.engine.models.conftest import Write
from tests.fakes.dask_clusters import DaskCluster
from tests.fakes.waiting import WAIT_S


def trained(path: Any, place: TrainingPlace) -> artifact.Artifact:
    """The one model of a file, stored."""
    found = trainer.train(train_config.read_config(path, moment), place, lambda _done: None, lambda _line: None)["items"][0]
    return artifact.load(place.models, found["name"], found["version"])


@pytest.mark.long
def test_a_worker_killed_in_a_training_changes_no_bit(
    dask: DaskCluster, write: Write, place: TrainingPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers, one of them killed after its first fold: the stored version is byte for byte the one of one process."""
    config = write(("train_days = 20", "train_days = 20\ntest_days = 1\nstep_days = 1"))
    here = trained(config, place)
    first, _ = dask.worker(), dask.worker()
    dask.wait_for(2)
    monkeypatch.setenv(cluster.NAME, dask.url)
    real, ended = fold_tasks.fitted, list[int]()

    def killing(*args: Any) -> Any:
        for number, fold in real(*args):
            ended.append(number)
            first.kill()
            yield number, fold

    monkeypatch.setattr(fold_tasks, "fitted", killing)
    there = trained(config, place)
    assert first.wait(WAIT_S) != 0
    assert sorted(ended) == list(range(1, 17))
    assert here.sha256 == there.sha256


def test_a_worker_with_other_code_fits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so; the training names it and ends."""
    monkeypatch.setattr(fold_store, "code_of", lambda _recipe: ["new", "4.6", "4.0"])
    recipe: Any = None
    with pytest.raises(DataError, match="other code"):
        fold_tasks.task(recipe, recipe, 1, ["old", "4.6", "4.0"])
