"""Training as a command does it, and the models that are stored. Called by app/cli/trained_models.py.

Turns a configuration file and the opened home into what engine/models/train.py takes, and its result into JSON values.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app.home.home import Home
from app.jobs.kinds import Progress, silent
from engine.errors import BadInput, DataError
from engine.models import artifact
from engine.sim.request import moment

WORKERS_MAX = 64
SHOWN = 200  # models of a list


def models_of(home: Home) -> Path:
    """Where models are stored."""
    return home.path / "models"


def train(
    home: Home, path: Path, workers: int | None, progress: Progress = silent, say: Callable[[str], None] = lambda _text: None
) -> dict[str, Any]:
    """Train every model that the file names: `{text, items}`."""
    from engine.models.train import TrainingPlace
    from engine.models.train import train as trained
    from engine.models.train_config import read_config

    units = read_config(path, moment)
    count = min(workers or os.cpu_count() or 1, WORKERS_MAX)
    place = TrainingPlace(home.catalog, home.setup.overrides, models_of(home), home.path / "training", count)
    return trained(units, place, progress, say)


def stored(home: Home) -> list[dict[str, Any]]:
    """Every stored version, newest of each model first: what it predicts, its figure, and whether its gates passed.

    One that cannot be read is listed with the reason.
    """
    root = models_of(home)
    places = [(name, version) for name in artifact.names(root) for version in reversed(artifact.versions(root, name))]
    return [_line(root, name, version) for name, version in places[:SHOWN]]


def _line(root: Path, name: str, version: str) -> dict[str, Any]:
    own = {"name": name, "version": version}
    try:
        found = artifact.load(root, name, version)
    except (BadInput, DataError) as error:
        return {**own, "error": str(error)}
    metrics = found.metrics
    test: Mapping[str, Any] = metrics.get("test") or {}
    about = {
        "target": found.about["label"].get("name"),
        "instrument": found.about["instrument"],
        "timeframe": found.about["timeframe"],
    }
    figures = {"figure": metrics.get("figure"), "value": test.get("value"), "promotable": metrics.get("promotable") is True}
    return {**own, **about, **figures, "fits": len(found.fits), "sha256": found.sha256}


def shown(home: Home, name: str, version: str | None) -> dict[str, Any]:
    """A stored model with its metrics; without a version the last one. Raises BadInput for one that is not stored."""
    found = stored_model(home, name, version)
    features = [entry.call for entry in found.features.features]
    own = {"name": found.name, "version": found.version, "sha256": found.sha256, "fits": len(found.fits), "features": features}
    return {**own, **found.about, "target": found.about["label"].get("name"), **found.metrics}


def stored_model(home: Home, name: str, version: str | None) -> artifact.Artifact:
    """A stored model; without a version the last one. Raises BadInput for one that is not stored."""
    root = models_of(home)
    versions = artifact.versions(root, name) if artifact.NAME.fullmatch(name) else []
    if version is None and not versions:
        known = ", ".join(artifact.names(root)) or "none; nightdesk models train CONFIG.toml makes them"
        raise BadInput(f"the model {name[:40]!r} is not stored", f"stored: {known}")
    return artifact.load(root, name, version or versions[-1])
