"""The local OKX's REST by itself: a text in, a text out. Who may ask, what is refused with which code, how lists page."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.fakes.exchange.okx.client import LocalOkx
from tests.fakes.exchange.okx.played import INST
from tests.fakes.exchange.okx.rest import KEY, PASSPHRASE, signature
from tests.fakes.exchange.stage import HandClock, flat_path, small_exchange
from tests.fakes.exchange.wire import Request

ENTRY = {"instId": INST, "tdMode": "isolated", "side": "buy", "ordType": "market", "sz": "1", "clOrdId": "ndE1"}
LIMIT = ENTRY | {"ordType": "limit", "px": "50000", "clOrdId": "ndL1"}
STOP = {"instId": INST, "tdMode": "isolated", "side": "sell", "ordType": "conditional", "sz": "1", "reduceOnly": True}
STOP |= {"slTriggerPx": "58000", "slOrdPx": "-1", "algoClOrdId": "ndS1"}


class Asked:
    """A client that signs by hand."""

    def __init__(self, **more: Any) -> None:
        self.clock = HandClock()
        path = flat_path(600_000, (60_000, 590_000, 50), (120_000, 570_000, 50))
        self.venue = LocalOkx(small_exchange(self.clock, path), **more)

    def request(self, method: str, path: str, fields: Any, **headers: str) -> Request:
        """A signed request; `headers` (with _ for -) replace what would be sent."""
        target = f"/api/v5/{path}" + (f"?{urlencode(fields)}" if method == "GET" and fields else "")
        body = json.dumps(fields) if method == "POST" else ""
        stamp = datetime.fromtimestamp(self.clock() / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        signed = {"KEY": KEY, "PASSPHRASE": PASSPHRASE, "TIMESTAMP": stamp, "SIGN": signature(stamp + method + target + body)}
        named = {f"OK-ACCESS-{name}": value for name, value in signed.items()}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        return Request(method, target, named, body)

    def __call__(self, method: str, path: str, fields: Any = None, **headers: str) -> Any:
        """The body of the answer."""
        return json.loads(self.venue.answer(self.request(method, path, fields or {}, **headers)).text)

    def place(self, *items: dict[str, Any], path: str = "batch-orders") -> list[str]:
        """The sCode of each item."""
        return [
            row["sCode"] for row in self("POST", f"trade/{path}", list(items) if path == "batch-orders" else items[0])["data"]
        ]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"OK_ACCESS_KEY": ""}, "50103"),
        ({"OK_ACCESS_PASSPHRASE": ""}, "50104"),
        ({"OK_ACCESS_SIGN": ""}, "50106"),
        ({"OK_ACCESS_TIMESTAMP": ""}, "50107"),
        ({"OK_ACCESS_KEY": "other"}, "50111"),
        ({"OK_ACCESS_PASSPHRASE": "other"}, "50105"),
        ({"OK_ACCESS_TIMESTAMP": "yesterday"}, "50112"),
        ({"OK_ACCESS_TIMESTAMP": "2023-11-14T22:14:29.999Z"}, "50102"),
        ({"OK_ACCESS_SIGN": "AAAA"}, "50113"),
        ({"X_SIMULATED_TRADING": "1"}, "50101"),
    ],
)
def test_who_may_not_ask(headers: dict[str, str], code: str) -> None:
    """401 with the code of what is wrong; nothing is done."""
    asked = Asked()
    answer = asked.venue.answer(asked.request("POST", "trade/batch-orders", [ENTRY], **headers))
    assert (answer.status, json.loads(answer.text)["code"]) == (401, code)
    assert not asked.venue.exchange.ledger


def test_a_signature_covers_the_body_and_the_query() -> None:
    """A body or a query that was changed on the way is refused."""
    asked = Asked()
    good = asked.request("POST", "trade/batch-orders", [ENTRY])
    changed = Request(good.method, good.target, good.headers, good.body.replace('"1"', '"9"'))
    assert json.loads(asked.venue.answer(changed).text)["code"] == "50113"
    read = asked.request("GET", "trade/order", {"instId": INST, "clOrdId": "ndE1"})
    changed = Request(read.method, read.target.replace("ndE1", "ndE2"), read.headers)
    assert json.loads(asked.venue.answer(changed).text)["code"] == "50113"
    assert json.loads(asked.venue.answer(good).text)["code"] == "0"


def test_a_demo_account_wants_its_header() -> None:
    """x-simulated-trading: 1, or the key is of another environment."""
    asked = Asked(simulated=True)
    assert asked("GET", "account/config")["code"] == "50101"
    assert asked("GET", "account/config", None, X_SIMULATED_TRADING="1")["code"] == "0"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"clOrdId": "nd-1"}, "51000"),
        ({"clOrdId": "n" * 33}, "51000"),
        ({"clOrdId": "ndé"}, "51000"),
        ({"clOrdId": "ndTwice"}, "51016"),
        ({"instId": "XRP-USDT-SWAP"}, "51001"),
        ({"tdMode": "cross"}, "51000"),
        ({"posSide": "long"}, "51000"),
        ({"side": "up"}, "51000"),
        ({"ordType": "stop"}, "51000"),
        ({"sz": "0"}, "51020"),
        ({"sz": "0.015"}, "51121"),
        ({"sz": "-1"}, "51000"),
        ({"sz": 1}, "51000"),
        ({"sz": "NaN"}, "51000"),
        ({"sz": "1e400"}, "51202"),
        ({"ordType": "limit", "px": "50000.05"}, "51000"),
        ({"ordType": "limit"}, "51000"),
        ({"sz": "20000"}, "51202"),
        ({"sz": "5000"}, "51008"),
        ({"reduceOnly": True}, "51169"),
        ({"attachAlgoOrds": [{"slTriggerPx": "50000"}]}, "51000"),
        ({"attachAlgoOrds": [{}]}, "51000"),
    ],
)
def test_an_order_that_okx_refuses(change: dict[str, Any], code: str) -> None:
    """Code 1 around it, the reason in its row; only the order before it is there."""
    asked = Asked()
    assert asked.place(LIMIT | {"clOrdId": "ndTwice"}) == ["0"]
    body = asked("POST", "trade/batch-orders", [ENTRY | change])
    assert (body["code"], [row["sCode"] for row in body["data"]]) == ("1", [code])
    assert len(asked.venue.exchange.orders) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"algoClOrdId": "nd-1"}, "51000"),
        ({"algoClOrdId": "ndTwice"}, "51065"),
        ({"ordType": "market"}, "51000"),
        ({"slOrdPx": ""}, "51000"),
        ({"tpTriggerPx": "62000", "tpOrdPx": "-1"}, "51000"),
        ({"ordType": "oco"}, "51000"),
        ({"slTriggerPx": "61000"}, "51280"),
        ({"side": "buy"}, "51278"),
        ({"slTriggerPx": "", "tpTriggerPx": "59000", "tpOrdPx": "-1"}, "51279"),
        ({"side": "buy", "slTriggerPx": "", "tpTriggerPx": "61000", "tpOrdPx": "-1"}, "51277"),
        ({"sz": ""}, "51000"),
        ({"closeFraction": "1"}, "51000"),
        ({"sz": "", "closeFraction": "0.5"}, "51000"),
        ({"ordType": "trigger", "orderPx": "-1"}, "51000"),
    ],
)
def test_an_algo_that_okx_refuses(change: dict[str, Any], code: str) -> None:
    """The reason in its row; only the algo before it is there."""
    asked = Asked()
    assert asked.place(STOP | {"algoClOrdId": "ndTwice"}, path="order-algo") == ["0"]
    assert asked.place(STOP | change, path="order-algo") == [code]
    assert len(asked.venue.exchange.algos) == 1


def test_of_a_batch_the_good_ones_are_taken() -> None:
    """Code 2, and a row each."""
    body = (asked := Asked())("POST", "trade/batch-orders", [ENTRY, ENTRY, LIMIT])
    assert (body["code"], [row["sCode"] for row in body["data"]]) == ("2", ["0", "51016", "0"])
    assert len(asked.venue.exchange.orders) == 2
    assert asked("POST", "trade/batch-orders", [LIMIT] * 21)["code"] == "51111"


def test_a_stop_moves_in_place_and_only_while_it_stands() -> None:
    """amend-algos without a new order price; once it has fired it cannot be moved or cancelled, and a child has its own id."""
    asked = Asked()
    asked.place(ENTRY)
    asked.place(STOP, path="order-algo")
    move = {"instId": INST, "algoClOrdId": "ndS1", "newSlTriggerPx": "58500"}
    assert asked("POST", "trade/amend-algos", move)["data"][0]["sCode"] == "0"
    assert asked("POST", "trade/amend-algos", move)["data"][0]["sCode"] == "51500"
    assert asked("POST", "trade/amend-algos", move | {"newSlTriggerPx": "61000"})["data"][0]["sCode"] == "51280"
    asked.clock.step(120_000)
    (row,) = asked("GET", "trade/order-algo", {"algoClOrdId": "ndS1"})["data"]
    assert (row["state"], row["slTriggerPx"]) == ("effective", "58500")
    (child,) = asked("GET", "trade/order", {"instId": INST, "ordId": row["ordId"]})["data"]
    assert (child["state"], child["clOrdId"], child["algoId"]) == ("filled", "", row["algoId"])
    assert asked("POST", "trade/amend-algos", move)["data"][0]["sCode"] == "51503"
    assert asked("POST", "trade/cancel-algos", [{"instId": INST, "algoClOrdId": "ndS1"}])["data"][0]["sCode"] == "51400"


def test_a_list_of_algos_shows_only_what_is_asked_for() -> None:
    """`trigger` hides conditional stops; conditional and oco go together; an unknown word, or none, is refused."""
    asked = Asked()
    asked.place(STOP, path="order-algo")

    def found(kind: str) -> Any:
        body = asked("GET", "trade/orders-algo-pending", {"ordType": kind})
        return [row["algoClOrdId"] for row in body["data"]] if body["code"] == "0" else body["code"]

    words = ("trigger", "conditional", "conditional,oco", "oco", "conditional,trigger", "stop", "")
    assert [found(kind) for kind in words] == [[], ["ndS1"], ["ndS1"], [], "51000", "51000", "51000"]


def test_an_order_is_asked_for_by_either_id_and_one_that_never_was_is_not_found() -> None:
    """51603; no id at all is 51003, an id that is not a number is not found."""
    asked = Asked()
    asked.place(ENTRY)
    (row,) = asked("GET", "trade/order", {"instId": INST, "clOrdId": "ndE1"})["data"]
    assert asked("GET", "trade/order", {"instId": INST, "ordId": row["ordId"]})["data"] == [row]
    assert asked("GET", "trade/order", {"instId": INST, "clOrdId": "ndE2"})["code"] == "51603"
    assert asked("GET", "trade/order", {"instId": INST, "ordId": "x"})["code"] == "51603"
    assert asked("GET", "trade/order", {"instId": INST})["code"] == "51003"


def test_fills_are_paged_newest_first_and_by_bill() -> None:
    """130 fills: 100 and 30; `before` is newer than a bill, `after` older; what is not a number is refused."""
    asked = Asked()
    for number in range(130):
        asked.clock.step(100)
        asked.place(ENTRY | {"clOrdId": f"nd{number}", "sz": "0.01"})

    def bills(**fields: str) -> list[int]:
        rows = asked("GET", "trade/fills-history", {"instType": "SWAP", **fields})["data"]
        return [int(row["billId"]) for row in rows]

    first = bills()
    assert len(first) == 100
    assert first == sorted(first, reverse=True)
    rest = bills(after=str(first[-1]))
    assert len(rest) == 30
    assert bills(before=str(first[5])) == first[:5]
    assert bills(limit="7") == first[:7]
    assert len(bills(limit="1000")) == 100
    assert asked("GET", "trade/fills-history", {"instType": "SWAP", "after": "x"})["code"] == "51000"


@pytest.mark.parametrize(
    ("method", "path", "fields", "code"),
    [
        ("POST", "trade/close-position", {"instId": INST, "mgnMode": "isolated"}, "51023"),
        ("POST", "trade/cancel-all-after", {"timeOut": "5"}, "51000"),
        ("POST", "account/set-leverage", {"instId": INST, "lever": "101", "mgnMode": "isolated"}, "59102"),
        ("POST", "account/set-leverage", {"instId": INST, "lever": "3", "mgnMode": "cross"}, "51000"),
        ("GET", "trade/orders-history", {}, "51000"),
        ("GET", "trade/orders-history", {"instType": "SWAP", "state": "live"}, "51000"),
        ("GET", "trade/orders-algo-history", {"ordType": "conditional"}, "51000"),
        ("GET", "market/candles", {"instId": INST, "bar": "7m"}, "51000"),
        ("GET", "public/instruments", {}, "51000"),
        ("GET", "nowhere", {}, "50404"),
    ],
)
def test_questions_that_okx_refuses(method: str, path: str, fields: dict[str, str], code: str) -> None:
    """By its code."""
    assert Asked()(method, path, fields)["code"] == code


def test_what_is_not_json_or_not_an_object_is_refused() -> None:
    """50002, with status 400."""
    asked = Asked()
    for body in ("{", '["x"]', "[1]"):
        good = asked.request("POST", "trade/batch-orders", {})
        signed = signature(good.headers["OK-ACCESS-TIMESTAMP"] + good.method + good.target + body)
        answer = asked.venue.answer(Request(good.method, good.target, {**good.headers, "OK-ACCESS-SIGN": signed}, body))
        assert (answer.status, json.loads(answer.text)["code"]) == (400, "50002")


def test_more_than_sixty_requests_in_two_seconds_are_too_many() -> None:
    """50011 with status 429 for the path that was asked too often, not for another; two seconds later it answers again."""
    asked = Asked()
    fields = {"instId": INST, "clOrdId": "ndE1"}
    codes = [asked("GET", "trade/order", fields)["code"] for _ in range(61)]
    assert codes == ["51603"] * 60 + ["50011"]
    assert asked("GET", "trade/orders-pending")["code"] == "0"
    asked.clock.step(2_000)
    assert asked("GET", "trade/order", fields)["code"] == "51603"


def test_the_position_mode_cannot_change_with_a_position() -> None:
    """59000 while there is one."""
    asked = Asked()
    assert asked("POST", "account/set-position-mode", {"posMode": "net_mode"})["code"] == "0"
    asked.place(ENTRY)
    assert asked("POST", "account/set-position-mode", {"posMode": "long_short_mode"})["code"] == "59000"
