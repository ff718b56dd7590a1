"""What a strategy reads beside its own instrument's bars, as its module declares it.

INSTRUMENTS = ("ETH-USDT",) for `f.of("ETH-USDT")`, SERIES = {"funding": OutsideSeries("funding", "rate", max_age_hours=9)} for
`f.series("funding")`; MODELS = ("vol-btc",) for `f.model("vol-btc")`, whose versions strategies/stored_models.py finds.

Called by sim/ and live/ before bars are loaded, and by base.py when a strategy file is loaded. Turns the declaration into full
names and catalog series, and the loaded bars into the frame that the strategy sees. What the catalog does not have is refused
here, when a request or a configuration is read, not at the first bar.
"""

import re
from collections.abc import Container, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.data.sources import FUNDING, Observations, OutsideSeries, ReadFiles
from engine.errors import BadInput, StrategyError
from engine.features.frame import FeatureFrame
from engine.features.predicted import FrameModel, StoredColumns

if TYPE_CHECKING:  # who only reads parameters needs no polars
    from engine.data.align import Market
    from engine.data.catalog import Catalog, Series

SYMBOL = re.compile(r"[A-Z0-9]{1,15}-[A-Z0-9]{1,10}")
INSTRUMENT = re.compile(r"[a-z0-9][a-z0-9-]*:[A-Z0-9]{1,15}-[A-Z0-9]{1,10}:(perp|spot)")
VENUE = re.compile(r"[a-z0-9][a-z0-9-]*")
PERIODIC = re.compile(r"[a-z][a-z0-9-]*_[1-9]\d*[mhdw]")
AGE_HOURS_MAX = 24.0 * 366


class ReadModel(NamedTuple):
    """A stored model that is read, with what its own features read beside the bars."""

    alias: str  # as the strategy calls it
    text: str  # vol-btc@1.2.0 (0123456789ab)
    columns: StoredColumns
    instruments: tuple[tuple[str, str], ...] = ()  # as in Reads, by the names that its features use
    series: tuple[tuple[str, OutsideSeries], ...] = ()


class Reads(NamedTuple):
    """What one sleeve's strategy reads beside its own bars, and on which timeframe."""

    timeframe: str = ""
    instruments: tuple[tuple[str, str], ...] = ()  # (as the strategy calls it, full name: binance:ETH-USDT:perp)
    series: tuple[tuple[str, OutsideSeries], ...] = ()  # (as the strategy calls it, declaration with `of` spelled out)
    models: tuple[ReadModel, ...] = ()

    @property
    def _readers(self) -> "list[Reads | ReadModel]":
        return [self, *self.models]

    @property
    def full_names(self) -> list[str]:
        """Every instrument by its full name, those of models too."""
        return list(dict.fromkeys(name for one in self._readers for _, name in one.instruments))

    @property
    def declared(self) -> list[OutsideSeries]:
        """Every outside series, those of models too."""
        return list(dict.fromkeys(series for one in self._readers for _, series in one.series))

    @property
    def names(self) -> list[str]:
        """Everything read by its full name, as the journal lists it."""
        aged = [f"{s.name}, {s.lag_minutes:g} min late, at most {s.max_age_hours:g} h old" for s in self.declared]
        return [*self.full_names, *aged, *(model.text for model in self.models)]


NOTHING_ELSE = Reads()


def check_declared(module: Any, file: str) -> None:
    """Raise StrategyError when a strategy's INSTRUMENTS or SERIES cannot be understood."""
    instruments = getattr(module, "INSTRUMENTS", ())
    if not isinstance(instruments, tuple | list) or not all(isinstance(x, str) for x in instruments):
        raise StrategyError(f"{file}: INSTRUMENTS is not a tuple of names", 'write INSTRUMENTS = ("ETH-USDT",)')
    for name in instruments:
        if not SYMBOL.fullmatch(name) and not INSTRUMENT.fullmatch(name):
            hint = "write BASE-QUOTE for the sleeve's own venue and market, or venue:BASE-QUOTE:perp"
            raise StrategyError(f"{file}: INSTRUMENTS names {name!r}, not an instrument", hint)

    declared = getattr(module, "SERIES", {})
    if not isinstance(declared, Mapping) or not all(isinstance(s, OutsideSeries) for s in declared.values()):
        hint = 'write SERIES = {"funding": OutsideSeries("funding", "rate", max_age_hours=9)}'
        raise StrategyError(f"{file}: SERIES is not a table of OutsideSeries", hint)
    for name, series in declared.items():
        wrong = fault_of(series)
        if wrong:
            raise StrategyError(f"{file}: SERIES {name!r}: {wrong}")


