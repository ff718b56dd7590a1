"""The local Binance's REST by itself: a text in, a text out. Who may ask, what is refused with which code, how lists page."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.fakes.exchange.binance.client import LocalBinance
from tests.fakes.exchange.binance.played import BTC, INST
from tests.fakes.exchange.binance.rest import KEY, signature
from tests.fakes.exchange.stage import HandClock, flat_path, small_exchange
from tests.fakes.exchange.wire import Request

DAY_MS = 86_400_000
ENTRY = {"symbol": INST, "side": "BUY", "type": "MARKET", "quantity": "0.01", "newClientOrderId": "ndE1"}
LIMIT = ENTRY | {"type": "LIMIT", "price": "50000", "timeInForce": "GTC", "newClientOrderId": "ndL1"}
STOP = {"symbol": INST, "side": "SELL", "algoType": "CONDITIONAL", "type": "STOP_MARKET", "quantity": "0.01"}
STOP |= {"reduceOnly": "true", "triggerPrice": "58000", "clientAlgoId": "ndS1"}
TARGET = STOP | {"type": "TAKE_PROFIT_MARKET", "triggerPrice": "62000"}


class Asked:
    """A client that signs by hand."""

    def __init__(self, **more: Any) -> None:
        self.clock = HandClock()
        path = flat_path(600_000, (60_000, 590_000, 50), (120_000, 570_000, 50))
        self.venue = LocalBinance(small_exchange(self.clock, path, contract=BTC), **more)

    def request(self, method: str, path: str, fields: dict[str, Any], key: str = KEY, **more: str) -> Request:
        """A signed request; `more` replaces what would be sent."""
        named = {**fields, "timestamp": str(self.clock()), "recvWindow": "5000", **more}
        text = urlencode({name: value for name, value in named.items() if name != "signature" and value != ""})
        text += f"&signature={more.get('signature', signature(text))}" if more.get("signature") != "" else ""
        reads = method in ("GET", "DELETE")
        return Request(method, f"/{path}" + (f"?{text}" if reads else ""), {"X-MBX-APIKEY": key}, "" if reads else text)

    def __call__(self, method: str, path: str, fields: Any = None, **more: str) -> Any:
        """The body of the answer."""
        return json.loads(self.venue.answer(self.request(method, path, fields or {}, **more)).text)

    def code(self, method: str, path: str, fields: Any = None, **more: str) -> Any:
        """The code of a refusal; 0 where there is none."""
        body = self(method, path, fields, **more)
        return body.get("code", 0) if isinstance(body, dict) else 0

    def place(self, fields: dict[str, Any], path: str = "order") -> Any:
        """The code of an order's refusal, or 0."""
        return self.code("POST", f"fapi/v1/{path}", {name: value for name, value in fields.items() if value is not None})


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"key": ""}, 401, -2014),
        ({"key": "other"}, 401, -2015),
        ({"timestamp": ""}, 400, -1102),
        ({"timestamp": "yesterday"}, 400, -1100),
        ({"timestamp": "1700000094999"}, 400, -1021),
        ({"timestamp": "1700000101000"}, 400, -1021),
        ({"recvWindow": "60001"}, 400, -1131),
        ({"signature": ""}, 400, -1102),
        ({"signature": "00"}, 400, -1022),
    ],
)
def test_who_may_not_ask(more: dict[str, str], status: int, code: int) -> None:
    """The code of what is wrong; nothing is done."""
    asked = Asked()
    assert asked.clock() == 1_700_000_100_000
    answer = asked.venue.answer(asked.request("POST", "fapi/v1/order", ENTRY, **more))
    assert (answer.status, json.loads(answer.text)["code"]) == (status, code)
    assert not asked.venue.exchange.ledger


