"""A venue's private stream through real ccxt: begun, listened to, ended by any doubt, closed in time; nothing is left behind."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from engine.errors import BadInput, DataError
from engine.venues import private_stream_words as words
from engine.venues.account_client import AccountAddress, connect
from engine.venues.account_keys import VenueKeys
from engine.venues.private_stream import MESSAGE_MAX, PrivateSource, PrivateStream
from engine.venues.private_stream_words import WORDS, StreamHint
from tests.fakes.exchange import orders as o
from tests.fakes.exchange.adapted import ADAPTED, ENTER, MINUTE, STOP, order
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.stage import flat_path, small_exchange

LIMIT = order("ndE2", lots=100, price=59_500.0)


def falling(clock: Callable[[], int]) -> Exchange:
    """60,000; after two minutes 59,000, after three 57,000."""
    return small_exchange(clock, flat_path(600_000, (2 * MINUTE, 590_000, 300), (3 * MINUTE, 570_000, 300)))


class Listened:
    """A stream of a local venue, and what it has named."""

    def __init__(self, venue: str, played: Played, adapter: Any, client: Callable[[], Any]) -> None:
        self.played, self.adapter = played, adapter
        self.hints: list[StreamHint] = []
        self.stream = PrivateStream(PrivateSource(venue, client), self.hints.append)

    def say(self, text: str) -> None:
        """The venue says anything at all, on the newest connection."""
        self.played.venue.lines[-1]._send(text)

    async def over(self) -> str:
        """Why it has ended."""
        await self.played.until(self.stream.over.is_set, "its end")
        return self.stream.why


Act = Callable[[Listened], Coroutine[Any, Any, None]]


def listen(venue: str, act: Act, *, opened: bool = True) -> Any:
    """Play with a stream under the virtual clock, closed at the end; the venue afterwards."""

    async def script(played: Played) -> Any:
        listened = Listened(venue, played, ADAPTED[venue].adapter(played.client), played.venue.virtual_client)
        if opened:
            await listened.stream.open()
        try:
            await act(listened)
        finally:
            await listened.stream.close()
        return played.venue

    return ADAPTED[venue].played.under_virtual_clock(script, falling, 0.02)[0]


@pytest.fixture(params=ADAPTED)
def venue(request: pytest.FixtureRequest) -> str:
    """Each venue."""
    return str(request.param)


def test_it_names_orders_stops_and_executions_as_rest_does(venue: str) -> None:
    """An entry at the market, a limit that ends, a stop that fires: ids of orders are ours, those of executions are REST's."""

    async def act(at: Listened) -> None:
        for one in (ENTER, STOP, LIMIT):
            await at.adapter.place(one)
        await asyncio.sleep(1)
        assert {"ndE1", "ndS1", "ndE2"} <= {hint.order for hint in at.hints}
        assert not [hint for hint in at.hints if hint.ended and hint.order in ("ndS1", "ndE2")]
        await at.adapter.cancel(LIMIT)
        await asyncio.sleep(1)
        assert [hint.order for hint in at.hints if hint.ended][-1] == "ndE2"
        await at.played.wait(4 * MINUTE)  # the stop fires
        assert not at.stream.over.is_set(), at.stream.why
        assert at.stream.silent_s() < 5
        assert any(hint.ended and hint.order == "ndS1" for hint in at.hints)
        trades, _ = await at.adapter.trades("")
        assert {hint.trade for hint in at.hints if hint.trade} == {trade.trade for trade in trades}
        assert {hint.symbol for hint in at.hints} == {WORDS[venue].symbol("BTC-USDT")}

    listen(venue, act)


