"""Which stored models a strategy reads, and which version of each answers.

MODELS = ("vol-btc",) for `f.model("vol-btc")`; "vol-{symbol}" is the model of the sleeve's own symbol, vol-btc-usdt. A version
comes from the sleeve's configuration (`vol-btc=1.2.0`), from a backtest's --model, or is the latest that is stored.

Called by sim/ when a request is planned and by live/ and control/ when a configuration is read or proposed. Turns names and
versions into ReadModels, every byte of the artifact compared; whatever is wrong with one is one line here, at the door, and not
a missing value at some bar.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.data.sources import OutsideSeries
from engine.errors import BadInput, DataError, StrategyError
from engine.features.reads import ReadModel, fault_of
from engine.models import artifact
from engine.models.artifact import NAME, VERSION, Artifact
from engine.models.column import ModelColumn

MODELS_MAX, PINS_CHARS = 8, 400
SYMBOL = "{symbol}"
LOADED_MAX = 64
Stat = tuple[tuple[str, int, int], ...]
_loaded: dict[tuple[Path, Stat], ModelColumn] = {}


class PinnedModel(NamedTuple):
    """A model that a sleeve reads: the name that its strategy calls it by, its own name, and the version that answers."""

    alias: str
    name: str
    version: str


def check_models(module: Any, file: str) -> None:
    """Raise StrategyError when a strategy's MODELS cannot be understood."""
    names = getattr(module, "MODELS", ())
    if not isinstance(names, tuple | list) or not all(isinstance(x, str) for x in names) or len(names) > MODELS_MAX:
        raise StrategyError(f"{file}: MODELS is not a tuple of at most {MODELS_MAX} names", 'write MODELS = ("vol-btc",)')
    for name in names:
        if not NAME.fullmatch(name.replace(SYMBOL, "btc-usdt")):
            hint = f"a stored model's name: vol-btc, or vol-{SYMBOL} for the one of the sleeve's own symbol"
            raise StrategyError(f"{file}: MODELS names {name[:60]!r}, which no model is called", hint)


def folder_of(strategies: Path) -> Path:
    """Where models are stored, beside the folder of a home's own strategies."""
    return strategies.parent / "models"


def names_of(strategy: Any, symbol: str) -> dict[str, str]:
    """Name in the strategy -> name of the stored model, of a sleeve on this symbol (BTC-USDT)."""
    return {name: name.replace(SYMBOL, symbol.lower()) for name in dict.fromkeys(getattr(strategy, "MODELS", ()))}