def test_a_signature_covers_the_body_and_the_query() -> None:
    """A body or a query that was changed on the way is refused; a wider window lets an older request in."""
    asked = Asked()
    good = asked.request("POST", "fapi/v1/order", ENTRY)
    changed = Request(good.method, good.target, good.headers, good.body.replace("0.01", "0.09"))
    assert json.loads(asked.venue.answer(changed).text)["code"] == -1022
    read = asked.request("GET", "fapi/v1/order", {"symbol": INST, "origClientOrderId": "ndE1"})
    changed = Request(read.method, read.target.replace("ndE1", "ndE2"), read.headers)
    assert json.loads(asked.venue.answer(changed).text)["code"] == -1022
    assert json.loads(asked.venue.answer(good).text)["status"] == "FILLED"
    assert asked.code("GET", "fapi/v3/account", None, timestamp="1700000090001", recvWindow="10000") == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"newClientOrderId": "n" * 37}, -4015),
        ({"newClientOrderId": "nd E1"}, -1100),
        ({"newClientOrderId": "ndé"}, -1100),
        ({"newClientOrderId": "ndTwice"}, -4116),
        ({"symbol": "XRPUSDT"}, -1121),
        ({"symbol": None}, -1102),
        ({"positionSide": "LONG"}, -4061),
        ({"side": "UP"}, -1117),
        ({"side": None}, -1102),
        ({"type": "STOP_MARKET"}, -4120),
        ({"type": "TRAILING_STOP_MARKET"}, -4120),
        ({"type": "ICEBERG"}, -1116),
        ({"quantity": "0"}, -4003),
        ({"quantity": "-1"}, -4003),
        ({"quantity": "0.0015"}, -1111),
        ({"quantity": "NaN"}, -1100),
        ({"quantity": "1e3"}, -1100),
        ({"quantity": None}, -1102),
        ({"quantity": "0.001"}, -4164),
        ({"quantity": "200"}, -4005),
        ({"quantity": "50"}, -2019),
        ({"price": "50000"}, -1106),
        ({"timeInForce": "GTC"}, -1106),
        ({"reduceOnly": "true"}, -2022),
        ({"reduceOnly": "perhaps"}, -1102),
    ],
)
def test_an_order_that_binance_refuses(change: dict[str, Any], code: int) -> None:
    """Status 400 and the reason; only the order before it is there."""
    asked = Asked()
    assert asked.place(LIMIT | {"newClientOrderId": "ndTwice"}) == 0
    assert asked.place(ENTRY | change) == code
    assert len(asked.venue.exchange.orders) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price": "50000.05"}, -4014),
        ({"price": "50000.055"}, -1111),
        ({"price": "0"}, -4001),
        ({"price": None}, -1102),
        ({"timeInForce": None}, -1102),
        ({"timeInForce": "DAY"}, -1115),
        ({"timeInForce": "GTX", "price": "60001"}, -5022),
    ],
)
def test_a_limit_order_that_binance_refuses(change: dict[str, Any], code: int) -> None:
    """Nothing is ordered."""
    asked = Asked()
    assert asked.place(LIMIT | change) == code
    assert not asked.venue.exchange.orders


@pytest.mark.parametrize(
    ("base", "change", "code"),
    [
        (STOP, {"clientAlgoId": "n" * 37}, -4015),
        (STOP, {"clientAlgoId": "ndTwice"}, -4116),
        (STOP, {"algoType": None}, -1102),
        (STOP, {"algoType": "VP"}, -1102),
        (STOP, {"type": "LIMIT"}, -1116),
        (STOP, {"type": "OCO"}, -1116),
        (STOP, {"workingType": "INDEX"}, -1102),
        (STOP, {"triggerPrice": None}, -1102),
        (STOP, {"triggerPrice": "58000.01"}, -4014),
        (STOP, {"triggerPrice": "61000"}, -2021),
        (STOP, {"side": "BUY"}, -2021),
        (TARGET, {"triggerPrice": "59000"}, -2021),
        (STOP, {"quantity": None}, -1102),
        (STOP, {"closePosition": "true"}, -1106),
        (STOP, {"quantity": None, "closePosition": "true"}, -1106),
        (STOP, {"type": "STOP"}, -1102),
    ],
)
def test_a_conditional_order_that_binance_refuses(base: dict[str, Any], change: dict[str, Any], code: int) -> None:
    """Only the one before it is there."""
    asked = Asked()
    assert asked.place(STOP | {"clientAlgoId": "ndTwice"}, "algoOrder") == 0
    assert asked.place(base | change, "algoOrder") == code
    assert len(asked.venue.exchange.algos) == 1


def test_the_id_of_an_order_that_has_ended_is_taken_again() -> None:
    """Unique among open orders alone: a market entry that is sent twice is two entries."""
    asked = Asked()
    assert [asked.place(ENTRY), asked.place(ENTRY)] == [0, 0]
    assert [asked.place(LIMIT), asked.place(LIMIT)] == [0, -4116]
    assert asked.venue.exchange.account.position("BTC").lots == 20


