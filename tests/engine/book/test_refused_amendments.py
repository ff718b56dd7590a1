"""A venue that refuses to move an order: it is asked a stated number of times, the order that works stays, people are told."""

from collections.abc import Mapping
from typing import Any

import pytest

from engine.book.order_events import EventBody, order_id
from engine.book.snapshot import from_json, to_json
from engine.core.orders import DONE, WORKING
from engine.core.plan import REFUSALS_MAX
from engine.core.state import ENTRY, PROTECTIVE, TARGET_SLOT
from tests.engine.book.test_late_reports import NAME, Desk, asked

STOP = order_id(NAME, 1, PROTECTIVE)


@pytest.fixture
def desk() -> Desk:
    """Three lots of ten are in, stop and target stand for three; seven more have filled and both are to cover ten."""
    made = Desk()
    made.long(3)
    assert ("amend", STOP) in asked(made.fill(ENTRY, 7))
    return made


def refuse(desk: Desk, slot: int = PROTECTIVE) -> list[EventBody]:
    """The venue says that an order stands as before; what follows."""
    held = desk.book.orders.open[order_id(NAME, 1, slot)]
    return desk.order(slot, WORKING, held.filled, price=held.price, lots=held.lots)


def refused_for_good(desk: Desk, slot: int = PROTECTIVE) -> tuple[int, list[EventBody]]:
    """Refused until the desk no longer asks: how often, and what followed the last time."""
    for count in range(1, 100):
        following = refuse(desk, slot)
        if not [kind for kind, _ in asked(following) if kind == "amend"]:
            return count, following
    raise AssertionError("it asks for ever")


def layer_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The first layer of a mark."""
    return body["sleeves"][NAME]["position"]["layers"][0]


def test_it_is_asked_ten_times_and_the_stop_that_works_stays(desk: Desk) -> None:
    """No second stop beside it, none cancelled: what protects three lots goes on protecting them."""
    count, following = refused_for_good(desk)
    assert count == REFUSALS_MAX
    assert [order for kind, order in asked(following) if kind != "amend"] == []
    held = desk.book.orders.open[STOP]
    assert (held.state, held.lots, held.amending) == (WORKING, 3, 0)


def test_people_are_told_at_once(desk: Desk) -> None:
    """The mark that follows the last refusal says where the stop stands and how much it covers, beside where it should be."""
    _, following = refused_for_good(desk)
    (mark,) = [body for kind, body in following if kind == "mark"]
    layer = layer_of(mark)
    assert (layer["lots"], layer["stop_lots"], layer["stop_at"]) == (10, 3, desk.book.orders.open[STOP].price)
    assert layer["protective_state"] == "working"


def test_one_more_is_tried_at_each_close(desk: Desk) -> None:
    """The trail goes on being asked for, once a bar, however often it is refused."""
    refused_for_good(desk)
    for _ in range(3):
        assert asked(desk.bar(0)).count(("amend", STOP)) == 1
        assert asked(refuse(desk)) == []


def test_taken_at_last_it_is_over(desk: Desk) -> None:
    """The venue takes the amendment of a later close: the mark says nothing any more, and refusals count from one again."""
    refused_for_good(desk)
    desk.bar(0)
    following = desk.order(PROTECTIVE, WORKING, price=97.0, lots=10)
    assert not desk.book.orders.refusals
    (mark,) = [body for kind, body in following if kind == "mark"]
    assert "stop_at" not in layer_of(mark)


def test_nothing_is_added_to_the_position_meanwhile(desk: Desk) -> None:
    """Its resting entry is withdrawn and the sleeve pauses; the other sleeves go on. Then it may enter again."""
    desk.bar(1, 103.0)
    desk.order(ENTRY, WORKING, key=2)
    assert desk.book.sleeves[0].order.key == 2
    _, following = refused_for_good(desk)
    assert ("order", order_id(NAME, 2, ENTRY)) in asked(following)
    desk.order(ENTRY, DONE, key=2)
    assert [sleeve.guard.paused for sleeve in desk.book.sleeves] == [1, 0, 0]
    refused = [body for kind, body in desk.bar(1, 106.0) if kind == "decision"]
    assert [(body["action"], body["refused_by"]) for body in refused] == [("refused", "entries paused")]
    desk.order(PROTECTIVE, WORKING, price=97.0, lots=10)
    assert [sleeve.guard.paused for sleeve in desk.book.sleeves] == [0, 0, 0]


def test_a_stop_that_ends_takes_its_refusals_with_it(desk: Desk) -> None:
    """The venue has ended it: a new one is placed where it belongs, and nothing is stuck."""
    refused_for_good(desk)
    following = desk.order(PROTECTIVE, DONE)
    (placed,) = [body for kind, body in following if kind == "intent"]
    assert (placed["order"], placed["lots"]) == (order_id(NAME, 1, PROTECTIVE, 1), 10)
    assert not desk.book.orders.refusals
    assert desk.book.sleeves[0].guard.paused == 0


def test_a_stop_that_is_right_again_is_not_stuck(desk: Desk) -> None:
    """It covers three lots, was to cover ten; the target takes seven: it is where it should be, and the sleeve goes on."""
    held = desk.book.orders.open[order_id(NAME, 1, TARGET_SLOT)]
    desk.order(TARGET_SLOT, WORKING, price=held.price, lots=10)
    refused_for_good(desk)
    desk.fill(TARGET_SLOT, 7, price=held.price)
    assert not desk.book.orders.refusals
    assert desk.book.sleeves[0].guard.paused == 0


def test_a_target_is_bounded_too_and_pauses_nobody(desk: Desk) -> None:
    """It sells less than it might; the stop is where it should be."""
    desk.order(PROTECTIVE, WORKING, price=desk.book.orders.open[STOP].price, lots=10)
    count, following = refused_for_good(desk, TARGET_SLOT)
    assert count == REFUSALS_MAX
    assert "mark" not in [kind for kind, _ in following]
    assert desk.book.sleeves[0].guard.paused == 0


def test_a_snapshot_remembers_how_often(desk: Desk) -> None:
    """Written down and read back, the count goes on."""
    for _ in range(4):
        refuse(desk)
    again = from_json(to_json(desk.book))
    assert again.orders.refusals == desk.book.orders.refusals
    assert again.orders.refusals[STOP].in_a_row == 4
