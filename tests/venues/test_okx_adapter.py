"""The OKX adapter against the local OKX, by real ccxt: requests, questions, lists, and what each error proves."""

from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from engine.core.orders import DONE, REJECTED, UNKNOWN, WORKING, VenueOrder
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE, TARGET_SLOT
from engine.errors import DataError
from engine.venues.instruments import instrument_of
from engine.venues.okx import OUTCOMES, OkxVenue
from engine.venues.outcome import EXISTS, NOT_FOUND, NOT_TAKEN, code_of, outcome_of, table_of
from engine.venues.outcome import REJECTED as REFUSED
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.market import PICO
from tests.fakes.exchange.okx.played import INST, Played, over_sockets, under_virtual_clock
from tests.fakes.exchange.stage import flat_path, small_exchange

MINUTE = 60_000
Script = Callable[[Played, OkxVenue], Coroutine[Any, Any, Any]]


def moving(clock: Any) -> Any:
    """60,000.0; after ten hours 59,000.0, after eleven 57,000.0."""
    return small_exchange(clock, flat_path(600_000, (600 * MINUTE, 590_000, 300), (660 * MINUTE, 570_000, 300)))


def order(id_: str, slot: int = ENTRY, side: int = 1, lots: int = 300, price: float = 0.0, **more: Any) -> VenueOrder:
    """An order of the desk."""
    return VenueOrder(id_, 0, slot, 1, side, lots, price, more.pop("post_only", 0), 1, 0.0, 100.0, 0, **more)


def run(script: Script, play: Any = under_virtual_clock) -> Any:
    """What the script returns; it gets the adapter of BTC, with one client for both of its jobs."""

    async def with_adapter(played: Played) -> Any:
        adapter = OkxVenue(played.client, played.client, instrument_of("okx", "BTC-USDT"), INST, Decimal("0.01"))
        return await script(played, adapter)

    found, _ = play(with_adapter, moving)
    return found


ENTER, STOP, GOAL = order("ndE1"), order("ndS1", PROTECTIVE, -1, price=58_000.0), order("ndT1", TARGET_SLOT, -1, price=62_000.0)


async def life(played: Played, okx: OkxVenue) -> dict[str, Any]:
    """Entry, stop and target, questions, amendments, funding, the stop that fires, an exit."""
    said: dict[str, Any] = {"placed": [await okx.place(one) for one in (ENTER, STOP, GOAL)]}
    said["entry"], said["stop"], said["target"] = [await okx.ask(one) for one in (ENTER, STOP, GOAL)]
    said["standing"] = await okx.standing()
    said["amended"] = [await okx.amend(STOP, 58_500.0, 200), await okx.amend(GOAL, 61_900.0, 200)]
    said["moved"] = [await okx.ask(STOP), await okx.ask(GOAL)]
    said["position"] = await okx.position()
    said["trades"], cursor = await okx.trades("")
    await played.wait(540 * MINUTE)
    said["bills"] = await okx.bills(0)
    said["later bills"] = await okx.bills(said["bills"][0].t_ms + 1)
    await played.wait(150 * MINUTE)
    said["fired"] = await okx.ask(STOP)
    said["new trades"], cursor = await okx.trades(cursor)
    said["cancelled"] = await okx.cancel(GOAL)
    leave = order("ndX1", EXIT_SLOT, -1, 100)
    said["exit"] = [await okx.place(leave), await okx.ask(leave)]
    said["too much"] = await okx.place(order("ndX2", EXIT_SLOT, -1, 100))
    said["last trades"], cursor = await okx.trades(cursor)
    said["nothing new"] = await okx.trades(cursor)
    said["flat"] = await okx.position()
    fills = [event for event in played.venue.exchange.ledger if event.kind == log.FILL]
    said["ledger"] = [(event.bill, event.order.side) for event in fills if event.bill and event.order]
    return said


@pytest.fixture(scope="module")
def lived() -> dict[str, Any]:
    """That life under the virtual clock."""
    found: dict[str, Any] = run(life)
    return found


def test_orders_are_placed_and_asked_by_our_ids(lived: dict[str, Any]) -> None:
    """An answer to a request says that it stands and what the venue calls it; a question says how much has filled, and where."""
    assert [(one.state, bool(one.venue_id)) for one in lived["placed"]] == [(WORKING, True)] * 3
    assert (lived["entry"].state, lived["entry"].filled_lots) == (DONE, 300)
    assert (lived["stop"].state, lived["stop"].price, lived["stop"].lots) == (WORKING, 58_000.0, 300)
    assert (lived["target"].state, lived["target"].price, lived["target"].lots) == (WORKING, 62_000.0, 300)
    assert [(one.price, one.lots) for one in lived["amended"]] == [(58_500.0, 200), (61_900.0, 200)]
    assert [(one.price, one.lots) for one in lived["moved"]] == [(58_500.0, 200), (61_900.0, 200)]


