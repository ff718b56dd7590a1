"""What each fault of the local Binance's streams looks like through real ccxt: one scenario a kind, put beside the others."""

from collections.abc import Coroutine
from typing import Any

import ccxt
import pytest

from tests.fakes.exchange.binance.played import SYMBOL, Played
from tests.fakes.exchange.binance.scenarios import MINUTE, SCENARIOS, buy, shows
from tests.fakes.exchange.faults import DELAY_MS

__all__ = ["SCENARIOS"]  # those here are put among the others


@shows("drop_fills")
async def fills_not_pushed(played: Played) -> None:
    """The published incident: the order is closed with its size, and no trade ever comes. Both are one event here."""
    played.collect(lambda: played.client.watch_orders(SYMBOL))
    trades = played.collect(lambda: played.client.watch_my_trades(SYMBOL))
    await played.subscribed("user")
    await buy(played)
    await played.wait(60 * MINUTE)
    ex = played.client  # two pushes that come at once are one update of a watch
    await played.until(lambda: ex.orders and ex.orders[-1]["status"] == "closed", "the end of the order")
    assert (ex.orders[-1]["status"], ex.orders[-1]["filled"]) == ("closed", 0.01)
    assert trades == []


@shows("ws_mute")
async def silence(played: Played) -> None:
    """Nothing comes, no ping is answered; ccxt notices by itself, after twelve minutes."""
    played.venue.faults.off("ws_mute")
    orders = played.collect(lambda: played.client.watch_orders(SYMBOL))
    await played.subscribed("user")
    await played.wait(1_000)
    played.venue.faults.on("ws_mute")
    await buy(played)
    await played.wait(11 * MINUTE)
    assert orders == []
    await played.wait(2 * MINUTE)
    assert isinstance(orders[-1], ccxt.RequestTimeout)


@shows("ws_cut")
async def cut(played: Played) -> None:
    """The connection ends, and a new one is refused."""
    played.venue.faults.off("ws_cut")
    orders = played.collect(lambda: played.client.watch_orders(SYMBOL))
    await played.subscribed("user")
    played.venue.faults.on("ws_cut")
    await played.wait(2 * MINUTE)
    assert isinstance(orders[-1], ccxt.NetworkError)
    with pytest.raises(ccxt.NetworkError):
        await played.client.watch_orders(SYMBOL)


async def pushed(played: Played, least: int = 1) -> list[tuple[int, Any]]:
    """At least so many (ms, state) of what the stream says of one entry, as ccxt is handed it."""
    found = []
    ex = played.client
    handle = ex.handle_order
    ex.handle_order = lambda client, message: (
        found.append((played.venue.exchange.clock(), message["X"])),
        handle(client, message),
    )
    played.collect(lambda: ex.watch_orders(SYMBOL))
    await played.subscribed("user")
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
    assert [state for _, state in await pushed(played, 4)] == ["NEW", "NEW", "FILLED", "FILLED"]


@shows("ws_reorder")
async def shuffled_push(played: Played) -> None:
    """The account moves before the order is new, which it is once it has been filled."""
    assert [state for _, state in await pushed(played, 2)] == ["NEW", "FILLED"]


@shows("book_gap")
async def missing_change(played: Played) -> None:
    """ccxt drops the book that it can no longer continue."""
    played.venue.faults.off("book_gap")
    books = played.collect(lambda: listed(played.client.watch_order_book(SYMBOL)))
    await played.subscribed("btcusdt@depth@100ms")
    await played.wait(5 * MINUTE + 1_000)
    assert books[-1]["bids"][0][0] == played.venue.exchange.markets["BTC"].best(-1) / 10
    played.venue.faults.on("book_gap")
    await played.wait(5 * MINUTE)
    assert isinstance(books[-1], ccxt.ChecksumError)


@shows("inverted_book")
async def crossed(played: Played) -> None:
    """Passed on as it is."""
    books = played.collect(lambda: listed(played.client.watch_order_book(SYMBOL)))
    await played.subscribed("btcusdt@depth@100ms")
    await played.wait(2 * MINUTE)
    assert books[-1]["bids"][0][0] > books[-1]["asks"][0][0]


async def listed(call: Coroutine[Any, Any, Any]) -> list[Any]:
    """What a single watch brings."""
    return [await call]


@shows("wrong_candle")
async def corrected(played: Played) -> None:
    """The close of the stream is 0.7 above that of REST."""
    rows = played.collect(lambda: played.client.watch_ohlcv(SYMBOL, "15m"))
    await played.subscribed("btcusdt@kline_15m")
    await played.wait(40 * MINUTE)
    by_rest = {row[0]: row[4] for row in await played.client.fetch_ohlcv(SYMBOL, "15m")}
    assert {round(row[4] - by_rest[row[0]], 1) for row in rows if row[0] in sorted(by_rest)[1:2]} >= {0.7}


@shows("bad_login")
async def key_refused(played: Played) -> None:
    """There is no login: the listen key is refused, and the next watch asks for another."""
    with pytest.raises(ccxt.AuthenticationError, match="-1125"):
        await played.client.watch_orders(SYMBOL)
    played.venue.faults.off("bad_login")
    orders = played.collect(lambda: played.client.watch_orders(SYMBOL))
    await played.subscribed("user")
    await buy(played)
    await played.wait(1_000)
    assert [row["status"] for row in orders] == ["open", "closed"]
