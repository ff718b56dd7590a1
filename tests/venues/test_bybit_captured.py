"""What ccxt sends to Bybit for each call equals what was captured: an update that changes a request is red here first."""

import json
from typing import Any

from tests.fakes.exchange.bybit.calls import CAPTURED, STOP, captured
from tests.fakes.exchange.bybit.played import SYMBOL, Played, under_virtual_clock
from tests.fakes.exchange.capture import differences


def stored() -> dict[str, Any]:
    """As it was captured."""
    found: dict[str, Any] = json.loads(CAPTURED.read_text(encoding="utf-8"))
    return found


def test_ccxt_sends_what_was_captured() -> None:
    """Each of the calls, field by field. To take a change: python -m tests.fakes.exchange.bybit.calls, and read the diff."""
    assert len(stored()) >= 63
    assert not differences(captured(), stored())


def test_ccxt_still_drops_and_mangles_what_the_adapter_works_around() -> None:
    """The reasons for raw calls. When one of these turns red, the work-around may go."""
    sent = {name: call["sent"] for name, call in stored().items()}
    (cancel,), (ask,) = sent["cancel_order stop by client id"], sent["fetch_order stop by client id"]
    assert (cancel[2]["clientOrderId"], cancel[2]["orderId"], ask[2]["clientOrderId"]) == (STOP, "", STOP)
    assert "orderLinkId" not in cancel[2] | ask[2]
    assert stored()["fetch_order"] == {"outcome": "ArgumentsRequired", "sent": []}
    assert {"stopLossPrice", "trigger"} <= sent["edit_order stopLossPrice"][0][2].keys()
    assert "size" in sent["fetch_funding_history"][0][2]
    assert sent["stop and target"][0][1] == "position/trading-stop"  # where no id of ours can be given
    assert [stored()[name]["outcome"] for name in ("fetch_position_mode", "close_position", "fetch_mark_price")] == [
        "NotSupported"
    ] * 3


def test_what_ccxt_turns_round() -> None:
    """A funding that cost is positive in fetch_funding_history, and negative in the account's log, which the adapter reads."""

    async def script(played: Played) -> tuple[float, str]:
        ex = played.client
        await ex.load_markets()
        await ex.create_order(SYMBOL, "market", "buy", 0.01, None, {"clientOrderId": "ndE1"})
        await played.wait(9 * 3_600_000)
        (paid,) = await ex.fetch_funding_history(SYMBOL)
        (line,) = (await ex.privateGetV5AccountTransactionLog({"type": "SETTLEMENT"}))["result"]["list"]
        return paid["amount"], line["change"]

    (amount, change), venue = under_virtual_clock(script)
    assert amount == -float(change) > 0
    assert change == str(venue.exchange.ledger[-1].bill.cash / 10**12)


def test_a_field_that_bybit_does_not_document_is_noted() -> None:
    """The junk of edit_order arrives, and the venue's notes name it."""

    async def script(played: Played) -> None:
        ex = played.client
        await ex.load_markets()
        await ex.create_order(SYMBOL, "limit", "buy", 0.01, 50_000, {"clientOrderId": "ndE1"})
        await ex.edit_order("", SYMBOL, "limit", "buy", 0.01, 50_100, {"clientOrderId": "ndE1"})

    assert under_virtual_clock(script)[1].noted == {"POST order/amend: clientOrderId": 1}
