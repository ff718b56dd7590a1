"""The local Bybit's REST by itself: a text in, a text out. Who may ask, what is refused with which code, how lists page."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.fakes.exchange.bybit.client import LocalBybit
from tests.fakes.exchange.bybit.played import INST
from tests.fakes.exchange.bybit.rest import KEY, signature
from tests.fakes.exchange.stage import BTC, START_MS, HandClock, flat_path, small_exchange
from tests.fakes.exchange.wire import Request

DAY_MS = 86_400_000
MINE = {"category": "linear", "symbol": INST}
ENTRY = MINE | {"side": "Buy", "orderType": "Market", "qty": "0.01", "orderLinkId": "ndE1"}
LIMIT = ENTRY | {"orderType": "Limit", "price": "50000", "orderLinkId": "ndL1"}
STOP = ENTRY | {"side": "Sell", "triggerPrice": "58000", "triggerDirection": 2, "reduceOnly": True, "orderLinkId": "ndS1"}
SMALL = BTC._replace(min_lots=10, min_notional=100)


class Asked:
    """A client that signs by hand."""

    def __init__(self) -> None:
        self.clock = HandClock()
        path = flat_path(600_000, (60_000, 590_000, 50), (120_000, 570_000, 50))
        self.venue = LocalBybit(small_exchange(self.clock, path, contract=SMALL))

    def request(self, method: str, path: str, fields: Any, **headers: str) -> Request:
        """A signed request; `headers` (with _ for -) replace what would be sent."""
        query, body = (urlencode(fields), "") if method == "GET" else ("", json.dumps(fields))
        stamp = str(self.clock())
        signed = {
            "API-KEY": KEY,
            "TIMESTAMP": stamp,
            "RECV-WINDOW": "5000",
            "SIGN": signature(stamp + KEY + "5000" + query + body),
        }
        named = {f"X-BAPI-{name}": value for name, value in signed.items()}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        return Request(method, f"/v5/{path}" + (f"?{query}" if query else ""), named, body)

    def __call__(self, method: str, path: str, fields: Any = None, **headers: str) -> Any:
        """The body of the answer."""
        return json.loads(self.venue.answer(self.request(method, path, fields or {}, **headers)).text)

    def place(self, **fields: Any) -> int:
        """The code of an order."""
        return int(self("POST", "order/create", fields)["retCode"])

    def rows(self, path: str, **fields: Any) -> list[Any]:
        """The list of a question of this instrument."""
        return list(self("GET", path, MINE | fields)["result"]["list"])


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X_BAPI_API_KEY": ""}, 10001),
        ({"X_BAPI_SIGN": ""}, 10001),
        ({"X_BAPI_TIMESTAMP": ""}, 10001),
        ({"X_BAPI_API_KEY": "other"}, 10003),
        ({"X_BAPI_TIMESTAMP": "yesterday"}, 10002),
        ({"X_BAPI_TIMESTAMP": str(START_MS - 5_001)}, 10002),
        ({"X_BAPI_TIMESTAMP": str(START_MS + 1_000)}, 10002),
        ({"X_BAPI_SIGN": "00ff"}, 10004),
        ({"X_BAPI_RECV_WINDOW": "6000"}, 10004),
    ],
)
def test_who_may_not_ask(headers: dict[str, str], code: int) -> None:
    """The code says what is wrong; nothing is done."""
    asked = Asked()
    assert asked("POST", "order/create", ENTRY, **headers)["retCode"] == code
    assert not asked.venue.exchange.ledger


def test_a_signature_covers_the_body_and_the_query() -> None:
    """A body or a query that was changed on the way is refused."""
    asked = Asked()
    good = asked.request("POST", "order/create", ENTRY)
    changed = Request(good.method, good.target, good.headers, good.body.replace("0.01", "0.09"))
    assert json.loads(asked.venue.answer(changed).text)["retCode"] == 10004
    read = asked.request("GET", "order/realtime", MINE | {"orderLinkId": "ndE1"})
    changed = Request(read.method, read.target.replace("ndE1", "ndE2"), read.headers)
    assert json.loads(asked.venue.answer(changed).text)["retCode"] == 10004
    assert json.loads(asked.venue.answer(good).text)["retCode"] == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"orderLinkId": "nd.1"}, 10001),
        ({"orderLinkId": "n" * 37}, 10001),
        ({"orderLinkId": "ndé"}, 10001),
        ({"orderLinkId": "ndTwice"}, 110072),
        ({"orderLinkId": "ndStop"}, 110072),
        ({"category": "margin"}, 10001),
        ({"category": "spot"}, 10001),
        ({"symbol": "XRPUSDT"}, 10001),
        ({"positionIdx": 1}, 10001),
        ({"side": "buy"}, 10001),
        ({"orderType": "Stop"}, 10001),
        ({"timeInForce": "GTX"}, 10001),
        ({"qty": "0"}, 10001),
        ({"qty": "0.0009"}, 10001),
        ({"qty": "0.00015"}, 10001),
        ({"qty": "0.001"}, 110094),
        ({"qty": 1}, 10001),
        ({"qty": "NaN"}, 10001),
        ({"qty": "1e400"}, 10001),
        ({"qty": "5"}, 110007),
        ({"orderType": "Limit", "price": "50000.05"}, 10001),
        ({"orderType": "Limit"}, 10001),
        ({"reduceOnly": True}, 110017),
        ({"reduceOnly": "true"}, 10001),
        ({"reduceOnly": True, "stopLoss": "50000"}, 110057),
        ({"triggerPrice": "58000"}, 10001),
        ({"triggerPrice": "58000", "triggerDirection": 3}, 10001),
        ({"triggerPrice": "58000", "triggerDirection": 1}, 110092),
        ({"triggerPrice": "62000", "triggerDirection": 2}, 110093),
        ({"triggerPrice": "62000", "triggerDirection": 1, "triggerBy": "Last"}, 10001),
        ({"triggerPrice": "62000", "triggerDirection": 1, "qty": "0"}, 10001),
    ],
)
def test_an_order_that_bybit_refuses(change: dict[str, Any], code: int) -> None:
    """By its code; only the orders before it are there. An id is one for all kinds of orders."""
    asked = Asked()
    assert asked.place(**LIMIT | {"orderLinkId": "ndTwice"}) == asked.place(**STOP | {"orderLinkId": "ndStop"}) == 0
    assert asked.place(**ENTRY | change) == code
    exchange = asked.venue.exchange
    assert (len(exchange.orders), len(exchange.algos)) == (1, 1)


def test_an_id_may_have_dashes_and_36_letters() -> None:
    """More than OKX takes."""
    asked = Asked()
    assert asked.place(**LIMIT | {"orderLinkId": "nd-1_" + "x" * 31}) == 0


def test_a_stop_is_one_order_from_its_wait_to_its_end() -> None:
    """It moves in place while it stands; when it fires it keeps its id, and its fills carry it."""
    asked = Asked()
    asked.place(**ENTRY)
    asked.place(**STOP)
    move = MINE | {"orderLinkId": "ndS1", "triggerPrice": "58500"}
    assert [asked("POST", "order/amend", move)["retCode"] for _ in range(2)] == [0, 10001]
    assert asked("POST", "order/amend", move | {"triggerPrice": "61000"})["retCode"] == 110093
    (before,) = asked.rows("order/realtime", orderLinkId="ndS1")
    assert (before["orderStatus"], before["triggerPrice"], before["triggerDirection"]) == ("Untriggered", "58500", 2)
    asked.clock.step(120_000)
    (after,) = asked.rows("order/realtime", orderLinkId="ndS1")
    assert (after["orderStatus"], after["orderId"], after["cumExecQty"]) == ("Filled", before["orderId"], "0.01")
    fills = asked.rows("execution/list", orderLinkId="ndS1")
    assert [(row["orderId"], row["execQty"], row["closedSize"]) for row in fills] == [(before["orderId"], "0.01", "0.01")]
    assert asked("POST", "order/amend", move)["retCode"] == asked("POST", "order/cancel", move)["retCode"] == 110001


def test_a_stop_that_finds_nothing_to_reduce_is_rejected() -> None:
    """Its trigger comes while the account is flat."""
    asked = Asked()
    asked.place(**STOP)
    asked.clock.step(120_000)
    assert [row["orderStatus"] for row in asked.rows("order/realtime", orderLinkId="ndS1")] == ["Rejected"]


def test_a_filter_shows_its_kind_alone() -> None:
    """Without one both are listed; a word that Bybit does not know is refused."""
    asked = Asked()
    asked.place(**LIMIT)
    asked.place(**STOP)
    found = {
        word: [row["orderLinkId"] for row in asked.rows("order/realtime", orderFilter=word)]
        for word in ("", "Order", "StopOrder")
    }
    assert found == {"": ["ndS1", "ndL1"], "Order": ["ndL1"], "StopOrder": ["ndS1"]}
    assert asked("GET", "order/realtime", MINE | {"orderFilter": "Conditional"})["retCode"] == 10001


def test_an_order_that_never_was_is_an_empty_list_and_an_old_one_is_in_the_history() -> None:
    """No code says not found; order/realtime forgets what ended long ago."""
    asked = Asked()
    assert asked.rows("order/realtime", orderLinkId="ndE1") == asked.rows("order/history", orderLinkId="ndE1") == []
    asked.place(**ENTRY)
    asked.venue.recent = 0
    assert asked.rows("order/realtime", orderLinkId="ndE1") == []
    (row,) = asked.rows("order/history", orderLinkId="ndE1")
    assert asked.rows("order/history", orderId=row["orderId"]) == [row]
    assert (row["orderStatus"], row["avgPrice"]) == ("Filled", "60000.1")
    assert asked.rows("order/history", orderId="not an id") == []
    assert [asked("POST", f"order/{way}", MINE)["retCode"] for way in ("cancel", "amend")] == [10001, 10001]


def test_executions_are_paged_by_cursor_newest_first() -> None:
    """130 fills: 50 a page unless more are asked for, 100 at most; a page behind the last one is empty, with an empty cursor."""
    asked = Asked()
    asked.venue.exchange.markets["BTC"].contract = BTC
    for number in range(130):
        asked.clock.step(100)
        asked.place(**ENTRY | {"orderLinkId": f"nd{number}", "qty": "0.0001"})

    def listed(**fields: Any) -> tuple[list[int], str]:
        result = asked("GET", "execution/list", MINE | fields)["result"]
        return [row["seq"] for row in result["list"]], result["nextPageCursor"].replace("%3A", ":").replace("%2C", ",")

    first, cursor = listed(limit="100")
    rest, behind = listed(limit="100", cursor=cursor)
    assert (len(first), len(rest), listed(limit="100", cursor=behind)) == (100, 30, ([], ""))
    assert first + rest == sorted(first + rest, reverse=True)
    assert len(listed()[0]) == 50
    for wrong in ({"limit": "101"}, {"limit": "0"}, {"cursor": "x"}, {"execType": "Fill"}):
        assert asked("GET", "execution/list", MINE | wrong)["retCode"] == 10001


def test_a_list_is_of_a_window() -> None:
    """Executions of seven days from `startTime` on, or up to now; the transaction log of one day unless both ends are given."""
    asked = Asked()
    asked.place(**ENTRY)
    entered = asked.clock()
    asked.clock.step(10 * DAY_MS)

    def count(path: str, **times: int) -> int:
        rows = asked("GET", path, {"category": "linear", **times})["result"].get("list", [])
        return sum(row.get("execType") == "Trade" or row.get("type") == "TRADE" for row in rows)

    assert (count("execution/list"), count("execution/list", startTime=entered)) == (0, 1)
    assert count("account/transaction-log", startTime=entered - DAY_MS - 1) == 0
    assert count("account/transaction-log", startTime=entered - 2 * DAY_MS, endTime=entered) == 1
    far = {"category": "linear", "startTime": entered, "endTime": entered + 8 * DAY_MS}
    assert asked("GET", "execution/list", far)["retCode"] == asked("GET", "account/transaction-log", far)["retCode"] == 10001


def test_stops_of_the_position_go_with_it() -> None:
    """trading-stop: one of each for the whole position, replaced and taken away by 0; flat, they are gone."""
    asked = Asked()
    stop = MINE | {"stopLoss": "58000", "takeProfit": "63000"}
    assert asked("POST", "position/trading-stop", stop)["retCode"] == 10001  # flat
    asked.place(**ENTRY)
    assert asked("POST", "position/trading-stop", stop)["retCode"] == 0
    assert asked("POST", "position/trading-stop", MINE | {"stopLoss": "58500", "takeProfit": "0"})["retCode"] == 0
    (row,) = asked.rows("order/realtime")
    assert (row["stopOrderType"], row["triggerPrice"], row["qty"], row["orderLinkId"]) == ("StopLoss", "58500", "0.01", "")
    assert [(one["stopLoss"], one["takeProfit"]) for one in asked.rows("position/list")] == [("58500", "0")]
    asked.place(**ENTRY | {"side": "Sell", "reduceOnly": True, "orderLinkId": "ndX1"})
    assert asked.rows("order/realtime") == []
    assert asked.rows("order/history", orderId=row["orderId"])[0]["cancelType"] == "CancelByTpSlTsClear"


def test_of_a_pair_the_first_to_come_ends_the_other() -> None:
    """Partial: a stop and a target of a size."""
    asked = Asked()
    asked.place(**ENTRY | {"qty": "0.02"})
    pair = MINE | {"tpslMode": "Partial", "stopLoss": "58000", "slSize": "0.01", "takeProfit": "63000", "tpSize": "0.01"}
    assert asked("POST", "position/trading-stop", pair | {"slSize": "0.03"})["retCode"] == 110058
    assert asked("POST", "position/trading-stop", pair)["retCode"] == 0
    assert sorted(row["stopOrderType"] for row in asked.rows("order/realtime")) == ["PartialStopLoss", "PartialTakeProfit"]
    asked.clock.step(120_000)
    assert asked.rows("order/realtime") == []
    assert asked.rows("position/list")[0]["size"] == "0.01"


def test_a_stop_and_a_target_that_an_entry_brings_stand_from_its_fill_on() -> None:
    """Attached to order/create."""
    asked = Asked()
    asked.place(**ENTRY | {"stopLoss": "58000", "takeProfit": "63000"})
    rows = {row["stopOrderType"]: (row["triggerPrice"], row["qty"]) for row in asked.rows("order/realtime")}
    assert rows == {"StopLoss": ("58000", "0.01"), "TakeProfit": ("63000", "0.01")}
    asked.clock.step(120_000)
    assert (asked.rows("order/realtime"), asked.rows("position/list")[0]["size"]) == ([], "0")


def test_of_a_batch_each_has_its_code() -> None:
    """The answer itself is no error."""
    asked = Asked()
    asked.place(**LIMIT)
    items = [{"symbol": INST, "orderLinkId": id_} for id_ in ("ndL1", "ndL2")]
    body = asked("POST", "order/cancel-batch", {"category": "linear", "request": items})
    assert (body["retCode"], [row["code"] for row in body["retExtInfo"]["list"]]) == (0, [0, 110001])
    assert asked("POST", "order/cancel-batch", {"category": "linear", "request": []})["retCode"] == 10001


def test_cancel_all_by_kind() -> None:
    """Stops alone, then the rest; without a symbol or a coin it is refused."""
    asked = Asked()
    asked.place(**LIMIT)
    asked.place(**STOP)
    assert asked("POST", "order/cancel-all", {"category": "linear"})["retCode"] == 10001
    assert len(asked("POST", "order/cancel-all", MINE | {"orderFilter": "StopOrder"})["result"]["list"]) == 1
    assert [row["orderLinkId"] for row in asked.rows("order/realtime")] == ["ndL1"]
    assert len(asked("POST", "order/cancel-all", MINE)["result"]["list"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "fields", "code"),
    [
        ("POST", "order/disconnected-cancel-all", {"timeWindow": 2}, 10001),
        ("POST", "position/set-leverage", MINE | {"buyLeverage": "101", "sellLeverage": "101"}, 110013),
        ("POST", "position/set-leverage", MINE | {"buyLeverage": "3", "sellLeverage": "3"}, 110043),
        ("POST", "position/set-leverage", MINE | {"buyLeverage": "4", "sellLeverage": "5"}, 10001),
        ("POST", "position/switch-mode", MINE | {"mode": 0}, 110025),
        ("POST", "account/set-margin-mode", {"setMarginMode": "isolated"}, 10001),
        ("GET", "order/realtime", {"category": "linear"}, 10001),
        ("GET", "order/history", MINE | {"orderStatus": "New"}, 10001),
        ("GET", "position/list", {"category": "linear"}, 10001),
        ("GET", "account/wallet-balance", {}, 10001),
        ("GET", "account/transaction-log", {"type": "FUNDING"}, 10001),
        ("GET", "market/kline", MINE | {"interval": "7"}, 10001),
        ("GET", "nowhere", {}, 10017),
    ],
)
def test_questions_that_bybit_refuses(method: str, path: str, fields: dict[str, Any], code: int) -> None:
    """By its code."""
    assert Asked()(method, path, fields)["retCode"] == code


def test_what_is_not_json_or_not_an_object_is_refused() -> None:
    """10001."""
    asked = Asked()
    for body in ("{", '["x"]'):
        good = asked.request("POST", "order/create", {})
        stamp = good.headers["X-BAPI-TIMESTAMP"]
        signed = {**good.headers, "X-BAPI-SIGN": signature(f"{stamp}{KEY}5000{body}")}
        assert json.loads(asked.venue.answer(Request(good.method, good.target, signed, body)).text)["retCode"] == 10001


def test_more_than_ten_requests_a_second_are_too_many() -> None:
    """10006 for the path that was asked too often, not for another; a second later it answers again."""
    asked = Asked()
    codes = [asked("GET", "order/realtime", MINE)["retCode"] for _ in range(11)]
    assert codes == [0] * 10 + [10006]
    assert asked("GET", "order/history", MINE)["retCode"] == 0
    asked.clock.step(1_000)
    assert asked("GET", "order/realtime", MINE)["retCode"] == 0


def test_modes_cannot_change_with_a_position() -> None:
    """110024 and 110073; in hedge mode an order must say its side of the book."""
    asked = Asked()
    asked.place(**ENTRY)
    assert asked("POST", "position/switch-mode", MINE | {"mode": 3})["retCode"] == 110024
    assert asked("POST", "account/set-margin-mode", {"setMarginMode": "REGULAR_MARGIN"})["retCode"] == 110073
    asked = Asked()
    assert asked("POST", "position/switch-mode", MINE | {"mode": 3})["retCode"] == 0
    assert asked.place(**ENTRY | {"positionIdx": 0}) == 10001
