"""A trained model as a folder of files that nobody changes: var/models/NAME/X.Y.Z/, written once, refused when a byte differs.

Written by the trainer, read by backtests and by the worker. JSON and text alone, no pickle:

    manifest.json      what it is: label, learner, features with anchor and code hash, folds, training configuration, data hashes
    metrics.json       what it was worth out of sample, its baselines beside
    fits/0001.json     of each fold the trees, or the parameters of its regime
    distribution.json  how its columns and predictions were distributed; artifacts from before it have none
    model.txt          the last fit in the library's own words, for people
    SHA256             the digest of every other file; its own digest names the artifact

A fit answers for closes from its own on, after the last label that it was trained on: `Artifact.fit_at` finds it, so that no row
is predicted by a model that could have seen it, and the rows of a fold's test by that fold's model.
"""

import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import BadInput, DataError
from engine.features import manifest as features
from engine.features.manifest import FeatureManifest
from engine.models import regime
from engine.models.folds import FOLDS_MAX
from engine.models.regime import RegimeModel
from engine.models.trees import Trees, read_trees

FORMAT = 1
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
VERSION = re.compile(r"(?:0|[1-9]\d{0,4})\.(?:0|[1-9]\d{0,4})\.(?:0|[1-9]\d{0,4})")
FILE_BYTES, ALL_BYTES = 64 << 20, 512 << 20
SUMS, MANIFEST, METRICS, TEXT, FITS = "SHA256", "manifest.json", "metrics.json", "model.txt", "fits"
DISTRIBUTION = "distribution.json"
FIT = ("file", "train_end_ms", "from_ms")
FIELDS = ("format", "label", "timeframe", "instrument", "learner", "features", "fits", "config", "data")
READ_ONLY = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
ANEW = "train it anew, or restore the folder from a copy"


class ModelFit(NamedTuple):
    """One fold's model, UTC ms: when the last of its training labels was known, and the first close that it answers for."""

    train_end_ms: int
    from_ms: int
    trees: Mapping[str, Any] | None  # as trees.pruned gives them; None of a regime
    regime: RegimeModel | None = None


class ModelDraft(NamedTuple):
    """What the trainer hands over; all of it JSON values, but for the features and fits. Fits ascend in time."""

    label: Mapping[str, Any]  # name, its arguments, unit
    timeframe: str
    instrument: str
    learner: Mapping[str, Any]
    features: FeatureManifest
    fits: Sequence[ModelFit]
    config: Mapping[str, Any]
    data: Mapping[str, str]  # the digest of each file that was read
    metrics: Mapping[str, Any]
    text: str
    distribution: Mapping[str, Any] | None = None  # distribution.as_json


class LoadedFit(NamedTuple):
    """A fit that can be asked; times as in ModelFit."""

    train_end_ms: int
    from_ms: int
    trees: Trees | None
    regime: RegimeModel | None


class Artifact(NamedTuple):
    """A model whose every byte was compared. `sha256` names all of it."""

    name: str
    version: str
    sha256: str
    about: Mapping[str, Any]  # the manifest without features and fits
    features: FeatureManifest
    fits: tuple[LoadedFit, ...]
    metrics: Mapping[str, Any]
    distribution: Mapping[str, Any] | None = None  # None: stored before there were any

    @property
    def text(self) -> str:
        """As it is stamped: vol-btc@1.2.0 (0123456789ab)."""
        return f"{self.name}@{self.version} ({self.sha256[:12]})"

    @property
    def key(self) -> str:
        """Name, version and content: two versions of one content are two models, as their predictions carry other names."""
        return f"{self.name}@{self.version} {self.sha256}"

    @property
    def is_regime(self) -> bool:
        """Whether it knows states, and predicts nothing."""
        return self.fits[0].trees is None

    def fit_at(self, close_ms: int) -> int:
        """The number of the fit that answers for this close; -1 before the first."""
        return bisect_right([fit.from_ms for fit in self.fits], close_ms) - 1


