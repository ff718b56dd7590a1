"""Real ccxt against the local Bybit: the life of a position by REST and streams, over sockets and under the virtual clock."""

from typing import Any

import ccxt
import pytest

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.bybit.played import INST, SYMBOL, Played, over_sockets, under_virtual_clock
from tests.fakes.exchange.market import FUNDING_MS, PICO
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.stage import flat_path, small_exchange

MINUTE = 60_000
MINE = {"category": "linear", "symbol": INST}


def moving(clock: Any) -> Exchange:
    """60,000.0; after ten hours 59,000.0, after eleven 57,000.0, a minute later 57,100.0."""
    hours = (600 * MINUTE, 590_000, 300), (660 * MINUTE, 570_000, 300), (661 * MINUTE, 571_000, 300)
    return small_exchange(clock, flat_path(600_000, *hours))


async def enter(played: Played) -> None:
    """0.03 at the market, with a stop and a target of their own."""
    ex = played.client
    await ex.create_order(SYMBOL, "market", "buy", 0.03, None, {"clientOrderId": "ndE1"})
    await ex.create_order(SYMBOL, "market", "sell", 0.03, None, {"stopLossPrice": 58_000, "clientOrderId": "ndS1"})
    await ex.create_order(SYMBOL, "limit", "sell", 0.03, 62_000, {"clientOrderId": "ndT1", "reduceOnly": True})


async def asked(ex: Any, client_id: str) -> Any:
    """An order by our id."""
    return await ex.fetch_order("", SYMBOL, {"orderLinkId": client_id, "acknowledged": True})


async def life(played: Played) -> dict[str, Any]:
    """Entry, stop, target, questions, amendments, funding, the stop that fires, and what streams said of it all."""
    ex, said = played.client, {}
    await ex.load_markets()
    orders, trades = played.collect(lambda: ex.watch_orders(SYMBOL)), played.collect(lambda: ex.watch_my_trades(SYMBOL))
    positions = played.collect(lambda: ex.watch_positions([SYMBOL]))
    await played.subscribed("order", "execution", "position")
    await enter(played)
    said["entry"] = await asked(ex, "ndE1")
    said["open"] = [order["clientOrderId"] for order in await ex.fetch_open_orders(SYMBOL)]
    said["stops"] = [order["clientOrderId"] for order in await ex.fetch_open_orders(SYMBOL, None, None, {"trigger": True})]
    await ex.privatePostV5OrderAmend(MINE | {"orderLinkId": "ndS1", "triggerPrice": "58500", "qty": "0.02"})
    said["amended"] = await asked(ex, "ndS1")
    await ex.edit_order("", SYMBOL, "limit", "sell", 0.03, 61_900, {"clientOrderId": "ndT1"})
    said["target"] = (await asked(ex, "ndT1"))["price"]
    said["position"] = (await ex.fetch_positions([SYMBOL]))[0]
    await played.wait(540 * MINUTE)
    said["funding"] = await ex.fetch_ledger("USDT", None, None, {"type": "SETTLEMENT"})
    await played.wait(150 * MINUTE)
    said["fired"] = await asked(ex, "ndS1")
    await ex.cancel_order(None, SYMBOL, {"orderLinkId": "ndT1"})
    said["left"] = (await ex.fetch_positions([SYMBOL]))[0]["contracts"]
    await ex.create_order(SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True, "clientOrderId": "ndX1"})
    said["fills"] = await ex.fetch_my_trades(SYMBOL)
    said["balance"] = (await ex.fetch_balance())["USDT"]
    await played.until(lambda: any(row["clientOrderId"] == "ndX1" and row["status"] == "closed" for row in orders), "the exit")
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
    assert said["entry"]["fee"]["cost"] == venue.exchange.by_client("ndE1").fee / PICO > 0
    assert (sorted(said["open"]), said["stops"]) == (["ndS1", "ndT1"], ["ndS1"])
    assert (said["amended"]["triggerPrice"], said["amended"]["amount"], said["amended"]["stopLossPrice"]) == (
        58_500,
        0.02,
        58_500,
    )
    assert said["target"] == 61_900
    position = said["position"]
    assert (position["side"], position["contracts"], position["hedged"], position["marginMode"]) == ("long", 0.03, False, None)
    assert [(line["amount"], line["direction"]) for line in said["funding"]] == [(0.18, "out")]  # 0.01 % of 0.03 BTC at 60,000.0
    assert (said["fired"]["status"], said["fired"]["filled"], said["fired"]["id"]) == ("closed", 0.02, said["amended"]["id"])
    assert said["left"] == 0.01
    account = venue.exchange.account
    assert (said["balance"]["total"], account.position("BTC").lots) == (account.cash / PICO, 0)


def test_fills_are_listed_once_with_their_orders_and_fees(virtual: tuple[dict[str, Any], Any]) -> None:
    """Listed by REST, as the ledger has them; those of the stop that fired are of its own id."""
    said, venue = virtual
    booked = [event for event in venue.exchange.ledger if event.kind == log.FILL]
    listed = [(fill["price"], round(fill["amount"] * 10_000), fill["fee"]["cost"]) for fill in said["fills"]]
    assert listed == [(x.bill.ticks / 10, x.bill.lots, x.bill.fee / PICO) for x in booked]
    assert [fill["info"]["orderLinkId"] for fill in said["fills"]] == ["ndE1"] * 3 + ["ndS1"] * 2 + ["ndX1"]
    assert len({fill["id"] for fill in said["fills"]}) == 6  # one a level