def test_a_stop_fires_once_and_its_child_has_an_id_of_its_own() -> None:
    """It cannot be amended, is listed while it stands, and says afterwards what it has placed; then it cannot be cancelled."""
    asked = Asked()
    asked.place(ENTRY)
    assert asked("POST", "fapi/v1/algoOrder", STOP)["algoStatus"] == "NEW"
    mine = {"symbol": INST, "clientAlgoId": "ndS1"}
    move = {"symbol": INST, "side": "SELL", "origClientOrderId": "ndS1", "quantity": "0.01", "price": "58500"}
    assert asked.code("PUT", "fapi/v1/order", move) == -2013
    assert [row["clientAlgoId"] for row in asked("GET", "fapi/v1/openAlgoOrders", {"symbol": INST})] == ["ndS1"]
    assert asked("GET", "fapi/v1/openOrders", {"symbol": INST}) == []
    asked.clock.step(120_000)
    row = asked("GET", "fapi/v1/algoOrder", mine)
    assert (row["algoStatus"], row["actualQty"], row["actualType"]) == ("FINISHED", "0.010", "MARKET")
    child = asked("GET", "fapi/v1/order", {"symbol": INST, "orderId": row["actualOrderId"]})
    assert (child["status"], child["reduceOnly"], child["clientOrderId"] != "") == ("FILLED", True, True)
    assert asked.code("DELETE", "fapi/v1/algoOrder", mine) == -2011
    assert asked("GET", "fapi/v1/openAlgoOrders") == []


def test_a_stop_without_a_position_is_refused_when_it_triggers() -> None:
    """Nobody looks at the position before."""
    asked = Asked()
    assert asked.place(STOP, "algoOrder") == 0
    asked.clock.step(120_000)
    row = asked("GET", "fapi/v1/algoOrder", {"symbol": INST, "clientAlgoId": "ndS1"})
    assert (row["algoStatus"], row["actualOrderId"]) == ("REJECTED", "")


def test_a_limit_order_moves_and_only_while_it_stands() -> None:
    """Price and size are both a must; the same again, and what has ended, is refused."""
    asked = Asked()
    asked.place(LIMIT)
    move = {"symbol": INST, "side": "BUY", "origClientOrderId": "ndL1", "quantity": "0.02", "price": "50100"}
    assert asked("PUT", "fapi/v1/order", move)["price"] == "50100.00"
    assert asked.code("PUT", "fapi/v1/order", move) == -5027
    assert asked.code("PUT", "fapi/v1/order", {**move, "price": ""}) == -1102
    assert asked("DELETE", "fapi/v1/order", {"symbol": INST, "origClientOrderId": "ndL1"})["status"] == "CANCELED"
    assert asked.code("PUT", "fapi/v1/order", move | {"price": "50200"}) == -2013
    assert asked.code("DELETE", "fapi/v1/order", {"symbol": INST, "origClientOrderId": "ndL1"}) == -2011


def test_an_order_is_asked_for_by_either_id_and_one_that_never_was_is_not_found() -> None:
    """-2013; no id at all is -1102, an id that is not a number is refused."""
    asked = Asked()
    asked.place(ENTRY)
    row = asked("GET", "fapi/v1/order", {"symbol": INST, "origClientOrderId": "ndE1"})
    assert asked("GET", "fapi/v1/order", {"symbol": INST, "orderId": row["orderId"]}) == row
    assert asked.code("GET", "fapi/v1/openOrder", {"symbol": INST, "orderId": row["orderId"]}) == -2013
    assert asked.code("GET", "fapi/v1/order", {"symbol": INST, "origClientOrderId": "ndE2"}) == -2013
    assert asked.code("GET", "fapi/v1/order", {"symbol": INST}) == -1102
    assert asked.code("GET", "fapi/v1/order", {"symbol": INST, "orderId": "x"}) == -1100
    assert asked.code("GET", "fapi/v1/algoOrder", {"symbol": INST}) == -1102


