"""The file that says what is trained: `nightdesk models train CONFIG.toml`. A model for each combination that it names.

Called by app/jobs/training.py. Turns TOML into TrainUnits, each checked before any bar is read: an unknown key, feature,
target or setting is one line that names it.
"""

import tomllib
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from engine.clock import TIMEFRAMES, timeframe_ms
from engine.data.sources import OutsideSeries
from engine.errors import BadInput, StrategyError
from engine.features.calls import calls_of
from engine.features.feature import OTHERS_CLOSE, SERIES
from engine.features.reads import SYMBOL, Reads, check_declared, reads_of
from engine.models import artifact
from engine.models.labels import parts_of
from engine.models.learner import settings_in
from engine.models.learners import USUAL, learner_of
from engine.models.portfolio import HINT, KIND, aliased, weights_of
from engine.models.recipe import TrainRecipe, objective_of
from engine.models.regime import observed_features
from engine.models.side_trades import THRESHOLD
from engine.models.tuning import search_of

REGIME = "regime"  # a target without a label: the states of the bars themselves
BYTES_MAX, UNITS_MAX, LISTED_MAX = 64 << 10, 100, 20
KEYS = ("name", "version", "venue", "market", "symbols", "timeframes", "targets", "features", "from", "to", "threshold")
TABLES = ("folds", "learners", "series")
PORTFOLIO = "portfolio"
FOLDS = {"train_days": 60.0, "test_days": 5.0, "step_days": 5.0}
DAYS_MAX = 3_650
READ = ("instruments",)
SERIES_FIELDS: Mapping[str, Any] = {
    "series": str,
    "column": str,
    "max_age_hours": int | float,
    "lag_minutes": int | float,
    "of": str,
}


class TrainUnit(NamedTuple):
    """One model to train."""

    name: str  # of the artifact
    version: str  # empty: the next
    instrument: str  # binance:BTC-USDT:perp
    timeframe: str
    recipe: TrainRecipe
    reads: Reads
    from_ms: int | None
    to_ms: int | None
    learner: str  # its name in the file
    threshold: float = THRESHOLD  # side_trades.py
    beside: tuple[tuple[str, str], ...] = ()  # instruments that the label alone is of, as Reads has them

    @property
    def loads(self) -> Reads:
        """All that a training loads: what features read, and what the label is of."""
        return self.reads._replace(instruments=tuple(dict.fromkeys((*self.reads.instruments, *self.beside))))

    @property
    def weights(self) -> dict[str, float]:
        """Of a label of several instruments: full name -> weight."""
        return {name or self.instrument: weight for name, weight in self.recipe.portfolio.items()}


def no_desk() -> dict[str, float]:
    """Weights of a desk that is not there."""
    return {}


