"""The venue adapters against their local venues, by real ccxt: requests, questions, lists, and what each error proves."""

from collections import Counter
from typing import Any

import pytest

from engine.core.orders import DONE, PARTIAL, REJECTED, UNKNOWN, WORKING
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE
from engine.errors import DataError
from engine.venues.outcome import EXISTS, NOT_FOUND, NOT_TAKEN
from engine.venues.outcome import REJECTED as REFUSED
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.adapted import ADAPTED, ENTER, GOAL, MINUTE, STOP, Adapted, order
from tests.fakes.exchange.market import PICO
from tests.fakes.exchange.orders import Order
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.stage import START_MS

LIVES: dict[str, dict[str, Any]] = {}  # each is run once


@pytest.fixture(params=ADAPTED)
def at(request: pytest.FixtureRequest) -> Adapted:
    """Each venue."""
    return ADAPTED[request.param]


@pytest.fixture
def lived(at: Adapted) -> dict[str, Any]:
    """That life at each venue, under the virtual clock."""
    if at.name not in LIVES:
        LIVES[at.name] = at.run(life)
    return LIVES[at.name]


async def life(played: Played, venue: Any) -> dict[str, Any]:
    """Entry, stop and target, questions, amendments, funding, the stop that fires, an exit."""
    said: dict[str, Any] = {"placed": [await venue.place(one) for one in (ENTER, STOP, GOAL)]}
    said["entry"], said["stop"], said["target"] = [await venue.ask(one) for one in (ENTER, STOP, GOAL)]
    said["standing"] = await venue.standing()
    await played.wait(MINUTE)  # so that no burst waits for its turn: over sockets the venue's clock would not go on meanwhile
    said["amended"] = [await venue.amend(STOP, 58_500.0, 200), await venue.amend(GOAL, 61_900.0, 200)]
    said["moved"] = [await venue.ask(STOP), await venue.ask(GOAL)]
    said["position"] = await venue.position()
    said["trades"], cursor = await venue.trades("")
    await played.wait(540 * MINUTE)
    said["bills"] = await venue.bills(START_MS)
    said["later bills"] = await venue.bills(said["bills"][0].t_ms + 1)
    await played.wait(150 * MINUTE)
    said["fired"] = await venue.ask(STOP)
    said["new trades"], cursor = await venue.trades(cursor)
    said["cancelled"] = await venue.cancel(GOAL)
    leave = order("ndX1", EXIT_SLOT, -1, 100)
    said["exit"] = [await venue.place(leave), await venue.ask(leave)]
    said["too much"] = await venue.place(order("ndX2", EXIT_SLOT, -1, 100))
    said["last trades"], cursor = await venue.trades(cursor)
    said["nothing new"] = await venue.trades(cursor)
    said["flat"] = await venue.position()
    fills = [event for event in played.venue.exchange.ledger if event.kind == log.FILL]
    said["ledger"] = [(event.bill, event.order.side) for event in fills if event.bill and event.order]
    return said


def test_orders_are_placed_and_asked_by_our_ids(lived: dict[str, Any]) -> None:
    """An answer to a request says that it stands and what the venue calls it; a question says how much has filled, and where."""
    assert [(one.state, bool(one.venue_id)) for one in lived["placed"]] == [(WORKING, True)] * 3
    assert (lived["entry"].state, lived["entry"].filled_lots) == (DONE, 300)
    assert (lived["stop"].state, lived["stop"].price, lived["stop"].lots) == (WORKING, 58_000.0, 300)
    assert (lived["target"].state, lived["target"].price, lived["target"].lots) == (WORKING, 62_000.0, 300)
    assert [(one.price, one.lots) for one in lived["amended"]] == [(58_500.0, 200), (61_900.0, 200)]
    assert [(one.price, one.lots) for one in lived["moved"]] == [(58_500.0, 200), (61_900.0, 200)]


def test_the_list_of_what_stands_holds_conditional_orders_too(lived: dict[str, Any]) -> None:
    """Each once; ccxt's own lists leave some out."""
    rows = [(one.order, one.side, one.lots, one.price, one.conditional, one.reduce_only) for one in lived["standing"]]
    assert sorted(rows) == [("ndS1", -1, 300, 58_000.0, True, True), ("ndT1", -1, 300, 62_000.0, False, True)]


