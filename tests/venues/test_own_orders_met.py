"""Two orders of one account that meet at the venue, which prevents it only where it is asked to (Binance, Bybit): both sides are
listed under one trade id.
"""

import asyncio
from typing import Any

import pytest

from engine.venues.binance_lists import PAGE, executions_from
from tests.fakes.exchange.adapted import ADAPTED, ENTER
from tests.fakes.exchange.played import Played

LISTS = {
    "bybit": ("private_get_v5_execution_list", {"orderId": "77", "side": "Sell", "orderLinkId": "ndT9"}),
    "binance": ("fapiprivate_get_usertrades", {"side": "SELL"}),
}


def met(client: Any, name: str, other: dict[str, Any]) -> None:
    """Let each execution of a list have met another order of the account, which is listed before it."""
    call = getattr(client, name)

    async def listed(about: Any) -> Any:
        answer = await call(about)
        rows = answer if isinstance(answer, list) else answer["result"]["list"]
        rows[:] = [twin for row in rows for twin in ({**row, **other}, row)]
        return answer

    setattr(client, name, listed)


@pytest.mark.parametrize("venue", LISTS)
def test_both_sides_of_an_execution_between_own_orders_are_handed_on_once(venue: str) -> None:
    """One was dropped: the position differed by its lots until a person looked."""

    async def play(_: Played, adapter: Any) -> Any:
        await adapter.place(ENTER)
        met(adapter.polling, *LISTS[venue])
        first, cursor = await adapter.trades("")
        again, _after = await adapter.trades(cursor)
        return first, again

    first, again = ADAPTED[venue].run(play)
    lots = {side: sum(trade.lots for trade in first if trade.side == side) for side in (1, -1)}
    assert lots == {1: ENTER.lots, -1: ENTER.lots}
    assert len({trade.trade for trade in first}) == len(first)
    assert {t.trade.partition("@")[0] for t in first if t.side < 0} == {t.trade for t in first if t.side > 0}
    assert again == []


def test_two_sides_that_a_page_parts_are_both_read() -> None:
    """The next page began behind the id that the one before ended with."""
    rows = [{"id": n, "side": "BUY"} for n in range(1, PAGE + 1)] + [
        {"id": PAGE, "side": "SELL"},
        {"id": PAGE + 1, "side": "SELL"},
    ]

    async def list_of(_name: str, about: Any) -> Any:
        return [row for row in rows if row["id"] >= about["fromId"]][: about["limit"]]

    found = asyncio.run(executions_from(list_of, 0, "BTCUSDT"))
    assert len(found) == len(rows)


def test_a_persons_trailing_stop_leaves_the_list_of_orders_readable() -> None:
    """It has no trigger price, and no other order of the instrument could be looked for."""

    async def play(_: Played, adapter: Any) -> Any:
        async def listed(_about: Any) -> Any:
            core = {"algoId": 5, "clientAlgoId": "web_1", "side": "SELL", "quantity": "0.010", "algoStatus": "NEW"}
            return [{**core, "triggerPrice": None, "reduceOnly": True, "closePosition": False}]

        adapter.polling.fapiprivate_get_openalgoorders = listed
        return await adapter.standing()

    (found,) = ADAPTED["binance"].run(play)
    assert (found.venue_id, found.price, found.conditional) == ("5", 0.0, True)
