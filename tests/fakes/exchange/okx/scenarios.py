"""What each fault of the local OKX looks like through real ccxt, and what is true at the exchange: one scenario a kind.

The faults of requests, answers and the account are here; those of streams are in stream_scenarios.py. A scenario fails where its
fault does not act.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import ccxt
import pytest

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.faults import LATE_MS
from tests.fakes.exchange.okx.played import INST, ISOLATED, SYMBOL, Played

MINUTE = 60_000
Scenario = Callable[[Played], Coroutine[Any, Any, None]]
SCENARIOS: dict[str, Scenario] = {}


def shows(kind: str) -> Callable[[Scenario], Scenario]:
    """This scenario shows that kind of fault."""

    def put(scenario: Scenario) -> Scenario:
        SCENARIOS[kind] = scenario
        return scenario

    return put


async def buy(played: Played, client_id: str = "ndE1", lots: int = 100) -> Any:
    """A market entry; a contract is 100 lots."""
    return await played.client.create_order(SYMBOL, "market", "buy", lots / 100, None, {"clientOrderId": client_id, **ISOLATED})


async def rest_at(played: Played, price: float = 50_000, client_id: str = "ndL1") -> Any:
    """A limit order that rests."""
    return await played.client.create_order(SYMBOL, "limit", "buy", 1.0, price, {"clientOrderId": client_id, **ISOLATED})


async def stop_at(played: Played, price: float = 50_000) -> Any:
    """A protective stop of one contract."""
    params = {"stopLossPrice": price, "reduceOnly": True, "algoClOrdId": "ndS1", "clientOrderId": "ndS1", **ISOLATED}
    return await played.client.create_order(SYMBOL, "market", "sell", 1.0, None, params)


def net(played: Played) -> int:
    """Lots at the exchange."""
    return played.venue.exchange.account.position("BTC").lots


async def asked(played: Played, client_id: str) -> Any:
    """An order by its client id, with the fault over."""
    played.venue.faults.plan.clear()
    return await played.client.fetch_order("", SYMBOL, {"clientOrderId": client_id})


async def truth_by_rest(ex: Any) -> dict[str, Any]:
    """Every trade as (number, symbol, signed contracts), and the net of each symbol that is not flat, as REST has them."""
    rows: list[Any] = []
    while page := (await ex.privateGetTradeFillsHistory({"after": rows[-1]["billId"] if rows else ""}))["data"]:
        rows += page
    sign = {"buy": "", "sell": "-"}
    held = (await ex.privateGetAccountPositions())["data"]
    trades = [(int(row["tradeId"]), row["instId"], sign[row["side"]] + row["fillSz"]) for row in rows]
    return {"trades": trades, "held": {row["instId"]: row["pos"] for row in held}}


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
    """The same for the client; the position is there, and the id is taken."""
    with pytest.raises(ccxt.RequestTimeout):
        await buy(played)
    assert (await asked(played, "ndE1"))["status"] == "closed"
    assert net(played) == 100
    with pytest.raises(ccxt.InvalidOrder, match="51016"):
        await buy(played)


@shows("late")
async def late_arrival(played: Played) -> None:
    """Not found when it is asked for, and then it fills."""
    with pytest.raises(ccxt.RequestTimeout):
        await buy(played)
    with pytest.raises(ccxt.OrderNotFound):
        await asked(played, "ndE1")
    await played.wait(LATE_MS)
    assert (await asked(played, "ndE1"))["filled"] == 1.0


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
    """ccxt raises nothing: an order without an id, and a flat account without orders. Only a raw answer shows the page."""
    ex = played.client
    assert (await buy(played))["id"] is None
    assert [await ex.fetch_positions([SYMBOL]), await ex.fetch_open_orders(SYMBOL), await ex.fetch_my_trades(SYMBOL)] == [
        [],
        [],
        [],
    ]
    assert isinstance(await ex.privateGetAccountPositions(), str)
    assert net(played) == 0


@shows("rate_limit")
async def too_many(played: Played) -> None:
    """429."""
    with pytest.raises(ccxt.RateLimitExceeded):
        await buy(played)


@shows("ban")
async def banned(played: Played) -> None:
    """418 is a rate limit to ccxt too."""
    with pytest.raises(ccxt.DDoSProtection):
        await buy(played)


@shows("maintenance")
async def closed(played: Played) -> None:
    """The venue's own word."""
    with pytest.raises(ccxt.OnMaintenance):
        await buy(played)


@shows("clock_skew")
async def clock_ahead(played: Played) -> None:
    """Signed requests are refused, public ones answered with the venue's time."""
    with pytest.raises(ccxt.InvalidNonce):
        await buy(played)
    assert await played.client.fetch_time() - played.venue.exchange.clock() == 40_000


@shows("reject_orders")
async def refused(played: Played) -> None:
    """A definite no."""
    with pytest.raises(ccxt.InsufficientFunds):
        await buy(played)
    with pytest.raises(ccxt.InsufficientFunds):
        await stop_at(played)
    assert not played.venue.exchange.ledger


@shows("reject_cancels")
async def cannot_cancel(played: Played) -> None:
    """The order rests on."""
    await rest_at(played)
    with pytest.raises(ccxt.InvalidOrder):
        await played.client.cancel_order("", SYMBOL, {"clientOrderId": "ndL1"})
    assert len(played.venue.exchange.open_orders()) == 1


@shows("reject_amends")
async def cannot_amend(played: Played) -> None:
    """The stop stays where it was. An amendment's refusal is a plain ExchangeError."""
    await stop_at(played)
    with pytest.raises(ccxt.ExchangeError, match="51506"):
        await played.client.privatePostTradeAmendAlgos({"instId": INST, "algoClOrdId": "ndS1", "newSlTriggerPx": "51000"})
    assert played.venue.exchange.open_algos()[0].stop == 500_000


@shows("lost_order")
async def acknowledged_and_lost(played: Played) -> None:
    """An id is answered, and nobody knows it."""
    placed = await buy(played)
    assert placed["id"]
    with pytest.raises(ccxt.OrderNotFound):
        await asked(played, "ndE1")


@shows("algo_unaskable")
async def parent_unknown(played: Played) -> None:
    """The stop's child can be asked for, the stop cannot."""
    await buy(played)
    await stop_at(played)
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await played.client.privateGetTradeOrderAlgo({"algoClOrdId": "ndS1"})


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
    assert net(played) == 100
    await played.wait(11 * MINUTE)
    assert len(await played.client.fetch_my_trades(SYMBOL)) == 1


@shows("venue_cancels")
async def ended_by_the_venue(played: Played) -> None:
    """A resting order is gone, and nobody has asked for it."""
    await rest_at(played)
    await played.wait(2 * MINUTE)
    order = await played.client.fetch_order("", SYMBOL, {"clientOrderId": "ndL1"})
    assert (order["status"], order["info"]["cancelSource"]) == ("canceled", "0")


@shows("stranger")
async def someone_else(played: Played) -> None:
    """A position that no client id explains."""
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