def test_the_fills_of_a_stop_that_fired_are_its_own(at: Adapted, lived: dict[str, Any]) -> None:
    """By the order that it placed, with our id or without, or by the id itself where the stop and its child are one (Bybit)."""
    fired = lived["fired"]
    assert (fired.state, fired.filled_lots) == (DONE, 200)
    assert bool(fired.child_id) is (at.name != "Bybit")
    mine = [trade for trade in lived["new trades"] if trade.venue_id == (fired.child_id or fired.venue_id)]
    assert sum(trade.lots for trade in mine) == 200
    assert {trade.order for trade in mine} == {at.fired}


def test_executions_come_once_behind_the_cursor_as_the_ledger_has_them(lived: dict[str, Any]) -> None:
    """Size, price, fee and side of each; a second look brings nothing."""
    listed = [*lived["trades"], *lived["new trades"], *lived["last trades"]]
    booked = [(side, b.lots, b.ticks / 10, pytest.approx(b.fee / PICO), b.t_ms) for b, side in lived["ledger"]]
    assert [(t.side, t.lots, t.price, t.fee, t.t_ms) for t in listed] == booked
    assert len({t.trade for t in listed}) == len(booked)
    assert lived["nothing new"][0] == []


def test_position_and_funding(lived: dict[str, Any]) -> None:
    """One net position, isolated; a bill from its time on, once."""
    assert (lived["position"].lots, lived["position"].isolated, lived["flat"].lots) == (300, True, 0)
    assert [one.leverage for one in (lived["position"], lived["flat"])] == [3.0, 3.0]  # also while nothing is held
    assert (lived["position"].entry, lived["position"].leverage) == (pytest.approx(60_000.2), 3.0)
    assert [bill.cash for bill in lived["bills"]] == [pytest.approx(-0.18)]  # 0.01 % of 0.03 BTC at 60,000.0
    assert lived["later bills"] == []


def test_an_end_is_asked_for_and_an_exit_never_turns_the_position(lived: dict[str, Any]) -> None:
    """A cancelled order says what it had filled; nothing to reduce is refused."""
    assert (lived["cancelled"].state, lived["cancelled"].filled_lots) == (DONE, 0)
    assert [one.state for one in lived["exit"]] == [WORKING, DONE]
    assert (lived["too much"].state, lived["too much"].outcome) == (REJECTED, REFUSED)


def test_sockets_and_the_virtual_clock_give_the_same(at: Adapted, lived: dict[str, Any]) -> None:
    """The same answers over loopback."""
    real = at.run(life, sockets=True)
    assert {name: real[name] for name in real if name != "bills"} == {name: lived[name] for name in lived if name != "bills"}


# fault -> what the answer to a new order is, and how many orders the venue has then
PROVEN: dict[str, tuple[str, str, int]] = {
    "reject_orders": (REJECTED, REFUSED, 0),
    "rate_limit": (UNKNOWN, NOT_TAKEN, 0),
    "maintenance": (UNKNOWN, "", 0),  # the venue's word
    "clock_skew": (UNKNOWN, NOT_TAKEN, 0),
    "timeout_before": (UNKNOWN, "unknown", 0),
    "timeout_after": (UNKNOWN, "unknown", 1),
    "http_5xx": (UNKNOWN, "unknown", 0),
    "html": (UNKNOWN, "unknown", 0),
}


@pytest.mark.sample(8)
@pytest.mark.parametrize("fault", PROVEN)
@pytest.mark.parametrize("slot", [ENTRY, PROTECTIVE])
def test_what_an_answer_proves(at: Adapted, fault: str, slot: int) -> None:
    """Only the venue's own word proves that there is no order; a question by our id then says the truth."""

    async def place(played: Played, venue: Any) -> tuple[Any, Any, int]:
        await venue.place(order("ndE0"))
        one = order("nd1", slot, 1 if slot == ENTRY else -1, 300, 50_000.0)
        played.venue.faults.on(fault)
        sent = await venue.place(one)
        played.venue.faults.off(fault)
        exchange = played.venue.exchange
        there = exchange.by_client("nd1") if slot == ENTRY else exchange.algo_by_client("nd1")
        return sent, await venue.ask(one), int(there is not None)

    state, proves, there = PROVEN[fault]
    sent, asked, count = at.run(place)
    assert (sent.state, sent.outcome, count) == (state, proves or at.maintenance, there)
    assert (asked.state, asked.outcome) == ((WORKING, "unknown") if there else (UNKNOWN, NOT_FOUND))


