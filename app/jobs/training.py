"""Training as a command does it, and the models that are stored. Called by app/cli/trained_models.py.

Turns a configuration file and the opened home into what engine/models/train.py takes, and its result into JSON values.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.home.home import Home
from app.jobs.kinds import Progress, silent
from engine.control.config import active
from engine.control.model_registry import registered, registered_one, summary_of
from engine.models import artifact
from engine.sim.request import moment
from engine.watch.model_shadows import shadowed

if TYPE_CHECKING:
    from engine.models.train_config import TrainUnit

WORKERS_MAX = 64
FIGURES = ("figure", "value", "low", "high", "rows", "baseline", "baseline_value")  # which the metrics have by themselves


def models_of(home: Home) -> Path:
    """Where models are stored."""
    return home.path / "models"


def train(
    home: Home, path: Path, workers: int | None, progress: Progress = silent, say: Callable[[str], None] = lambda _text: None
) -> dict[str, Any]:
    """Train every model that the file names: `{text, items}`."""
    from engine.models.train_config import read_config

    return _trained(home, read_config(path, moment, lambda: cash_shares(home)), workers, progress, say)


def train_again(home: Home, named: str, progress: Progress = silent) -> dict[str, Any]:
    """Train NAME or NAME@VERSION again by its own setting, up to the last bar: `{text, items}` with its next version.

    Raises BadInput for a model that is not stored, DataError for one without what it reads.
    """
    from engine.models.retrain import unit_again

    name, _, version = named.partition("@")
    return _trained(home, [unit_again(stored_model(home, name, version or None))], 1, progress, lambda _text: None)


def _trained(
    home: Home, units: "Sequence[TrainUnit]", workers: int | None, progress: Progress, say: Callable[[str], None]
) -> dict[str, Any]:
    from engine.models.train import TrainingPlace
    from engine.models.train import train as trained

    count = min(workers or os.cpu_count() or 1, WORKERS_MAX)
    place = TrainingPlace(home.catalog, home.setup.overrides, models_of(home), home.path / "training", count)
    return trained(units, place, progress, say)


def cash_shares(home: Home) -> dict[str, float]:
    """The share of each instrument in the cash of the sleeves of the configuration in force that are not retired."""
    cash: dict[str, float] = {}
    for sleeve in active(home.engine, home.path).config.sleeves:
        if sleeve.stage != "retired":
            cash[sleeve.instrument] = cash.get(sleeve.instrument, 0.0) + sleeve.cash
    return {name: own / sum(cash.values()) for name, own in cash.items()}


def stored(home: Home) -> list[dict[str, Any]]:
    """Every stored version, newest of each model first: its state, what it predicts, its figure, its gates in one line, and
    whose shadow it is.

    One that cannot be read is listed with the reason.
    """
    beside = shadowed(home.path)
    found = registered(home.engine, home.path)
    return [{**one._asdict(), "shadow_of": beside.get((one.name, one.version), [])} for one in found]


def shown(home: Home, name: str, version: str | None) -> dict[str, Any]:
    """A stored model with its state and metrics; without a version the last one. Raises BadInput for one that is not stored,
    DataError for one of which a byte changed.
    """
    one, summary = registered_one(home.engine, home.path, name, version)
    artifact.load(models_of(home), one.name, one.version)  # every byte: what is shown alone is looked at whole
    features = [entry.call for entry in summary.features.features]
    own = {key: value for key, value in one._asdict().items() if key not in ("gates", "error", *FIGURES)}
    own["shadow_of"] = shadowed(home.path).get((one.name, one.version), [])
    return {
        **summary.about,
        **own,
        "gates_line": one.gates,
        "features": features,
        **summary.metrics,
        "promotable": one.promotable,
    }


def stored_model(home: Home, name: str, version: str | None) -> artifact.Artifact:
    """A stored model; without a version the last one. Raises BadInput for one that is not stored."""
    root = models_of(home)
    return artifact.load(root, name, version or summary_of(root, name).version)
