"""A version of the desk as the loop needs it: the body of its `config` event, and each sleeve with its code loaded.

Called by engine.live.loop and by app.processes.worker at start. Turns DeskVersion + hard limits + figures of instruments into
plain JSON that the journal keeps (core rules spelled out, so that the journal alone can be folded), and that JSON back into
strategy, params and costs, so that a sleeve which keeps an older version goes on computing that version's signals.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from engine.book.bodies import FORMAT
from engine.book.book import Book, Spec
from engine.book.order_events import name_code
from engine.book.snapshot import as_json
from engine.clock import timeframe_ms
from engine.control.config import DeskConfig, DeskVersion, SleeveConfig
from engine.control.limits import HardLimits
from engine.control.sleeve_config import traded_by
from engine.data.align import market_of
from engine.data.catalog import Catalog
from engine.data.schedules import clock_fits, execution_of, shares_of, too_coarse, volume_curve
from engine.data.timeframes import column_name, columns_of
from engine.errors import BadInput
from engine.features.anchor import ANCHOR, anchor_ms
from engine.features.reads import ReadModel, Reads, files_read, reads_of
from engine.strategies.base import code_sha256, parse_params
from engine.strategies.isolated.described import read_strategy
from engine.strategies.pairs import Params, pairs_of, terms_of
from engine.strategies.params import StrategyParams
from engine.strategies.rules import families, rules_of
from engine.strategies.stored_models import folder_of, journaled, journaled_models, sleeve_models
from engine.venues.instruments import Costs, Overrides, costs_of, instrument_of

FILLS = "pessimistic"  # what paper fills are like (DEFINITIONS D12)
ENGINE = Path(__file__).resolve().parents[1]
CODE = ("core", "features", "live", "store")  # folders whose code decides what the journal says


class Walk(NamedTuple):
    """How a home is walked, for its life: its clock, and where its first traded bar opens (UTC ms)."""

    clock: str
    first_ms: int


class SleeveCode(NamedTuple):
    """What computes one sleeve's signals."""

    name: str
    instrument: str
    timeframe: str
    strategy: ModuleType
    params: StrategyParams
    costs: Costs
    side: str
    models: tuple[ReadModel, ...] = ()

    @property
    def shipped(self) -> bool:
        """A strategy of ours: law 2 is proven by tests, so a stretch of known bars may be computed at once."""
        return self.strategy.__name__.startswith("engine.strategies.")

    @property
    def of_basket(self) -> bool:
        """A leg of a basket, which has no signal of its own."""
        return bool(getattr(self.strategy, "BASKET", False))

    @property
    def reads(self) -> Reads:
        """What its strategy reads beside its own bars."""
        return reads_of(self.strategy, self.instrument, self.timeframe, self.models)

    @property
    def bar_ms(self) -> int:
        """The length of its bars."""
        return timeframe_ms(self.timeframe)


def instruments(config: DeskConfig) -> list[str]:
    """Every instrument once, in the order of the sleeves: the order of the clock's columns of a bar."""
    return list(dict.fromkeys(sleeve.instrument for sleeve in config.traded))


def columns(config: DeskConfig, clock: str = "") -> list[str]:
    """Every column of a bar: those of the clock (the configuration's own, or one that a home keeps), then the own bars of sleeves
    on longer timeframes.
    """
    places = [(sleeve.instrument, sleeve.timeframe) for sleeve in config.traded]
    return columns_of([*places, *((instrument, clock or config.clock) for instrument, _ in places)])


def start_of(config: DeskConfig) -> dict[str, Any]:
    """What the first config event of a desk says of its bars and fills, for its life."""
    return {
        "format": FORMAT,
        "instruments": (names := instruments(config)),
        "own_bars": columns(config)[len(names) :],
        "timeframe_ms": clock_ms(config),
        "fills": FILLS,
        "anchor": ANCHOR,
    }


def clock_ms(config: DeskConfig) -> int:
    """The length of the clock's bars."""
    return timeframe_ms(config.clock)


