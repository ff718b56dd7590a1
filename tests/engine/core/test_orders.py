"""An order's life and the plan, as a table written by hand: every state by everything heard, and every want by what stands."""

import re
from typing import Any

import pytest

from engine.book.order_events import order_id
from engine.core.orders import (
    CANCELLING,
    DONE,
    ENDED,
    INTENDED,
    NO_ORDERS,
    PARTIAL,
    REJECTED,
    SENT,
    STATES,
    UNKNOWN,
    WORKING,
    OrderBook,
    VenueOrder,
    amended,
    doubtful_notional,
    executed,
    find,
    heard,
    intended,
    moved,
    put,
)
from engine.core.plan import AMEND, CANCEL, PLACE, OrderRequest, Want, plan, wants
from engine.core.state import (
    ENTRY,
    EXIT_SLOT,
    FADE,
    HALT,
    LAYERS,
    NO_LAYER,
    NONE,
    PROTECTIVE,
    SLOTS,
    STOP,
    TARGET_SLOT,
    Layer,
    Order,
    Sleeve,
    start,
)

HEARD = (INTENDED, SENT, UNKNOWN, WORKING, PARTIAL, CANCELLING, DONE, REJECTED)

# Rows: the state. Columns: what is heard, in the order of HEARD. "." changes nothing.
TABLE = """
intended     .  sent  .        .        partial  cancelling  done  rejected
sent         .  .     UNKNOWN  working  partial  cancelling  done  rejected
UNKNOWN      .  .     .        working  partial  cancelling  done  rejected
working      .  .     UNKNOWN  .        partial  cancelling  done  rejected
partial      .  .     UNKNOWN  .        .        cancelling  done  rejected
cancelling   .  .     .        .        .        .           done  rejected
done         .  .     .        .        .        .           .     .
rejected     .  .     .        .        .        .           .     .
"""
CELLS = [
    (row.split()[0], word, row.split()[0] if becomes == "." else becomes)
    for row in TABLE.strip().splitlines()
    for word, becomes in zip(HEARD, row.split()[1:], strict=True)
]

ID = order_id("btc-trend", 7, PROTECTIVE)
BASE = VenueOrder(ID, 0, PROTECTIVE, 7, -1, 10, 95.0, 0, 0, 0.0, 0.0, 1_000)


def standing(state: str = WORKING, **changes: Any) -> VenueOrder:
    """A protective order of ten lots at 95, in `state`."""
    return BASE._replace(state=state, **changes)


def holding(order: VenueOrder) -> OrderBook:
    """The desk's orders with this one."""
    return put(NO_ORDERS, order)


# ---- a life --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "word", "becomes"), CELLS, ids=[f"{state}+{word}" for state, word, _ in CELLS])
def test_the_table_of_transitions(state: str, word: str, becomes: str) -> None:
    """All 64 pairs of a state and what is heard in it."""
    assert moved(state, word) == becomes


def test_the_table_leaves_out_no_state() -> None:
    """A new state needs a row and a column here."""
    assert {state for state, _, _ in CELLS} == {word for _, word, _ in CELLS} == set(STATES)
    assert len(CELLS) == len(STATES) ** 2


@pytest.mark.parametrize("end", ENDED)
@pytest.mark.parametrize("word", HEARD)
def test_no_report_opens_an_ended_order_again(end: str, word: str) -> None:
    """Late or doubled: the order is found, keeps its end and its reason, and is not among the open ones."""
    orders = heard(holding(standing()), ID, end, why="first")
    for _ in range(2):
        orders = heard(orders, ID, word, 0, "second")
        found = find(orders, ID)
        assert found is not None
        assert (found.state, found.why, dict(orders.open)) == (end, "first", {})
    assert len(orders.ended) == 1


@pytest.mark.parametrize("end", ENDED)
def test_an_amendment_confirmed_after_the_end_changes_nothing(end: str) -> None:
    """The order has ended where it stood."""
    orders = heard(holding(standing(amending=1)), ID, end)
    assert amended(orders, ID, 90.0, 20, confirmed=True) == orders


def test_a_late_execution_of_an_ended_order_counts_and_does_not_open_it() -> None:
    """Cancelled with nothing filled, then a trade of before comes: its lots are the order's, the end stays."""
    orders = executed(heard(holding(standing()), ID, DONE), ID, 4)
    found = find(orders, ID)
    assert found is not None
    assert (found.state, found.filled, found.left, dict(orders.open)) == (DONE, 4, 0, {})


