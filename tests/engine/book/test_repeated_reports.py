"""The venue says again what it said long ago: nothing new blocks nobody, and whatever may be new is a difference for a person."""

from typing import Any

import pytest

from engine.book import order_events
from engine.book.order_events import issued, order_id
from engine.book.snapshot import from_json, to_json
from engine.core import orders
from engine.core.orders import CANCELLING, DONE, ENDED_KEPT, PARTIAL, REJECTED, UNKNOWN, WORKING, find
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE, TARGET_SLOT
from tests.engine.book.test_late_reports import NAME, Desk

TRIPS = ENDED_KEPT // 3 + 2  # entry, stop and target of each


def trip(desk: Desk, key: int) -> None:
    """In, and out at the target; the stop is cancelled."""
    desk.bar(1)
    desk.order(ENTRY, WORKING, key=key)
    desk.fill(ENTRY, 10, key=key)
    desk.order(PROTECTIVE, WORKING, key=key)
    desk.order(TARGET_SLOT, WORKING, key=key)
    desk.fill(TARGET_SLOT, 10, key=key, price=108.0)
    desk.order(PROTECTIVE, DONE, key=key)


@pytest.fixture(scope="module")
def traded() -> dict[str, Any]:
    """A desk after so many round trips that it has forgotten the first one's orders, as a snapshot."""
    desk = Desk()
    for key in range(1, TRIPS + 1):
        trip(desk, key)
    return to_json(desk.book)


@pytest.fixture
def desk(traded: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """That desk, flat, all of its orders ended; what may be forgotten is forgotten."""
    monkeypatch.setattr(order_events, "ATTEMPTS_KEPT", 0)
    made = Desk()
    made.book = from_json(traded)
    made.trades = 2 * TRIPS
    made.bar(0)
    assert find(made.book.orders, order_id(NAME, 1)) is None
    assert not made.book.entries_blocked
    return made


@pytest.mark.parametrize(
    ("slot", "state", "filled"),
    [
        (ENTRY, DONE, 10),
        (ENTRY, DONE, 4),
        (TARGET_SLOT, DONE, 10),
        (PROTECTIVE, DONE, 0),
        (PROTECTIVE, REJECTED, 0),
    ],
)
def test_an_end_that_is_told_again_blocks_nobody(desk: Desk, slot: int, state: str, filled: int) -> None:
    """An order of long ago, as it was booked or less: nothing follows, nothing changes, and the desk enters."""
    before = to_json(desk.book)
    assert desk.order(slot, state, filled) == []
    assert to_json(desk.book) == before
    assert [kind for kind, _ in desk.bar(1)].count("intent") == 1


@pytest.mark.parametrize(
    ("slot", "state", "filled", "changes"),
    [
        (ENTRY, DONE, 11, {}),  # one lot more than was booked
        (PROTECTIVE, DONE, 1, {}),  # it ended with nothing filled
        (ENTRY, WORKING, 0, {}),  # it is said to stand there
        (ENTRY, PARTIAL, 4, {}),
        (ENTRY, UNKNOWN, 0, {}),
        (ENTRY, CANCELLING, 0, {}),
        (ENTRY, DONE, 0, {"key": TRIPS + 1}),  # the sleeve has not made so many
        (ENTRY, DONE, 0, {"key": 0}),
        (PROTECTIVE, DONE, 0, {"attempt": 99}),  # no layer has had so many
    ],
)
def test_what_may_be_new_is_a_difference(desk: Desk, slot: int, state: str, filled: int, changes: dict[str, int]) -> None:
    """Nothing enters, and the mark says what differs, so that a page goes out."""
    following = desk.order(slot, state, filled, **changes)
    id_ = order_id(NAME, changes.get("key", 1), slot, changes.get("attempt", 0))
    assert [kind for kind, _ in following] == ["reconcile", "mark"]
    assert list(following[-1][1]["differs"]) == [id_]
    assert not [kind for kind, _ in desk.bar(1) if kind == "intent"]


def test_a_new_trade_of_an_order_of_long_ago_is_a_difference(desk: Desk) -> None:
    """Under a trade id that was booked it is old; under another it is not, whatever its order."""
    assert desk.fill(ENTRY, 10, trade="t1") == []
    assert [kind for kind, _ in desk.fill(ENTRY, 1, trade="new")] == ["reconcile", "mark"]


@pytest.mark.parametrize(
    "id_", ["", "x1", "nd", "ndzzzz00000001E00", order_id("other", 1), order_id(NAME, 1) + "0", "ND" + order_id(NAME, 1)[2:]]
)
def test_an_order_of_somebody_else_is_a_difference(desk: Desk, id_: str) -> None:
    """Not our form, not our sleeves: we have not issued it."""
    desk.told("order", {"order": id_, "state": DONE, "filled_lots": 0, "why": ""})
    assert list(desk.book.differences) == [id_]


def test_an_attempt_of_an_open_layer_must_have_been_made(desk: Desk) -> None:
    """Its attempts are remembered: an exit that nobody ordered is not ours, its first stop is."""
    key = TRIPS + 1
    desk.bar(1)
    desk.order(ENTRY, WORKING, key=key)
    desk.fill(ENTRY, 10, key=key)
    assert issued(desk.book, order_id(NAME, key, PROTECTIVE))
    assert not issued(desk.book, order_id(NAME, key, PROTECTIVE, 1))
    assert not issued(desk.book, order_id(NAME, key, EXIT_SLOT))


def test_lots_too_old_to_be_known_are_a_difference(traded: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lots are remembered of older orders here: the first entry's are not, so that nobody can say whether they are new."""
    monkeypatch.setattr(orders, "FILLED_KEPT", 2)
    desk = Desk()
    desk.book = from_json(traded)
    desk.trades = 2 * TRIPS
    trip(desk, TRIPS + 1)
    assert len(desk.book.orders.filled) == 2
    desk.order(ENTRY, DONE, 0)
    assert not desk.book.differences
    desk.order(ENTRY, DONE, 10)
    assert list(desk.book.differences) == [order_id(NAME, 1)]


def test_a_trade_of_days_ago_is_not_booked_twice() -> None:
    """A quiet desk: four lots of ten came, the order ended; a hundred bars later the venue reports the same trade again."""
    desk = Desk()
    desk.bar(1)
    desk.order(ENTRY, WORKING)
    desk.fill(ENTRY, 4, trade="old")
    desk.order(ENTRY, DONE, 4)
    for _ in range(100):
        desk.bar(1)
    desk.fill(ENTRY, 4, trade="old")
    assert [layer[:2] for layer in desk.layers] == [(1, 4)]
    assert not desk.book.differences


def test_trades_of_long_ago_are_forgotten_once_they_are_many(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those from before yesterday the last few stay, of today's all."""
    monkeypatch.setattr(order_events, "TRADES_KEPT", 3)
    for _ in range(100):
        desk.bar(0)
    assert list(desk.book.orders.trades) == [f"t{n}" for n in range(2 * TRIPS - 2, 2 * TRIPS + 1)]
    trip(desk, TRIPS + 1)
    trip(desk, TRIPS + 2)
    desk.bar(0)
    assert len(desk.book.orders.trades) == 4