def test_the_list_of_what_stands_holds_conditional_orders_too(lived: dict[str, Any]) -> None:
    """ccxt's own list of stops leaves them out."""
    rows = [(one.order, one.side, one.lots, one.price, one.conditional, one.reduce_only) for one in lived["standing"]]
    assert sorted(rows) == [("ndS1", -1, 300, 58_000.0, True, True), ("ndT1", -1, 300, 62_000.0, False, True)]


def test_a_stop_that_fired_says_which_order_it_placed(lived: dict[str, Any]) -> None:
    """The child comes without our id: only the stop's own answer joins its fills to the layer."""
    fired = lived["fired"]
    assert (fired.state, fired.filled_lots) == (DONE, 200)
    children = [trade for trade in lived["new trades"] if trade.venue_id == fired.child_id]
    assert sum(trade.lots for trade in children) == 200
    assert {trade.order for trade in children} == {""}


def test_executions_come_once_behind_the_cursor_as_the_ledger_has_them(lived: dict[str, Any]) -> None:
    """Size, price, fee and side of each; a second look brings nothing."""
    listed = [*lived["trades"], *lived["new trades"], *lived["last trades"]]
    booked = [(str(b.trade), side, b.lots, b.ticks / 10, pytest.approx(b.fee / PICO)) for b, side in lived["ledger"]]
    assert [(t.trade, t.side, t.lots, t.price, t.fee) for t in listed] == booked
    assert lived["nothing new"][0] == []


def test_position_and_funding(lived: dict[str, Any]) -> None:
    """One net position, isolated; a bill from its time on, once."""
    assert (lived["position"].lots, lived["position"].isolated, lived["flat"].lots) == (300, True, 0)
    assert [bill.cash for bill in lived["bills"]] == [pytest.approx(-0.18)]  # 0.01 % of 0.03 BTC at 60,000.0
    assert lived["later bills"] == []


def test_an_end_is_asked_for_and_an_exit_never_turns_the_position(lived: dict[str, Any]) -> None:
    """A cancelled order says what it had filled; nothing to reduce is refused."""
    assert (lived["cancelled"].state, lived["cancelled"].filled_lots) == (DONE, 0)
    assert [one.state for one in lived["exit"]] == [WORKING, DONE]
    assert (lived["too much"].state, lived["too much"].outcome) == (REJECTED, REFUSED)


def test_sockets_and_the_virtual_clock_give_the_same(lived: dict[str, Any]) -> None:
    """The same answers over loopback."""
    real = run(life, over_sockets)
    assert {name: real[name] for name in real if name != "bills"} == {name: lived[name] for name in lived if name != "bills"}


# fault -> what the answer to a new order is, and how many orders the venue has then
PROVEN: dict[str, tuple[str, str, int]] = {
    "reject_orders": (REJECTED, REFUSED, 0),
    "rate_limit": (UNKNOWN, NOT_TAKEN, 0),
    "maintenance": (UNKNOWN, NOT_TAKEN, 0),
    "clock_skew": (UNKNOWN, NOT_TAKEN, 0),
    "timeout_before": (UNKNOWN, "unknown", 0),
    "timeout_after": (UNKNOWN, "unknown", 1),
    "http_5xx": (UNKNOWN, "unknown", 0),
    "html": (UNKNOWN, "unknown", 0),
}


@pytest.mark.parametrize("fault", PROVEN)
@pytest.mark.parametrize("slot", [ENTRY, PROTECTIVE])
def test_what_an_answer_proves(fault: str, slot: int) -> None:
    """Only the venue's own word proves that there is no order; a question by our id then says the truth."""

    async def place(played: Played, okx: OkxVenue) -> tuple[Any, Any, int]:
        await okx.place(order("ndE0"))
        one = order("nd1", slot, 1 if slot == ENTRY else -1, 300, 50_000.0)
        played.venue.faults.on(fault)
        sent = await okx.place(one)
        played.venue.faults.off(fault)
        exchange = played.venue.exchange
        there = exchange.by_client("nd1") if slot == ENTRY else exchange.algo_by_client("nd1")
        return sent, await okx.ask(one), int(there is not None)

    state, proves, there = PROVEN[fault]
    sent, asked, count = run(place)
    assert (sent.state, sent.outcome, count) == (state, proves, there)
    assert (asked.state, asked.outcome) == ((WORKING, "unknown") if there else (UNKNOWN, NOT_FOUND))


