"""The adapters of the live desk against their local venues: what tests of several venues share."""

from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from types import ModuleType
from typing import Any, NamedTuple

from engine.core.orders import VenueOrder
from engine.core.state import ENTRY, PROTECTIVE, TARGET_SLOT
from engine.venues.binance import BinanceVenue
from engine.venues.bybit import BybitVenue
from engine.venues.instruments import instrument_of
from engine.venues.okx import OkxVenue
from tests.fakes.exchange.binance import played as binance_played
from tests.fakes.exchange.bybit import played as bybit_played
from tests.fakes.exchange.okx import played as okx_played
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.stage import flat_path, small_exchange

MINUTE = 60_000
Script = Callable[[Played, Any], Coroutine[Any, Any, Any]]


class Adapted(NamedTuple):
    """One venue: its local server, its adapter, and what it words differently."""

    name: str  # in messages
    played: ModuleType
    adapter: Callable[[Any], Any]  # of BTC, with one client for both of its jobs
    unknown_symbol: Mapping[str, Any]  # the adapter's field that names the instrument, as the venue knows none
    fired: str = ""  # client id on the fills of a stop that fired
    maintenance: str = "not_taken"  # what the venue's word for it proves
    unmoved: str = "reject_amends"  # the fault that leaves a stop where it is; where it moves by a new order, another one

    def run(self, script: Script, sockets: bool = False) -> Any:
        """What the script returns."""
        play = self.played.over_sockets if sockets else self.played.under_virtual_clock
        return play(lambda played: script(played, self.adapter(played.client)), moving)[0]


def okx_adapter(client: Any) -> OkxVenue:
    """A contract is 100 lots."""
    return OkxVenue(client, client, instrument_of("okx", "BTC-USDT"), okx_played.INST, Decimal("0.01"))


def bybit_adapter(client: Any) -> BybitVenue:
    """A lot is 0.0001 BTC."""
    return BybitVenue(client, client, instrument_of("bybit", "BTC-USDT"), bybit_played.INST, Decimal("0.0001"))


def binance_adapter(client: Any) -> BinanceVenue:
    """Lots of 0.0001 BTC, as the others'; Binance's own are ten times that."""
    instrument = instrument_of("binance", "BTC-USDT")._replace(lot_size=0.0001)
    return BinanceVenue(client, client, instrument, binance_played.INST, {}, client.milliseconds())


ADAPTED = {
    "okx": Adapted("OKX", okx_played, okx_adapter, {"inst_id": "XRP-USDT-SWAP"}),
    "binance": Adapted(
        "Binance", binance_played, binance_adapter, {"symbol": "XRPUSDT"}, "ndS1", maintenance="unknown", unmoved="reject_orders"
    ),
    "bybit": Adapted("Bybit", bybit_played, bybit_adapter, {"symbol": "XRPUSDT"}, fired="ndS1", maintenance="unknown"),
}


def moving(clock: Any) -> Any:
    """60,000.0; after ten hours 59,000.0, after eleven 57,000.0."""
    return small_exchange(clock, flat_path(600_000, (600 * MINUTE, 590_000, 300), (660 * MINUTE, 570_000, 300)))


def order(id_: str, slot: int = ENTRY, side: int = 1, lots: int = 300, price: float = 0.0, **more: Any) -> VenueOrder:
    """An order of the desk."""
    return VenueOrder(id_, 0, slot, 1, side, lots, price, more.pop("post_only", 0), 1, 0.0, 100.0, 0, **more)


ENTER, STOP, GOAL = order("ndE1"), order("ndS1", PROTECTIVE, -1, price=58_000.0), order("ndT1", TARGET_SLOT, -1, price=62_000.0)
