"""Real ccxt against the local OKX: the life of a position by REST and streams, over sockets and under the virtual clock."""

from typing import Any

import ccxt
import pytest

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.market import FUNDING_MS, PICO
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.okx.played import INST, ISOLATED, SYMBOL, Played, over_sockets, under_virtual_clock
from tests.fakes.exchange.stage import flat_path, small_exchange
from tests.fakes.exchange.virtual import Stuck, run_virtual

MINUTE = 60_000


def moving(clock: Any) -> Exchange:
    """60,000.0; after ten hours 59,000.0, after eleven 57,000.0, a minute later 57,100.0."""
    hours = (600 * MINUTE, 590_000, 300), (660 * MINUTE, 570_000, 300), (661 * MINUTE, 571_000, 300)
    return small_exchange(clock, flat_path(600_000, *hours))


async def enter(played: Played) -> None:
    """Three contracts at the market, with a stop and a target of their own."""
    ex = played.client
    await ex.create_order(SYMBOL, "market", "buy", 3.0, None, {"clientOrderId": "ndE1", **ISOLATED})
    stop = {"stopLossPrice": 58_000, "reduceOnly": True, "algoClOrdId": "ndS1", "clientOrderId": "ndS1", **ISOLATED}
    await ex.create_order(SYMBOL, "market", "sell", 3.0, None, stop)
    await ex.create_order(SYMBOL, "limit", "sell", 3.0, 62_000, {"clientOrderId": "ndT1", "reduceOnly": True, **ISOLATED})


async def life(played: Played) -> dict[str, Any]:
    """Entry, stop, target, questions, amendments, funding, the stop that fires, and what streams said of it all."""
    ex, said = played.client, {}
    await ex.load_markets()
    orders, trades = played.collect(lambda: ex.watch_orders(SYMBOL)), played.collect(lambda: ex.watch_my_trades(SYMBOL))
    algos = played.collect(lambda: ex.watch_orders(SYMBOL, None, None, {"trigger": True}))
    positions = played.collect(lambda: ex.watch_positions([SYMBOL]))
    await played.subscribed("orders", "orders-algo", "positions")
    await enter(played)
    said["entry"] = await ex.fetch_order("", SYMBOL, {"clientOrderId": "ndE1"})
    said["open"] = [order["clientOrderId"] for order in await ex.fetch_open_orders(SYMBOL)]
    said["hidden"] = await ex.fetch_open_orders(SYMBOL, None, None, {"trigger": True})
    raw = await ex.privateGetTradeOrdersAlgoPending({"ordType": "conditional,oco", "instType": "SWAP", "instId": INST})
    said["stops"] = [(row["algoClOrdId"], row["slTriggerPx"], row["sz"]) for row in raw["data"]]
    await ex.privatePostTradeAmendAlgos({"instId": INST, "algoClOrdId": "ndS1", "newSlTriggerPx": "58500", "newSz": "2"})
    stop = (await ex.privateGetTradeOrderAlgo({"algoClOrdId": "ndS1"}))["data"][0]
    said["amended"] = (stop["slTriggerPx"], stop["sz"])
    await ex.edit_order("", SYMBOL, "limit", "sell", 3.0, 61_900, {"clientOrderId": "ndT1"})
    said["target"] = (await ex.fetch_order("", SYMBOL, {"clientOrderId": "ndT1"}))["price"]
    said["position"] = (await ex.fetch_positions([SYMBOL]))[0]
    await played.wait(540 * MINUTE)
    said["funding"] = await ex.fetch_funding_history(SYMBOL)
    await played.wait(150 * MINUTE)
    stop = (await ex.privateGetTradeOrderAlgo({"algoClOrdId": "ndS1"}))["data"][0]
    said["fired"] = (stop["state"], stop["actualSz"], stop["actualSide"])
    said["child"] = await ex.fetch_order(stop["ordId"], SYMBOL)
    await ex.cancel_order("", SYMBOL, {"clientOrderId": "ndT1"})
    said["left"] = (await ex.fetch_positions([SYMBOL]))[0]["contracts"]
    await ex.close_position(SYMBOL, None, ISOLATED)
    said["fills"] = await ex.fetch_my_trades(SYMBOL)
    bills = (await ex.privateGetTradeFillsHistory({"instType": "SWAP", "before": said["fills"][0]["info"]["billId"]}))["data"]
    said["since"] = [row["tradeId"] for row in bills]
    said["balance"] = (await ex.fetch_balance({"type": "swap"}))["USDT"]
    await played.until(lambda: any(row["status"] == "canceled" for row in orders), "the cancellation")
    await played.wait(1_000)
    said |= {"ws_orders": orders, "ws_trades": trades, "ws_algos": algos, "ws_positions": positions}
    return said