GARBAGE = {
    "not JSON": ("hello", "not JSON"),
    "broken JSON": ('{"arg": ', "cannot be read"),
    "a list": ("[1, 2]", "not JSON"),
    "nothing in it": (
        '{"arg":{"channel":"orders"},"data":[{}],"topic":"order","e":"ORDER_TRADE_UPDATE","o":{}}',
        "cannot be read: KeyError",
    ),
    "another shape": (
        '{"arg":{"channel":"orders"},"data":7,"topic":"order","e":"ALGO_UPDATE","o":7}',
        "cannot be read: TypeError",
    ),
    "huge": ('{"a":"' + "x" * MESSAGE_MAX + '"}', "letters"),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_what_cannot_be_read_ends_it_and_says_why(venue: str, kind: str) -> None:
    """ccxt would stop reading without a word; nothing of the message is repeated."""
    text, why = GARBAGE[kind]

    async def act(at: Listened) -> None:
        at.say(text)
        assert why in await at.over()
        assert not at.hints
        assert "xxx" not in at.stream.why

    listen(venue, act)


def test_messages_of_nothing_it_knows_are_left_alone(venue: str) -> None:
    """A venue may add events."""

    async def act(at: Listened) -> None:
        at.say('{"e":"TRADE_LITE","event":"channel-conn-count","topic":"wallet","arg":{"channel":"other"},"data":[]}')
        await asyncio.sleep(1)
        assert not at.stream.over.is_set(), at.stream.why
        assert not at.hints

    listen(venue, act)


@pytest.mark.parametrize("fault", ["ws_cut", "ws_mute", "bad_login"])
def test_it_is_not_begun_where_the_venue_does_not_take_it(venue: str, fault: str) -> None:
    """Refused, silent, or with a login that is refused: an error within eight seconds, and no secret in it."""

    async def act(at: Listened) -> None:
        at.played.venue.faults.on(fault)
        began = asyncio.get_running_loop().time()
        with pytest.raises(DataError) as error:
            await at.stream.open()
        assert asyncio.get_running_loop().time() - began <= 8.1
        assert at.played.client.secret not in error.value.what
        assert "listenKey=key" not in error.value.what

    listen(venue, act, opened=False)


def test_a_cut_ends_it_at_once(venue: str) -> None:
    """Not after ccxt's pings."""

    async def act(at: Listened) -> None:
        at.played.venue.faults.on("ws_cut")
        await at.adapter.place(ENTER)
        await asyncio.sleep(0.1)
        assert at.stream.over.is_set()

    listen(venue, act)


def test_a_silent_line_shows_in_its_silence(venue: str) -> None:
    """Pongs count as life; without them time passes."""

    async def act(at: Listened) -> None:
        await asyncio.sleep(60)
        assert at.stream.silent_s() <= 4.1
        at.played.venue.faults.on("ws_mute")
        await asyncio.sleep(7)
        assert at.stream.silent_s() > 6

    listen(venue, act)


def test_half_of_okx_is_not_enough() -> None:
    """Its conditional orders come on an address of their own: the silence of either one counts."""

    async def act(at: Listened) -> None:
        business = next(line for line in at.played.venue.lines if line.kind == "business")
        business._send = lambda _: None
        await asyncio.sleep(12)
        assert at.stream.over.is_set() or at.stream.silent_s() > 10

    listen("okx", act)


def test_okx_says_that_it_will_close_the_connection() -> None:
    """For an upgrade: the next one is begun before."""

    async def act(at: Listened) -> None:
        at.say('{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade."}')
        assert "64008" in await at.over()

    listen("okx", act)


# ---- Binance's listen key ----------------------------------------------------------------------------------------------------


def key_is_lost(venue: Any) -> None:
    """Another process has closed it, or Binance has."""
    venue.key_ends_ms = 0


def test_the_listen_key_is_renewed_by_us_and_its_end_ends_the_stream() -> None:
    """Twice an hour; ccxt does it once. A key that is gone is seen at the next renewal, an expiry that is pushed at once."""

    async def act(at: Listened) -> None:
        await at.played.wait(130 * MINUTE)
        puts = [path for method, path, _ in at.played.venue.calls if method == "PUT" and "listenKey" in path]
        assert len(puts) == 4
        assert not at.stream.over.is_set()
        key_is_lost(at.played.venue)
        await at.played.wait(31 * MINUTE)
        assert "listen key" in at.stream.why

    listen("binance", act)

    async def pushed(at: Listened) -> None:
        key_is_lost(at.played.venue)
        await at.adapter.place(ENTER)
        await asyncio.sleep(0.1)
        assert at.stream.why == "the listen key has expired"

    listen("binance", pushed)


def test_a_key_that_cannot_be_renewed_counts_as_dead_before_it_is() -> None:
    """Binance does not answer for an hour: asked each minute, given up after fifty-five."""

    async def act(at: Listened) -> None:
        at.played.venue.faults.on("http_5xx")
        await at.played.wait(50 * MINUTE)
        assert not at.stream.over.is_set()
        await at.played.wait(7 * MINUTE)
        assert at.stream.why == "the listen key could not be renewed"

    listen("binance", act)


def test_one_failed_renewal_is_repeated() -> None:
    """A page of HTML in its place is no renewal either."""

    async def act(at: Listened) -> None:
        await at.played.wait(29 * MINUTE)
        at.played.venue.faults.on("html", 5 * MINUTE)
        await at.played.wait(40 * MINUTE)
        assert not at.stream.over.is_set(), at.stream.why

    listen("binance", act)


# ---- words -------------------------------------------------------------------------------------------------------------------

OKX_ROW = {"instId": "BTC-USDT-SWAP", "clOrdId": "ndE1", "tradeId": "", "state": "live"}
BINANCE_ROW = {"s": "BTCUSDT", "c": "ndE1", "x": "NEW", "X": "NEW", "t": 0}
BYBIT_ROW = {"symbol": "BTCUSDT", "orderLinkId": "ndE1", "execId": "e1", "execType": "Trade"}


@pytest.mark.parametrize(
    ("read", "message", "hint"),
    [
        (words.read_okx, {"arg": {"channel": "orders"}, "data": [OKX_ROW]}, StreamHint("BTC-USDT-SWAP", "ndE1")),
        (
            words.read_okx,
            {"arg": {"channel": "orders"}, "data": [OKX_ROW | {"clOrdId": "", "tradeId": "7", "state": "filled"}]},
            StreamHint("BTC-USDT-SWAP", "", "7", True),
        ),
        (words.read_binance, {"e": "ORDER_TRADE_UPDATE", "o": BINANCE_ROW}, StreamHint("BTCUSDT", "ndE1")),
        (
            words.read_binance,
            {"e": "ORDER_TRADE_UPDATE", "o": BINANCE_ROW | {"x": "TRADE", "X": "PARTIALLY_FILLED", "t": 9}},
            StreamHint("BTCUSDT", "ndE1", "9"),
        ),
        (  # an amended stop is a new one under the next version of its id
            words.read_binance,
            {"e": "ALGO_UPDATE", "o": {"s": "BTCUSDT", "caid": "ndS1-3", "X": "TRIGGERED"}},
            StreamHint("BTCUSDT", "ndS1", "", True, "ndS1-3"),
        ),
        (words.read_bybit, {"topic": "execution", "data": [BYBIT_ROW]}, StreamHint("BTCUSDT", "ndE1", "e1")),
        (
            words.read_bybit,
            {"topic": "order", "data": [{"symbol": "BTCUSDT", "orderLinkId": "ndE1", "orderStatus": "Cancelled"}]},
            StreamHint("BTCUSDT", "ndE1", "", True),
        ),
    ],
)
def test_what_a_message_names(read: Callable[[Any], Any], message: Any, hint: StreamHint) -> None:
    """Order, execution, end."""
    assert read(message).hints == (hint,)


def test_a_settlement_is_no_execution_and_long_ids_are_nobodys() -> None:
    """Bybit pushes funding on the topic of executions; an id of a megabyte is not kept."""
    assert not words.read_bybit({"topic": "execution", "data": [BYBIT_ROW | {"execType": "Funding"}]}).hints
    with pytest.raises(ValueError, match="an id of"):
        words.read_okx({"arg": {"channel": "orders"}, "data": [OKX_ROW | {"clOrdId": "n" * 65}]})
    with pytest.raises(BadInput, match="okx, binance, bybit"):
        PrivateStream(PrivateSource("kraken", lambda: None), lambda _: None)


def test_the_fakes_own_words_are_read(venue: str) -> None:
    """Every push of the local venue's own tests has the shape that is read: an order of nobody gives a hint without our id."""

    async def act(at: Listened) -> None:
        at.played.venue.exchange.place(o.Order("", "BTC", 1, 20))
        await asyncio.sleep(1)
        assert any(hint.trade for hint in at.hints)
        assert not any(hint.order.startswith("nd") for hint in at.hints)
        assert json.dumps([hint._asdict() for hint in at.hints])

    listen(venue, act)


@pytest.mark.parametrize("ws_url", ["ws://127.0.0.1:1/ws/v5", "ws://127.0.0.1:1"])
def test_a_local_binance_has_its_stream_where_binance_has_it(ws_url: str) -> None:
    """ccxt puts `private` before the address's /ws; one that ends otherwise was dialled, and heard nothing."""
    client = connect(AccountAddress("binance", "testnet", "http://127.0.0.1:1", ws_url), VenueKeys("k", "s", ""))
    assert client.get_private_ws_url("linear", "KEY") == "ws://127.0.0.1:1/private/ws?listenKey=KEY"
