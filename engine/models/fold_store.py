"""Folds that were fitted, kept until their model is stored: a training that was stopped goes on with the next fold.

Called by train.py and train_regime.py, and by the processes that folds are fitted in. A folder is named by everything that a
fold depends on (every value of its rows, the recipe, the code), so what is found in it is what would be computed again, bit for
bit. A file that is damaged counts as one that is not there. One training at a time has a folder: `alone`.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import Busy
from engine.features.code_hash import digest_of
from engine.models import recipe as training
from engine.models import regime
from engine.models.folds import PurgedFold
from engine.models.labels import BarLabel
from engine.models.learner import FittedTrees
from engine.models.learners import learner_of
from engine.models.out_of_sample import WalkedFold
from engine.models.recipe import PreparedRows, TrainRecipe
from engine.models.regime import RegimeModel
from engine.models.trees import pruned

ROWS = "rows.npz"


def folder_of(root: Path, recipe: TrainRecipe, rows: PreparedRows) -> Path:
    """Where the folds of this recipe on these rows are; made if it is not there."""
    values = (rows.columns, rows.label.values, rows.label.known_ms, rows.close_ms)
    return _folder(root, values, recipe, code_of(recipe))


def code_of(recipe: TrainRecipe) -> list[str]:
    """What fits these folds: the code, and the versions of its packages."""
    learner = learner_of(recipe.learner)
    code = digest_of((training.prepare, training.fit_fold, learner.fit))
    return [code, version(learner.PACKAGE), version("optuna")]


def regime_folder(
    root: Path, recipe: TrainRecipe, rows: np.ndarray, close_ms: np.ndarray, code: Sequence[Callable[..., Any]]
) -> Path:
    """The same of a regime, of the `rows` that are observed (n, d) and the `code` that parts and fits them."""
    return _folder(root, (rows, close_ms), recipe, [digest_of(tuple(code)), version("hmmlearn"), version("scikit-learn")])


def _folder(root: Path, values: Sequence[np.ndarray], recipe: TrainRecipe, code: list[str]) -> Path:
    digest = hashlib.sha256()
    for one in values:
        digest.update(np.ascontiguousarray(one).tobytes())
    asked = recipe._asdict() | {name: dict(getattr(recipe, name)) for name in ("settings", "search", "days", "portfolio")}
    digest.update(json.dumps([asked, *code], sort_keys=True).encode())
    place = root / digest.hexdigest()[:24]
    place.mkdir(parents=True, exist_ok=True)
    return place


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """The one training that has this folder, until it ends in whichever way. Raises Busy while another has it."""
    path = folder.with_suffix(".lock")
    with _locked(path):
        folder.mkdir(exist_ok=True)  # the training before may have removed it since it was named
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    while True:
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                what = "another process trains this model at this moment, of the same rows and settings"
                raise Busy(what, "wait until it ends; a training that is stopped goes on from its folds") from None
            try:
                same = path.stat().st_ino == os.fstat(file.fileno()).st_ino
            except FileNotFoundError:
                same = False
            if same:  # else whoever had it has removed it
                yield
                return


def keep(folder: Path, number: int, walked: WalkedFold) -> None:
    """Write fold `number`, whole or not at all."""
    value = {
        "text": walked.model.text,
        "dump": pruned(walked.model.dump),
        "gain": walked.model.gain.tolist(),
        "settings": dict(walked.settings),
        "of_training": _json(walked.of_training),
        "of_test": _json(walked.of_test),
        "before": walked.before,
        "chances": [_json(part.ravel()) for part in (walked.chances_of_training, walked.chances_of_test) if part is not None],
    }
    _write(folder, number, value)


def kept(folder: Path, number: int, rows: PreparedRows) -> WalkedFold | None:
    """Fold `number` as it was kept; None where it was not, or its file is damaged."""
    own = _read(folder, number)
    if own is None:
        return None
    model = FittedTrees(own["text"], own["dump"], np.array(own["gain"], dtype=np.float64))
    of_training, of_test = (np.array(own[name], dtype=np.float64) for name in ("of_training", "of_test"))
    classes = [np.array(part, dtype=np.float64).reshape(-1, len(rows.label.classes)) for part in own["chances"]]
    return WalkedFold(rows.folds[number - 1], model, own["settings"], of_training, of_test, own["before"], *classes)


def keep_regime(folder: Path, number: int, model: RegimeModel) -> None:
    """Write the regime of fold `number`, whole or not at all."""
    _write(folder, number, regime.as_json(model))


def kept_regime(folder: Path, number: int) -> RegimeModel | None:
    """The regime of fold `number` as it was kept; None where it was not, or its file is damaged."""
    own = _read(folder, number)
    return None if own is None else regime.model_of(own)


def _write(folder: Path, number: int, value: dict[str, Any]) -> None:
    text = json.dumps(value, allow_nan=False)
    part = folder / f".{number}.{os.getpid()}.part"
    part.write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}", encoding="utf-8")
    part.replace(_path(folder, number))


def _read(folder: Path, number: int) -> dict[str, Any] | None:
    try:
        digest, _, text = _path(folder, number).read_text(encoding="utf-8").partition("\n")
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            return None
        own: dict[str, Any] = json.loads(text)
    except (OSError, ValueError):
        return None
    return own


def write_rows(folder: Path, rows: PreparedRows) -> None:
    """The values of the rows, for processes that fit folds."""
    part = folder / f".rows.{os.getpid()}.npz"
    label = rows.label
    own: dict[str, Any] = {"values": label.values, "known_ms": label.known_ms, "classes": np.array(label.classes)}
    np.savez(part, columns=rows.columns, close_ms=rows.close_ms, **own)
    part.replace(folder / ROWS)


def read_rows(folder: Path, unit: str, fold: PurgedFold, number: int) -> PreparedRows:
    """What write_rows wrote, with the one fold that is asked for in its place. No pickle is read."""
    found = _loaded(folder)
    label = BarLabel(found["values"], found["known_ms"], unit, tuple(found["classes"].tolist()))
    return PreparedRows(found["columns"], label, [fold] * number, found["close_ms"])


@cache
def _loaded(folder: Path) -> dict[str, np.ndarray]:
    """Read once by each process."""
    with np.load(folder / ROWS, allow_pickle=False) as found:
        return dict(found)


def forget(folder: Path) -> None:
    """The model is stored: nothing of its making is needed."""
    shutil.rmtree(folder, ignore_errors=True)


def _path(folder: Path, number: int) -> Path:
    return folder / f"fold-{number:04d}.json"


def _json(values: np.ndarray) -> list[float | None]:
    """NaN as null, which comes back as NaN."""
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 - NaN alone differs from itself
