"""The local Bybit's WebSockets by themselves: texts in, texts out. Logins, subscriptions, orders by socket, what is pushed."""

import json
from typing import Any

import pytest

from tests.fakes.exchange.bybit.client import LocalBybit
from tests.fakes.exchange.bybit.played import INST
from tests.fakes.exchange.bybit.rest import KEY, signature
from tests.fakes.exchange.bybit.streams import BybitLine
from tests.fakes.exchange.orders import Order
from tests.fakes.exchange.stage import START_MS, HandClock, flat_path, small_exchange

ENTRY = {"category": "linear", "symbol": INST, "side": "Buy", "orderType": "Market", "qty": "0.01", "orderLinkId": "ndE1"}
STOP = ENTRY | {"side": "Sell", "triggerPrice": "58000", "triggerDirection": 2, "reduceOnly": True, "orderLinkId": "ndS1"}


class Spoken:
    """A connection by hand."""

    def __init__(self, kind: str = "private", venue: LocalBybit | None = None) -> None:
        self.clock = HandClock()
        path = flat_path(600_000, (60_000, 590_000, 50), (120_000, 570_000, 50))
        self.venue = venue or LocalBybit(small_exchange(self.clock, path))
        self.texts: list[str] = []
        self.closes = 0
        self.line = BybitLine(self.venue, f"/ws/v5/{kind}", self.texts.append, self.close, lambda *_: None)

    def close(self) -> None:
        """The venue has closed it."""
        self.closes += 1

    def say(self, message: Any) -> list[Any]:
        """What is answered to it."""
        before = len(self.texts)
        self.line.take(message if isinstance(message, str) else json.dumps(message))
        return [json.loads(text) for text in self.texts[before:]]

    def login(self, key: str = KEY, expires: str = "", sign: str = "") -> list[Any]:
        """Log in; what is given replaces what is right."""
        expires = expires or str(self.clock() + 10_000)
        return self.say({"op": "auth", "args": [key, expires, sign or signature(f"GET/realtime{expires}")]})

    def subscribe(self, *topics: str) -> list[Any]:
        """Subscribe."""
        return self.say({"op": "subscribe", "req_id": "7", "args": list(topics)})

    def pushed(self, topic: str) -> list[Any]:
        """Rows of a topic so far."""
        return [row for text in self.texts if (m := json.loads(text)).get("topic") == topic for row in m["data"]]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, 0),
        ({"key": "other"}, 10003),
        ({"expires": str(START_MS)}, 10002),
        ({"expires": "soon"}, 10002),
        ({"sign": "00ff"}, 10004),
    ],
)
def test_who_may_log_in(more: dict[str, str], code: int) -> None:
    """By the code; after a refusal the line stays open, and private topics stay shut."""
    spoken = Spoken()
    (answer,) = spoken.login(**more)
    assert (answer["retCode"], answer["success"]) == (code, code == 0)
    (after,) = spoken.subscribe("order")
    assert (after["success"], after["req_id"], spoken.closes) == (code == 0, "7", 0)


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        ("linear", "order"),
        ("private", f"kline.15.{INST}"),
        ("linear", f"kline.7.{INST}"),
        ("linear", "tickers.XRPUSDT"),
        ("linear", f"orderbook.7.{INST}"),
        ("linear", "tickers"),
    ],
)
def test_a_topic_on_the_wrong_line_is_refused(kind: str, topic: str) -> None:
    """Which address a topic has is part of the protocol; one that is unknown refuses the whole request."""
    spoken = Spoken(kind)
    spoken.login()
    (answer,) = spoken.subscribe(topic, *(["order"] if kind == "private" else []))
    assert (answer["success"], answer["ret_msg"]) == (False, f"Invalid topic: {topic}")
    assert spoken.line.channels() == set()


@pytest.mark.parametrize("text", ["{", "[]", '{"op": "fly"}', '{"op": "order.create", "args": []}'])
def test_what_is_not_a_request_is_an_error(text: str) -> None:
    """Also an order on the private line: it has its own."""
    assert [answer["success"] for answer in Spoken().say(text)] == [False]


def test_a_ping_is_answered() -> None:
    """Each line in its own words, with the request's id."""
    private, public = (Spoken(kind).say({"op": "ping", "req_id": "3"})[0] for kind in ("private", "linear"))
    assert (private["op"], private["req_id"]) == ("pong", "3")
    assert (public["op"], public["ret_msg"], public["req_id"]) == ("ping", "pong", "3")