def test_an_end_with_missing_executions_stays_open_until_they_are_booked() -> None:
    """The venue says ten are filled and four were booked: six may still come, in doubt until then."""
    orders = heard(executed(holding(standing()), ID, 4), ID, DONE, 10)
    assert (orders.open[ID].left, orders.open[ID].in_doubt) == (6, True)
    orders = executed(orders, ID, 6)
    assert not orders.open
    assert orders.ended[-1].filled == 10


def test_a_working_report_of_an_order_that_filled_in_part_says_partial() -> None:
    """Also after a time of doubt."""
    orders = executed(holding(standing()), ID, 4)
    assert orders.open[ID].state == PARTIAL
    orders = heard(heard(orders, ID, UNKNOWN), ID, WORKING, 4)
    assert orders.open[ID].state == PARTIAL


def test_filled_lots_that_a_report_names_never_go_down_and_never_beyond_the_order() -> None:
    """An older report comes late; a wrong one is cut."""
    orders = heard(heard(holding(standing()), ID, PARTIAL, 6), ID, PARTIAL, 2)
    assert orders.open[ID].reported == 6
    assert heard(orders, ID, PARTIAL, 99).open[ID].reported == 10


@pytest.mark.parametrize(
    ("order", "doubt"),
    [
        (standing(INTENDED), True),
        (standing(SENT), True),
        (standing(UNKNOWN), True),
        (standing(WORKING), False),
        (standing(PARTIAL, filled=3, reported=3), False),
        (standing(CANCELLING), True),
        (standing(WORKING, amending=1), True),
        (standing(PARTIAL, filled=3, reported=5), True),
    ],
)
def test_what_is_in_doubt(order: VenueOrder, doubt: bool) -> None:
    """Everything but an order that stands as the venue last said, with its executions booked."""
    assert order.in_doubt == doubt


@pytest.mark.parametrize("lots", [4, 10])
def test_an_order_being_amended_ends_by_the_venues_word_alone(lots: int) -> None:
    """Ten lots at the venue, three here: the third lot is not the last one. Refused, it ends once the venue says three."""
    orders = amended(holding(standing(lots=3)), ID, 94.0, 10, confirmed=False)
    orders = executed(orders, ID, 3)
    assert (orders.open[ID].state, orders.open[ID].in_doubt) == (PARTIAL, True)
    grown = amended(orders, ID, 94.0, lots, confirmed=True)
    assert (grown.open[ID].left, grown.open[ID].state) == (lots - 3, PARTIAL)
    refused = amended(orders, ID, 95.0, 3, confirmed=True)
    assert not refused.open
    assert refused.ended[-1].state == DONE


def test_a_report_from_before_an_amendment_does_not_take_it_back() -> None:
    """Its level and lots are old: the order stands as confirmed."""
    orders = holding(standing(lots=10))
    assert amended(orders, ID, 94.0, 3, confirmed=True) == orders


def test_an_amendment_that_was_thought_refused_may_be_reported_after_all() -> None:
    """A report from before the request reads like a refusal. The lots that come later stand: three are not all of ten."""
    orders = amended(holding(standing(lots=3)), ID, 94.0, 10, confirmed=False)
    orders = amended(orders, ID, 95.0, 3, confirmed=True)
    late = executed(amended(orders, ID, 94.0, 10, confirmed=True), ID, 3)
    assert (late.open[ID].left, late.open[ID].state) == (7, PARTIAL)


def test_nothing_in_doubt_is_a_float() -> None:
    """A snapshot writes 0.0 and reads 0.0: an integer there would be another letter, and the journal would not fold to it."""
    assert isinstance(doubtful_notional(holding(standing()), 0, -1), float)


@pytest.mark.parametrize("state", [SENT, UNKNOWN, WORKING, PARTIAL, CANCELLING])
def test_every_entry_that_may_still_fill_counts(state: str) -> None:
    """With its unfilled part, but for the one that the sleeve itself counts; protective orders do not."""
    entry = VenueOrder(order_id("btc-trend", 8), 0, ENTRY, 8, 1, 10, 0.0, 0, 1, 1_000.0, 1.0, 1_000, state, filled=4, reported=4)
    orders = put(holding(standing()), entry)
    assert doubtful_notional(orders, 0, -1) == 600.0
    assert doubtful_notional(orders, 0, 8) == 0.0
    assert doubtful_notional(orders, 1, -1) == 0.0


