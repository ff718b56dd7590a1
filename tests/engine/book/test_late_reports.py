"""What a storm over orders found, one case each: late executions, ends while an amendment is under way, ids that came twice."""

from typing import Any

import pytest

from engine.book import order_events
from engine.book.book import Book
from engine.book.order_events import EventBody, order_id
from engine.book.transitions import begin, step
from engine.core.ledger import fits
from engine.core.orders import DONE, PARTIAL, REJECTED, UNKNOWN, WORKING
from engine.core.state import ENTRY, EXIT_SLOT, NO_FILL, NONE, PROTECTIVE, TARGET_SLOT, Signal
from tests.fakes.order_desks import bar_body, config_body

NAME = "adds"


class Desk:
    """The first sleeve of a small desk, told things one after the other."""

    def __init__(self) -> None:
        self.book: Book = begin(config_body())[0]
        self.trades = 0

    def bar(self, side: int, price: float = 100.0, *, strength: float = 0.9) -> list[EventBody]:
        """A flat bar at `price`, the sleeve's signal on `side`."""
        signals = {name: Signal(side if name == NAME else 0, strength, 2.0, 0.5, 0.0, 0.0, 0.0, 0, 1) for name in self.book.names}
        return self.told("bar", bar_body(self.book, [[price, price, price, price, 1e6, 0.0, 0.0]] * 2, signals))

    def order(self, slot: int, state: str, filled: int = 0, *, key: int = 1, attempt: int = 0, **more: Any) -> list[EventBody]:
        """The venue's word about an order."""
        body = {"order": order_id(NAME, key, slot, attempt), "state": state, "filled_lots": filled, "why": "", **more}
        return self.told("order", body)

    def fill(
        self, slot: int, lots: int, *, key: int = 1, attempt: int = 0, trade: str = "", price: float = 100.0
    ) -> list[EventBody]:
        """An execution."""
        self.trades += 1
        body = {"trade": trade or f"t{self.trades}", "order": order_id(NAME, key, slot, attempt), "lots": lots, "price": price}
        money = {"fee": 0.1, "liquidity": "taker", "reference_price": price, "t_ms": self.book.close_ms}
        return self.told("fill", body | money)

    def told(self, kind: str, body: dict[str, Any]) -> list[EventBody]:
        """One leading event; what follows it."""
        return step(self.book, kind, body, {}, {})[1]

    @property
    def layers(self) -> list[tuple[int, int, int]]:
        """(key, lots, exit_pending) of the open layers."""
        return [(layer.key, layer.lots, layer.exit_pending) for layer in self.book.sleeves[0].position.layers if layer.lots]

    def long(self, lots: int = 10) -> None:
        """An entry that filled, its protective order and target working."""
        self.bar(1)
        self.order(ENTRY, WORKING)
        self.fill(ENTRY, lots)
        self.order(PROTECTIVE, WORKING)
        self.order(TARGET_SLOT, WORKING)


def asked(following: list[EventBody]) -> list[tuple[str, str]]:
    """(kind, order) of what the venue is asked."""
    return [(kind, body["order"]) for kind, body in following if kind in ("intent", "amend", "order")]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk before its first bar; it forgets what it may at every bar."""
    monkeypatch.setattr(order_events, "ATTEMPTS_KEPT", 0)
    return Desk()


def test_a_layer_that_a_late_execution_opens_again_gets_new_ids(desk: Desk) -> None:
    """Stopped out while its entry was being cancelled; bars pass; the rest of the entry comes. Its first stop's id was used."""
    desk.long(3)
    desk.fill(PROTECTIVE, 3)
    desk.order(TARGET_SLOT, DONE)
    assert not desk.layers
    desk.bar(0)
    desk.bar(0)
    following = desk.fill(ENTRY, 7)
    assert asked(following)[:1] == [("intent", order_id(NAME, 1, PROTECTIVE, 1))]


def test_an_amended_order_that_fills_before_the_answer_goes_on(desk: Desk) -> None:
    """Three lots here, ten at the venue: after three it is not over, and no second protective order is placed."""
    desk.long(3)
    assert ("amend", order_id(NAME, 1, PROTECTIVE)) in asked(desk.fill(ENTRY, 7))
    desk.fill(PROTECTIVE, 3)
    following = desk.order(PROTECTIVE, PARTIAL, 3, price=96.0, lots=10)
    assert ("intent", order_id(NAME, 1, PROTECTIVE, 1)) not in asked(following)
    assert desk.book.orders.open[order_id(NAME, 1, PROTECTIVE)].left == 7
    desk.fill(PROTECTIVE, 7)
    assert not desk.layers
    assert order_id(NAME, 1, PROTECTIVE) not in desk.book.orders.open


@pytest.mark.parametrize("why", ["fade", "halt"])
def test_a_late_part_of_the_entry_does_not_undo_an_exit(desk: Desk, why: str) -> None:
    """Decided for three lots, it is decided for the seven that come afterwards."""
    desk.long(3)
    if why == "fade":
        desk.bar(1, strength=0.01)
    else:
        desk.told("halt", {"state": "halted", "reason": "a test", "by": "ann"})
    desk.order(EXIT_SLOT, WORKING)
    decided = desk.layers[0][2]
    following = desk.fill(ENTRY, 7)
    assert decided != NONE
    assert desk.layers == [(1, 10, decided)]
    assert ("order", order_id(NAME, 1, EXIT_SLOT)) not in asked(following), "the exit was cancelled"
    following = desk.fill(EXIT_SLOT, 3)
    assert ("intent", order_id(NAME, 1, EXIT_SLOT, 1)) in asked(following)


