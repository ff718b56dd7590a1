"""The list of instruments as an account is connected: one answer without sense takes no instrument away."""

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from app.processes.account_check import require_same_lots
from app.processes.account_start import connected
from engine.errors import BadInput
from engine.venues.binance import BinanceVenue
from engine.venues.gone import GoneVenue
from engine.venues.okx import OkxVenue

NAME = "binance:BTC-USDT:perp"
BTC = {"BTC/USDT:USDT": {"id": "BTCUSDT", "precision": {"amount": 0.001, "price": 0.1}, "contractSize": 1}}
OTHERS = {"ETH/USDT:USDT": {"id": "ETHUSDT"}}


class Client:
    """A ccxt client whose lists come one after the other, the last one again and again."""

    def __init__(self, lists: list[dict[str, Any]]) -> None:
        self.lists, self.markets, self.closed = lists, dict[str, Any](), False
        self.last_was_page = False

    async def load_markets(self, reload: bool = False) -> None:
        """As ccxt: without `reload` what was read before."""
        if reload:
            self.markets = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]

    def set_markets_from_exchange(self, other: Any) -> None:
        self.markets = other.markets

    def milliseconds(self) -> int:
        return 1

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("lists", "made", "pauses"),
    [
        ([BTC], BinanceVenue, 0),
        ([{}, {}, BTC], BinanceVenue, 2),
        ([OTHERS, BTC], BinanceVenue, 1),
        ([OTHERS, {}, OTHERS], GoneVenue, 2),
        ([OTHERS], GoneVenue, 1),
    ],
)
def test_an_instrument_is_gone_by_two_lists_that_have_others(lists: list[dict[str, Any]], made: type, pauses: int) -> None:
    """ccxt reads HTML with status 200, or an answer without its list, as no instrument: that is asked again, for as long as it
    takes. A list without ours is read twice; else the desk would know nothing of its stops until somebody starts it anew.
    """
    waited, said = list[float](), list[str]()

    async def sleep(for_s: float) -> None:
        waited.append(for_s)

    account = asyncio.run(connected("binance", [NAME], lambda: Client(list(lists)), {}, said.append, sleep))
    assert isinstance(account.venues[NAME], made)
    assert isinstance(account.halting[NAME], made)
    assert len(waited) == pauses
    assert said[-1] == ""
    assert sum("lists no instrument" in line for line in said) == lists.count({})


@pytest.mark.parametrize(
    ("before", "own", "fits"),
    [
        ("", {}, True),
        ("contracts of 0.01, 0.01 at a time, at ticks of 0.1", {}, False),
        ("contracts of 0.001, 1 at a time, at ticks of 0.5", {}, True),
        ("contracts of 0.01, 0.01 at a time, at ticks of 0.1", {"contract_size": 0.001}, True),
        ("contracts of 0.01, 0.01 at a time, at ticks of 0.1", {"contract_size": 0.01}, False),
    ],
)
def test_lots_that_were_counted_in_another_contract_refuse_the_start(before: str, own: dict[str, float], fits: bool) -> None:
    """A contract that shrank between two processes still divides a lot: an execution of two contracts would be a tenth of itself.
    desk.toml says that a person has looked.
    """
    name = "okx:BTC-USDT:perp"
    lists = [{"BTC/USDT:USDT": {"id": "BTC-USDT-SWAP", "precision": {"amount": 0.01, "price": 0.1}, "contractSize": 0.001}}]
    clients = list[Client]()

    def client() -> Client:
        clients.append(Client(lists))
        return clients[-1]

    async def sleep(_for_s: float) -> None:
        return

    start = connected("okx", [name], client, {name: own} if own else {}, lambda _: None, sleep, {name: before} if before else {})
    if fits:
        assert isinstance(asyncio.run(start).venues[name], OkxVenue)
        return
    with pytest.raises(
        BadInput, match=r"counts contracts of 0.001 by now, and what is open here was counted in contracts of 0.01"
    ):
        asyncio.run(start)
    assert all(one.closed for one in clients)


@pytest.mark.parametrize(("lot", "fits"), [(0.0001, True), (0.001, False)])
def test_a_lot_that_is_not_the_journals_is_refused(lot: float, fits: bool) -> None:
    """The book would go on in its own lots, and orders leave in the other; a home that has not begun takes any."""
    spec = SimpleNamespace(source={"instrument": NAME}, rules=SimpleNamespace(lot_size=0.0001))
    book: Any = SimpleNamespace(specs=[spec])
    require_same_lots(None, {NAME: {"lot_size": lot}})
    with nullcontext() if fits else pytest.raises(BadInput, match=r"counts in lots of 0.0001, and desk.toml says 0.001"):
        require_same_lots(book, {NAME: {"lot_size": lot}})