def order_by_socket(spoken: Spoken, fields: Any, op: str = "order.create", age_ms: int = 0) -> Any:
    """The answer."""
    header = {"X-BAPI-TIMESTAMP": str(spoken.clock() - age_ms), "X-BAPI-RECV-WINDOW": "5000"}
    return spoken.say({"op": op, "reqId": "9", "header": header, "args": [fields]})[-1]


def test_an_order_by_socket_is_an_order() -> None:
    """The request's id comes back with the result of REST; a refusal has its code; before the login and too late is one."""
    spoken = Spoken("trade")
    assert order_by_socket(spoken, ENTRY)["retCode"] == 10005
    spoken.login()
    assert order_by_socket(spoken, ENTRY, age_ms=5_001)["retCode"] == 10002
    taken = order_by_socket(spoken, ENTRY)
    assert (taken["retCode"], taken["reqId"], taken["data"]["orderLinkId"]) == (0, "9", "ndE1")
    assert order_by_socket(spoken, ENTRY)["retCode"] == 110072
    assert order_by_socket(spoken, STOP)["retCode"] == 0
    moved = STOP | {"triggerPrice": "58500"}
    assert [order_by_socket(spoken, moved, op)["retCode"] for op in ("order.amend", "order.cancel", "order.cancel")] == [
        0,
        0,
        110001,
    ]


def test_nothing_is_pushed_after_unsubscribe_or_the_end() -> None:
    """An order after it is not heard of."""
    spoken = Spoken()
    spoken.login()
    spoken.subscribe("order")
    spoken.say({"op": "unsubscribe", "args": ["order"]})
    spoken.venue.exchange.place(Order("ndE1", "BTC", 1, 100))
    assert spoken.pushed("order") == []
    spoken.subscribe("order")
    spoken.line.end()
    spoken.venue.exchange.place(Order("ndE2", "BTC", 1, 100))
    assert spoken.pushed("order") == []


def test_a_stop_that_fires_is_pushed_in_order() -> None:
    """Triggered, New, Filled under one id; its execution and the flat position each by themselves."""
    spoken = Spoken()
    spoken.login()
    spoken.subscribe("order", "execution", "position", "wallet")
    trade = Spoken("trade", spoken.venue)
    trade.login()
    for fields in (ENTRY, STOP):
        order_by_socket(trade, fields)
    before = len(spoken.texts)
    spoken.clock.step(120_000)
    spoken.venue.exchange.catch_up()
    rows = [(m["topic"], m["data"][0]) for m in map(json.loads, spoken.texts[before:])]
    states = [(topic, row.get("orderStatus") or row.get("execQty") or row.get("size") or "") for topic, row in rows]
    assert states == [
        ("order", "Triggered"),
        ("order", "New"),
        ("order", "Filled"),
        ("execution", "0.01"),
        ("position", "0"),
        ("wallet", ""),
    ]
    assert len({row["orderId"] for topic, row in rows if topic in ("order", "execution")}) == 1
    assert {row["orderLinkId"] for topic, row in rows if topic in ("order", "execution")} == {"ndS1"}


def test_orders_end_some_time_after_the_last_private_line_has_gone() -> None:
    """disconnected-cancel-all: not while one is there, nor when one comes back in time."""
    spoken = Spoken()
    exchange = spoken.venue.exchange
    spoken.venue.dead_man_s = 10
    exchange.place(Order("ndL1", "BTC", 1, 100, kind="limit", price=500_000))
    spoken.login()
    other = Spoken("private", spoken.venue)
    other.login()
    other.line.end()
    spoken.clock.step(11_000)
    exchange.catch_up()
    assert len(exchange.open_orders()) == 1
    spoken.line.end()
    spoken.clock.step(9_000)
    back = Spoken("private", spoken.venue)
    back.login(expires=str(spoken.clock() + 10_000))
    spoken.clock.step(11_000)
    exchange.catch_up()
    assert len(exchange.open_orders()) == 1
    back.line.end()
    spoken.clock.step(10_000)
    exchange.catch_up()
    assert [order.why for order in exchange.orders.values()] == ["dead_man"]
