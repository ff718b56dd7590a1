"""A stored model as raw arrays and back: a desk sends it to a strategy process, which reads no file.

Called by engine/strategies/isolated. Both ends are this program on this machine; the desk has compared every byte of the artifact
before, so nothing is checked again here.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from engine.features import manifest
from engine.models import regime
from engine.models.artifact import Artifact, LoadedFit
from engine.models.trees import Trees

TABLE = {
    "roots": np.int32,
    "feature": np.int32,
    "threshold": np.float64,
    "left": np.int32,
    "right": np.int32,
    "default_left": np.bool_,
    "missing": np.int8,
    "value": np.float64,
}


def pack_model(model: Artifact) -> tuple[dict[str, Any], list[bytes]]:
    """(what the arrays are, the arrays): of each fit the table of its trees."""
    fits, arrays = [], list[bytes]()
    for fit in model.fits:
        about: dict[str, Any] = {"train_end_ms": fit.train_end_ms, "from_ms": fit.from_ms, "trees": None, "regime": None}
        if fit.trees is not None:
            about["trees"] = [fit.trees.columns, fit.trees.link, fit.trees.depth]
            arrays += [getattr(fit.trees, name).tobytes() for name in TABLE]
        if fit.regime is not None:
            about["regime"] = regime.as_json(fit.regime)
        fits.append(about)
    named = {name: getattr(model, name) for name in ("name", "version", "sha256")}
    return {**named, "about": dict(model.about), "features": model.features.as_json(), "fits": fits}, arrays


def unpack_model(about: dict[str, Any], arrays: Sequence[bytes]) -> Artifact:
    """The model that was packed, without its metrics."""
    rest = iter(arrays)
    fits = tuple(_fit(one, rest) for one in about["fits"])
    features = manifest.from_json(about["features"])
    return Artifact(about["name"], about["version"], about["sha256"], about["about"], features, fits, {})


def _fit(one: dict[str, Any], rest: Iterator[bytes]) -> LoadedFit:
    trees = None
    if one["trees"] is not None:
        table: dict[str, Any] = {name: np.frombuffer(next(rest), kind) for name, kind in TABLE.items()}
        trees = Trees(*one["trees"], **table)
    states = None if one["regime"] is None else regime.model_of(one["regime"])
    return LoadedFit(one["train_end_ms"], one["from_ms"], trees, states)