def test_streams_say_what_happened(virtual: tuple[dict[str, Any], Any]) -> None:
    """Orders with all their states, executions by themselves, positions down to flat."""
    said, _ = virtual
    assert [trade["id"] for trade in said["ws_trades"]] == [fill["id"] for fill in said["fills"]]
    stop = [row["info"]["orderStatus"] for row in said["ws_orders"] if row["clientOrderId"] == "ndS1"]
    assert stop == ["Untriggered", "Untriggered", "Triggered", "New", "PartiallyFilled", "Filled"]
    assert {row["id"] for row in said["ws_orders"] if row["clientOrderId"] == "ndS1"} == {said["fired"]["id"]}
    assert said["ws_positions"][-1]["contracts"] == 0


def test_sockets_and_the_virtual_clock_give_one_ledger(virtual: tuple[dict[str, Any], Any]) -> None:
    """The same script over loopback: every line of the exchange's ledger is equal, times and cash too, and what streams said."""
    said, venue = over_sockets(life, moving)
    assert [event.row for event in venue.exchange.ledger] == [event.row for event in virtual[1].exchange.ledger]
    assert said["balance"] == virtual[0]["balance"]
    assert [trade["id"] for trade in said["ws_trades"]] == [trade["id"] for trade in virtual[0]["ws_trades"]]
    assert venue.noted == virtual[1].noted == {"POST order/amend: clientOrderId": 1}  # ccxt's junk, noted


def test_candles_tickers_and_books_come_by_stream() -> None:
    """What the live feed listens to: a closed candle says so before the next begins; the mark price is in the ticker."""

    async def script(played: Played) -> Any:
        ex = played.client
        await ex.load_markets()
        candles, tickers = (
            played.collect(lambda: ex.watch_ohlcv(SYMBOL, "15m")),
            played.collect(lambda: listed(ex.watch_ticker(SYMBOL))),
        )
        books = played.collect(lambda: listed(ex.watch_order_book(SYMBOL)))
        await played.subscribed(f"kline.15.{INST}", f"tickers.{INST}", f"orderbook.50.{INST}")
        (public,) = [line for line in played.venue.lines if line.kind == "linear"]
        sent: list[str] = []
        send, public._send = public._send, lambda text: (sent.append(text), send(text))
        await played.wait(60 * MINUTE + 1_000)
        return candles, tickers, books, sent, await ex.fetch_ohlcv(SYMBOL, "15m")

    async def listed(call: Any) -> list[Any]:
        return [await call]

    (candles, tickers, books, sent, bars), venue = under_virtual_clock(script)
    market = venue.exchange.markets["BTC"]
    assert (tickers[-1]["markPrice"], books[-1]["bids"][0][0]) == (market.mark / 10, market.best(-1) / 10)
    assert [row[0] for row in bars[:4]] == sorted({row[0] for row in candles})[:4]
    assert sum('"confirm":true' in text for text in sent) == 4
    assert {row[0]: row for row in candles}[bars[1][0]] == bars[1]


def test_funding_is_billed_at_the_hour_and_only_once() -> None:
    """Three settlements: three lines by id, whose sum is the change of cash; executions of type Funding have the same ids."""

    async def script(played: Played) -> Any:
        ex = played.client
        await ex.load_markets()
        await ex.create_order(SYMBOL, "market", "sell", 0.01, None, {"clientOrderId": "ndE1"})
        cash = played.venue.exchange.account.cash
        await played.wait(3 * FUNDING_MS)
        lines = await ex.privateGetV5AccountTransactionLog({"type": "SETTLEMENT"})
        return cash, lines["result"]["list"], await ex.fetch_funding_history(SYMBOL)

    (cash, lines, fundings), venue = under_virtual_clock(script)
    assert len({line["tradeId"] for line in lines}) == 3
    assert {line["tradeId"] for line in lines} == {funding["id"] for funding in fundings}
    assert sum(float(line["change"]) for line in lines) == pytest.approx((venue.exchange.account.cash - cash) / PICO, abs=1e-9)
    assert all(int(line["transactionTime"]) % FUNDING_MS == 0 for line in lines)


@pytest.mark.parametrize(
    ("side", "amount", "params", "error"),
    [
        ("buy", 0.01, {"clientOrderId": "nd.dots"}, ccxt.BadRequest),
        ("buy", 0.01, {"clientOrderId": "n" * 37}, ccxt.BadRequest),
        ("buy", 0.01, {"clientOrderId": "ndTwice"}, ccxt.InvalidOrder),
        ("buy", 0.01, {"clientOrderId": "ndA", "positionIdx": 1}, ccxt.BadRequest),
        ("sell", 0.01, {"clientOrderId": "ndB", "stopLossPrice": 61_000}, ccxt.InvalidOrder),
        ("buy", 50.0, {"clientOrderId": "ndC"}, ccxt.InsufficientFunds),
        ("buy", 0.01, {"clientOrderId": "ndD", "reduceOnly": True}, ccxt.InvalidOrder),
    ],
)
def test_what_bybit_refuses_ccxt_raises(side: str, amount: float, params: dict[str, Any], error: type[Exception]) -> None:
    """By the code of each refusal; nothing is ordered."""

    async def script(played: Played) -> None:
        ex = played.client
        await ex.load_markets()
        await ex.create_order(SYMBOL, "limit", "buy", 0.01, 50_000, {"clientOrderId": "ndTwice", "postOnly": True})
        with pytest.raises(error) as raised:
            await ex.create_order(SYMBOL, "market", side, amount, None, params)
        assert '"retCode"' in str(raised.value)

    _, venue = under_virtual_clock(script, moving)
    assert len(venue.exchange.orders) + len(venue.exchange.algos) == 1
