"""An answer about another order than the one that was asked about: it proves nothing of this one."""

from typing import Any

import pytest

from engine.core.orders import UNKNOWN, WORKING, VenueOrder
from engine.venues.outcome import UNKNOWN as UNPROVEN
from tests.fakes.exchange.adapted import ADAPTED, ENTER, STOP, Adapted, order
from tests.fakes.exchange.played import Played

QUESTIONS = {
    "okx": ("private_get_trade_order", "private_get_trade_order_algo"),
    "bybit": ("private_get_v5_order_realtime", "private_get_v5_order_history"),
}
REQUESTS = {"okx": "private_post_trade_order", "bybit": "private_post_v5_order_create"}
RESTS = order("ndE2", price=50_000.0)
OTHER_STOP = STOP._replace(id="ndS2", price=57_000.0)


@pytest.fixture(params=QUESTIONS)
def at(request: pytest.FixtureRequest) -> Adapted:
    """A venue whose answers can be mixed up."""
    return ADAPTED[request.param]


def mixed_up(client: Any, name: str, ids: dict[str, str]) -> None:
    """Let a call be answered as if it were about another order."""
    call = getattr(client, name)

    async def answered(body: Any) -> Any:
        return await call({key: ids.get(value, value) if isinstance(value, str) else value for key, value in body.items()})

    setattr(client, name, answered)


@pytest.mark.parametrize(("asked", "other"), [(ENTER, RESTS), (RESTS, ENTER), (STOP, OTHER_STOP)])
def test_what_is_said_of_another_order_is_not_believed(at: Adapted, asked: VenueOrder, other: VenueOrder) -> None:
    """Before, fills of the other order were this one's: never listed, so that the order stayed in doubt for good."""

    async def play(_: Played, venue: Any) -> Any:
        for one in (ENTER, RESTS, STOP, OTHER_STOP):
            await venue.place(one)
        right = await venue.ask(asked)
        for name in QUESTIONS[at.name.lower()]:
            mixed_up(venue.polling, name, {asked.id: other.id})
        return right, await venue.ask(asked)

    right, wrong = at.run(play)
    assert right.state != UNKNOWN
    assert (wrong.state, wrong.outcome, wrong.filled_lots) == (UNKNOWN, UNPROVEN, 0)


def test_a_request_that_is_answered_for_another_order_is_in_doubt(at: Adapted) -> None:
    """Which of both was taken is not known: it is asked about."""

    async def play(_: Played, venue: Any) -> Any:
        mixed_up(venue.trading, REQUESTS[at.name.lower()], {RESTS.id: "ndE3"})
        placed = await venue.place(RESTS)
        return placed, await venue.place(order("ndE4", price=50_000.0))

    mixed, plain = at.run(play)
    assert (mixed.state, plain.state) == (UNKNOWN, WORKING)


def test_a_child_of_another_stop_is_not_this_ones() -> None:
    """OKX: a stop that has fired is asked about by its child."""

    async def play(played: Played, venue: Any) -> Any:
        await venue.place(ENTER)
        await venue.place(STOP)
        await played.wait(11 * 3_600_000 + 60_000)
        right = await venue.ask(STOP)
        asked = venue.polling.private_get_trade_order

        async def about_the_entry(_: Any) -> Any:
            return await asked({"instId": venue.inst_id, "clOrdId": ENTER.id})

        venue.polling.private_get_trade_order = about_the_entry
        return right, await venue.ask(STOP)

    right, wrong = ADAPTED["okx"].run(play)
    assert right.filled_lots == 300
    assert (wrong.state, wrong.outcome) == (UNKNOWN, UNPROVEN)


LISTS = {
    "okx": ("private_get_account_positions", "private_get_trade_fills_history", "private_get_trade_orders_pending"),
    "bybit": ("private_get_v5_position_list", "private_get_v5_execution_list", "private_get_v5_order_realtime"),
}
OTHERS = {"instId": "ETH-USDT-SWAP", "symbol": "ETHUSDT"}
IDS = ("ordId", "billId", "tradeId", "orderId", "execId", "posId")


def listing_others(client: Any, name: str) -> None:
    """Let each row of a list come once more, as of another instrument, before its own."""
    call = getattr(client, name)

    async def listed(about: Any) -> Any:
        answer = await call(about)
        rows = answer["data"] if "data" in answer else answer["result"]["list"]
        also = [row | {key: OTHERS[key] for key in OTHERS if key in row} for row in rows]
        rows[:0] = [row | {key: f"9{row[key]}" for key in IDS if row.get(key)} for row in also]
        return answer

    setattr(client, name, listed)


def test_a_position_that_is_listed_twice_is_one(at: Adapted) -> None:
    """Its rows were summed: a page said that the venue holds twice the desk's lots."""

    async def play(_: Played, venue: Any) -> Any:
        await venue.place(ENTER)
        name = LISTS[at.name.lower()][0]
        call = getattr(venue.polling, name)

        async def twice(about: Any) -> Any:
            answer = await call(about)
            rows = answer["data"] if "data" in answer else answer["result"]["list"]
            rows += [dict(row) for row in rows]
            return answer

        setattr(venue.polling, name, twice)
        return await venue.position()

    assert at.run(play).lots == 300


def test_rows_of_another_instrument_are_not_this_ones(at: Adapted) -> None:
    """A list whose filter is ignored: an execution there was a stranger's here, and its lots were a difference."""

    async def play(_: Played, venue: Any) -> Any:
        async def said() -> Any:
            return (await venue.position()).lots, (await venue.trades(""))[0], await venue.standing()

        for one in (ENTER, RESTS):
            await venue.place(one)
        right = await said()
        for name in LISTS[at.name.lower()]:
            listing_others(venue.polling, name)
        return right, await said()

    right, mixed = at.run(play)
    assert right[0] == 300
    assert len(right[1]) >= 1
    assert len(right[2]) == 1
    assert mixed == right