def body_of(
    desk: DeskVersion,
    hard: HardLimits,
    overrides: Overrides,
    folder: Path,
    catalog: Catalog | None = None,
    walk: Walk | None = None,
) -> dict[str, Any]:
    """The `config` event of a version: limits, and every sleeve with its own version, its core rules, costs and schedule.

    `walk`: of the home; None for one that begins with this version. Raises BadInput for what a strategy reads and `catalog` does
    not have, and for a schedule that the home's clock is too coarse for.
    """
    config, clock = desk.config, walk.clock if walk else desk.config.clock
    names = columns(config, clock)
    if catalog is not None:
        files_read(catalog, reads_of_config(config, folder))
    _distinct_order_ids(config)
    of_family = zip(config.traded, families([s.strategy for s in config.traded]), strict=True)
    sleeves = [
        {
            "version": desk.sleeves[s.leg_of or s.name],
            **_sleeve(s, names, clock, hard, overrides, folder, family),
            **_schedule(s, clock, catalog, walk),
        }
        for s, family in of_family
    ]
    limits = {name: as_json(value) for name, value in hard.desk()._asdict().items()}
    body = {"version": desk.version, "sha256": desk.sha256, "limits": limits, "sleeves": sleeves}
    return body | ({"basket": _basket(config.sleeves[0], desk.sleeves[config.sleeves[0].name])} if config.sleeves[0].legs else {})


def _basket(sleeve: SleeveConfig, version: int) -> dict[str, Any]:
    """What a `config` event says of a basket beside its legs: its money, its terms and its pairs, legs by number."""
    legs, terms = traded_by(sleeve), terms_of(Params.model_validate(dict(sleeve.params)))
    cash = sum(leg.cash for leg in legs)
    return {
        "name": sleeve.name,
        "version": version,
        "cash": cash,
        "terms": terms._asdict(),
        "pairs": list(map(list, pairs_of(len(legs)))),
    }


def reads_of_config(config: DeskConfig, folder: Path) -> list[Reads]:
    """What the sleeves' strategies read beside their own bars."""
    return [_reads_of(s, folder) for s in config.traded]


def _reads_of(sleeve: SleeveConfig, folder: Path) -> Reads:
    strategy = read_strategy(sleeve.strategy, folder)
    models = sleeve_models(strategy, sleeve.instrument, sleeve.timeframe, sleeve.models or "", {}, folder_of(folder))[1]
    return reads_of(strategy, sleeve.instrument, sleeve.timeframe, models)


def reads_of_book(book: Book, folder: Path) -> list[Reads]:
    """The same of a running desk: of the versions that its sleeves keep and of those that wait."""
    return [code_of(spec, folder).reads for spec in (*book.specs, *book.waiting) if spec is not None]


def _distinct_order_ids(config: DeskConfig) -> None:
    """Raise BadInput when two sleeves would give their orders the same ids: a fill could not be told apart."""
    names: dict[str, str] = {}
    for sleeve in config.traded:
        other = names.setdefault(name_code(sleeve.name), sleeve.name)
        if other != sleeve.name:
            raise BadInput(f"the orders of sleeves {other} and {sleeve.name} would share their ids", f"rename {sleeve.name}")


