"""The local Binance's WebSockets by themselves: texts in, texts out. Keys, subscriptions, orders by socket, what is pushed."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.fakes.exchange.binance.client import LocalBinance
from tests.fakes.exchange.binance.played import BTC, INST
from tests.fakes.exchange.binance.rest import KEY, signature
from tests.fakes.exchange.binance.streams import BinanceLine, as_text
from tests.fakes.exchange.orders import Algo, Order
from tests.fakes.exchange.stage import HandClock, flat_path, small_exchange

ENTRY = {"symbol": INST, "side": "BUY", "type": "MARKET", "quantity": "0.01", "newClientOrderId": "ndE1"}
HOUR_MS = 3_600_000


class Spoken:
    """A connection by hand; the user stream has a fresh key."""

    def __init__(self, path: str = "/private/ws", key: str | None = None) -> None:
        self.clock = HandClock()
        moves = (60_000, 590_000, 50), (120_000, 570_000, 50), (3 * HOUR_MS, 571_000, 50)
        self.venue = LocalBinance(small_exchange(self.clock, flat_path(600_000, *moves), contract=BTC))
        self.texts: list[str] = []
        self.closes = 0
        end = f"?listenKey={self.venue.renewed_key() if key is None else key}" if "private" in path else ""
        self.line = BinanceLine(self.venue, path + end, self.texts.append, self.close, lambda *_: None)

    def close(self) -> None:
        """The venue has closed it."""
        self.closes += 1

    def say(self, message: Any) -> list[Any]:
        """What is answered to it."""
        before = len(self.texts)
        self.line.take(message if isinstance(message, str) else json.dumps(message))
        return [json.loads(text) for text in self.texts[before:]]

    def subscribe(self, *names: str, method: str = "SUBSCRIBE") -> list[Any]:
        """Subscribe to market streams."""
        return self.say({"method": method, "params": list(names), "id": 7})

    def order(self, method: str = "order.place", fields: Any = None, **more: Any) -> Any:
        """An order by socket; `more` replaces what is right."""
        params = {**(fields or ENTRY), "apiKey": KEY, "timestamp": self.clock(), "recvWindow": 5000}
        params["signature"] = signature(urlencode({name: as_text(params[name]) for name in sorted(params)}))
        return self.say({"id": "9", "method": method, "params": params | more})[-1]

    def pushed(self) -> list[tuple[str, Any]]:
        """(event, its body) so far."""
        return [(row.get("e", ""), row.get("o", row.get("a", row))) for row in map(json.loads, self.texts)]


def test_the_user_stream_needs_its_key_and_no_subscription() -> None:
    """An execution is the account's, then the order's; with another key the line is open and silent."""
    spoken = Spoken()
    spoken.venue.exchange.place(Order("ndE1", "BTC", 1, 10))
    said = [(event, body.get("x", body.get("m"))) for event, body in spoken.pushed()]
    assert said == [("ORDER_TRADE_UPDATE", "NEW"), ("ACCOUNT_UPDATE", "ORDER"), ("ORDER_TRADE_UPDATE", "TRADE")]
    other = Spoken(key="other")
    other.venue.renewed_key()
    other.venue.exchange.place(Order("ndE1", "BTC", 1, 10))
    assert (other.texts, other.closes, other.line.channels()) == ([], 0, set())


def test_a_key_lives_an_hour_from_its_last_renewal() -> None:
    """Then one word of it, and silence; the line stays open."""
    spoken = Spoken()
    spoken.clock.step(HOUR_MS - 1)
    assert spoken.venue.renewed_key() == spoken.line.key
    spoken.clock.step(HOUR_MS)
    spoken.venue.exchange.place(Order("ndE1", "BTC", 1, 10))
    spoken.venue.exchange.place(Order("ndE2", "BTC", 1, 10))
    assert [event for event, _ in spoken.pushed()] == ["listenKeyExpired"]
    assert spoken.closes == 0
    assert spoken.venue.renewed_key() != spoken.line.key


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/market/ws/0", "btcusdt@depth@100ms"),
        ("/public/ws/0", "btcusdt@kline_15m"),
        ("/market/ws/0", "btcusdt@kline_7m"),
        ("/market/ws/0", "BTCUSDT@kline_15m"),
        ("/market/ws/0", "xrpusdt@kline_15m"),
        ("/market/ws/0", "btcusdt@orders"),
    ],
)
def test_a_stream_that_a_line_does_not_have_is_refused(path: str, name: str) -> None:
    """Which address a stream has is part of the protocol; none of the request is taken."""
    spoken = Spoken(path)
    (answer,) = spoken.subscribe("btcusdt@markPrice@1s" if "market" in path else "btcusdt@depth@100ms", name)
    assert (answer["id"], answer["error"]["code"], spoken.line.streams) == (7, 2, [])


@pytest.mark.parametrize("text", ["{", "[]", '{"id": 1}'])
def test_what_is_not_a_request_is_an_error(text: str) -> None:
    """Not JSON, not an object, without a method."""
    assert [answer["error"]["code"] for answer in Spoken("/market/ws/0").say(text)] == [3]
    assert [row["error"]["code"] for row in Spoken("/market/ws/0").say({"method": "FLY", "id": 1})] == [2]


def test_nothing_is_pushed_after_unsubscribe_or_the_end() -> None:
    """A print after it is not heard of."""
    spoken = Spoken("/market/ws/0")
    assert spoken.subscribe("btcusdt@kline_1m") == [{"result": None, "id": 7}]
    assert spoken.say({"method": "LIST_SUBSCRIPTIONS", "id": 8}) == [{"result": ["btcusdt@kline_1m"], "id": 8}]
    spoken.clock.step(60_000)
    spoken.venue.exchange.catch_up()
    heard = len(spoken.texts)
    spoken.subscribe("btcusdt@kline_1m", method="UNSUBSCRIBE")
    spoken.clock.step(60_000)
    spoken.venue.exchange.catch_up()
    assert len(spoken.texts) == heard + 1  # the answer
    spoken.subscribe("btcusdt@kline_1m")
    spoken.line.end()
    spoken.clock.step(3 * HOUR_MS)
    spoken.venue.exchange.catch_up()
    assert len(spoken.texts) == heard + 2


def test_a_book_continues_from_the_answer_of_rest() -> None:
    """U, u and pu join a push to the one before and to lastUpdateId; levels that are gone have no size."""
    spoken = Spoken("/public/ws/0")
    spoken.subscribe("btcusdt@depth@100ms")
    first = spoken.venue.books[INST]
    spoken.clock.step(120_000)
    spoken.venue.exchange.catch_up()
    pushes = [json.loads(text) for text in spoken.texts[1:]]
    assert [(row["pu"], row["U"], row["u"]) for row in pushes] == [
        (first, first + 1, first + 10),
        (first + 10, first + 11, first + 20),
    ]
    assert ["60000.00", "0.000"] in pushes[0]["b"]
    assert ["59000.00", "0.010"] in pushes[0]["b"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"apiKey": "other"}, -2015),
        ({"apiKey": ""}, -2014),
        ({"timestamp": 1}, -1021),
        ({"timestamp": "now"}, -1021),
        ({"quantity": "0.09"}, -1022),
        ({"signature": "00"}, -1022),
    ],
)
def test_who_may_not_order_by_socket(more: dict[str, Any], code: int) -> None:
    """The code of what is wrong; nothing is ordered."""
    spoken = Spoken("/ws-fapi/v1")
    assert spoken.order(**more)["error"]["code"] == code
    assert not spoken.venue.exchange.orders


def test_an_order_by_socket_is_an_order() -> None:
    """The row of REST with the request's id; a refusal with its code; an unknown method is none; junk is noted."""
    spoken = Spoken("/ws-fapi/v1")
    answer = spoken.order(fields=ENTRY | {"clientOrderId": "ndE1"})
    assert (answer["id"], answer["status"], answer["result"]["status"]) == ("9", 200, "FILLED")
    refused = spoken.order(fields=ENTRY | {"quantity": "0.001"})
    assert (refused["status"], refused["error"]["code"]) == (400, -4164)
    assert spoken.order("order.fly")["error"]["code"] == -1000
    stop = {"symbol": INST, "side": "SELL", "algoType": "CONDITIONAL", "type": "STOP_MARKET", "quantity": "0.01"}
    assert spoken.order("algoOrder.place", stop | {"reduceOnly": True, "triggerPrice": "58000"})["result"]["algoStatus"] == "NEW"
    assert spoken.venue.noted == {"WS order.place: clientOrderId": 1}