class ArtifactSummary(NamedTuple):
    """What a model says of itself, and what it was worth; its trees were not read. Fields as in Artifact."""

    name: str
    version: str
    sha256: str
    about: Mapping[str, Any]
    features: FeatureManifest
    fits: int  # how many
    metrics: Mapping[str, Any]

    @property
    def is_regime(self) -> bool:
        """Whether it knows states, and predicts nothing."""
        return self.about["label"].get("name") == "regime"


def write(root: Path, name: str, version: str, draft: ModelDraft) -> Artifact:
    """Store a model under `root`/name/version, whole or not at all, and read it back.

    Raises BadInput for a name or version that is not one or exists: a version is written once; DataError for a draft that could
    not be read again.
    """
    place = _place(root, name, version)
    if place.exists():
        raise BadInput(f"{name} {version} exists", "a stored model is never changed: give the next version")
    files = _files(draft)
    place.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{version}.", dir=place.parent))  # apart from another training's
    (made / FITS).mkdir()
    for path, text in files.items():
        _write(made / path, text)
    sums = {path: hashlib.sha256((made / path).read_bytes()).hexdigest() for path in _paths(made)}
    _write(made / SUMS, "".join(f"{digest}  {path}\n" for path, digest in sorted(sums.items())))
    try:
        _read(made, name, version)
    except DataError:
        shutil.rmtree(made)
        raise
    for text in _paths(made):
        (made / text).chmod(READ_ONLY)
    made.chmod(0o755)
    try:
        made.rename(place)
    except OSError as error:  # another training was first
        shutil.rmtree(made)
        raise BadInput(f"{name} {version} exists", "a stored model is never changed: give the next version") from error
    _sync(place.parent)
    return load(root, name, version)


def load(root: Path, name: str, version: str) -> Artifact:
    """A stored model, for today's code.

    Raises BadInput for one that is not stored, DataError (one line: what, where, what to do) for a byte that changed, a file too
    many or too few, another format, and a feature whose code or arguments are not those that it was trained with.
    """
    found = _read(_stored(root, name, version), name, version)
    _require_same(found.features, name, version)
    return found


def overview(root: Path, name: str, version: str) -> ArtifactSummary:
    """The same without its trees: manifest and metrics are compared with their digests, and no file is missing or too many.

    Raises as load does. A byte that changed in a tree is found by load.
    """
    place, where = _stored(root, name, version), f"the model {name} {version}"
    listed, sums = _listed(place, where)
    content = _contents(place, {path: digest for path, digest in sums.items() if path in (MANIFEST, METRICS)}, where)
    about, own, metrics = _described(content, where)
    if not isinstance(about["fits"], list) or not isinstance(about["label"], dict):
        raise DataError(f"{where}: {MANIFEST} has no list of fits, or no label", ANEW)
    _require_same(own, name, version)
    sha256 = hashlib.sha256(listed).hexdigest()
    return ArtifactSummary(name, version, sha256, _rest(about), own, len(about["fits"]), metrics)


def _stored(root: Path, name: str, version: str) -> Path:
    place = _place(root, name, version)
    if not place.is_dir():
        stored = ", ".join(versions(root, name)) or "none"
        raise BadInput(f"the model {name} {version} is not stored", f"versions of {name}: {stored}")
    return place


def _require_same(found: FeatureManifest, name: str, version: str) -> None:
    try:
        features.require_same(found)
    except DataError as error:
        raise DataError(f"the model {name} {version}: {error.what}", error.hint) from error


def names(root: Path) -> list[str]:
    """Every model that is stored."""
    return sorted(path.name for path in root.iterdir() if NAME.fullmatch(path.name)) if root.is_dir() else []


def versions(root: Path, name: str) -> list[str]:
    """The stored versions of a model, ascending."""
    place = root / name
    found = [path.name for path in place.iterdir() if VERSION.fullmatch(path.name)] if place.is_dir() else []
    return sorted(found, key=lambda text: [int(part) for part in text.split(".")])