@pytest.fixture(scope="module")
def virtual() -> tuple[dict[str, Any], Any]:
    """The life under the virtual clock."""
    return under_virtual_clock(life, moving)


def test_the_life_of_a_position_by_rest(virtual: tuple[dict[str, Any], Any]) -> None:
    """Every answer that the desk builds on, read by ccxt."""
    said, venue = virtual
    assert (said["entry"]["status"], said["entry"]["filled"], said["entry"]["average"]) == ("closed", 3.0, 60_000.2)
    assert said["entry"]["fee"]["cost"] == venue.exchange.by_client("ndE1").fee / PICO > 0
    assert said["open"] == ["ndT1"]
    assert said["hidden"] == []  # trigger=True asks for ordType=trigger alone
    assert said["stops"] == [("ndS1", "58000", "3")]
    assert said["amended"] == ("58500", "2")
    assert said["target"] == 61_900
    position = said["position"]
    assert (position["side"], position["contracts"], position["marginMode"], position["hedged"]) == (
        "long",
        3.0,
        "isolated",
        False,
    )
    assert [bill["amount"] for bill in said["funding"]] == [-0.18]  # 0.01 % of 0.03 BTC at 60,000.0
    assert said["fired"] == ("effective", "2", "sl")
    assert (said["child"]["clientOrderId"], said["child"]["reduceOnly"], said["child"]["filled"]) == (None, True, 2.0)
    assert said["left"] == 1.0
    account = venue.exchange.account
    assert said["balance"]["total"] == account.cash / PICO
    assert account.position("BTC").lots == 0


def test_fills_are_listed_once_with_their_orders_and_fees(virtual: tuple[dict[str, Any], Any]) -> None:
    """Listed by REST, as the ledger has them; `before` gives what is newer than a bill."""
    said, venue = virtual
    booked = [event for event in venue.exchange.ledger if event.kind == log.FILL]
    listed = [(fill["id"], fill["price"], round(fill["amount"] * 100), fill["fee"]["cost"]) for fill in said["fills"]]
    assert listed == [(str(x.bill.trade), x.bill.ticks / 10, x.bill.lots, x.bill.fee / PICO) for x in booked]
    assert sorted(said["since"]) == sorted(str(event.bill.trade) for event in booked[1:])
    assert len(booked) == 6  # 3 + 2 + 1 contracts, one a level


def test_streams_say_what_happened(virtual: tuple[dict[str, Any], Any]) -> None:
    """Orders with their executions, algos until they fire, positions down to flat."""
    said, venue = virtual
    booked = {str(event.bill.trade) for event in venue.exchange.ledger if event.kind == log.FILL}
    assert {trade["id"] for trade in said["ws_trades"]} == booked
    stop = [row for row in said["ws_algos"] if row["info"]["algoClOrdId"] == "ndS1"]
    assert [row["info"]["state"] for row in stop] == ["live", "live", "effective"]
    assert stop[-1]["info"]["ordId"] == said["child"]["info"]["ordId"]
    assert said["child"]["id"] == stop[-1]["info"]["algoId"]  # ccxt names a child by its parent's id: read ordId
    assert said["ws_orders"][0]["clientOrderId"] == "ndE1"
    assert said["ws_positions"][-1]["contracts"] == 0


def test_sockets_and_the_virtual_clock_give_one_ledger(virtual: tuple[dict[str, Any], Any]) -> None:
    """The same script over loopback: every line of the exchange's ledger is equal, times and cash too, and what streams said."""
    said, venue = over_sockets(life, moving)
    assert [event.row for event in venue.exchange.ledger] == [event.row for event in virtual[1].exchange.ledger]
    assert said["balance"] == virtual[0]["balance"]
    assert {trade["id"] for trade in said["ws_trades"]} == {trade["id"] for trade in virtual[0]["ws_trades"]}
    assert venue.noted == virtual[1].noted == {"POST trade/amend-order: clientOrderId": 1}  # ccxt's junk, noted


def test_a_bracket_on_the_entry_protects_it_from_the_fill_on() -> None:
    """attachAlgoOrds with an id of ours: the stop is there at once, and fires."""

    async def script(played: Played) -> Any:
        ex = played.client
        await ex.load_markets()
        attached = [
            {"attachAlgoClOrdId": "ndA1", "slTriggerPx": "58000", "slOrdPx": "-1", "tpTriggerPx": "64000", "tpOrdPx": "-1"}
        ]
        await ex.create_order(
            SYMBOL, "market", "buy", 1.0, None, {"clientOrderId": "ndE1", "attachAlgoOrds": attached, **ISOLATED}
        )
        before = (await ex.privateGetTradeOrderAlgo({"algoClOrdId": "ndA1"}))["data"][0]
        await played.wait(700 * MINUTE)
        return before, (await ex.privateGetTradeOrderAlgo({"algoClOrdId": "ndA1"}))["data"][0]

    (before, after), venue = under_virtual_clock(script, moving)
    assert (before["state"], before["ordType"], before["sz"], before["reduceOnly"]) == ("live", "oco", "1", "true")
    assert after["state"] == "effective"
    assert venue.exchange.account.position("BTC").lots == 0