@pytest.mark.parametrize("slot", [ENTRY, PROTECTIVE])
def test_the_same_id_again_places_nothing(at: Adapted, slot: int) -> None:
    """The venue says that it exists."""

    async def twice(played: Played, venue: Any) -> tuple[Any, int]:
        await venue.place(order("ndE0"))
        one = order("nd1", slot, 1 if slot == ENTRY else -1, 300, 50_000.0)
        await venue.place(one)
        again = await venue.place(one)
        return again, len(await venue.standing())

    again, standing = at.run(twice)
    assert (again.state, again.outcome, standing) == (UNKNOWN, EXISTS, 1)


def test_what_will_not_move_is_asked_how_it_stands(at: Adapted) -> None:
    """A refused amendment or cancellation leaves the order where it was, and the answer says so."""

    async def stubborn(played: Played, venue: Any) -> list[Any]:
        await venue.place(ENTER)
        await venue.place(STOP)
        played.venue.faults.on(at.unmoved)
        played.venue.faults.on("reject_cancels")
        return [await venue.amend(STOP, 59_000.0, 300), await venue.cancel(STOP), await venue.cancel(order("nd9"))]

    moved, ended, unknown = at.run(stubborn)
    assert (moved.state, moved.price, moved.outcome) == (WORKING, 58_000.0, REFUSED)
    assert ended.state == WORKING
    assert unknown.state == UNKNOWN


def test_a_question_that_is_refused_ends_no_order(at: Adapted) -> None:
    """The venue says that the question is wrong; how the order stands is not known by that."""

    async def wrongly_asked(played: Played, venue: Any) -> tuple[Any, Any]:
        await venue.place(ENTER)
        return await venue._replace(**at.unknown_symbol).ask(ENTER), await venue.ask(ENTER)

    refused, asked = at.run(wrongly_asked)
    assert (refused.state, refused.outcome, asked.state) == (UNKNOWN, "unknown", DONE)
    assert refused.why != ""


@pytest.mark.parametrize("fault", ["http_5xx", "html", "read_timeout", "rate_limit", "maintenance"])
def test_lists_that_cannot_be_had_are_errors_not_empty(at: Adapted, fault: str) -> None:
    """A failed question never reads as nothing there: a page of HTML with status 200 is a flat account for ccxt's own calls."""

    async def blind(played: Played, venue: Any) -> list[str]:
        await venue.place(ENTER)
        said = []
        played.venue.faults.on(fault)
        for ask in (venue.standing, venue.position, lambda: venue.trades(""), lambda: venue.bills(START_MS)):
            with pytest.raises(DataError) as raised:
                await ask()
            said.append(str(raised.value))
        return said

    said = at.run(blind)
    assert all(text.startswith(f"{at.name} did not answer ") for text in said)


def test_more_executions_than_a_page_holds_are_all_there(at: Adapted) -> None:
    """As many as the ledger has, oldest first, each once; those after a cursor alone, and then nothing."""

    async def many(played: Played, venue: Any) -> tuple[list[Any], list[Any], list[Any]]:
        for market in played.venue.exchange.markets.values():
            market.depth_lots = 1
        await venue.place(order("ndE1", lots=20))
        _, cursor = await venue.trades("")
        await played.wait(1_000)
        await venue.place(order("ndE2", lots=1_200))
        whole, _ = await venue.trades("")
        await played.wait(1_000)
        behind, cursor = await venue.trades(cursor)
        await played.wait(1_000)
        assert await venue.trades(cursor) == ([], cursor)
        fills = [event.bill for event in played.venue.exchange.ledger if event.kind == log.FILL]
        return whole, behind, fills

    whole, behind, booked = at.run(many)
    assert [trade.price for trade in whole] == [bill.ticks / 10 for bill in booked]
    assert len({trade.trade for trade in whole}) == 1_220  # also where that takes more questions than a second may have
    assert behind == whole[20:]


def test_executions_of_one_millisecond_are_not_lost_between_two_looks(at: Adapted) -> None:
    """A cursor in the middle of a millisecond."""

    async def same_time(played: Played, venue: Any) -> list[list[str]]:
        seen, cursor = [], ""
        for number in range(3):
            await venue.place(order(f"ndE{number}", lots=10))
            new, cursor = await venue.trades(cursor)
            seen.append([trade.order for trade in new])
        return seen

    assert at.run(same_time) == [["ndE0"], ["ndE1"], ["ndE2"]]


