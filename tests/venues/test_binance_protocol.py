"""Real ccxt against the local Binance: the life of a position by REST and streams, over sockets and under the virtual clock."""

from typing import Any

import ccxt
import pytest

from engine.venues.outcome import code_of
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.binance.played import BTC, INST, SYMBOL, Played, over_sockets, under_virtual_clock
from tests.fakes.exchange.market import PICO
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.stage import flat_path, small_exchange

MINUTE = 60_000


def moving(clock: Any) -> Exchange:
    """60,000.0; after ten hours 59,000.0, after eleven 57,000.0, a minute later 57,100.0."""
    hours = (600 * MINUTE, 590_000, 300), (660 * MINUTE, 570_000, 300), (661 * MINUTE, 571_000, 300)
    return small_exchange(clock, flat_path(600_000, *hours), contract=BTC)


async def enter(played: Played) -> None:
    """0.03 at the market, with a stop and a target of their own."""
    ex = played.client
    await ex.create_order(SYMBOL, "market", "buy", 0.03, None, {"clientOrderId": "ndE1"})
    stop = {"stopLossPrice": 58_000, "reduceOnly": True, "clientOrderId": "ndS1"}
    await ex.create_order(SYMBOL, "market", "sell", 0.02, None, stop)
    await ex.create_order(SYMBOL, "limit", "sell", 0.03, 62_000, {"clientOrderId": "ndT1", "reduceOnly": True})


async def life(played: Played) -> dict[str, Any]:
    """Entry, stop, target, questions, an amendment, funding, the stop that fires, and what streams said of it all."""
    ex, said = played.client, {}
    await ex.load_markets()
    orders, trades = played.collect(lambda: ex.watch_orders(SYMBOL)), played.collect(lambda: ex.watch_my_trades(SYMBOL))
    positions = played.collect(lambda: ex.watch_positions([SYMBOL]))
    await played.subscribed("user")
    await enter(played)
    said["entry"] = await ex.fetch_order("", SYMBOL, {"clientOrderId": "ndE1"})
    said["open"] = [order["clientOrderId"] for order in await ex.fetch_open_orders(SYMBOL)]
    stops = await ex.fetch_open_orders(SYMBOL, None, None, {"trigger": True})
    said["stops"] = [(row["clientOrderId"], row["triggerPrice"], row["amount"]) for row in stops]
    move = {"symbol": INST, "side": "SELL", "origClientOrderId": "ndT1", "quantity": "0.03", "price": "61900"}
    await ex.fapiPrivatePutOrder(move)
    said["target"] = (await ex.fetch_order("", SYMBOL, {"clientOrderId": "ndT1"}))["price"]
    said["position"] = (await ex.fetch_positions([SYMBOL]))[0]
    for _ in range(18):
        await played.wait(30 * MINUTE)
        await ex.fapiPrivatePutListenKey()
    said["funding"] = await ex.fetch_funding_history(SYMBOL)
    for _ in range(5):
        await played.wait(30 * MINUTE)
        await ex.fapiPrivatePutListenKey()
    stop = await ex.fapiPrivateGetAlgoOrder({"symbol": INST, "clientAlgoId": "ndS1"})
    said["fired"] = (stop["algoStatus"], stop["actualQty"])
    said["child"] = await ex.fetch_order(stop["actualOrderId"], SYMBOL)
    await ex.cancel_order("", SYMBOL, {"clientOrderId": "ndT1"})
    said["left"] = (await ex.fetch_positions([SYMBOL]))[0]["contracts"]
    await ex.create_order(SYMBOL, "market", "sell", 0.01, None, {"clientOrderId": "ndX1", "reduceOnly": True})
    said["fills"] = await ex.fapiPrivateGetUserTrades({"symbol": INST, "fromId": 0})
    said["balance"] = (await ex.fetch_balance())["USDT"]
    await played.until(lambda: any(row["clientOrderId"] == "ndX1" for row in orders), "the exit")
    await played.wait(1_000)
    said |= {"ws_orders": orders, "ws_trades": trades, "ws_positions": positions}
    return said