def test_executions_are_paged_from_an_id_or_by_a_week() -> None:
    """Oldest first; without a time the last seven days, of which the newest rows."""
    asked = Asked()
    for number in range(12):
        asked.place(ENTRY | {"newClientOrderId": f"nd{number}"})
        asked.clock.step(DAY_MS)

    def trades(**fields: Any) -> list[int]:
        return [row["id"] for row in asked("GET", "fapi/v1/userTrades", {"symbol": INST, **fields})]

    start = asked.clock.now - 12 * DAY_MS
    assert trades(fromId=0) == list(range(1, 13))
    assert trades(fromId=5, limit=3) == [5, 6, 7]
    assert trades() == list(range(6, 13))
    assert trades(limit=2) == [11, 12]
    assert trades(startTime=start) == list(range(1, 9))
    assert trades(startTime=start, endTime=start + DAY_MS) == [1, 2]
    fields = {"symbol": INST, "startTime": start, "endTime": start + 8 * DAY_MS}
    assert asked.code("GET", "fapi/v1/userTrades", fields) == -4165
    assert asked.code("GET", "fapi/v1/userTrades", {"symbol": INST, "fromId": 1, "startTime": start}) == -1128
    assert asked.code("GET", "fapi/v1/userTrades", {"symbol": INST, "fromId": "x"}) == -1100
    assert asked.code("GET", "fapi/v1/userTrades") == -1102


def test_orders_that_were_cancelled_three_days_ago_are_forgotten() -> None:
    """Those with executions stay; a list from an id on has no week."""
    asked = Asked()
    asked.place(ENTRY)
    asked.place(LIMIT)
    asked.place(STOP, "algoOrder")
    asked("DELETE", "fapi/v1/order", {"symbol": INST, "origClientOrderId": "ndL1"})
    asked("DELETE", "fapi/v1/algoOrder", {"symbol": INST, "clientAlgoId": "ndS1"})

    def listed() -> tuple[int, int]:
        lists = (("allOrders", "orderId"), ("allAlgoOrders", "algoId"))
        orders, algos = (asked("GET", f"fapi/v1/{path}", {"symbol": INST, name: 0}) for path, name in lists)
        return len(orders), len(algos)

    assert listed() == (2, 1)
    asked.clock.step(3 * DAY_MS + 1)
    assert listed() == (1, 0)


def test_income_has_fees_profits_and_settlements() -> None:
    """By kind; their sum is the change of the balance."""
    asked = Asked()
    asked.place(ENTRY)
    asked.clock.step(DAY_MS)
    asked.place(ENTRY | {"side": "SELL", "reduceOnly": "true", "newClientOrderId": "ndX1"})
    rows = asked("GET", "fapi/v1/income", {"symbol": INST})
    kinds = [row["incomeType"] for row in rows]
    assert (kinds.count("FUNDING_FEE"), kinds.count("COMMISSION"), kinds.count("REALIZED_PNL")) == (3, 2, 1)
    account = asked.venue.exchange.account
    assert round(sum(float(row["income"]) for row in rows) * 1e8) * 10_000 == account.cash - account.opening
    funding = asked("GET", "fapi/v1/income", {"incomeType": "FUNDING_FEE", "limit": "2"})
    assert [row["tranId"] for row in funding] == [row["tranId"] for row in rows if row["incomeType"] == "FUNDING_FEE"][-2:]


@pytest.mark.parametrize(
    ("method", "path", "fields", "code"),
    [
        ("POST", "leverage", {"symbol": INST, "leverage": "101"}, -4028),
        ("POST", "marginType", {"symbol": INST, "marginType": "ISOLATED"}, -4046),
        ("POST", "marginType", {"symbol": INST, "marginType": "SOME"}, -1102),
        ("POST", "positionSide/dual", {"dualSidePosition": "false"}, -4059),
        ("POST", "positionSide/dual", {}, -1102),
        ("POST", "batchOrders", {"batchOrders": "["}, -4082),
        ("DELETE", "batchOrders", {"symbol": INST}, -4083),
        ("POST", "countdownCancelAll", {"symbol": INST}, -1102),
        ("GET", "klines", {"symbol": INST, "interval": "7m"}, -1120),
        ("GET", "allOrders", {}, -1102),
        ("GET", "income", {"incomeType": "FUNDING"}, -1130),
        ("GET", "openAlgoOrders", {"algoType": "VP"}, -1130),
    ],
)
def test_requests_that_binance_refuses(method: str, path: str, fields: dict[str, str], code: int) -> None:
    """By its code."""
    assert Asked().code(method, f"fapi/v1/{path}", fields) == code