def test_an_id_is_seventeen_letters_and_digits_and_its_attempt_is_counted() -> None:
    """nd, four of the name, eight of the entry, one of the kind, two of the attempt; no order gets one that was used."""
    ids = [order_id("btc-trend", key, slot, attempt) for key in (1, 99_999_999) for slot in range(4) for attempt in range(11)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"nd[a-z0-9]{4}[0-9]{8}[ESTX][0-9]{2}", found) for found in ids)
    orders = NO_ORDERS
    for attempt in range(3):
        orders = intended(orders, BASE._replace(id=order_id("btc-trend", 7, PROTECTIVE, attempt)))
        orders = heard(orders, order_id("btc-trend", 7, PROTECTIVE, attempt), REJECTED)
    assert orders.attempts == {ID[:-2]: 3}


# ---- the plan ------------------------------------------------------------------------------------------------------------

STOP_WANT = Want(PROTECTIVE, 7, -1, 10, 95.0)
EXIT_WANT = Want(EXIT_SLOT, 7, -1, 10, 0.0)


def exiting(state: str, **changes: Any) -> VenueOrder:
    """The exit order of the same layer."""
    core = BASE._replace(id=order_id("btc-trend", 7, EXIT_SLOT), slot=EXIT_SLOT, price=0.0)
    return core._replace(state=state, **changes)


@pytest.mark.parametrize("state", [INTENDED, SENT, UNKNOWN, CANCELLING])
@pytest.mark.parametrize("wanted", [[], [STOP_WANT], [STOP_WANT._replace(price=97.0, lots=3)]])
def test_nothing_is_planned_against_an_order_in_doubt(state: str, wanted: list[Want]) -> None:
    """Not cancelled, not amended, and no second one beside it."""
    assert plan([standing(state)], wanted) == []


@pytest.mark.parametrize("doubt", [{"amending": 1}, {"reported": 4}])
def test_an_order_that_is_amended_or_misses_executions_is_left_alone(doubt: dict[str, int]) -> None:
    """What it holds is not known."""
    assert plan([standing(**doubt)], []) == []
    assert plan([standing(**doubt)], [STOP_WANT._replace(price=97.0)]) == []


@pytest.mark.parametrize(
    ("changes", "request_"),
    [
        ({}, None),
        ({"price": 97.0}, AMEND),
        ({"lots": 6}, AMEND),
        ({"lots": 14}, AMEND),
    ],
)
def test_a_protective_order_follows_its_level_and_its_lots(changes: dict[str, Any], request_: str | None) -> None:
    """The trail has moved; a target took a part; a further part of the entry came."""
    want, held = STOP_WANT._replace(**changes), standing()
    assert plan([held], [want]) == ([OrderRequest(request_, held, want)] if request_ else [])


def test_a_protective_order_that_filled_in_part_is_not_amended() -> None:
    """The venue is at it; neither level nor lots follow."""
    held = standing(PARTIAL, filled=4, reported=4)
    assert plan([held], [STOP_WANT._replace(lots=6, price=97.0)]) == []
    assert plan([held], [STOP_WANT._replace(lots=20)]) == []


@pytest.mark.parametrize("state", [UNKNOWN, PARTIAL, CANCELLING, DONE])
def test_an_exit_that_filled_in_part_orders_no_second_one(state: str) -> None:
    """Whatever its state, while anything of it may come. Once it is gone the rest leaves at the market, protected meanwhile."""
    rest = [STOP_WANT._replace(lots=6), EXIT_WANT._replace(lots=6)]
    for filled, reported_lots in ((4, 4), (0, 4), (4, 7)):
        held = standing(state, filled=filled, reported=reported_lots)
        assert PLACE not in [request.what for request in plan([held], rest)]
    assert plan([], rest) == [OrderRequest(PLACE, None, want) for want in rest]


def test_an_exit_that_nobody_wants_any_more_gives_way_to_the_protective_order() -> None:
    """In one plan: the layer is not left bare until the next one."""
    held = exiting(WORKING)
    assert plan([held], [STOP_WANT]) == [OrderRequest(PLACE, None, STOP_WANT), OrderRequest(CANCEL, held, None)]


@pytest.mark.parametrize("slot", [ENTRY, EXIT_SLOT])
def test_an_entry_and_an_exit_are_never_amended(slot: int) -> None:
    """They end, by fill, time or cancel."""
    held = standing()._replace(slot=slot)
    assert plan([held], [Want(slot, 7, -1, 3, 42.0)]) == []


