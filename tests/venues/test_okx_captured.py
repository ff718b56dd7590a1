"""What ccxt sends for each call equals what was captured: an update that changes a request is red before it reaches a venue."""

import json

from tests.fakes.exchange.capture import differences
from tests.fakes.exchange.okx.calls import CAPTURED, captured
from tests.fakes.exchange.okx.played import INST, ISOLATED, SYMBOL, Played, under_virtual_clock


def test_ccxt_sends_what_was_captured() -> None:
    """Each of the calls, field by field. To take a change: python -m tests.fakes.exchange.okx.calls, and read the diff."""
    stored = json.loads(CAPTURED.read_text(encoding="utf-8"))
    assert len(stored) >= 63
    assert not differences(captured(), stored)


def test_the_comparison_sees_a_changed_field() -> None:
    """A client that renames a field, and one that sends nothing: both are seen."""
    stored = json.loads(CAPTURED.read_text(encoding="utf-8"))
    changed = json.loads(json.dumps(stored).replace('"clOrdId"', '"clientId"', 1))
    assert len(differences(changed, stored)) == 1
    assert len(differences(stored | {"fetch_time": {"outcome": "ok", "sent": []}}, stored)) == 1


def test_ccxt_still_drops_and_mangles_what_the_adapter_works_around() -> None:
    """The reasons for raw calls. When one of these turns red, the work-around may go."""
    stored = json.loads(CAPTURED.read_text(encoding="utf-8"))
    sent = {name: call["sent"] for name, call in stored.items()}
    assert sent["cancel_order stop by client id"] == [["POST", "trade/cancel-algos", [{"algoId": "", "instId": INST}]]]
    assert sent["fetch_open_orders stops"][0][2]["ordType"] == "trigger"
    assert sent["edit_order stopLossPrice"][0][1] == "trade/amend-order"
    assert "limit" not in sent["fetch_my_trades"][0][2]
    assert stored["edit_order oco"] == {"outcome": "BadRequest", "sent": []}
    assert stored["cancel_all_orders"]["outcome"] == "NotSupported"
    assert "begin" not in sent["fetch_funding_history"][0][2]


def test_a_field_that_okx_does_not_document_is_noted() -> None:
    """The junk of edit_order arrives, and the venue's notes name it."""

    async def script(played: Played) -> None:
        ex = played.client
        await ex.load_markets()
        await ex.create_order(SYMBOL, "limit", "buy", 1.0, 50_000, {"clientOrderId": "ndE1", **ISOLATED})
        await ex.edit_order("", SYMBOL, "limit", "buy", 1.0, 50_100, {"clientOrderId": "ndE1"})

    assert under_virtual_clock(script)[1].noted == {"POST trade/amend-order: clientOrderId": 1}
