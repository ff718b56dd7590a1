"""What a strategy reads beside its own instrument's bars, as its module declares it: INSTRUMENTS = ("ETH-USDT",).

Called by sim/ and live/ before bars are loaded, and by base.py when a strategy file is loaded. Turns the declaration into full
names and catalog series, and the loaded bars into the frame that the strategy sees. What the catalog does not have is refused
here, when a request or a configuration is read, not at the first bar.
"""

import re
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.errors import BadInput, StrategyError
from engine.features.frame import FeatureFrame

if TYPE_CHECKING:  # who only reads parameters needs no polars
    from engine.data.align import Market
    from engine.data.catalog import Catalog, Series

SYMBOL = re.compile(r"[A-Z0-9]{1,15}-[A-Z0-9]{1,10}")
INSTRUMENT = re.compile(r"[a-z0-9][a-z0-9-]*:[A-Z0-9]{1,15}-[A-Z0-9]{1,10}:(perp|spot)")


class Reads(NamedTuple):
    """What one sleeve's strategy reads beside its own bars."""

    instruments: tuple[tuple[str, str], ...] = ()  # (as the strategy calls it, full name: binance:ETH-USDT:perp)

    @property
    def names(self) -> list[str]:
        """Everything read by its full name, as the journal and the manifest list it."""
        return [name for _, name in self.instruments]


NOTHING_ELSE = Reads()


def check_declared(module: Any, file: str) -> None:
    """Raise StrategyError when a strategy's INSTRUMENTS cannot be understood."""
    instruments = getattr(module, "INSTRUMENTS", ())
    if not isinstance(instruments, tuple | list) or not all(isinstance(x, str) for x in instruments):
        raise StrategyError(f"{file}: INSTRUMENTS is not a tuple of names", 'write INSTRUMENTS = ("ETH-USDT",)')
    for name in instruments:
        if not SYMBOL.fullmatch(name) and not INSTRUMENT.fullmatch(name):
            hint = "write BASE-QUOTE for the sleeve's own venue and market, or venue:BASE-QUOTE:perp"
            raise StrategyError(f"{file}: INSTRUMENTS names {name!r}, not an instrument", hint)


def reads_of(strategy: Any, instrument: str) -> Reads:
    """What the strategy reads when its sleeve trades `instrument`: a bare symbol is of the same venue and market."""
    venue, _, market = instrument.split(":")
    names = dict.fromkeys(getattr(strategy, "INSTRUMENTS", ()))
    return Reads(tuple((name, name if ":" in name else f"{venue}:{name}:{market}") for name in names))


def bars_read(catalog: "Catalog", reads: Iterable[Reads], timeframe: str, besides: Container[str] = ()) -> "dict[str, Series]":
    """Full name -> bars of every other instrument that is read, but for those that are loaded already (`besides`).

    Raises BadInput naming the instrument and what the catalog has instead.
    """
    found: dict[str, Series] = {}
    for name in (name for one in reads for _, name in one.instruments):
        if name in besides or name in found:
            continue
        venue, symbol, market = name.split(":")
        try:
            found[name] = catalog.find(venue, symbol, timeframe, market)
        except BadInput as error:
            raise BadInput(f"the strategy reads {name}: {error.what}", error.hint) from error
    return found


def frame_of(market: "Market", instrument: str, reads: Reads) -> FeatureFrame:
    """The frame of `instrument`, with the others that its strategy reads; `market` has the bars of all."""
    others = {alias: FeatureFrame.of_market(market, market.instruments.index(name)) for alias, name in reads.instruments}
    return FeatureFrame.of_market(market, market.instruments.index(instrument), others)