def read_config(
    path: Path, moment: Callable[[Any], int | None], desk: Callable[[], Mapping[str, float]] = no_desk
) -> list[TrainUnit]:
    """The models that a file names. `moment`: a time as people write it -> UTC ms; `desk`: the weights of its sleeves by full
    name, asked for where the file wants them. Raises BadInput for the first fault.
    """
    given = _parsed(path)
    where = path.name
    if unknown := sorted(set(given) - {*KEYS, *TABLES, *READ, PORTFOLIO})[:1]:
        there = ", ".join((*KEYS, *READ, PORTFOLIO, *TABLES))
        raise BadInput(f"{where}: unknown key {unknown[0][:40]!r}", f"available: {there}")
    threshold = _threshold(given, where)
    days = _days(_table(given, "folds", where), where)
    learners = _learners(_table(given, "learners", where), where)
    symbols, timeframes, targets = (_names(given, key, where) for key in ("symbols", "timeframes", "targets"))
    features = () if targets == [REGIME] else tuple(call.text for call in calls_of(cast("Any", given.get("features"))))
    ends = [moment(given.get(key)) for key in ("from", "to")]
    if None not in ends and ends[0] >= ends[1]:  # type: ignore[operator]  # both are there
        raise BadInput(f"{where}: from is not before to", "to is excluded")
    for timeframe in timeframes:
        if timeframe not in TIMEFRAMES:
            raise BadInput(f"{where}: unknown timeframe {timeframe[:20]!r}", f"use {', '.join(TIMEFRAMES)}")
    for symbol in symbols:
        if not SYMBOL.fullmatch(symbol):
            raise BadInput(f"{where}: {symbol[:40]!r} is not a symbol", "write BTC-USDT")
    venue, market = _word(given, "venue", "binance", where), _word(given, "market", "perp", where)
    weights = _portfolio(given, targets, where, venue, market, desk)
    places = list(product(symbols, timeframes, targets, learners))
    if len(places) > UNITS_MAX:
        raise BadInput(f"{where} names {len(places)} models", f"at most {UNITS_MAX} in one file")
    varying = [len(one) > 1 for one in (symbols, timeframes, targets, learners)]
    units = []
    for symbol, timeframe, target, learner in places:
        if target != REGIME:
            _require_offered(target, learners[learner][2], where)
        elif learner != next(iter(learners)):  # states are fitted by their own means, whatever the learners are
            continue
        used, texts = (learner, features) if target != REGIME else ("", observed_features(timeframe_ms(timeframe)))
        settings, search, kind = learners[used] if used else ({}, {}, USUAL)
        instrument = f"{venue}:{symbol}:{market}"
        of_several = target != REGIME and parts_of(target)[0] == KIND
        shares, beside = aliased(weights if of_several else {}, instrument)
        recipe = TrainRecipe(texts, target, settings, search, days, ends[0], shares, kind)
        reads = _reads(given, texts, instrument, timeframe, where)
        parts = [part for part, varies in zip((symbol, timeframe, target, used), varying, strict=True) if varies and part]
        name, version = _artifact(_word(given, "name", "", where), parts, _word(given, "version", "", where), where)
        units.append(TrainUnit(name, version, instrument, timeframe, recipe, reads, ends[0], ends[1], used, threshold, beside))
    if len({unit.name for unit in units}) < len(units):
        raise BadInput(f"{where}: two models would have one name", "name learners in other letters")
    return units


def _parsed(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
        if len(content) > BYTES_MAX:
            raise BadInput(f"{path} is larger than {BYTES_MAX >> 10} KiB", "a training configuration is a page")
        return tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror or error}", "give the path of a training configuration"
        ) from error
    except (ValueError, RecursionError) as error:  # of TOML, and of bytes that are not UTF-8
        raise BadInput(f"{path}: {str(error)[:120]}", "correct the file: it is TOML") from error