@pytest.mark.parametrize("slot", [ENTRY, PROTECTIVE])
def test_the_same_id_again_places_nothing(slot: int) -> None:
    """The venue says that it exists."""

    async def twice(played: Played, okx: OkxVenue) -> tuple[Any, int]:
        await okx.place(order("ndE0"))
        one = order("nd1", slot, 1 if slot == ENTRY else -1, 300, 50_000.0)
        await okx.place(one)
        again = await okx.place(one)
        return again, len(await okx.standing())

    again, standing = run(twice)
    assert (again.state, again.outcome, standing) == (UNKNOWN, EXISTS, 1)


def test_what_will_not_move_is_asked_how_it_stands() -> None:
    """A refused amendment or cancellation leaves the order where it was, and the answer says so."""

    async def stubborn(played: Played, okx: OkxVenue) -> list[Any]:
        await okx.place(ENTER)
        await okx.place(STOP)
        played.venue.faults.on("reject_amends")
        played.venue.faults.on("reject_cancels")
        return [await okx.amend(STOP, 59_000.0, 300), await okx.cancel(STOP), await okx.cancel(order("nd9"))]

    moved, ended, unknown = run(stubborn)
    assert (moved.state, moved.price, moved.outcome) == (WORKING, 58_000.0, REFUSED)
    assert ended.state == WORKING
    assert unknown.state == UNKNOWN


def test_a_question_that_is_refused_ends_no_order() -> None:
    """The venue says that the question is wrong; how the order stands is not known by that."""

    async def wrongly_asked(played: Played, okx: OkxVenue) -> tuple[Any, Any]:
        await okx.place(ENTER)
        return await okx._replace(inst_id="XRP-USDT-SWAP").ask(ENTER), await okx.ask(ENTER)

    refused, asked = run(wrongly_asked)
    assert (refused.state, refused.outcome, asked.state) == (UNKNOWN, "unknown", DONE)
    assert "51001" in refused.why


@pytest.mark.parametrize("fault", ["http_5xx", "html", "read_timeout", "rate_limit", "maintenance"])
def test_lists_that_cannot_be_had_are_errors_not_empty(fault: str) -> None:
    """A failed question never reads as nothing there: a page of HTML with status 200 is a flat account for ccxt's own calls."""

    async def blind(played: Played, okx: OkxVenue) -> list[str]:
        await okx.place(ENTER)
        said = []
        played.venue.faults.on(fault)
        for ask in (okx.standing, okx.position, lambda: okx.trades(""), lambda: okx.bills(0)):
            with pytest.raises(DataError) as raised:
                await ask()
            said.append(str(raised.value))
        return said

    said = run(blind)
    assert all(text.startswith("OKX did not answer ") for text in said)


def test_more_executions_than_a_page_holds_are_all_there() -> None:
    """Behind any cursor, oldest first, each once."""

    async def many(played: Played, okx: OkxVenue) -> tuple[list[str], list[str], list[str]]:
        for market in played.venue.exchange.markets.values():
            market.depth_lots = 1
        await okx.place(order("ndE1", lots=250))
        whole, _ = await okx.trades("")
        fills = [event for event in played.venue.exchange.ledger if event.kind == log.FILL]
        rows = await okx._data("private_get_trade_fills_history", {"instType": "SWAP", "instId": INST, "limit": "100"})
        behind, cursor = await okx.trades(min((row["billId"] for row in rows), key=int))
        assert await okx.trades(cursor) == ([], cursor)
        return [t.trade for t in whole], [str(e.bill.trade) for e in fills if e.bill], [t.trade for t in behind]

    whole, booked, behind = run(many)
    assert len(booked) > 200
    assert whole == booked
    assert behind == booked[-99:]


def test_sizes_and_prices_are_exact() -> None:
    """No float's tail is sent, and a fill that is no whole lot is an error."""
    okx = OkxVenue(None, None, instrument_of("okx", "BTC-USDT"), INST, Decimal("0.01"))
    assert [okx._size(lots) for lots in (1, 30, 100, 12_345)] == ["0.01", "0.3", "1", "123.45"]
    assert [okx._price(price) for price in (0.1 + 0.2, 59_000.3, 60_000.0)] == ["0.3", "59000.3", "60000"]
    assert okx._lots("123.45") == 12_345
    with pytest.raises(DataError, match="no whole number of lots"):
        okx._lots("0.015")


def test_the_table_of_codes() -> None:
    """A code means one thing; an order's own code counts before the request's; one that is new proves nothing."""
    with pytest.raises(ValueError, match="51000"):
        table_of(rejected="51000", exists="51000")
    batch = Exception('okx {"code":"1","data":[{"sCode":"51016","sMsg":"x"}],"msg":"All operations failed"}')
    assert (code_of(batch), outcome_of(batch, OUTCOMES)) == ("51016", EXISTS)
    for code in ("50004", "50013", "50026", "59999"):
        assert outcome_of(Exception(f'okx {{"code":"{code}","msg":""}}'), OUTCOMES) == "unknown"
    assert outcome_of(TimeoutError(), OUTCOMES) == "unknown"
