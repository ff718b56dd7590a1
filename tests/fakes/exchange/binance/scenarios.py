"""What each fault of the local Binance looks like through real ccxt, and what is true at the exchange: one scenario a kind.

The faults of requests, answers and the account are here; those of streams are in stream_scenarios.py. A scenario fails where its
fault does not act.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import ccxt
import pytest

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.binance.played import INST, SYMBOL, Played
from tests.fakes.exchange.binance.rest import HTML
from tests.fakes.exchange.faults import LATE_MS

MINUTE = 60_000
MINE = {"symbol": INST}
Scenario = Callable[[Played], Coroutine[Any, Any, None]]
SCENARIOS: dict[str, Scenario] = {}


def shows(kind: str) -> Callable[[Scenario], Scenario]:
    """This scenario shows that kind of fault."""

    def put(scenario: Scenario) -> Scenario:
        SCENARIOS[kind] = scenario
        return scenario

    return put


async def buy(played: Played, client_id: str = "ndE1", lots: int = 10) -> Any:
    """A market entry; a lot is 0.001."""
    return await played.client.create_order(SYMBOL, "market", "buy", lots / 1_000, None, {"clientOrderId": client_id})


async def rest_at(played: Played, price: float = 50_000, client_id: str = "ndL1") -> Any:
    """A limit order that rests."""
    return await played.client.create_order(SYMBOL, "limit", "buy", 0.01, price, {"clientOrderId": client_id})


async def stop_at(played: Played, price: float = 50_000) -> Any:
    """A protective stop of 0.01."""
    params = {"stopLossPrice": price, "reduceOnly": True, "clientOrderId": "ndS1"}
    return await played.client.create_order(SYMBOL, "market", "sell", 0.01, None, params)


def net(played: Played) -> int:
    """Lots at the exchange."""
    return played.venue.exchange.account.position("BTC").lots


async def asked(played: Played, client_id: str) -> Any:
    """An order by its client id, with the fault over."""
    played.venue.faults.plan.clear()
    return await played.client.fetch_order("", SYMBOL, {"clientOrderId": client_id})


async def truth_by_rest(ex: Any) -> dict[str, Any]:
    """Every trade as (number, symbol, signed base units), and the net of each symbol that is not flat, as REST has them."""
    rows: list[Any] = []
    for symbol in (INST, "ETHUSDT"):
        first = 0
        while page := await ex.fapiPrivateGetUserTrades({"symbol": symbol, "fromId": first, "limit": 100}):
            rows, first = rows + page, int(page[-1]["id"]) + 1
    trades = [(int(row["id"]), row["symbol"], ("" if row["side"] == "BUY" else "-") + row["qty"]) for row in rows]
    held = await ex.fapiPrivateV3GetPositionRisk()
    return {"trades": trades, "held": {row["symbol"]: row["positionAmt"] for row in held if float(row["positionAmt"])}}


@shows("timeout_before")
async def lost_request(played: Played) -> None:
    """The client waits its three seconds; nothing was ordered."""
    with pytest.raises(ccxt.RequestTimeout):
        await buy(played)
    with pytest.raises(ccxt.OrderNotFound):
        await asked(played, "ndE1")
    assert net(played) == 0


@shows("timeout_after")
async def lost_answer(played: Played) -> None:
    """The same for the client; the position is there, and the same id again is a second one: only a question tells them apart."""
    with pytest.raises(ccxt.RequestTimeout):
        await buy(played)
    assert (await asked(played, "ndE1"))["status"] == "closed"
    assert net(played) == 10
    await buy(played)
    assert net(played) == 20


@shows("late")
async def late_arrival(played: Played) -> None:
    """Not found when it is asked for, and then it fills."""
    with pytest.raises(ccxt.RequestTimeout):
        await buy(played)
    with pytest.raises(ccxt.OrderNotFound):
        await asked(played, "ndE1")
    await played.wait(LATE_MS)
    assert (await asked(played, "ndE1"))["filled"] == 0.01


@shows("read_timeout")
async def no_answer(played: Played) -> None:
    """A question is not answered."""
    with pytest.raises(ccxt.RequestTimeout):
        await played.client.fetch_positions([SYMBOL])


@shows("http_5xx")
async def bad_gateway(played: Played) -> None:
    """502: whether the order was taken is not said; here it was not."""
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await buy(played)
    assert net(played) == 0


@shows("html")
async def page_of_html(played: Played) -> None:
    """ccxt takes it: an order without an id, a flat account, a trade for each letter of the page. Only a raw answer shows it."""
    ex = played.client
    assert (await buy(played))["id"] is None
    assert await ex.fetch_positions([SYMBOL]) == []
    assert [trade["id"] for trade in await ex.fetch_my_trades(SYMBOL)] == [None] * len(HTML)
    with pytest.raises(AttributeError):
        await ex.fetch_open_orders(SYMBOL)
    assert isinstance(await ex.fapiPrivateGetOpenOrders(dict(MINE)), str)
    assert net(played) == 0


@shows("rate_limit")
async def too_many(played: Played) -> None:
    """429: the class is that of a ban, the code is there."""
    with pytest.raises(ccxt.DDoSProtection, match="-1003"):
        await buy(played)


@shows("ban")
async def banned(played: Played) -> None:
    """418."""
    with pytest.raises(ccxt.DDoSProtection, match="banned until"):
        await buy(played)


@shows("maintenance")
async def closed(played: Played) -> None:
    """The venue's own word, which ccxt has a class for; its code is lost."""
    with pytest.raises(ccxt.OnMaintenance) as raised:
        await buy(played)
    assert "code" not in str(raised.value)


