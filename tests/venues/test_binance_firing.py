"""Binance's conditional orders between their level and their child, and answers about another order than the one asked for."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from engine.core.orders import DONE, UNKNOWN, WORKING, VenueOrder
from engine.core.state import ENTRY, PROTECTIVE
from engine.errors import DataError
from engine.venues.binance import BinanceVenue
from engine.venues.instruments import instrument_of
from engine.venues.live_port import LiveAnswer
from engine.venues.okx import OkxVenue
from engine.venues.private_stream_words import read_binance

STOP = VenueOrder("ndS1", 0, PROTECTIVE, 1, -1, 30, 59_000.0, 0, 0, 0.0, 0.0, 0)
ENTER = STOP._replace(id="ndE1", slot=ENTRY, side=1, price=0.0)
ALGO = {"algoId": 7, "clientAlgoId": "ndS1", "side": "SELL", "quantity": "0.030", "triggerPrice": "59000.00", "createTime": 1}
ALGO |= {"algoStatus": "NEW", "actualOrderId": "", "reduceOnly": True, "closePosition": False, "updateTime": 1}
ROW = {"orderId": 11, "clientOrderId": "ndE1", "status": "FILLED", "executedQty": "0.030", "origQty": "0.030", "price": "0.00"}


class Client:
    """What the adapter asks: each method of ccxt answers with what `says` has for its path."""

    def __init__(self, **says: Any) -> None:
        self.says, self.now = says, 1_000_000

    def milliseconds(self) -> int:
        return self.now

    def __getattr__(self, name: str) -> Any:
        async def call(about: Any) -> Any:
            if about.get("clientAlgoId", "ndS1") != "ndS1":
                raise RuntimeError('binanceusdm {"code":-2013,"msg":"Order does not exist."}')
            return self.says[name.removeprefix("fapiprivate").removeprefix("_")]

        return call


def venue(client: Client) -> BinanceVenue:
    """The adapter on a client."""
    return BinanceVenue(client, client, instrument_of("binance", "BTC-USDT"), "BTCUSDT", {}, client.now - 100_000)


def firing(**more: Any) -> Client:
    """A client that knows the stop, with its level reached."""
    row = ALGO | {"algoStatus": "TRIGGERING"} | more
    return Client(get_allalgoorders=[row], get_algoorder=row, get_openalgoorders=[row], get_openorders=[])


def test_a_stop_that_fires_covers_nothing_and_counts_as_over_after_a_minute() -> None:
    """Its level was reached and nothing is placed: such orders stay so for good, and Binance does not cancel them."""
    client = firing()
    binance = venue(client)

    def asked() -> LiveAnswer:
        return asyncio.run(binance.ask(STOP))

    first = asked()
    assert (first.state, first.fired) == (UNKNOWN, True)
    client.now += 59_000
    assert (asked().state, asked().fired) == (UNKNOWN, True)
    client.now += 2_000
    assert (asked().state, asked().filled_lots, asked().why) == (DONE, 0, "TRIGGERING")
    assert asyncio.run(binance.standing()) == []


def test_a_stop_whose_child_is_not_named_yet_stays_in_doubt() -> None:
    """It was placed in the matching engine: it may have filled, however long its child has no name."""
    client = firing(algoStatus="TRIGGERED")
    binance = venue(client)
    for _ in range(3):
        found = asyncio.run(binance.ask(STOP))
        assert (found.state, found.fired) == (UNKNOWN, True)
        client.now += 60_000


def test_the_stream_says_that_a_stop_has_fired_before_its_child_is_placed() -> None:
    """So it is asked about, and does not count as standing by the stream's word."""
    row = {"s": "BTCUSDT", "caid": "ndS1-2", "X": "TRIGGERING"}
    (hint,) = read_binance({"e": "ALGO_UPDATE", "o": row}).hints
    assert (hint.order, hint.version, hint.ended) == ("ndS1", "ndS1-2", True)


def test_a_position_that_is_shown_twice_is_one() -> None:
    """In one-way mode there is one of an instrument; two that differ are none that can be believed."""
    row = {"positionAmt": "0.050", "positionSide": "BOTH", "entryPrice": "60000", "liquidationPrice": "0"}
    client = Client(get_symbolconfig=[{"marginType": "ISOLATED", "leverage": "3"}])
    client.says["v3_get_positionrisk"] = [row, row]
    assert asyncio.run(venue(client).position()).lots == 50
    client.says["v3_get_positionrisk"] = [row, row | {"positionAmt": "0.020"}]
    with pytest.raises(DataError, match="2 positions"):
        asyncio.run(venue(client).position())