def _place(root: Path, name: str, version: str) -> Path:
    if not NAME.fullmatch(name):
        raise BadInput(f"{name[:60]!r} is not a model's name", "small letters, digits and hyphens, 40 at most: vol-btc")
    if not VERSION.fullmatch(version):
        raise BadInput(f"{version[:60]!r} is not a version", "three numbers: 1.2.0")
    return root / name / version


def _files(draft: ModelDraft) -> dict[str, str]:
    """Path -> text of every file but the digests."""
    fits, out = [], {}
    for number, fit in enumerate(draft.fits, 1):
        path = f"{FITS}/{number:04d}.json"
        out[path] = _json({"trees": fit.trees, "regime": None if fit.regime is None else regime.as_json(fit.regime)}, None)
        fits.append({"train_end_ms": fit.train_end_ms, "from_ms": fit.from_ms, "file": path})
    own = {name: getattr(draft, name) for name in ("label", "timeframe", "instrument", "learner", "config", "data")}
    about = {"format": FORMAT, **own, "features": draft.features.as_json(), "fits": fits}
    if draft.distribution is not None:
        out[DISTRIBUTION] = _json(draft.distribution, None)
    return {**out, MANIFEST: _json(about, 1), METRICS: _json(draft.metrics, 1), TEXT: draft.text}


def _json(value: Any, indent: int | None) -> str:
    try:
        return json.dumps(value, indent=indent, allow_nan=False, sort_keys=True) + "\n"
    except (TypeError, ValueError) as error:
        raise DataError(f"a model cannot be stored: {error}", "finite numbers, texts, lists and tables alone") from error


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _paths(place: Path) -> list[str]:
    """Every file below, by its path from there. A link or a folder of another name is one that does not belong there."""
    found = [path for path in place.rglob("*") if path.is_symlink() or not path.is_dir() or path.relative_to(place) != Path(FITS)]
    return sorted(path.relative_to(place).as_posix() for path in found)


def _read(place: Path, name: str, version: str) -> Artifact:
    """A folder whose files are those of its digests, byte for byte; each is read once: what was compared is what is parsed."""
    where = f"the model {name} {version}"
    listed, sums = _listed(place, where)
    content = _contents(place, sums, where)
    about, own, metrics = _described(content, where)
    fits = _fits(about["fits"], content, len(own.features), where)
    spread = _table(content[DISTRIBUTION], f"{where}: {DISTRIBUTION}") if DISTRIBUTION in content else None
    return Artifact(name, version, hashlib.sha256(listed).hexdigest(), _rest(about), own, fits, metrics, spread)


def _listed(place: Path, where: str) -> tuple[bytes, dict[str, str]]:
    """(the list of digests, path -> digest), of a folder that has these files and no others."""
    listed = _bytes(place, SUMS, where, FILE_BYTES)
    sums = _sums(listed, where)
    if odd := sorted({*_paths(place), SUMS} ^ {*sums, SUMS})[:1]:
        raise DataError(f"{where}: {odd[0][:80]} {'is missing' if odd[0] in sums else 'does not belong to it'}", ANEW)
    return listed, sums


def _contents(place: Path, sums: Mapping[str, str], where: str) -> dict[str, bytes]:
    """The bytes of these files, each as its digest says."""
    content, room = dict[str, bytes](), ALL_BYTES
    for path, digest in sums.items():
        content[path] = _bytes(place, path, where, min(room, FILE_BYTES))
        room -= len(content[path])
        if hashlib.sha256(content[path]).hexdigest() != digest:
            raise DataError(f"{where}: {path} was changed since it was trained", ANEW)
    return content


