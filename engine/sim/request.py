"""A backtest request, resolved before any bar is simulated: names found, values checked, everything hashed.

Called by sim/backtest.py (the notebook entry point) and app/jobs/kinds.py (jobs, command line). Turns a Request into a Plan:
strategy modules, checked params, instruments with their costs, data files, and the cache key over data, config, code and
versions.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

from engine.book.snapshot import restored
from engine.clock import LOCAL_TIMEFRAME, TIMEFRAMES, timeframe_ms, utc
from engine.control.limits import HardLimits
from engine.core.state import OFF, Limits
from engine.data.align import Market
from engine.data.catalog import Catalog, Series
from engine.data.checksums import sha256_of
from engine.data.loading import policy_of
from engine.data.schedules import execution_of
from engine.data.sources import ReadFiles
from engine.data.timeframes import clock_of, column_name, columns_of, parts_of, series_of
from engine.errors import BadInput
from engine.features.anchor import ANCHOR, anchor_ms
from engine.features.reads import ReadModel, Reads, files_read, reads_of
from engine.sim import access
from engine.sim.execution import clock_for
from engine.sim.late import checked_delay
from engine.sim.run_code import OF_BASKETS, OWN, files_sha256, folder_sha256, versions
from engine.sim.vwap_fills import FILLS
from engine.store.runs import sha256_of_json
from engine.strategies.base import BASKETS, code_sha256, home_folder, load_strategy, parse_params
from engine.strategies.params import StrategyParams
from engine.strategies.rules import SLEEVE_LIMITS, SleeveLimits
from engine.strategies.stored_models import folder_of, journaled, sleeve_models
from engine.venues.instruments import Costs, Instrument, Overrides, costs_of, instrument_of
from engine.venues.listings import Lifetime, lifetime_of

CASH = 10_000.0  # default cash of a sleeve, quote units
DESK_LIMITS = HardLimits.model_validate({}).desk()
Moment = int | str | date | None


class SleeveRequest(NamedTuple):
    """One sleeve of a request."""

    strategy: str
    symbol: str
    venue: str = "binance"
    market: str = "perp"
    side: str = "both"
    cash: float = CASH
    params: Mapping[str, Any] = {}
    name: str = ""
    timeframe: str = ""  # empty: the request's
    models: str = ""  # versions of stored models that it reads: vol-btc=1.2.0; of one that is not named the latest


STATED = ("delay_bars", "execution", "clock")  # of a request, in its configuration only where it says something


class Request(NamedTuple):
    """The sleeves to simulate, and their timeframe where they name none. Times are bar opens, UTC ms, `to_ms` excluded; None:
    no bound.
    """

    sleeves: tuple[SleeveRequest, ...]
    timeframe: str = "15m"
    from_ms: int | None = None
    to_ms: int | None = None
    fills: str = "pessimistic"
    funding: str = "recorded"  # recorded | none | assume=BPS
    limits: Limits = DESK_LIMITS
    sleeve_limits: SleeveLimits = SLEEVE_LIMITS
    counted: tuple[Limits, SleeveLimits] | None = None  # of a run with wide limits (sim/wide.py): the desk's own
    delay_bars: int = 0  # every signal acts so many bars of its sleeve late (sim/late.py)
    execution: str = ""  # how market entries are worked (data/schedules.py); "": whole, at the next open
    clock: str = ""  # a finer clock than its sleeves need, as a desk may have; "": the smallest of their timeframes

    @property
    def judged(self) -> bool:
        """Whether a limit asks if a bar's range and volume are usual."""
        asks = [self.limits, *(self.counted[:1] if self.counted else ())]
        return any(x.range_times_max < OFF or x.volume_times_max < OFF or x.volume_times_min > 0.0 for x in asks)


class PlannedSleeve(NamedTuple):
    """One sleeve, resolved."""

    spec: SleeveRequest
    strategy: ModuleType
    params: StrategyParams
    instrument: Instrument
    costs: Costs
    opened: tuple[str, ...] = ()  # what a person's file has opened when it was loaded (sim/access.py)
    delay_bars: int = 0  # as the request says
    life: Lifetime = Lifetime()
    models: tuple[ReadModel, ...] = ()

    @property
    def key(self) -> str:
        """Its instrument as a Market names it."""
        return f"{self.spec.venue}:{self.spec.symbol}:{self.spec.market}"

    @property
    def reads(self) -> Reads:
        """What its strategy reads beside its own bars."""
        return reads_of(self.strategy, self.key, self.spec.timeframe, self.models)

    @property
    def bar_ms(self) -> int:
        """The length of its bars."""
        return timeframe_ms(self.spec.timeframe)


