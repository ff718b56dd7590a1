"""Numbers of a venue that are none: NaN, an infinite price, lots below nothing, a side that is neither. What is booked stays."""

import asyncio
from typing import Any

import pytest

from engine.core.orders import UNKNOWN
from engine.errors import DataError
from engine.venues.answers import readable
from engine.venues.live_port import VenueBill, VenuePosition, VenueTrade
from tests.fakes.exchange.adapted import ADAPTED, ENTER, STOP, order
from tests.fakes.exchange.played import Played

RESTS = order("ndE2", price=50_000.0)
FIELDS = {
    "okx": ("private_get_trade_fills_history", {"price": "fillPx", "fee": "fee", "size": "fillSz", "side": "side"}),
    "bybit": ("private_get_v5_execution_list", {"price": "execPrice", "fee": "execFee", "size": "execQty", "side": "side"}),
    "binance": ("fapiprivate_get_usertrades", {"price": "price", "fee": "commission", "size": "qty"}),
}
BAD = [("price", "NaN"), ("price", "1e400"), ("price", "0"), ("price", "-60000"), ("fee", "NaN"), ("fee", "-inf"), ("size", "-1")]
BAD += [("side", ""), ("side", "BUY")]


def spoiled(client: Any, name: str, field: str, text: str) -> None:
    """Let a field of each row of a list be something else."""
    call = getattr(client, name)

    async def listed(about: Any) -> Any:
        answer = await call(about)
        rows = answer if isinstance(answer, list) else answer["data"] if "data" in answer else answer["result"]["list"]
        for row in rows:
            row[field] = text
        return answer

    setattr(client, name, listed)


@pytest.mark.parametrize(("field", "text"), BAD)
@pytest.mark.parametrize("venue", FIELDS)
def test_an_execution_with_a_number_that_is_none_is_not_handed_on(venue: str, field: str, text: str) -> None:
    """Booked, it made the profit NaN for good, in a journal that forgets nothing; a side that is neither was a sale."""
    name, fields = FIELDS[venue]
    if field not in fields:
        pytest.skip(f"{venue}: not looked at")

    async def play(_: Played, adapter: Any) -> Any:
        await adapter.place(ENTER)
        spoiled(adapter.polling, name, fields[field], text)
        return await adapter.trades("")

    with pytest.raises(DataError):
        ADAPTED[venue].run(play)


@pytest.mark.parametrize("text", ["NaN", "inf", "-1"])
@pytest.mark.parametrize(
    ("venue", "asked", "name", "field"),
    [
        ("okx", RESTS, "private_get_trade_order", "px"),
        ("okx", STOP, "private_get_trade_order_algo", "slTriggerPx"),
        ("bybit", RESTS, "private_get_v5_order_realtime", "price"),
        ("bybit", STOP, "private_get_v5_order_realtime", "triggerPrice"),
    ],
)
def test_an_order_at_no_price_has_not_been_answered(venue: str, asked: Any, name: str, field: str, text: str) -> None:
    """The book would have it there, and move it again and again."""

    async def play(_: Played, adapter: Any) -> Any:
        for one in (ENTER, RESTS, STOP):
            await adapter.place(one)
        spoiled(adapter.polling, name, field, text)
        return await adapter.ask(asked)

    assert ADAPTED[venue].run(play).state == UNKNOWN


@pytest.mark.parametrize("cash", [float("nan"), float("inf")])
def test_a_question_hands_no_number_on_that_is_none(cash: float) -> None:
    """Of bills and positions, at each venue: the check is one."""

    async def asked(found: Any) -> Any:
        return found

    question = readable("OKX", "it")(asked)
    for found in ([VenueBill("1", cash, 1)], VenuePosition(1, cash, True, None, None)):
        with pytest.raises(DataError):
            asyncio.run(question(found))
    trade = VenueTrade("1", "2", "3", 1, 0, 60_000.0, -0.1, True, 1)
    assert asyncio.run(question(([trade], "c"))) == ([trade], "c")
    assert asyncio.run(question(VenuePosition(0, None, True, None, None))).lots == 0