@pytest.mark.parametrize("side", ["Buy", "", None, "BOTH"])
def test_a_side_that_is_neither_is_not_read_as_a_sale(side: str | None) -> None:
    """Nothing is assumed of a list that has one."""
    row = ROW | {"side": side, "reduceOnly": False, "closePosition": False}
    with pytest.raises(DataError, match="standing"):
        asyncio.run(venue(Client(get_openorders=[row], get_openalgoorders=[])).standing())


def test_an_order_of_somebody_else_without_a_client_id_is_read() -> None:
    """It is listed, as nobody's; and the desk's own stop can still be asked about."""
    nameless = [ROW | {"clientOrderId": None, "side": "BUY", "reduceOnly": False, "closePosition": False}]
    client = Client(get_openorders=nameless, get_openalgoorders=[ALGO | {"clientAlgoId": None}], get_algoorder=ALGO)
    client.says["get_allalgoorders"] = [ALGO | {"clientAlgoId": None, "algoId": 8}, ALGO]
    binance = venue(client)
    assert [held.order for held in asyncio.run(binance.standing())] == ["", ""]
    assert asyncio.run(binance.ask(STOP)).state == WORKING


def test_a_stop_of_okx_that_is_effective_and_has_placed_nothing_has_fired() -> None:
    """As at Binance: it covers nothing."""

    class Okx:
        async def private_get_trade_order_algo(self, about: Any) -> Any:
            return {"data": [{"state": "effective", "ordId": "", "ordIdList": [], "algoId": "7", "algoClOrdId": "ndS1"}]}

    okx = OkxVenue(None, Okx(), instrument_of("okx", "BTC-USDT"), "BTC-USDT-SWAP", Decimal("0.1"))
    found = asyncio.run(okx.ask(STOP))
    assert (found.state, found.fired) == (UNKNOWN, True)


@pytest.mark.parametrize(
    "row", [ROW | {"clientOrderId": "ndE2"}, ROW | {"clientOrderId": None}, {**ROW, "clientOrderId": "ndE1x"}]
)
def test_an_answer_about_another_order_says_nothing(row: dict[str, Any]) -> None:
    """Neither that it has filled, nor that it was taken, nor whose execution that is."""
    binance = venue(Client(get_order=row, post_order=row, delete_order=row, put_order=row))
    for asked in (binance.ask(ENTER), binance.cancel(ENTER), binance.amend(ENTER._replace(price=60_000.0), 60_001.0, 30)):
        found = asyncio.run(asked)
        assert (found.state, found.filled_lots, found.venue_id) == (UNKNOWN, 0, "")
    found = asyncio.run(binance.place(ENTER._replace(slot=2)))
    assert (found.state, found.venue_id) == (UNKNOWN, "")


def test_a_child_or_a_version_that_is_another_one_says_nothing() -> None:
    """The child is asked for by the venue's id, the version by its client id."""
    client = firing(algoStatus="FINISHED", actualOrderId="11")
    client.says["get_order"] = ROW | {"orderId": 12}
    assert asyncio.run(venue(client).ask(STOP)).state == UNKNOWN
    client.says["get_order"] = ROW
    assert asyncio.run(venue(client).ask(STOP)).state == DONE
    client.says |= {"get_allalgoorders": [], "get_algoorder": ALGO | {"clientAlgoId": "ndS2"}}
    assert asyncio.run(venue(client).ask(STOP)).state == UNKNOWN
    client.says["get_algoorder"] = ALGO
    assert asyncio.run(venue(client).ask(STOP)).state == WORKING


def test_margin_and_leverage_are_asked_for_each_twenty_seconds_alone() -> None:
    """A halt asks for the position many times a second, and its venue counts what it is asked."""
    client, asked = Client(v3_get_positionrisk=[], get_symbolconfig=[{"marginType": "ISOLATED", "leverage": "3"}]), []
    found = venue(client)

    async def play() -> None:
        for after_ms, leverage in ((0, "3"), (19_999, "4"), (1, "5")):
            client.now += after_ms
            client.says["get_symbolconfig"] = [{"marginType": "CROSSED", "leverage": leverage}]
            asked.append((await found.position()).leverage)

    asyncio.run(play())
    assert asked == [3.0, 3.0, 5.0]