@shows("clock_skew")
async def clock_ahead(played: Played) -> None:
    """Signed requests are refused, public ones answered with the venue's time."""
    with pytest.raises(ccxt.InvalidNonce):
        await buy(played)
    assert await played.client.fetch_time() - played.venue.exchange.clock() == 40_000


@shows("reject_orders")
async def refused(played: Played) -> None:
    """A definite no. ccxt has the class of -2019 for the host of Binance alone."""
    with pytest.raises(ccxt.ExchangeError, match="-2019"):
        await buy(played)
    with pytest.raises(ccxt.ExchangeError, match="-2019"):
        await stop_at(played)
    assert not played.venue.exchange.ledger


@shows("reject_cancels")
async def cannot_cancel(played: Played) -> None:
    """The order rests on: -2011 is said of one that is not there, too."""
    await rest_at(played)
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        await played.client.cancel_order("", SYMBOL, {"clientOrderId": "ndL1"})
    assert len(played.venue.exchange.open_orders()) == 1


@shows("reject_amends")
async def cannot_amend(played: Played) -> None:
    """The order stays where it was; a stop cannot be moved in any case."""
    await rest_at(played)
    move = MINE | {"side": "BUY", "origClientOrderId": "ndL1", "quantity": "0.01", "price": "51000"}
    with pytest.raises(ccxt.ExchangeError, match="-5026"):
        await played.client.fapiPrivatePutOrder(move)
    assert played.venue.exchange.open_orders()[0].price == 500_000


@shows("lost_order")
async def acknowledged_and_lost(played: Played) -> None:
    """An id is answered, and nobody knows it."""
    placed = await buy(played)
    assert placed["id"]
    with pytest.raises(ccxt.OrderNotFound):
        await asked(played, "ndE1")


@shows("algo_unaskable")
async def parent_unknown(played: Played) -> None:
    """The stop's child can be asked for, the stop cannot, in no list."""
    await buy(played)
    await stop_at(played)
    ex = played.client
    for ask in (ex.fapiPrivateGetOpenAlgoOrders, ex.fapiPrivateGetAllAlgoOrders):
        with pytest.raises(ccxt.OperationFailed, match="-1001"):
            await ask(dict(MINE))
    with pytest.raises(ccxt.OperationFailed, match="-1001"):
        await ex.fapiPrivateGetAlgoOrder(MINE | {"clientAlgoId": "ndS1"})


@shows("partial_answer")
async def half_a_list(played: Played) -> None:
    """Two of four orders."""
    for number in range(4):
        await rest_at(played, 50_000 + number, f"ndL{number}")
    assert len(await played.client.fetch_open_orders(SYMBOL)) == 2


@shows("stale_positions")
async def old_position(played: Played) -> None:
    """Flat, says the list, as it was before the entry."""
    played.venue.faults.off("stale_positions")
    assert await played.client.fetch_positions() == []
    played.venue.faults.on("stale_positions")
    await buy(played)
    assert await played.client.fetch_positions() == []


@shows("stale_candles")
async def old_candles(played: Played) -> None:
    """The newest bar ended three bars ago."""
    await played.wait(120 * MINUTE)
    newest = (await played.client.fetch_ohlcv(SYMBOL, "15m"))[-1][0]
    assert played.venue.exchange.clock() - newest >= 3 * 15 * MINUTE


@shows("stale_ticker")
async def old_ticker(played: Played) -> None:
    """The price of an hour ago, with its time."""
    played.venue.faults.off("stale_ticker")
    before = await played.client.fetch_ticker(SYMBOL)
    played.venue.faults.on("stale_ticker")
    await played.wait(60 * MINUTE)
    assert (await played.client.fetch_ticker(SYMBOL))["timestamp"] == before["timestamp"]


@shows("drop_fills_rest")
async def fills_not_listed(played: Played) -> None:
    """Filled, says the order; no execution is listed for ten minutes."""
    assert (await buy(played))["id"]
    assert await played.client.fetch_my_trades(SYMBOL) == []
    assert net(played) == 10
    await played.wait(11 * MINUTE)
    assert len(await played.client.fetch_my_trades(SYMBOL)) == 1


@shows("venue_cancels")
async def ended_by_the_venue(played: Played) -> None:
    """A resting order is gone, and nobody has asked for it: nothing in its row says who ended it."""
    await rest_at(played)
    await played.wait(2 * MINUTE)
    order = await played.client.fetch_order("", SYMBOL, {"clientOrderId": "ndL1"})
    assert (order["status"], order["info"]["status"]) == ("canceled", "CANCELED")


@shows("stranger")
async def someone_else(played: Played) -> None:
    """A position that no client id of ours explains."""
    await played.wait(2 * MINUTE)
    orders = list(played.venue.exchange.orders.values())
    assert [order.client for order in orders] == [""]
    assert any(held.lots for held in played.venue.exchange.account.positions.values())


@shows("thin_book")
async def many_parts(played: Played) -> None:
    """Twenty lots in twenty executions."""
    await played.wait(2 * MINUTE)
    await buy(played, lots=20)
    assert sum(event.kind == log.FILL for event in played.venue.exchange.ledger) == 20