def _sleeve(
    sleeve: SleeveConfig, names: list[str], clock: str, hard: HardLimits, overrides: Overrides, folder: Path, family: int
) -> dict[str, Any]:
    """One sleeve, spelled out."""
    strategy = read_strategy(sleeve.strategy, folder)
    params = parse_params(strategy, sleeve.params)
    place = (sleeve.venue, sleeve.symbol, sleeve.market)
    instrument, costs = instrument_of(*place, overrides), costs_of(*place, overrides)
    index, own = names.index(sleeve.instrument), names.index(column_name(sleeve.instrument, sleeve.timeframe, clock))
    rules = rules_of(
        params, instrument, costs, index, FILLS, timeframe_ms(sleeve.timeframe), hard.sleeve(), own, family, sleeve.size_part
    )
    if sleeve.stage == "live_small":  # the first round trips with money: the least that the venue takes, once
        rules = rules._replace(fixed_lots=-1, layers_max=1)
    return {
        "name": sleeve.name,
        **({"basket": sleeve.leg_of} if sleeve.leg_of else {}),
        "strategy": sleeve.strategy,
        "strategy_sha256": code_sha256(strategy),
        "instrument": sleeve.instrument,
        "reads": (reads := _reads_of(sleeve, folder)).names,
        **({"models": journaled(reads.models)} if reads.models else {}),
        "timeframe": sleeve.timeframe,
        "side": sleeve.side,
        "cash": float(sleeve.cash),
        "paused": sleeve.paused,
        **({} if sleeve.resumes_ms is None else {"resumes_ms": sleeve.resumes_ms}),
        "stage": sleeve.stage,
        "params": params.model_dump(),
        "rules": {field: as_json(value) for field, value in rules._asdict().items()},
        "costs": costs._asdict(),
    }


def _schedule(sleeve: SleeveConfig, clock: str, catalog: Catalog | None, walk: Walk | None) -> dict[str, Any]:
    """How its entries are worked, shares spelled out: the journal alone can be folded, and a file that changes later moves
    nothing that is journaled. Nothing for a sleeve without a schedule.
    """
    execution = execution_of(sleeve.execution or "")
    if execution is None:
        return {}
    if not clock_fits(execution, sleeve.timeframe, clock):
        raise too_coarse(sleeve.name, str(sleeve.execution), sleeve.clocks[-1], clock)

    def curve() -> list[float]:
        if catalog is None or walk is None:
            raise BadInput(f"{sleeve.name}: a vwap schedule learns from recorded bars, and none are at hand", "use twap")
        bars = catalog.bars(catalog.find(sleeve.venue, sleeve.symbol, clock, sleeve.market), None, walk.first_ms)
        step, own_ms = timeframe_ms(clock), timeframe_ms(sleeve.timeframe)
        past = market_of({sleeve.instrument: bars}, step, {}, {}, "none", anchor_ms(walk.first_ms), walk.first_ms)
        return volume_curve(execution.slices, past, sleeve.instrument, own_ms, walk.first_ms, sleeve.name)

    shares = shares_of(execution, curve, sleeve.name)
    return {"execution": {"schedule": sleeve.execution, "slices": execution.slices, "shares": shares}}


def code_of(spec: Spec, folder: Path) -> SleeveCode:
    """A journaled sleeve with its code loaded."""
    source = spec.source
    strategy = read_strategy(source["strategy"], folder)
    params = parse_params(strategy, source["params"])
    place = source["name"], source["instrument"], source["timeframe"]
    models = journaled_models(strategy, source, folder_of(folder))
    return SleeveCode(*place, strategy, params, Costs(**source["costs"]), source["side"], models)


def fixed(body: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What of the sleeves no version may change: a home is one set of sleeves with their cash."""
    return [(s["name"], s["instrument"], s["timeframe"], s["cash"]) for s in body["sleeves"]]


def followed(body: Mapping[str, Any]) -> dict[str, int]:
    """The version of each configured sleeve that a `config` event holds; a basket's is that of its legs."""
    if basket := body.get("basket"):
        return {basket["name"]: basket["version"]}
    return {s["name"]: s.get("version", 0) for s in body["sleeves"]}


def belongs(start: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Raise BadInput unless a journal that began with `start` is of the account of `about`: its positions are there."""
    began, now = ((x.get("account", ""), x.get("mode", "paper")) for x in (start, about))
    if began != now:
        words = [f"{mode} on account {name}" if name else "on paper" for name, mode in (began, now)]
        raise BadInput(f"this home has traded {words[0]}, and desk.toml lets it trade {words[1]}", "begin a new home for that")


@cache
def code_hash(folders: Sequence[str] = CODE) -> str:
    """Digest of the code that decides what the journal says; noted with every event."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted((ENGINE / folder).glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