def pins_of(text: str) -> dict[str, str]:
    """`vol-btc=1.2.0, regime-btc=1.0.0` as a mapping. Raises BadInput."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text[: PINS_CHARS + 1].split(","))):
        name, _, version = (part.strip() for part in pair.partition("="))
        if not NAME.fullmatch(name) or not VERSION.fullmatch(version):
            raise BadInput(f"{pair[:60]!r} is not a model with its version", "write vol-btc=1.2.0")
        if name in found:
            raise BadInput(f"{name} is given twice", "give one version")
        found[name] = version
    if len(text) > PINS_CHARS:
        raise BadInput(f"models of {len(text)} characters", f"at most {PINS_CHARS}")
    return found


def pins_text(pins: Mapping[str, str]) -> str:
    """The mapping as text, sorted by name."""
    return ", ".join(f"{name}={version}" for name, version in sorted(pins.items()))


def pinned(strategy: Any, symbol: str, pins: Mapping[str, str], root: Path) -> tuple[PinnedModel, ...]:
    """The version of each model that the strategy reads: the one of `pins`, else the latest that is stored below `root`.

    Raises BadInput for a model of which nothing is stored.
    """
    found = []
    for alias, name in names_of(strategy, symbol).items():
        stored = artifact.versions(root, name) if name not in pins else []
        if name not in pins and not stored:
            known = ", ".join(artifact.names(root)[:10]) or "none"
            hint = f"nightdesk models train makes one (docs/models.md); stored here: {known}"
            raise BadInput(f"{strategy.NAME} reads the model {name}, of which no version is stored", hint)
        found.append(PinnedModel(alias, name, pins.get(name) or stored[-1]))
    return tuple(found)


def sleeve_models(
    strategy: Any, instrument: str, timeframe: str, pins: str, in_force: Mapping[str, str], root: Path
) -> tuple[str, tuple[ReadModel, ...]]:
    """(its versions spelled out, its models) of a sleeve: by its own `pins`, else by those `in_force`, else the latest stored.

    Raises as pinned and read_models do, and BadInput for a model in `pins` that the strategy does not read.
    """
    own, symbol = pins_of(pins), instrument.split(":")[1]
    require_read(strategy, symbol, own)
    found = pinned(strategy, symbol, {**in_force, **own}, root)
    return pins_text({one.name: one.version for one in found}), read_models(found, instrument, timeframe, root)


def require_read(strategy: Any, symbol: str, pins: Mapping[str, str]) -> None:
    """Raise BadInput for a version of a model that the strategy does not read."""
    own = names_of(strategy, symbol).values()
    for name in pins:
        if name not in own:
            raise BadInput(f"{strategy.NAME} on {symbol} does not read the model {name}", f"it reads: {', '.join(own) or 'none'}")


def read_models(models: tuple[PinnedModel, ...], instrument: str, timeframe: str, root: Path) -> tuple[ReadModel, ...]:
    """The models of a sleeve on `instrument` (binance:BTC-USDT:perp) and `timeframe`, every byte compared.

    Raises BadInput for a version that is not stored or of another instrument or timeframe, DataError for one that is damaged, or
    whose features are computed otherwise today.
    """
    found = []
    for alias, name, version in models:
        columns = loaded(root, name, version)
        about = columns.model.about
        for what, wanted in (("timeframe", timeframe), ("instrument", instrument)):
            if about[what] != wanted:
                hint = f"versions of {name}: {', '.join(artifact.versions(root, name))}; or train one for it"
                raise BadInput(f"the model {name} {version} is of {about[what]}, the sleeve of {wanted}", hint)
        found.append(ReadModel(alias, columns.model.text, columns, *_beside(columns.model)))
    return tuple(found)


def loaded(root: Path, name: str, version: str) -> ModelColumn:
    """A stored model, read again when a file of it has changed. Raises as artifact.load does."""
    place = root / name / version
    key = place, _stat(place)
    if key not in _loaded:
        made = ModelColumn(artifact.load(root, name, version))
        while len(_loaded) >= LOADED_MAX:
            _loaded.pop(next(iter(_loaded)))
        _loaded[key] = made
    return _loaded[key]


def _stat(place: Path) -> Stat:
    files = sorted(path for path in place.rglob("*") if not path.is_dir())
    return tuple((path.relative_to(place).as_posix(), (s := path.lstat()).st_size, s.st_mtime_ns) for path in files)


def _beside(model: Artifact) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, OutsideSeries], ...]]:
    """What a model's features read beside the bars, as it was trained. Raises DataError for one that does not say it."""
    config, where = model.about.get("config", {}), f"the model {model.name} {model.version}"
    if config.get("reads") and "instruments" not in config:
        raise DataError(f"{where} does not say which series its features read", "train it anew")
    try:
        instruments = tuple((str(alias), str(name)) for alias, name in config.get("instruments", []))
        series = tuple((str(alias), OutsideSeries(*declared)) for alias, declared in config.get("series", []))
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: what its features read beside the bars cannot be understood", "train it anew") from error
    if wrong := next((text for _, one in series if (text := fault_of(one))), ""):
        raise DataError(f"{where}: {wrong}", "train it anew")
    return instruments, series


def journaled(read: tuple[ReadModel, ...]) -> dict[str, str]:
    """Models as the journal and a run's record name them: `vol-btc@1.2.0` -> the digest of all its bytes."""
    return {one.text.partition(" ")[0]: one.columns.sha256 for one in read}


def journaled_models(strategy: Any, source: Mapping[str, Any], root: Path) -> tuple[ReadModel, ...]:
    """The models of a sleeve as it was journaled. Raises DataError unless each is, to the byte, the one that was followed."""
    kept: Mapping[str, str] = source.get("models", {})
    pins = dict(name.split("@", 1) for name in kept)
    found = pinned(strategy, source["instrument"].split(":")[1], pins, root)
    read = read_models(found, source["instrument"], source["timeframe"], root)
    for name, sha256 in journaled(read).items():
        if kept.get(name) != sha256:
            what = f"the model {name} is not the one that this desk has followed ({str(kept.get(name))[:12]})"
            raise DataError(what, "restore its folder from a copy")
    return read


def journaled_pins(source: Mapping[str, Any]) -> str:
    """Their versions as a configuration names them."""
    return pins_text(dict(name.split("@", 1) for name in source.get("models", {})))
