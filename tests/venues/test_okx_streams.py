"""The local OKX's WebSockets by themselves: texts in, texts out. Logins, subscriptions, orders by socket, and what is pushed."""

import json
from typing import Any

import pytest

from tests.fakes.exchange.okx.client import LocalOkx
from tests.fakes.exchange.okx.played import INST
from tests.fakes.exchange.okx.rest import KEY, PASSPHRASE, signature
from tests.fakes.exchange.okx.streams import OkxLine
from tests.fakes.exchange.orders import Algo, Order
from tests.fakes.exchange.stage import HandClock, flat_path, small_exchange

ENTRY = {"instId": INST, "tdMode": "isolated", "side": "buy", "ordType": "market", "sz": "1", "clOrdId": "ndE1"}


class Spoken:
    """A connection by hand."""

    def __init__(self, kind: str = "private") -> None:
        self.clock = HandClock()
        self.venue = LocalOkx(small_exchange(self.clock, flat_path(600_000, (60_000, 590_000, 50), (120_000, 570_000, 50))))
        self.texts: list[str] = []
        self.closes = 0
        self.line = OkxLine(self.venue, f"/ws/v5/{kind}", self.texts.append, self.close, lambda *_: None)

    def close(self) -> None:
        """The venue has closed it."""
        self.closes += 1

    def say(self, message: Any) -> list[Any]:
        """What is answered to it."""
        before = len(self.texts)
        self.line.take(message if isinstance(message, str) else json.dumps(message))
        return [json.loads(text) if text.startswith("{") else text for text in self.texts[before:]]

    def login(self, **more: str) -> list[Any]:
        """Log in; `more` replaces what is right."""
        stamp = str(self.clock() // 1000)
        args = {"apiKey": KEY, "passphrase": PASSPHRASE, "timestamp": stamp, "sign": signature(f"{stamp}GET/users/self/verify")}
        return self.say({"op": "login", "args": [args | more]})

    def subscribe(self, channel: str, **more: str) -> list[Any]:
        """Subscribe."""
        return self.say({"op": "subscribe", "args": [{"channel": channel, **more}]})

    def pushed(self, channel: str) -> list[Any]:
        """Rows of a channel so far."""
        messages = [json.loads(text) for text in self.texts if text.startswith("{")]
        return [row for m in messages if m.get("arg", {}).get("channel") == channel for row in m.get("data", [])]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, "0"),
        ({"apiKey": "other"}, "60005"),
        ({"passphrase": "other"}, "60024"),
        ({"timestamp": "1700000000"}, "60006"),
        ({"timestamp": "now"}, "60006"),
        ({"sign": "AAAA"}, "60007"),
    ],
)
def test_who_may_log_in(more: dict[str, str], code: str) -> None:
    """By the code; after a refusal the line stays open, and private channels stay shut."""
    spoken = Spoken()
    (answer,) = spoken.login(**more)
    assert answer["code"] == code
    (after,) = spoken.subscribe("orders", instType="SWAP")
    assert (after["event"], after.get("code")) == (("subscribe", None) if code == "0" else ("error", "60011"))
    assert spoken.closes == 0


@pytest.mark.parametrize(
    ("kind", "channel", "more", "code"),
    [
        ("public", "orders", {"instType": "SWAP"}, "60018"),
        ("private", "orders-algo", {"instType": "SWAP"}, "60018"),
        ("public", "candle15m", {"instId": INST}, "60018"),
        ("business", "candle7m", {"instId": INST}, "60018"),
        ("public", "tickers", {"instId": "XRP-USDT-SWAP"}, "60018"),
        ("business", "orders-algo", {"instType": "SWAP"}, "60011"),
    ],
)
def test_a_channel_on_the_wrong_line_is_refused(kind: str, channel: str, more: dict[str, str], code: str) -> None:
    """Which address a channel has is part of the protocol."""
    assert [answer["code"] for answer in Spoken(kind).subscribe(channel, **more)] == [code]


@pytest.mark.parametrize("text", ["{", "[]", '{"op": "fly"}', '{"id": "1", "op": "order", "args": []}'])
def test_what_is_not_a_request_is_an_error(text: str) -> None:
    """60012, also for an order before the login."""
    assert [answer["code"] for answer in Spoken().say(text)] == ["60012"]


def test_a_ping_is_answered() -> None:
    """Text for text."""
    assert Spoken().say("ping") == ["pong"]


def test_an_order_by_socket_is_an_order() -> None:
    """The request's id comes back with the row of REST; a refusal has its sCode; the order stream has both states."""
    spoken = Spoken()
    spoken.login()
    spoken.subscribe("orders", instType="SWAP")
    answers = spoken.say({"id": "7", "op": "batch-orders", "args": [ENTRY]})
    assert [row["state"] for row in spoken.pushed("orders")] == ["live", "filled"]
    assert (answers[-1]["id"], answers[-1]["code"], answers[-1]["data"][0]["clOrdId"]) == ("7", "0", "ndE1")
    again = spoken.say({"id": "8", "op": "order", "args": [ENTRY]})
    assert (again[-1]["code"], again[-1]["data"][0]["sCode"]) == ("1", "51016")


def test_nothing_is_pushed_after_unsubscribe_or_the_end() -> None:
    """An order after it is not heard of."""
    spoken = Spoken()
    spoken.login()
    spoken.subscribe("orders", instType="SWAP")
    spoken.say({"op": "unsubscribe", "args": [{"channel": "orders", "instType": "SWAP"}]})
    spoken.venue.exchange.place(Order("ndE1", "BTC", 1, 100))
    assert spoken.pushed("orders") == []
    spoken.subscribe("orders", instType="SWAP")
    spoken.line.end()
    spoken.venue.exchange.place(Order("ndE2", "BTC", 1, 100))
    assert spoken.pushed("orders") == []


def test_an_instrument_hears_only_of_itself() -> None:
    """A channel of ETH says nothing of BTC, and an instrument that does not exist is not listened to."""
    spoken = Spoken()
    spoken.login()
    spoken.subscribe("orders", instType="SWAP", instId="ETH-USDT-SWAP")
    spoken.venue.exchange.place(Order("ndE1", "BTC", 1, 100))
    assert spoken.pushed("orders") == []


def test_a_stop_that_fires_is_pushed_in_order() -> None:
    """The algo first, with its child's id, then the child's own states, then the position."""
    spoken = Spoken()
    spoken.login()
    for channel in ("orders", "positions"):
        spoken.subscribe(channel, instType="SWAP")
    business = OkxLine(spoken.venue, "/ws/v5/business", spoken.texts.append, spoken.close, lambda *_: None)
    business.logged_in = True
    business.take(json.dumps({"op": "subscribe", "args": [{"channel": "orders-algo", "instType": "SWAP"}]}))
    exchange = spoken.venue.exchange
    exchange.place(Order("ndE1", "BTC", 1, 100))
    exchange.place_algo(Algo("ndS1", "BTC", -1, 100, stop=580_000, shape="conditional"))
    before = len(spoken.texts)
    spoken.clock.step(120_000)
    exchange.catch_up()
    rows = [(m["arg"]["channel"], m["data"][0]) for m in map(json.loads, spoken.texts[before:])]
    states = [(channel, row.get("state") or row["pos"]) for channel, row in rows]
    assert states == [("orders-algo", "effective"), ("orders", "live"), ("orders", "filled"), ("positions", "0")]
    assert rows[0][1]["ordId"] == rows[1][1]["ordId"]
    assert rows[1][1]["algoId"] == rows[0][1]["algoId"]
