"""Every stored model with its state, read from what is there: the folder of artifacts, and which versions sleeves name.

Called by the command line, the tools and the API. Nothing is kept of it: a version is champion while a sleeve of the
configuration in force names it, retired when one did and none does, refused when its gates stop it, and else a draft. The
configuration's own history says since when and by whom. No tree is read: manifests and metrics are compared with their digests.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import Engine
from sqlmodel import col, select

from engine.control.config import active
from engine.errors import BadInput, DataError, DeskError
from engine.models import artifact, gates
from engine.models.artifact import ArtifactSummary
from engine.store import db
from engine.store.tables import SleeveVersion
from engine.strategies.stored_models import pins_of

State = Literal["champion", "retired", "refused", "draft", "damaged"]
LISTED_MAX = 200  # versions of a list
FAILED_SHOWN = 3  # gates of a line
BASELINES_MAX = 6
Key = tuple[str, str]  # name and version of a model


class ModelUse(NamedTuple):
    """Which sleeves read a version, and when that last changed. Times in UTC ms; None before version 1 is written."""

    sleeves: tuple[str, ...]  # that read it by the configuration in force
    since_ms: int | None  # the last change of which sleeves read it
    by: str  # who made that change
    sleeve: str  # whose change it was


class RegisteredModel(NamedTuple):
    """A stored version. JSON has the same fields; `damaged` ones have an `error` and neither target nor figures."""

    name: str
    version: str
    state: State
    sleeves: tuple[str, ...] = ()
    since_ms: int | None = None
    by: str = ""
    target: str = ""
    instrument: str = ""
    timeframe: str = ""
    figure: str = ""  # R2 or accuracy; "" of a regime
    value: float | None = None  # on test rows
    low: float | None = None  # of its interval of 95 %
    high: float | None = None
    baseline: str = ""  # the hardest one
    baseline_value: float | None = None
    rows: int | None = None
    promotable: bool = False
    gates: str = ""  # one line
    fits: int = 0
    sha256: str = ""
    error: str = ""
    folds: tuple[float, ...] = ()  # worst, median and best of the folds
    baselines: tuple[str, ...] = ()  # each with its figure, and by how much the model is better, with the interval

    @property
    def text(self) -> str:
        """vol-btc@1.2.0."""
        return f"{self.name}@{self.version}"


def registered(engine: Engine, home: Path) -> list[RegisteredModel]:
    """Every stored version, the newest of each model first; LISTED_MAX at most. One that cannot be read has the reason."""
    root = home / "models"
    uses = uses_of(engine, home)
    places = [(name, version) for name in artifact.names(root) for version in reversed(artifact.versions(root, name))]
    return [_registered(root, key, uses.get(key)) for key in places[:LISTED_MAX]]


def registered_one(engine: Engine, home: Path, name: str, version: str | None = None) -> tuple[RegisteredModel, ArtifactSummary]:
    """One version (None: the latest) and what it says of itself. Raises BadInput for one that is not stored, DataError as
    artifact.overview does.
    """
    root = home / "models"
    found = summary_of(root, name, version)
    key = found.name, found.version
    return _described(found, uses_of(engine, home).get(key)), found


def summary_of(root: Path, name: str, version: str | None = None) -> ArtifactSummary:
    """What a stored version (None: the latest) says of itself. Raises as registered_one does."""
    stored = artifact.versions(root, name) if artifact.NAME.fullmatch(name) else []
    if version is None and not stored:
        there = ", ".join(artifact.names(root)[:10]) or "none; nightdesk models train CONFIG.toml makes them"
        raise BadInput(f"the model {name[:40]!r} is not stored", f"stored: {there}")
    return artifact.overview(root, name, version or stored[-1])


def uses_of(engine: Engine, home: Path) -> dict[Key, ModelUse]:
    """The use of every version that a sleeve names or has named. A configuration that cannot be read has no champion."""
    with db.read(engine) as session:
        query = select(SleeveVersion).order_by(col(SleeveVersion.sleeve), col(SleeveVersion.version))
        rows = list(session.exec(query).all())
    try:
        current = {s.name: _pins(s.models) for s in active(engine, home).config.sleeves}
    except DeskError:
        current = {}
    changes = _changes(rows)
    found: dict[Key, ModelUse] = {}
    for key in {*changes, *(key for pins in current.values() for key in pins.items())}:
        sleeves = tuple(name for name, pins in current.items() if pins.get(key[0]) == key[1])
        since_ms, by, sleeve = changes.get(key, (None, "desk.toml", sleeves[0] if sleeves else ""))
        found[key] = ModelUse(sleeves, since_ms, by, sleeve)
    return found


def _changes(rows: Sequence[SleeveVersion]) -> dict[Key, tuple[int | None, str, str]]:
    """Of each version that was ever named: when a sleeve last began or ceased to name it, by whom, and which sleeve."""
    found: dict[Key, tuple[int | None, str, str]] = {}
    before: dict[str, set[Key]] = {}
    for row in rows:
        now = set(_pins(json.loads(row.body).get("models")).items())
        made = row.created_ms, str(json.loads(row.made_by).get("name", ""))[:80], row.sleeve
        for key in now ^ before.get(row.sleeve, set()):
            if key not in found or (found[key][0] or 0) <= row.created_ms:
                found[key] = made
        before[row.sleeve] = now
    return found


def _pins(text: str | None) -> dict[str, str]:
    try:
        return pins_of(text or "")
    except BadInput:  # a version that was stored by another program
        return {}


def _registered(root: Path, key: Key, use: ModelUse | None) -> RegisteredModel:
    try:
        return _described(artifact.overview(root, *key), use)
    except (BadInput, DataError) as error:
        used = use or ModelUse((), None, "", "")
        return RegisteredModel(*key, "damaged", used.sleeves, used.since_ms, used.by, error=str(error)[:300])


def _described(found: ArtifactSummary, use: ModelUse | None) -> RegisteredModel:
    metrics = found.metrics
    stopped = gates.stopped_by(metrics, found.about["label"])
    test, hardest = _mapping(metrics.get("test")), str(metrics.get("hardest_baseline") or "")
    rivals = _mapping(metrics.get("baselines"))
    other, spread = _mapping(rivals.get(hardest)), [test.get(name) for name in ("worst", "median", "best")]
    state: State = "refused" if stopped else "draft"
    if use is not None:
        state = "champion" if use.sleeves else "retired"
    used = use or ModelUse((), None, "", "")
    return RegisteredModel(
        name=found.name,
        version=found.version,
        state=state,
        sleeves=used.sleeves,
        since_ms=used.since_ms,
        by=used.by,
        target=str(found.about["label"].get("name")),
        instrument=str(found.about["instrument"]),
        timeframe=str(found.about["timeframe"]),
        figure=str(metrics.get("figure") or ""),
        value=test.get("value"),
        low=test.get("low"),
        high=test.get("high"),
        baseline=hardest,
        baseline_value=other.get("value"),
        rows=test.get("rows"),
        promotable=not stopped,
        gates=gates_line(stopped),
        fits=found.fits,
        sha256=found.sha256,
        folds=tuple(float(one) for one in spread if isinstance(one, float | int)) if None not in spread else (),
        baselines=tuple(baseline_text(str(name), _mapping(rival)) for name, rival in list(rivals.items())[:BASELINES_MAX]),
    )


def baseline_text(name: str, rival: Mapping[str, Any]) -> str:
    """`HAR 0.430, better by 0.020 (0.010 to 0.030)`."""
    better = _mapping(rival.get("better_by"))
    value, by, low, high = rival.get("value"), *(better.get(key) for key in ("value", "low", "high"))
    if not isinstance(value, float | int):
        return f"{name[:40]}: no figure"
    text = f"{name[:40]} {value:.3f}"
    known = all(isinstance(one, float | int) for one in (by, low, high))
    return f"{text}, better by {by:.3f} ({low:.3f} to {high:.3f})" if known else text


def gates_line(stopped: Sequence[gates.Gate]) -> str:
    """`every gate passed`, or which failed."""
    if not stopped:
        return "every gate passed"
    more = f", and {len(stopped) - FAILED_SHOWN} more" if len(stopped) > FAILED_SHOWN else ""
    return "failed: " + ", ".join(gate.name for gate in stopped[:FAILED_SHOWN]) + more


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