@pytest.fixture(scope="module")
def virtual() -> tuple[dict[str, Any], Any]:
    """The life under the virtual clock."""
    return under_virtual_clock(life, moving)


def test_the_life_of_a_position_by_rest(virtual: tuple[dict[str, Any], Any]) -> None:
    """Every answer that the desk builds on, read by ccxt."""
    said, venue = virtual
    assert (said["entry"]["status"], said["entry"]["filled"], said["entry"]["average"]) == ("closed", 0.03, 60_000.2)
    assert said["open"] == ["ndT1"]
    assert said["stops"] == [("ndS1", 58_000.0, 0.02)]
    assert said["target"] == 61_900
    position = said["position"]
    assert (position["side"], position["contracts"], position["marginMode"], position["hedged"]) == (
        "long",
        0.03,
        "isolated",
        False,
    )
    assert [bill["amount"] for bill in said["funding"]] == [-0.18]  # 0.01 % of 0.03 BTC at 60,000.0
    assert said["fired"] == ("FINISHED", "0.020")
    assert (said["child"]["reduceOnly"], said["child"]["filled"], said["child"]["clientOrderId"] == "ndS1") == (True, 0.02, False)
    assert said["left"] == 0.01
    account = venue.exchange.account
    assert said["balance"]["total"] == account.cash / PICO
    assert account.position("BTC").lots == 0


def test_fills_are_listed_once_with_their_orders_and_fees(virtual: tuple[dict[str, Any], Any]) -> None:
    """Listed by REST, as the ledger has them."""
    said, venue = virtual
    booked = [event for event in venue.exchange.ledger if event.kind == log.FILL]
    listed = [
        (str(row["id"]), float(row["price"]), round(float(row["qty"]) * 1000), float(row["commission"])) for row in said["fills"]
    ]
    assert listed == [(str(x.bill.trade), x.bill.ticks / 10, x.bill.lots, x.bill.fee / PICO) for x in booked]
    assert len(booked) == 6  # 0.03 + 0.02 + 0.01, one hundredth a level


def test_the_stream_says_what_happened(virtual: tuple[dict[str, Any], Any]) -> None:
    """Orders with their executions, the stop until its child has ended, positions down to flat."""
    said, venue = virtual
    booked = {str(event.bill.trade) for event in venue.exchange.ledger if event.kind == log.FILL}
    assert {trade["id"] for trade in said["ws_trades"]} == booked
    stop = [row["info"] for row in said["ws_orders"] if "aid" in row["info"]]
    assert [row["X"] for row in stop] == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    assert [row["ai"] for row in stop] == ["", "", *[said["child"]["id"]] * 2]
    assert said["ws_orders"][0]["clientOrderId"] == "ndE1"
    assert said["ws_positions"][-1]["contracts"] == 0


def test_sockets_and_the_virtual_clock_give_one_ledger(virtual: tuple[dict[str, Any], Any]) -> None:
    """The same script over loopback: every line of the exchange's ledger is equal, times and cash too, and what streams said."""
    said, venue = over_sockets(life, moving)
    assert [event.row for event in venue.exchange.ledger] == [event.row for event in virtual[1].exchange.ledger]
    assert said["balance"] == virtual[0]["balance"]
    assert {trade["id"] for trade in said["ws_trades"]} == {trade["id"] for trade in virtual[0]["ws_trades"]}
    assert not venue.noted
    assert not virtual[1].noted


