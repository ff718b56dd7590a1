"""What ccxt sends for each call equals what was captured: an update that changes a request is red before it reaches a venue."""

import json

from tests.fakes.exchange.binance.calls import CAPTURED, captured
from tests.fakes.exchange.binance.played import SYMBOL, Played, under_virtual_clock
from tests.fakes.exchange.capture import differences


def test_ccxt_sends_what_was_captured() -> None:
    """Each of the calls, field by field. To take a change: python -m tests.fakes.exchange.binance.calls, and read the diff."""
    stored = json.loads(CAPTURED.read_text(encoding="utf-8"))
    assert len(stored) >= 63
    assert not differences(captured(), stored)


def test_the_comparison_sees_a_changed_field() -> None:
    """A client that renames a field, and one that sends nothing: both are seen."""
    stored = json.loads(CAPTURED.read_text(encoding="utf-8"))
    changed = json.loads(json.dumps(stored).replace('"newClientOrderId"', '"clientId"', 1))
    assert len(differences(changed, stored)) == 1
    assert len(differences(stored | {"fetch_time": {"outcome": "ok", "sent": []}}, stored)) == 1


def test_ccxt_still_drops_and_mangles_what_the_adapter_works_around() -> None:
    """The reasons for raw calls. When one of these turns red, the work-around may go."""
    stored = json.loads(CAPTURED.read_text(encoding="utf-8"))
    sent = {name: call["sent"] for name, call in stored.items()}
    assert "takeProfitPrice" not in str(sent["stop and target"])
    assert [row[2]["type"] for row in sent["stop and target"]] == ["STOP_MARKET"]
    assert sent["entry with stopLoss and takeProfit"][0][2]["stopLoss"] == "{'triggerPrice': 50000}"
    assert stored["edit_order stopLossPrice"] == {"outcome": "ArgumentsRequired", "sent": []}
    week = sent["fetch_my_trades"][0][2]
    assert int(week["endTime"]) - int(week["startTime"]) == 7 * 86_400_000
    assert "startTime" not in sent["fetch_my_trades paginated"][0][2]
    for name in ("fetch_order_trades", "cancel_all_orders_after", "close_position"):
        assert stored[name] == {"outcome": "NotSupported", "sent": []}


def test_a_field_that_binance_does_not_document_is_noted() -> None:
    """What is attached to an entry arrives as text, protects nothing, and the venue's notes name it."""

    async def script(played: Played) -> None:
        ex = played.client
        await ex.load_markets()
        both = {"stopLoss": {"triggerPrice": 50_000}, "takeProfit": {"triggerPrice": 70_000}}
        await ex.create_order(SYMBOL, "market", "buy", 0.01, None, {"clientOrderId": "ndE1", **both})

    venue = under_virtual_clock(script)[1]
    assert venue.noted == {"POST fapi/v1/order: stopLoss": 1, "POST fapi/v1/order: takeProfit": 1}
    assert venue.exchange.open_algos() == []