def _described(content: Mapping[str, bytes], where: str) -> tuple[dict[str, Any], FeatureManifest, dict[str, Any]]:
    """(manifest, features, metrics)."""
    about, metrics = (_table(content.get(path), f"{where}: {path}") for path in (MANIFEST, METRICS))
    if about.get("format") != FORMAT:
        made = str(about.get("format"))[:20]
        raise DataError(f"{where} has the format {made}, this program reads {FORMAT}", "use the version of the desk that made it")
    if odd := sorted(set(about) ^ set(FIELDS))[:1]:
        raise DataError(f"{where}: {MANIFEST}: {odd[0][:40]!r} is {'missing' if odd[0] in FIELDS else 'unknown'}", ANEW)
    return about, features.from_json(about["features"]), metrics


def _rest(about: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in about.items() if key not in ("features", "fits")}


def _fits(listed: Any, content: Mapping[str, bytes], columns: int, where: str) -> tuple[LoadedFit, ...]:
    if not isinstance(listed, list) or not 1 <= len(listed) <= FOLDS_MAX:
        raise DataError(f"{where} holds no list of 1 to {FOLDS_MAX:,} fits", ANEW)
    fits: list[LoadedFit] = []
    for entry in listed:
        path, end_ms, from_ms = (entry.get(key) for key in FIT) if isinstance(entry, dict) else (None, None, None)
        if type(end_ms) is not int or type(from_ms) is not int or not isinstance(path, str) or path not in content:
            raise DataError(f"{where}: fit {len(fits) + 1} has no file, or no times", ANEW)
        if end_ms >= from_ms or (fits and (end_ms <= fits[-1].train_end_ms or from_ms <= fits[-1].from_ms)):
            raise DataError(f"{where}: fit {len(fits) + 1} answers for closes that it was trained on, or is out of order", ANEW)
        value = _table(content[path], f"{where}: {path}")
        fits.append(LoadedFit(end_ms, from_ms, *_fitted(value, columns, f"{where}: {path}")))
        if (fits[-1].trees is None) != (fits[0].trees is None):
            raise DataError(f"{where}: {path} is of another kind than the first fit", ANEW)
    return tuple(fits)


def _fitted(value: Mapping[str, Any], columns: int, where: str) -> tuple[Trees | None, RegimeModel | None]:
    """The trees and the regime of a file, at least one of them, for so many columns."""
    trees, states = value.get("trees"), value.get("regime")
    if trees is None and states is None:
        raise DataError(f"{where} holds neither trees nor a regime", ANEW)
    found = None if trees is None else read_trees(trees, where)
    seen = None if states is None else regime.model_of(states, where)
    read = found.columns if found is not None else len(seen.mean) if seen is not None else 0
    if read != columns:
        raise DataError(f"{where} reads {read} columns, the manifest has {columns} features", ANEW)
    return found, seen


def _sums(listed: bytes, where: str) -> dict[str, str]:
    found = re.findall(rb"([0-9a-f]{64})  ([\w./-]{1,80})\n", listed)
    if b"".join(b"%s  %s\n" % pair for pair in found) != listed or not found:
        raise DataError(f"{where}: {SUMS} is not a list of digests", ANEW)
    return {path.decode(): digest.decode() for digest, path in found}


def _bytes(place: Path, path: str, where: str, most: int) -> bytes:
    """A plain file of the folder, bounded before it is read."""
    at = place / path
    if at.is_symlink() or not at.is_file():
        raise DataError(f"{where}: {path} is missing", ANEW)
    with at.open("rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise DataError(f"{where}: {path} is larger than {most >> 20} MiB", ANEW)
    return found


def _table(content: bytes | None, where: str) -> dict[str, Any]:
    try:
        value = json.loads(content or b"", parse_constant=_not_finite)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} cannot be read ({type(error).__name__})", ANEW) from error
    if not isinstance(value, dict):
        raise DataError(f"{where} is not a table", ANEW)
    return value


def _not_finite(text: str) -> float:
    raise ValueError(f"{text} is not a number of JSON")