def test_candles_marks_and_books_come_by_stream() -> None:
    """What the live feed listens to: a closed candle says so before the next begins."""

    async def script(played: Played) -> Any:
        ex = played.client
        await ex.load_markets()
        candles = played.collect(lambda: ex.watch_ohlcv(SYMBOL, "15m"))
        marks = played.collect(lambda: listed(ex.watch_mark_price(SYMBOL)))
        books = played.collect(lambda: listed(ex.watch_order_book(SYMBOL)))
        await played.subscribed("btcusdt@kline_15m", "btcusdt@markPrice@1s", "btcusdt@depth@100ms")
        market = next(line for line in played.venue.lines if "btcusdt@kline_15m" in line.streams)
        sent: list[str] = []
        send, market._send = market._send, lambda text: (sent.append(text), send(text))  # type: ignore[func-returns-value]
        await played.wait(60 * MINUTE + 1_000)
        return candles, marks, books, sent, await ex.fetch_ohlcv(SYMBOL, "15m")

    (candles, marks, books, sent, rows), venue = under_virtual_clock(script)
    market = venue.exchange.markets["BTC"]
    assert marks[-1]["markPrice"] == market.mark / 10
    assert (books[-1]["bids"][0][0], books[-1]["asks"][0][0]) == (market.best(-1) / 10, market.best(1) / 10)
    assert [row[0] for row in rows[:4]] == sorted({row[0] for row in candles})[:4]
    assert sum('"x":true' in text for text in sent) == 4
    by_time = {row[0]: row for row in candles}
    assert by_time[rows[1][0]] == rows[1]


async def listed(call: Any) -> list[Any]:
    """What a single watch brings."""
    return [await call]


def test_ccxt_lets_a_quiet_user_stream_die() -> None:
    """It renews the listen key once; after eighty minutes without an event nothing comes any more, and no error says so."""

    async def script(played: Played, renewed: bool) -> list[Any]:
        ex = played.client
        await ex.load_markets()
        orders = played.collect(lambda: ex.watch_orders(SYMBOL))
        await played.subscribed("user")
        for _ in range(4):
            await played.wait(25 * MINUTE)
            if renewed:
                await ex.fapiPrivatePutListenKey()
        await ex.create_order(SYMBOL, "market", "buy", 0.01, None, {"clientOrderId": "ndE1"})
        await played.wait(MINUTE)
        return [getattr(row, "args", row) for row in orders]

    silent, venue = under_virtual_clock(lambda played: script(played, renewed=False))
    assert silent == []
    assert [method for method, path, _ in venue.calls if path == "fapi/v1/listenKey"] == ["POST", "PUT"]
    heard, _ = under_virtual_clock(lambda played: script(played, renewed=True))
    assert [row["status"] for row in heard] == ["open", "closed"]


REFUSED: list[tuple[str, float, dict[str, Any], str]] = [
    ("buy", 0.01, {"clientOrderId": "nd E1"}, "-1100"),
    ("buy", 0.01, {"clientOrderId": "n" * 37}, "-4015"),
    ("buy", 0.01, {"clientOrderId": "ndTwice"}, "-4116"),
    ("buy", 0.01, {"clientOrderId": "ndA", "positionSide": "LONG"}, "-4061"),
    ("sell", 0.01, {"clientOrderId": "ndB", "reduceOnly": True, "stopLossPrice": 61_000}, "-2021"),
    ("buy", 50.0, {"clientOrderId": "ndC"}, "-2019"),
    ("buy", 0.001, {"clientOrderId": "ndC"}, "-4164"),
    ("buy", 0.01, {"clientOrderId": "ndD", "reduceOnly": True}, "-2022"),
]


def test_what_binance_refuses_ccxt_raises() -> None:
    """With the code of each refusal; nothing is ordered."""

    async def script(played: Played) -> list[str]:
        ex, said = played.client, []
        await ex.load_markets()
        await ex.create_order(SYMBOL, "limit", "buy", 0.01, 50_000, {"clientOrderId": "ndTwice", "postOnly": True})
        for side, amount, params, _ in REFUSED:
            with pytest.raises(ccxt.ExchangeError) as raised:
                await ex.create_order(SYMBOL, "market", side, amount, None, params)
            said.append(code_of(raised.value))
        return said

    said, venue = under_virtual_clock(script, moving)
    assert said == [code for *_, code in REFUSED]
    assert len(venue.exchange.orders) + len(venue.exchange.algos) == 1