def test_a_stop_that_fires_is_pushed_in_order() -> None:
    """Triggering, triggered with its child's id, the child's own states, and then finished; one that fails is rejected."""
    spoken = Spoken()
    exchange = spoken.venue.exchange
    exchange.place(Order("ndE1", "BTC", 1, 10))
    exchange.place_algo(Algo("ndS1", "BTC", -1, 10, stop=580_000, shape="STOP_MARKET"))
    exchange.place_algo(Algo("ndS2", "BTC", -1, 10, stop=575_000, shape="STOP_MARKET"))
    before = len(spoken.texts)
    spoken.clock.step(120_000)
    exchange.catch_up()
    rows = [(event, body) for event, body in spoken.pushed()[before:] if event != "ACCOUNT_UPDATE"]
    said = [(body.get("caid", ""), body["X"]) for _, body in rows]
    child = [("", "NEW"), ("", "FILLED")]
    first = [("ndS1", "TRIGGERING"), ("ndS1", "TRIGGERED"), *child, ("ndS1", "FINISHED")]
    assert said == [*first, ("ndS2", "REJECTED")]
    assert int(rows[1][1]["ai"]) == rows[2][1]["i"]
    assert rows[-1][1]["rm"] == "Reduce Only reject"


def test_a_settlement_is_pushed_with_what_it_cost() -> None:
    """The account's event alone: no order has moved."""
    spoken = Spoken()
    spoken.venue.exchange.place(Order("ndE1", "BTC", 1, 10))
    before = len(spoken.texts)
    for _ in range(16):
        spoken.clock.step(HOUR_MS // 2)
        spoken.venue.renewed_key()
    spoken.venue.exchange.catch_up()
    ((event, body),) = spoken.pushed()[before:]
    assert (event, body["m"], float(body["B"][0]["bc"]) < 0, body["P"][0]["pa"]) == (
        "ACCOUNT_UPDATE",
        "FUNDING_FEE",
        True,
        "0.010",
    )