def test_what_a_dead_stop_left_leaves_at_the_market(desk: Desk) -> None:
    """It filled in part and the venue ended it: the rest is not left to a stop that the market may never reach again."""
    desk.long(10)
    assert asked(desk.fill(PROTECTIVE, 4)) == [("order", order_id(NAME, 1, TARGET_SLOT))], "one exit is at work"
    following = desk.order(PROTECTIVE, DONE, 4)
    assert asked(following) == [("intent", order_id(NAME, 1, PROTECTIVE, 1)), ("intent", order_id(NAME, 1, EXIT_SLOT))]
    assert {body["lots"] for kind, body in following if kind == "intent"} == {6}


def late_entry_of_the_other_side(desk: Desk) -> None:
    """A short entry without an answer is withdrawn; the sleeve, flat, orders a long one; then the short one has filled."""
    desk.bar(-1)
    desk.order(ENTRY, UNKNOWN)
    desk.told("health", {"what": "stream", "state": "begun", "why": "silent"})
    desk.told("health", {"what": "stream", "state": "over", "why": ""})
    desk.order(ENTRY, WORKING)
    desk.bar(1)


def test_an_entry_of_the_other_side_is_never_booked_as_more_of_this_one(desk: Desk) -> None:
    """A buy does not make a short larger: it is withdrawn, and its execution is a difference for a person."""
    late_entry_of_the_other_side(desk)
    following = desk.fill(ENTRY, 10)
    desk.order(ENTRY, WORKING, key=2)
    assert desk.layers[0][:2] == (1, 10)
    assert desk.book.sleeves[0].order.side == 0, following
    desk.fill(ENTRY, 10, key=2, trade="other")
    assert [layer[:2] for layer in desk.layers] == [(1, 10)]
    assert "other" in desk.book.differences


def test_an_execution_is_booked_once_however_late_it_is_told_again(desk: Desk) -> None:
    """Its time at the venue is two days old; a bar later it comes again."""
    desk.long(3)
    body = {"trade": "old", "order": order_id(NAME, 1, ENTRY), "lots": 2, "price": 100.0, "fee": 0.1, "liquidity": "taker"}
    body |= {"reference_price": 100.0, "t_ms": desk.book.close_ms - 2 * 86_400_000}
    desk.told("fill", body)
    desk.bar(0)
    desk.told("fill", body)
    assert [layer[:2] for layer in desk.layers] == [(1, 5)]


def test_a_late_execution_of_an_ended_entry_opens_its_layer(desk: Desk) -> None:
    """Cancelled, says the venue, with nothing filled; then the trade comes. It is booked and protected."""
    desk.bar(1)
    desk.order(ENTRY, DONE)
    following = desk.fill(ENTRY, 4)
    assert [layer[:2] for layer in desk.layers] == [(1, 4)]
    assert ("intent", order_id(NAME, 1, PROTECTIVE)) in asked(following)
    assert not desk.book.differences


def test_an_entry_is_withdrawn_when_something_is_not_well(desk: Desk) -> None:
    """At once, not at the next close; the protective order of an open layer stays."""
    desk.long(10)
    desk.bar(1, 103.0)
    desk.order(ENTRY, WORKING, key=2)
    following = desk.told("health", {"what": "stream", "state": "begun", "why": "silent"})
    assert asked(following) == [("order", order_id(NAME, 2, ENTRY))]


def test_an_amendment_asks_for_what_filled_and_what_is_left(desk: Desk) -> None:
    """A target of six that filled two, and four more of the entry: ten in all, of which eight may fill."""
    desk.long(6)
    desk.fill(TARGET_SLOT, 2, price=108.0)
    amends = {body["order"]: body["lots"] for kind, body in desk.fill(ENTRY, 4) if kind == "amend"}
    assert amends[order_id(NAME, 1, TARGET_SLOT)] == 10


def test_an_entry_fits_on_its_own_side_alone(desk: Desk) -> None:
    """A sleeve that is short books no buy of an entry, whatever it ordered."""
    desk.long(10)
    sleeve = desk.book.sleeves[0]
    bought = NO_FILL._replace(slot=ENTRY, key=2, layer=1, lots=5, price=100.0)
    for side, books in ((1, True), (-1, False)):
        ordered = sleeve._replace(order=sleeve.order._replace(key=2, side=side, lots=5))
        assert fits(ordered, bought) == books


def test_a_rejected_stop_is_tried_ten_times_and_no_more(desk: Desk) -> None:
    """Each under its own id."""
    desk.bar(1)
    desk.order(ENTRY, WORKING)
    following = desk.fill(ENTRY, 10)
    placed = [order for kind, order in asked(following) if kind == "intent" and order[14] == "S"]
    for attempt in range(10):
        following = desk.order(PROTECTIVE, REJECTED, attempt=attempt)
        placed += [order for kind, order in asked(following) if kind == "intent"]
    assert placed == [order_id(NAME, 1, PROTECTIVE, attempt) for attempt in range(10)]


def test_no_entry_while_the_venue_may_still_fill_one_that_is_not_wanted(desk: Desk) -> None:
    """The signal turns, the entry is being cancelled: nothing enters on the other side before the venue has said how it ended."""
    desk.bar(1)
    desk.order(ENTRY, WORKING)
    desk.bar(-1)
    assert desk.book.sleeves[0].in_doubt > 0.0
    refused = [body for kind, body in desk.bar(-1) if kind == "decision"]
    assert [(b["action"], b.get("refused_by")) for b in refused] == [("refused", "entries paused")]
    desk.order(ENTRY, DONE)
    entered = [body["key"] for kind, body in desk.bar(-1) if kind == "intent"]
    assert entered == [2]
