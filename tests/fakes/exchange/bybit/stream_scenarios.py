"""What each fault of the local Bybit's streams looks like through real ccxt: one scenario a kind, put beside the others."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import ccxt
import pytest

from tests.fakes.exchange.bybit.played import INST, SYMBOL, Played
from tests.fakes.exchange.bybit.scenarios import MINUTE, SCENARIOS, buy, shows
from tests.fakes.exchange.faults import DELAY_MS

__all__ = ["SCENARIOS"]  # those here are put among the others


@shows("drop_fills")
async def fills_not_pushed(played: Played) -> None:
    """The published incident: the order is closed with its size, and no trade ever comes. Their topics are two."""
    orders = played.collect(lambda: played.client.watch_orders(SYMBOL))
    trades = played.collect(lambda: played.client.watch_my_trades(SYMBOL))
    await played.subscribed("order", "execution")
    await buy(played)
    await played.wait(60 * MINUTE)
    await played.until(lambda: orders and orders[-1]["status"] == "closed", "the end of the order")
    assert (orders[-1]["status"], orders[-1]["filled"]) == ("closed", 0.01)
    assert trades == []


@shows("ws_mute")
async def silence(played: Played) -> None:
    """Nothing comes, no ping is answered; ccxt notices by itself, after more than half a minute."""
    played.venue.faults.off("ws_mute")
    positions = played.collect(lambda: played.client.watch_positions([SYMBOL]))
    await played.subscribed("position")
    await played.wait(1_000)
    before = len(positions)
    played.venue.faults.on("ws_mute")
    await buy(played)
    await played.wait(30_000)
    assert len(positions) == before
    await played.wait(60_000)
    assert isinstance(positions[-1], ccxt.RequestTimeout)


@shows("ws_cut")
async def cut(played: Played) -> None:
    """The connection ends, and a new one is refused."""
    played.venue.faults.off("ws_cut")
    positions = played.collect(lambda: played.client.watch_positions([SYMBOL]))
    await played.subscribed("position")
    played.venue.faults.on("ws_cut")
    await played.wait(2 * MINUTE)
    assert isinstance(positions[-1], ccxt.NetworkError)
    with pytest.raises(ccxt.NetworkError):
        await played.client.watch_orders(SYMBOL)


async def pushed(played: Played, least: int = 1) -> list[tuple[int, Any]]:
    """At least so many (ms, state) of what the stream says of one entry, as ccxt is handed it."""
    found = []
    ex = played.client
    handle = ex.handle_order
    ex.handle_order = lambda client, message: (
        found.extend((played.venue.exchange.clock(), row["orderStatus"]) for row in message["data"]),
        handle(client, message),
    )
    played.collect(lambda: ex.watch_orders(SYMBOL))
    await played.subscribed("order")
    await buy(played)
    await played.wait(MINUTE)
    await played.until(lambda: len(found) >= least, "the pushes")
    return found


@shows("ws_delay")
async def late_push(played: Played) -> None:
    """Five seconds after the fill."""
    filled_ms = played.venue.exchange.clock()
    assert {t_ms - filled_ms for t_ms, _ in await pushed(played)} == {DELAY_MS}


@shows("ws_duplicate")
async def double_push(played: Played) -> None:
    """Each one twice."""
    assert [state for _, state in await pushed(played, 4)] == ["New", "New", "Filled", "Filled"]


@shows("ws_reorder")
async def shuffled_push(played: Played) -> None:
    """Filled, and then new."""
    assert [state for _, state in await pushed(played)] == ["Filled", "New"]


@shows("book_gap")
async def missing_change(played: Played) -> None:
    """ccxt does not look at the numbers of updates: it goes on with a book that is wrong, and raises nothing."""
    played.venue.faults.off("book_gap")
    books = played.collect(lambda: listed(played.client.watch_order_book(SYMBOL)))
    await played.subscribed(f"orderbook.50.{INST}")
    await played.wait(5 * MINUTE + 1_000)
    market = played.venue.exchange.markets["BTC"]
    assert books[-1]["bids"][0][0] == market.best(-1) / 10
    played.venue.faults.on("book_gap", MINUTE)
    await played.wait(3 * MINUTE)
    assert isinstance(books[-1], dict)
    assert {len(books[-1][side]) for side in ("bids", "asks")} != {5}  # levels that went while it was not heard stay


@shows("inverted_book")
async def crossed(played: Played) -> None:
    """Passed on as it is."""
    book = await played.client.watch_order_book(SYMBOL)
    assert book["bids"][0][0] > book["asks"][0][0]


async def listed(call: Coroutine[Any, Any, Any]) -> list[Any]:
    """What a single watch brings."""
    return [await call]


@shows("wrong_candle")
async def corrected(played: Played) -> None:
    """The close of the stream is 0.7 above that of REST."""
    rows = played.collect(lambda: played.client.watch_ohlcv(SYMBOL, "15m"))
    await played.subscribed(f"kline.15.{INST}")
    await played.wait(40 * MINUTE)
    by_rest = {row[0]: row[4] for row in await played.client.fetch_ohlcv(SYMBOL, "15m")}
    assert {round(row[4] - by_rest[row[0]], 1) for row in rows if row[0] in sorted(by_rest)[1:2]} >= {0.7}


@shows("bad_login")
async def login_refused(played: Played) -> None:
    """10002, as after a late login. ccxt takes the login for sent and never logs in again: the next watch waits for ever."""
    with pytest.raises(ccxt.InvalidNonce):
        await played.client.watch_orders(SYMBOL)
    played.venue.faults.off("bad_login")
    logins = len([m for line in played.venue.lines for m in line.received if m["op"] == "auth"])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(played.client.watch_orders(SYMBOL), 600)
    assert len([m for line in played.venue.lines for m in line.received if m["op"] == "auth"]) == logins == 1