def test_funding_of_many_settlements_is_billed_exactly_once(at: Adapted) -> None:
    """Twenty days, three a day: as many bills as the ledger has, each id once; the rest from a time on."""

    async def held(played: Played, venue: Any) -> tuple[list[Any], list[Any], list[Any]]:
        await venue.place(ENTER)
        for _ in range(20):
            await played.wait(24 * 60 * MINUTE)
        every = await venue.bills(START_MS)
        return every, await venue.bills(every[30].t_ms), [e.bill for e in played.venue.exchange.ledger if e.kind == log.FUNDING]

    every, later, booked = at.run(held)
    assert [(bill.t_ms, bill.cash) for bill in every] == [(bill.t_ms, pytest.approx(bill.cash / PICO)) for bill in booked]
    assert (len(every), set(Counter(bill.bill for bill in every).values())) == (60, {1})
    assert later == every[30:]


def test_an_adapter_sees_its_instrument_alone(at: Adapted) -> None:
    """Orders, executions, a position and bills of another one in the account are not its own."""

    async def beside(played: Played, venue: Any) -> list[Any]:
        exchange = played.venue.exchange
        exchange.place(Order("ndOther", "ETH", 1, 100))
        exchange.place(Order("ndRests", "ETH", 1, 100, "limit", 100_000))
        await played.wait(9 * 60 * MINUTE)
        assert [event.kind for event in exchange.ledger][-1] == log.FUNDING
        lists = [await venue.standing(), (await venue.trades(""))[0], await venue.bills(START_MS)]
        return [*lists, (await venue.position()).lots]

    found = at.played.under_virtual_clock(lambda played: beside(played, at.adapter(played.client)))[0]
    assert found == [[], [], [], 0]


def test_a_short_position_is_negative(at: Adapted) -> None:
    """Its entry is a sale, its funding is received."""

    async def short(played: Played, venue: Any) -> Any:
        await venue.place(order("ndE1", side=-1))
        await played.wait(9 * 60 * MINUTE)
        return await venue.position(), (await venue.trades(""))[0], await venue.bills(START_MS)

    position, trades, bills = at.run(short)
    assert (position.lots, {trade.side for trade in trades}) == (-300, {-1})
    assert [bill.cash for bill in bills] == [pytest.approx(0.18)]


def test_a_post_only_entry_never_takes(at: Adapted) -> None:
    """One that would is ended by the venue without a fill; one that rests does."""

    async def posted(played: Played, venue: Any) -> list[Any]:
        takes, rests = order("nd1", price=61_000.0, post_only=1), order("nd2", price=50_000.0, post_only=1)
        said = [await venue.place(takes), await venue.place(rests)]
        return [*said, await venue.ask(takes), await venue.ask(rests)]

    _, rested, takes, rests = at.run(posted)
    assert (takes.state in (DONE, REJECTED, UNKNOWN), takes.filled_lots) == (True, 0)
    assert (rested.state, rests.state, rests.price) == (WORKING, WORKING, 50_000.0)


def test_a_part_is_said_to_be_a_part(at: Adapted) -> None:
    """300 of 500 lots have filled as a maker: the rest stands where it was; ended, it says what it had filled."""

    async def parted(played: Played, venue: Any) -> list[Any]:
        one = order("ndL1", lots=500, price=59_000.0)
        await venue.place(one)
        await played.wait(610 * MINUTE)
        said = [await venue.ask(one), await venue.standing(), (await venue.trades(""))[0]]
        return [*said, await venue.cancel(one)]

    asked, standing, trades, ended = at.run(parted)
    assert (asked.state, asked.filled_lots, asked.lots, asked.price) == (PARTIAL, 300, 500, 59_000.0)
    assert [(row.lots, row.filled_lots, row.conditional, row.reduce_only) for row in standing] == [(500, 300, False, False)]
    assert [(trade.lots, trade.maker, trade.order) for trade in trades] == [(300, True, "ndL1")]
    assert (ended.state, ended.filled_lots) == (DONE, 300)


def test_a_stop_that_has_fired_can_be_neither_moved_nor_ended(at: Adapted) -> None:
    """Asked how it stands, it is done with what it has filled."""

    async def too_late(played: Played, venue: Any) -> list[Any]:
        await venue.place(ENTER)
        await venue.place(STOP)
        await played.wait(700 * MINUTE)
        return [await venue.amend(STOP, 56_000.0, 300), await venue.cancel(STOP), await venue.position()]

    moved, ended, position = at.run(too_late)
    assert [(one.state, one.filled_lots) for one in (moved, ended)] == [(DONE, 300)] * 2
    assert position.lots == 0