def test_candles_marks_tickers_and_funding_come_by_stream() -> None:
    """What the live feed listens to: a closed candle says so before the next begins."""

    async def script(played: Played) -> Any:
        ex = played.client
        await ex.load_markets()
        candles = played.collect(lambda: ex.watch_ohlcv(SYMBOL, "15m"))
        ticker = played.collect(lambda: ticker_of(ex))
        await played.subscribed("candle15m", "mark-price")
        business = next(line for line in played.venue.lines if line.kind == "business")
        sent: list[str] = []
        send, business._send = business._send, lambda text: (sent.append(text), send(text))  # type: ignore[func-returns-value]
        await played.wait(60 * MINUTE + 1_000)
        return candles, ticker, sent, await ex.fetch_ohlcv(SYMBOL, "15m")

    async def ticker_of(ex: Any) -> list[Any]:
        return [await ex.watch_mark_price(SYMBOL)]

    (candles, ticker, sent, listed), venue = under_virtual_clock(script)
    assert ticker[-1]["markPrice"] == venue.exchange.markets["BTC"].mark / 10
    assert [row[0] for row in listed[:4]] == sorted({row[0] for row in candles})[:4]
    closed = [text for text in sent if text.endswith('"1"]]}')]
    assert len(closed) == 4
    by_time = {row[0]: row for row in candles}
    assert by_time[listed[1][0]] == listed[1]


def test_funding_is_billed_at_the_hour_and_only_once() -> None:
    """Three settlements: three bills by id, whose sum is the change of cash."""

    async def script(played: Played) -> Any:
        ex = played.client
        await ex.load_markets()
        await ex.create_order(SYMBOL, "market", "sell", 1.0, None, {"clientOrderId": "ndE1", **ISOLATED})
        cash = played.venue.exchange.account.cash
        await played.wait(3 * FUNDING_MS)
        return cash, await ex.fetch_funding_history(SYMBOL), await ex.fetch_funding_history(SYMBOL)

    (cash, bills, again), venue = under_virtual_clock(script)
    assert len({bill["id"] for bill in bills}) == 3
    assert bills == again
    assert sum(bill["amount"] for bill in bills) == pytest.approx((venue.exchange.account.cash - cash) / PICO, abs=1e-9)
    assert all(bill["timestamp"] % FUNDING_MS == 0 for bill in bills)


@pytest.mark.parametrize(
    ("side", "amount", "params", "error"),
    [
        ("buy", 1.0, {"clientOrderId": "nd-dashes"}, ccxt.BadRequest),
        ("buy", 1.0, {"clientOrderId": "n" * 33}, ccxt.BadRequest),
        ("buy", 1.0, {"clientOrderId": "ndTwice"}, ccxt.InvalidOrder),
        ("buy", 1.0, {"clientOrderId": "ndA", "posSide": "long"}, ccxt.BadRequest),
        ("sell", 1.0, {"clientOrderId": "ndB", "reduceOnly": True, "stopLossPrice": 61_000}, ccxt.InvalidOrder),
        ("buy", 5_000.0, {"clientOrderId": "ndC"}, ccxt.InsufficientFunds),
        ("buy", 1.0, {"clientOrderId": "ndD", "reduceOnly": True}, ccxt.ExchangeError),
    ],
)
def test_what_okx_refuses_ccxt_raises(side: str, amount: float, params: dict[str, Any], error: type[Exception]) -> None:
    """By the code of each refusal; nothing is ordered."""

    async def script(played: Played) -> None:
        ex = played.client
        await ex.load_markets()
        twice = {"clientOrderId": "ndTwice", "postOnly": True, **ISOLATED}
        await ex.create_order(SYMBOL, "limit", "buy", 1.0, 50_000, twice)
        with pytest.raises(error) as raised:
            await ex.create_order(SYMBOL, "market", side, amount, None, {**ISOLATED, **params})
        assert '"sCode"' in str(raised.value)

    _, venue = under_virtual_clock(script, moving)
    assert len(venue.exchange.orders) + len(venue.exchange.algos) == 1


def test_a_program_with_nothing_left_to_wait_for_is_an_error() -> None:
    """Under the virtual clock a deadlock ends at once."""

    async def main(loop: Any) -> None:
        await loop.create_future()

    with pytest.raises(Stuck):
        run_virtual(main, 0)