def fault_of(declared: OutsideSeries) -> str:
    """What is wrong with a declaration; empty when nothing is."""
    if declared.series != FUNDING and not PERIODIC.fullmatch(declared.series):
        return f"unknown series {declared.series!r}: use funding, or a name with its period such as oi_1h"
    if not (0.0 < declared.max_age_hours <= AGE_HOURS_MAX):
        return f"max_age_hours = {declared.max_age_hours} is out of bounds: above 0, up to {AGE_HOURS_MAX:g}"
    if not (0.0 <= declared.lag_minutes <= AGE_HOURS_MAX * 60):
        return f"lag_minutes = {declared.lag_minutes} is out of bounds: 0 or more"
    if declared.of and not any(pattern.fullmatch(declared.of) for pattern in (SYMBOL, INSTRUMENT, VENUE)):
        return f"of = {declared.of!r} is not an instrument or a venue"
    return ""


def reads_of(strategy: Any, instrument: str, timeframe: str, models: tuple[ReadModel, ...] = ()) -> Reads:
    """What the strategy reads when its sleeve trades `instrument`: a bare symbol is of the same venue and market. `models`: those
    that answer for it.
    """
    venue, _, market = instrument.split(":")
    names = dict.fromkeys(getattr(strategy, "INSTRUMENTS", ()))
    instruments = tuple((name, name if ":" in name else f"{venue}:{name}:{market}") for name in names)
    series = []
    for alias, declared in getattr(strategy, "SERIES", {}).items():
        of = declared.of or instrument
        series.append((alias, declared._replace(of=f"{venue}:{of}:{market}" if SYMBOL.fullmatch(of) else of)))
    return Reads(timeframe, instruments, tuple(series), models)


def files_read(
    catalog: "Catalog", reads: Iterable[Reads], besides: Container[tuple[str, str | OutsideSeries]] = ()
) -> dict[str, ReadFiles]:
    """Timeframe -> the files of everything that is read on it, but for what is loaded already (`besides`: timeframe and name).

    Raises BadInput naming what the catalog does not have, and what it has instead.
    """
    bars: dict[str, dict[str, Series]] = {}
    series: dict[str, dict[OutsideSeries, Series]] = {}
    for one in reads:
        mine, outside = bars.setdefault(one.timeframe, {}), series.setdefault(one.timeframe, {})
        for name in one.full_names:
            if (one.timeframe, name) not in besides and name not in mine:
                mine[name] = _found(catalog, name, name, one.timeframe)
        for declared in one.declared:
            if (one.timeframe, declared) not in besides and declared not in outside:
                outside[declared] = _found(catalog, declared.name, declared.of, declared.series)
    return {timeframe: ReadFiles(bars[timeframe], series[timeframe]) for timeframe in bars}


def _found(catalog: "Catalog", name: str, of: str, series: str) -> "Series":
    """A series of an instrument, or of a venue without one."""
    venue, symbol, market = of.split(":") if ":" in of else (of, "", "")
    try:
        return catalog.find(venue, symbol, series, market)
    except BadInput as error:
        raise BadInput(f"the strategy reads {name}: {error.what}", error.hint) from error


def frame_of(
    market: "Market", instrument: str, reads: Reads, observed: Mapping[OutsideSeries, Observations] = MappingProxyType({})
) -> FeatureFrame:
    """The frame of `instrument` with what else its strategy reads: `market` has all bars, `observed` the outside series."""
    frames = {name: FeatureFrame.of_market(market, market.instruments.index(name)) for name in reads.full_names}

    def beside(one: Reads | ReadModel) -> tuple[dict[str, FeatureFrame], dict[str, Observations]]:
        return {alias: frames[name] for alias, name in one.instruments}, {alias: observed[s] for alias, s in one.series}

    models = {model.alias: FrameModel(model.columns, *beside(model)) for model in reads.models}
    return FeatureFrame.of_market(market, market.instruments.index(instrument), *beside(reads), models)