class Plan(NamedTuple):
    """A request with everything it needs resolved."""

    request: Request
    clock: str  # the smallest timeframe of the sleeves
    sleeves: tuple[PlannedSleeve, ...]
    series: Mapping[str, Series]  # column of the market (data/timeframes.py) -> its bars
    read: Mapping[str, ReadFiles]  # timeframe -> what strategies read on it beside the traded instruments
    catalog: Catalog
    folder: Path | None  # people's own strategies
    config: dict[str, Any]  # plain JSON from which the run can be repeated
    files: dict[str, str]  # data file name -> sha256
    code: dict[str, str]  # part -> sha256
    versions: dict[str, str]

    @property
    def clock_ms(self) -> int:
        """The length of the clock's bars."""
        return timeframe_ms(self.clock)

    def column(self, sleeve: PlannedSleeve) -> str:
        """The market's column of a sleeve's own bars."""
        return column_name(sleeve.key, sleeve.spec.timeframe, self.clock)

    @property
    def data_sha256(self) -> str:
        """One hash over all data files."""
        return sha256_of_json(self.files)

    @property
    def config_hash(self) -> str:
        """One hash over the configuration, defaults included."""
        return sha256_of_json(self.config)

    @property
    def code_hash(self) -> str:
        """One hash over everything of ours that decides a number."""
        return sha256_of_json(self.code)

    @property
    def cache_key(self) -> str:
        """Data, config, code (features among it) and library versions."""
        return sha256_of_json([self.data_sha256, self.config_hash, self.code_hash, self.versions])