def test_of_a_batch_the_good_ones_are_taken() -> None:
    """An answer or a refusal each, with status 200."""
    asked = Asked()
    body = asked("POST", "fapi/v1/batchOrders", {"batchOrders": json.dumps([ENTRY, LIMIT, LIMIT])})
    assert [row.get("code", row.get("status")) for row in body] == ["FILLED", "NEW", -4116]
    ended = asked("DELETE", "fapi/v1/batchOrders", {"symbol": INST, "origClientOrderIdList": '["ndL1","nd9"]'})
    assert [row.get("code", row.get("status")) for row in ended] == ["CANCELED", -2011]


def test_what_has_no_path_is_a_page_of_html() -> None:
    """404, and no code."""
    asked = Asked()
    answer = asked.venue.answer(asked.request("GET", "fapi/v1/nowhere", {}))
    assert (answer.status, answer.text.startswith("<html>")) == (404, True)


def test_too_many_requests_are_refused_until_their_time_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders in ten seconds, here 20 of 300: -1015; requests a minute, here 30 of 2,400: -1003; both with status 429."""
    monkeypatch.setattr("tests.fakes.exchange.binance.trading.ORDERS_MAX", (20, 10_000))
    monkeypatch.setattr("tests.fakes.exchange.binance.rest.WEIGHT", (30, 60_000))
    asked = Asked()
    fields = LIMIT | {"newClientOrderId": None}
    assert [asked.place(fields) for _ in range(21)] == [0] * 20 + [-1015]
    asked.clock.step(10_000)
    assert asked.place(fields) == 0
    question = asked.request("GET", "fapi/v1/order", {"symbol": INST, "origClientOrderId": "nd9"})
    answers = [asked.venue.answer(question) for _ in range(9)]
    assert [json.loads(answer.text)["code"] for answer in answers] == [-2013] * 8 + [-1003]
    assert answers[-1].status == 429
    asked.clock.step(60_000)
    assert asked.code("GET", "fapi/v1/order", {"symbol": INST, "origClientOrderId": "nd9"}) == -2013


def test_two_hundred_orders_are_open_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each kind; here two. What has ended makes room."""
    monkeypatch.setattr("tests.fakes.exchange.binance.trading.OPEN_MAX", 2)
    asked = Asked()
    assert [asked.place(LIMIT | {"newClientOrderId": f"nd{n}"}) for n in range(3)] == [0, 0, -2025]
    assert [asked.place(STOP | {"clientAlgoId": f"nd{n}"}, "algoOrder") for n in range(3)] == [0, 0, -4045]
    asked("DELETE", "fapi/v1/allOpenOrders", {"symbol": INST})
    asked("DELETE", "fapi/v1/algoOpenOrders", {"symbol": INST})
    assert (asked.place(LIMIT), asked.place(STOP, "algoOrder")) == (0, 0)


def test_settings_cannot_change_under_a_position() -> None:
    """-4068 and -4048 while there is one; in hedge mode an order must say its side."""
    asked = Asked()
    asked.place(ENTRY)
    assert asked.code("POST", "fapi/v1/positionSide/dual", {"dualSidePosition": "true"}) == -4068
    assert asked.code("POST", "fapi/v1/marginType", {"symbol": INST, "marginType": "CROSSED"}) == -4048
    asked.place(ENTRY | {"side": "SELL", "newClientOrderId": "ndX1"})
    assert asked("POST", "fapi/v1/positionSide/dual", {"dualSidePosition": "true"})["msg"] == "success"
    assert asked.place(ENTRY) == -4061


def test_a_dead_man_ends_what_is_not_asked_for_in_time() -> None:
    """Unless it is put off."""
    asked = Asked()
    asked.place(LIMIT)
    for after in ("30000", "30000", "0", "30000"):
        asked("POST", "fapi/v1/countdownCancelAll", {"symbol": INST, "countdownTime": after})
        asked.clock.step(29_000)
        assert len(asked("GET", "fapi/v1/openOrders")) == 1
    asked.clock.step(1_000)
    assert asked("GET", "fapi/v1/openOrders") == []