def _table(given: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    value = given.get(key, {})
    if not isinstance(value, dict):
        raise BadInput(f"{where}: {key} is {str(value)[:40]!r}, not a table", f"write it below [{key}]")
    return value


def _word(given: Mapping[str, Any], key: str, usual: str, where: str) -> str:
    value = given.get(key, usual)
    if not isinstance(value, str) or len(value) > 60:
        raise BadInput(f"{where}: {key} = {str(value)[:40]!r} is not a word", f'write {key} = "..."')
    return value


def _names(given: Mapping[str, Any], key: str, where: str) -> list[str]:
    value = given.get(key)
    if not isinstance(value, list) or not 1 <= len(value) <= LISTED_MAX or not all(isinstance(one, str) for one in value):
        raise BadInput(f"{where}: {key} is {str(value)[:40]!r}", f"list 1 to {LISTED_MAX} names: {key} = [...]")
    if len(set(value)) < len(value):
        raise BadInput(f"{where}: {key} names one twice", "list each once")
    return value


def _days(given: Mapping[str, Any], where: str) -> dict[str, float]:
    if unknown := sorted(set(given) - set(FOLDS))[:1]:
        raise BadInput(f"{where}: [folds]: unknown key {unknown[0][:40]!r}", f"available: {', '.join(FOLDS)}")
    found = {**FOLDS, **given}
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.01 <= value <= DAYS_MAX:
            raise BadInput(f"{where}: [folds]: {name} = {str(value)[:40]!r} is out of bounds", f"days, 0.01 to {DAYS_MAX:,}")
    return found


def _require_offered(target: str, kind: str, where: str) -> None:
    """Raises BadInput for a target that is none, and for one that this learner's trees cannot be walked for to the bit."""
    if objective_of(target) not in learner_of(kind).OBJECTIVES:
        what = f"{where}: {kind} is not offered for {target}: its chances of three classes have other last bits than ours"
        raise BadInput(what, f"use {USUAL}")


def _portfolio(
    given: Mapping[str, Any], targets: list[str], where: str, venue: str, market: str, desk: Callable[[], Mapping[str, float]]
) -> dict[str, float]:
    """The weights of a label of several instruments; none where no target is one."""
    wanted = any(target != REGIME and parts_of(target)[0] == KIND for target in targets)
    if wanted != (PORTFOLIO in given):
        what = f"a target {KIND}_N needs its weights" if wanted else f"portfolio is given, and no target is {KIND}_N"
        raise BadInput(f"{where}: {what}", HINT if wanted else f'targets = ["{KIND}_4"]')
    return weights_of(given[PORTFOLIO], where, venue, market, desk) if wanted else {}


def _threshold(given: Mapping[str, Any], where: str) -> float:
    value = given.get("threshold", THRESHOLD)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < 1.0:
        hint = "how far P(up) and P(down) are apart where a side is traded: 0 or more, below 1"
        raise BadInput(f"{where}: threshold = {str(value)[:40]!r} is out of bounds", hint)
    return float(value)


def _learners(given: Mapping[str, Any], where: str) -> dict[str, tuple[dict[str, int | float], dict[str, Any], str]]:
    """Name -> (settings, search, kind); one with all defaults where none is named."""
    found = {}
    for name, own in (given or {USUAL: {}}).items():
        place = f"{where}: [learners.{name[:40]}]"
        if not isinstance(own, dict):
            raise BadInput(f"{place} is not a table", "write its settings below it")
        rest = {key: value for key, value in own.items() if key not in ("kind", "search")}
        kind = str(own.get("kind", USUAL))
        known = learner_of(kind, place).SETTINGS
        search = search_of(_table(own, "search", place), f"{place}.search", known)
        found[name] = settings_in(known, rest, place), search, kind
    if len(found) > LISTED_MAX:
        raise BadInput(f"{where}: {len(found)} learners", f"at most {LISTED_MAX}")
    return found


def _reads(given: Mapping[str, Any], features: tuple[str, ...], instrument: str, timeframe: str, where: str) -> Reads:
    """What the features read beside the instrument's own bars. Raises BadInput for what they read and the file does not name."""
    declared = {}
    for name, fields in _table(given, "series", where).items():
        typed = isinstance(fields, dict) and all(
            isinstance(value, SERIES_FIELDS.get(key, ())) and not isinstance(value, bool) for key, value in fields.items()
        )
        if not typed or not {"series", "column", "max_age_hours"} <= set(fields):
            hint = "series and column are words, max_age_hours is a number; lag_minutes (a number) and of (a word) where needed"
            raise BadInput(f"{where}: [series.{name[:40]}] is not an outside series", hint)
        declared[name] = OutsideSeries(**fields)
    listed = given.get("instruments", [])
    asked = SimpleNamespace(INSTRUMENTS=listed if isinstance(listed, list) else None, SERIES=declared)
    try:
        check_declared(asked, where)
    except StrategyError as error:
        raise BadInput(error.what, error.hint) from error
    for call in calls_of(list(features)):
        inputs = call.feature.inputs
        if (call.instrument and call.instrument not in asked.INSTRUMENTS) or (OTHERS_CLOSE in inputs and not asked.INSTRUMENTS):
            lacking = call.instrument or "another instrument"
            raise BadInput(
                f"{where}: {call.text} reads {lacking}, which `instruments` does not list", 'instruments = ["ETH-USDT"]'
            )
        missing = [
            one.removeprefix(SERIES) for one in inputs if one.startswith(SERIES) and one.removeprefix(SERIES) not in declared
        ]
        if missing:
            hint = f'[series.{missing[0]}] with series = "...", column = "...", max_age_hours = ...'
            raise BadInput(f"{where}: {call.text} reads the series {missing[0]}, which the file does not declare", hint)
    return reads_of(asked, instrument, timeframe)


def _artifact(base: str, parts: list[str], version: str, where: str) -> tuple[str, str]:
    """(name, version) of the stored model: what differs between the models of a file is in their names."""
    if not artifact.NAME.fullmatch(base):
        raise BadInput(f"{where}: name = {base[:60]!r}", "small letters, digits and hyphens: vol-btc")
    if version and not artifact.VERSION.fullmatch(version):
        raise BadInput(f"{where}: version = {version[:60]!r} is not a version", "three numbers: 1.2.0; without it the next")
    name = "-".join([base, *(part.lower().replace("_", "-") for part in parts)])
    if not artifact.NAME.fullmatch(name):
        raise BadInput(f"{where}: a model would be named {name[:80]!r}", "a shorter name, and letters, digits and _ for learners")
    return name, version