def test_the_protective_order_stays_until_the_exit_works() -> None:
    """Beside it while the exit is sent or in doubt; cancelled once the venue has confirmed the exit; back when that is lost."""
    wanted = [STOP_WANT, EXIT_WANT]
    assert plan([standing()], wanted) == [OrderRequest(PLACE, None, EXIT_WANT)]
    for state in (SENT, UNKNOWN, CANCELLING):
        assert plan([standing(), exiting(state)], wanted) == []
        assert plan([exiting(state)], wanted) == [OrderRequest(PLACE, None, STOP_WANT)]
    for state in (WORKING, PARTIAL):
        assert plan([standing(), exiting(state)], wanted) == [OrderRequest(CANCEL, standing(), None)]
        assert plan([exiting(state)], wanted) == []


def test_the_newer_of_two_replaces_the_older_once_it_stands() -> None:
    """New before cancel old, and only then."""
    old, new = standing(), standing()._replace(id=order_id("btc-trend", 7, PROTECTIVE, 1))
    for state in (SENT, UNKNOWN):
        assert plan([old, new._replace(state=state)], [STOP_WANT]) == []
    assert plan([old, new], [STOP_WANT]) == [OrderRequest(CANCEL, old, None)]
    assert plan([old._replace(state=CANCELLING), new], [STOP_WANT]) == []


def test_what_nobody_wants_is_cancelled() -> None:
    """All of it that stands."""
    target = standing()._replace(id=order_id("btc-trend", 7, TARGET_SLOT), slot=TARGET_SLOT)
    assert plan([standing(), target], []) == [OrderRequest(CANCEL, standing(), None), OrderRequest(CANCEL, target, None)]


def test_given_up_orders_are_not_placed_again() -> None:
    """After ten a person has to look; another kind and another layer go on."""
    other = STOP_WANT._replace(key=8)
    found = plan([], [STOP_WANT, EXIT_WANT, other], frozenset({(PROTECTIVE, 7)}))
    assert [request.want for request in found] == [EXIT_WANT, other]


def applied(orders: OrderBook, requests: list[OrderRequest], attempt: int) -> OrderBook:
    """The orders once the requests were written down, and nothing was answered."""
    for request in requests:
        if request.what == PLACE and request.want is not None:
            slot, key, side, lots, price = request.want
            order = BASE._replace(
                id=order_id("btc-trend", key, slot, attempt), slot=slot, key=key, side=side, lots=lots, price=price
            )
            orders = heard(intended(orders, order), order.id, SENT)
        elif request.order is not None and request.want is not None:
            orders = amended(orders, request.order.id, request.want.price, 0, confirmed=False)
        elif request.order is not None:
            orders = heard(orders, request.order.id, CANCELLING)
    return orders


@pytest.mark.parametrize("leaves", [NONE, FADE, HALT, STOP])
@pytest.mark.parametrize("state", [None, SENT, UNKNOWN, WORKING, PARTIAL, CANCELLING])
@pytest.mark.parametrize("entry", [False, True])
def test_a_plan_that_was_applied_plans_nothing_more(leaves: int, state: str | None, entry: bool) -> None:
    """For each way in which a layer may leave, and each state of its protective order."""
    sleeve = open_sleeve(leaves, entry=entry)
    orders = NO_ORDERS if state is None else holding(standing(state, price=90.0))
    orders = applied(orders, plan(orders.open.values(), wants(sleeve)), 5)
    assert plan(orders.open.values(), wants(sleeve)) == []


def open_sleeve(leaves: int, *, entry: bool = False) -> Sleeve:
    """Ten lots long in layer 7, stop 95, target 110; with `entry` an entry order 8 too."""
    sleeve = start(10_000.0)
    layers = (Layer(7, 10, 100.0, 95.0, 110.0, leaves), *[NO_LAYER] * (LAYERS - 1))
    sleeve = sleeve._replace(position=sleeve.position._replace(side=1, open_layers=1, layers=layers))
    order = Order(8, 1, 5, 500.0, 5.0, 10.0, 2.0, 1_000, 0.0, 0, 1)
    return sleeve._replace(order=order) if entry else sleeve


@pytest.mark.parametrize(
    ("leaves", "slots"),
    [
        (NONE, {PROTECTIVE, TARGET_SLOT}),
        (STOP, {PROTECTIVE, EXIT_SLOT}),
        (FADE, {PROTECTIVE, EXIT_SLOT}),
        (HALT, {PROTECTIVE, EXIT_SLOT}),
    ],
)
def test_what_a_layer_wants(leaves: int, slots: set[int]) -> None:
    """Its two resting orders; one exit once it leaves, for whatever reason."""
    found = wants(open_sleeve(leaves))
    assert {want.slot for want in found} == slots, {SLOTS[want.slot] for want in found}
    assert all((want.key, want.side, want.lots) == (7, -1, 10) for want in found)