def plan(
    request: Request,
    catalog: Catalog,
    folder: Path | None = None,
    overrides: Overrides | None = None,
    in_force: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """Resolve a request. `in_force`: versions of stored models where the request names none. Raises BadInput or DataError naming
    the first fault, StrategyError for a broken file.
    """
    validate_request(request)
    specs = (spec._replace(timeframe=spec.timeframe or request.timeframe) for spec in with_unique_names(request.sleeves))
    sleeves = tuple(plan_sleeve(spec, folder, overrides, in_force)._replace(delay_bars=request.delay_bars) for spec in specs)
    request = request._replace(sleeves=tuple(s.spec for s in sleeves))
    places = [(s.key, s.spec.timeframe) for s in sleeves]
    if execution := execution_of(request.execution):  # its slices are traded on finer bars
        places += [(key, clock_for(execution, places, catalog)) for key, _ in tuple(places)]
    if request.clock:
        places += [(key, request.clock) for key, _ in tuple(places)]
    clock = clock_of(timeframe for _, timeframe in places)
    series = series_of(catalog, columns_of(places), clock)
    loaded = {(s.series, parts_of(column, clock)[0]) for column, s in series.items()}
    read = files_read(catalog, [s.reads for s in sleeves], loaded)
    files = files_of(series, catalog, request.funding, read)
    config = config_of(request, sleeves)
    return Plan(request, clock, sleeves, series, read, catalog, folder, config, files, code_of(sleeves), versions())


def validate_request(request: Request) -> None:
    """Raises BadInput for faults that no data can fix: timeframe, fills, funding, reversed dates, no sleeve, no cash."""
    for timeframe in (request.timeframe, *filter(None, (request.clock, *(spec.timeframe for spec in request.sleeves)))):
        if timeframe not in (*TIMEFRAMES, LOCAL_TIMEFRAME):
            raise BadInput(f"unknown timeframe {timeframe!r}", f"use {', '.join(TIMEFRAMES)}")
    if request.fills not in FILLS:
        raise BadInput(f"unknown fills {request.fills!r}", f"use {', '.join(FILLS)}")
    policy_of(request.funding)
    checked_delay(request.delay_bars)
    execution_of(request.execution)
    if request.from_ms is not None and request.to_ms is not None and request.from_ms >= request.to_ms:
        ends = " to ".join(f"{utc(ms)}" for ms in (request.from_ms, request.to_ms))
        raise BadInput(f"reversed dates: {ends}", "swap the two; the end is not included")
    if not request.sleeves:
        raise BadInput("no sleeve to run", "name a strategy and a symbol")
    for spec in request.sleeves:
        if not 0 < spec.cash < 1e12:
            raise BadInput(f"cash {spec.cash} of {spec.strategy} is out of bounds", "above 0, below 1e12")
        if spec.side not in {"both", "long", "short"}:
            raise BadInput(f"unknown side {spec.side!r}", "use both, long or short")


def with_unique_names(specs: Sequence[SleeveRequest]) -> tuple[SleeveRequest, ...]:
    """Every sleeve with a unique name: the strategy's, with symbol and number when taken."""
    taken: dict[str, int] = {}
    found = []
    several = len({spec.strategy for spec in specs}) < len(specs)
    for spec in specs:
        stem = spec.name or (f"{spec.strategy} {spec.symbol}" if several else spec.strategy)
        taken[stem] = taken.get(stem, 0) + 1
        found.append(spec._replace(name=stem if taken[stem] == 1 else f"{stem} {taken[stem]}"))
    return tuple(found)


def plan_sleeve(
    spec: SleeveRequest, folder: Path | None, overrides: Overrides | None, in_force: Mapping[str, str]
) -> PlannedSleeve:
    """One sleeve with its strategy loaded, its params checked, its instrument and costs found, its stored models read."""
    seen: dict[str, None] = {}
    with access.watched(seen):
        strategy = load_strategy(spec.strategy, folder)
    seen.pop(f"reads {Path(strategy.__file__ or '').absolute()}", None)  # its own text
    params = parse_params(strategy, spec.params)
    instrument = instrument_of(spec.venue, spec.symbol, spec.market, overrides)
    costs = costs_of(spec.venue, spec.symbol, spec.market, overrides)
    life = lifetime_of(f"{spec.venue}:{spec.symbol}:{spec.market}", overrides)
    root = folder_of(home_folder() if folder is None else Path(folder))
    pins, read = sleeve_models(strategy, f"{spec.venue}:{spec.symbol}:{spec.market}", spec.timeframe, spec.models, in_force, root)
    return PlannedSleeve(spec._replace(models=pins), strategy, params, instrument, costs, tuple(seen), life=life, models=read)


def files_of(series: Mapping[str, Series], catalog: Catalog, funding: str, read: Mapping[str, ReadFiles]) -> dict[str, str]:
    """Every data file that can change a figure, with its content hash: bars, and settlements with marks where charged."""
    paths = {s.path for s in (*series.values(), *(s for one in read.values() for s in one.files.values()))}
    charged = {(s.venue, s.symbol) for s in series.values() if s.market == "perp" and funding != "none"}
    for other in catalog.series():
        wanted = other.series == "funding" or other.series.startswith("mark_")
        if wanted and not other.tag and (other.venue, other.symbol) in charged:
            paths.add(other.path)
    return {path.name: sha256_of(path) for path in sorted(paths)}


def config_of(request: Request, sleeves: Sequence[PlannedSleeve]) -> dict[str, Any]:
    """The request as plain JSON, every default written out; of wide limits, with those that they are counted against."""
    real = dict(zip(("limits", "sleeve_limits"), (x._asdict() for x in request.counted or ()), strict=False))
    return {
        "timeframe": request.timeframe,
        "from_ms": request.from_ms,
        "to_ms": request.to_ms,
        "fills": request.fills,
        "funding": request.funding,
        "limits": request.limits._asdict(),
        "sleeve_limits": request.sleeve_limits._asdict(),
        "sleeves": [sleeve_json(s) for s in sleeves],
        "instruments": {s.key: {**s.instrument._asdict(), **s.costs._asdict()} for s in sleeves},
        **({"counted": real} if real else {}),
        **{name: value for name in STATED if (value := getattr(request, name))},
    }


def sleeve_json(sleeve: PlannedSleeve) -> dict[str, Any]:
    """A sleeve as a configuration and a report hold it: all parameters, version and digest of each stored model that it reads."""
    found = {**sleeve.spec._asdict(), "params": sleeve.params.model_dump()}
    if not sleeve.models:
        return {name: value for name, value in found.items() if name != "models"}
    return found | {"model_sha256": journaled(sleeve.models)}


def request_of(config: Mapping[str, Any]) -> tuple[Request, dict[str, dict[str, Any]]]:
    """A stored configuration back as (request, overrides): the same instruments and costs as then."""
    named = SleeveRequest._fields  # what a run says of its models beside their versions is not asked for
    sleeves = tuple(SleeveRequest(**{k: v for k, v in sleeve.items() if k in named}) for sleeve in config["sleeves"])
    direct = {name: config[name] for name in ("timeframe", "from_ms", "to_ms", "fills", "funding")}
    limits, own = restored(Limits, config["limits"]), SleeveLimits(**config["sleeve_limits"])
    real = config.get("counted")
    counted = (restored(Limits, real["limits"]), SleeveLimits(**real["sleeve_limits"])) if real else None
    names = {*Instrument._fields, *Costs._fields} - {"venue", "symbol", "market"}
    overrides = {key: {n: v for n, v in found.items() if n in names} for key, found in config["instruments"].items()}
    stated = {name: config[name] for name in STATED if name in config}
    return Request(sleeves, **direct, limits=limits, sleeve_limits=own, counted=counted, **stated), overrides


def with_params(planned: Plan, params: StrategyParams) -> Plan:
    """The plan of the same run of one sleeve with other parameters: its configuration, hash and cache key are that run's."""
    sleeve = planned.sleeves[0]
    sleeve = sleeve._replace(params=params, spec=sleeve.spec._replace(params=params.model_dump()))
    request = planned.request._replace(sleeves=(sleeve.spec,))
    return planned._replace(request=request, sleeves=(sleeve,), config=config_of(request, (sleeve,)))


def data_of(p: Plan, span: Market) -> dict[str, Any]:
    """The run's data: files, hashes, range (bar opens), and source of the bars."""
    first_ms = int(span.close_ms[0]) - p.clock_ms
    read = {name: s for one in p.read.values() for name, s in one.files.items()}
    sources = sorted({s.source for s in (*p.series.values(), *read.values())})
    return {
        "files": list(p.files),
        "sha256": p.data_sha256,
        "file_sha256": p.files,
        "instruments": list(span.instruments),
        "reads": {name: {"file": s.path.name, "source": s.source} for name, s in read.items()},
        "bars": len(span.close_ms),
        "first_ms": first_ms,
        "last_ms": int(span.close_ms[-1]) - p.clock_ms,
        "anchor": ANCHOR,  # where features begin, and what that is for the first bar
        "anchor_ms": {key: max(s.first_ms, anchor_ms(first_ms, 1)) for key, s in p.series.items()},
        "source": "+".join(sources),
    }


def code_of(sleeves: Sequence[PlannedSleeve]) -> dict[str, str]:
    """Hashes of the code behind a figure, part by part, so that a difference can be named."""
    parts = {"core": folder_sha256("core"), "features": folder_sha256("features"), "sim": files_sha256(OWN)}
    if any(s.spec.strategy in BASKETS for s in sleeves):
        parts["basket"] = files_sha256(OF_BASKETS)
    return parts | {f"strategy {s.strategy.NAME}": code_sha256(s.strategy) for s in sleeves}


def moment(value: Moment) -> int | None:
    """A time as people write it -> UTC ms: 2025, 2025-03, 2025-03-04, 2025-03-04T12:00, a date or a datetime; ms stay."""
    if value is None or (isinstance(value, int) and value > 10_000):
        return value
    if isinstance(value, datetime):
        return _utc_ms(value)
    if isinstance(value, date):
        return _utc_ms(datetime(value.year, value.month, value.day, tzinfo=UTC))
    text = str(value).strip().replace("Z", "+00:00")
    if text.isdigit() and len(text) == 13:
        return int(text)
    full = f"{text}-01-01" if len(text) == 4 else f"{text}-01" if len(text) == 7 else text
    try:
        return _utc_ms(datetime.fromisoformat(full))
    except ValueError:
        raise BadInput(f"{value!r} is not a valid date", "write 2025, 2025-03, 2025-03-04 or 2025-03-04T12:00") from None


def _utc_ms(when: datetime) -> int:
    """UTC ms of a datetime; one without a zone is UTC."""
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
