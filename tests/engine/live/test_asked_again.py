"""What the venue leaves unanswered is asked about again, ever more slowly; a cancel that was lost is sent again."""

import pytest

from app.home.home import Home
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.control import halt
from engine.core.orders import CANCELLING, DONE, NO_ORDERS, PARTIAL, REJECTED, SENT, STATES, UNKNOWN, WORKING, VenueOrder, put
from engine.core.state import ENTRY, PROTECTIVE
from engine.live.loop import Loop
from engine.live.requests import AT_ONCE, WAITS_MS, Unanswered
from engine.ports import OrderReport
from engine.venues.paper import PaperVenue
from tests.fakes.papers import WALL_MS, advanced_until, holding, ordering

ORDER = VenueOrder("nd", 0, PROTECTIVE, 1, -1, 10, 95.0, 0, 0, 0.0, 0.0, 0, WORKING)


class DeafVenue(PaperVenue):
    """A paper venue that hears nothing for a while: no request reaches it, no answer comes back."""

    deaf = False
    heard: list[str]

    def cancel(self, order: VenueOrder) -> OrderReport:
        """Lost, or done."""
        self.heard.append(f"cancel {order.id}")
        return OrderReport(order.id, UNKNOWN, 0, "no answer") if self.deaf else super().cancel(order)

    def place(self, order: VenueOrder) -> OrderReport:
        """Taken, and the answer lost."""
        self.heard.append(f"place {order.id}")
        report = super().place(order)
        return OrderReport(order.id, UNKNOWN, 0, "no answer") if self.deaf else report

    def ask(self, order: VenueOrder) -> OrderReport:
        """How it stands, if anybody hears."""
        self.heard.append(f"ask {order.id}")
        return OrderReport(order.id, UNKNOWN, 0, "no answer") if self.deaf else super().ask(order)


@pytest.fixture
def venue(loop: Loop) -> DeafVenue:
    """The loop's venue."""
    made = DeafVenue()
    made.heard = []
    loop.venue = made
    return made


def at(loop: Loop, seconds: float) -> Loop:
    """The loop looks, so many seconds of wall time later."""
    loop._now_ms = lambda: WALL_MS + int(1_000 * seconds)
    loop.poll_controls()
    return loop


def entries(loop: Loop) -> list[VenueOrder]:
    """The entry orders that the book holds."""
    return [order for order in loop.book.orders.open.values() if order.slot == ENTRY]


def test_a_cancel_that_was_lost_is_sent_again(home: Home, loop: Loop, venue: DeafVenue) -> None:
    """A halt cancels the entry while the venue hears nothing; seconds later it does, and the order ends without a restart."""
    advanced_until(loop, ordering)
    entry = entries(loop)[0].id
    venue.deaf = True
    halt.set(home.path, "a test", {"name": "ann"}, WALL_MS, home.engine)
    at(loop, 0)
    assert loop.book.orders.open[entry].state == CANCELLING
    assert loop.book.sleeves[loop.book.orders.open[entry].sleeve].in_doubt > 0.0
    at(loop, 0.9)
    assert venue.heard.count(f"cancel {entry}") == 1
    at(loop, 1.0)
    assert venue.heard.count(f"cancel {entry}") == 2
    venue.deaf = False
    at(loop, 2.9)
    assert entry in venue.orders
    at(loop, 3.0)
    assert entry not in loop.book.orders.open
    assert entry not in venue.orders
    assert not any(sleeve.in_doubt for sleeve in loop.book.sleeves)
    assert to_json(fold(home.desk_journal, whole=True)) == to_json(loop.book)


def test_an_order_without_an_answer_is_asked_about_and_never_sent_again(loop: Loop, venue: DeafVenue) -> None:
    """Placed and not answered: found at the first question, one order at the venue."""
    advanced_until(loop, lambda book: not ordering(book) and not holding(book))
    venue.deaf = True
    advanced_until(loop, ordering)
    id_ = entries(loop)[0].id
    assert at(loop, 0).book.orders.open[id_].state == UNKNOWN
    venue.deaf = False
    at(loop, 1)
    assert loop.book.orders.open[id_].state == WORKING
    assert [text for text in venue.heard if id_ in text] == [f"place {id_}", f"ask {id_}"]


def test_an_entry_that_is_kept_back_is_not_asked_about(loop: Loop, venue: DeafVenue) -> None:
    """The journal is not verified: the venue does not know the order yet, and its answer would end it."""
    advanced_until(loop, lambda book: not ordering(book))
    loop.withheld = lambda: "the journal is being verified" if SENT in [order.state for order in entries(loop)] else ""
    advanced_until(loop, ordering)
    for seconds in (0, 1, 5, 60):
        at(loop, seconds)
    assert [order.state for order in entries(loop)] == [SENT] * len(entries(loop))
    assert not venue.heard


def test_questions_become_slower_and_never_stop() -> None:
    """After 1, 2, 4 ... 30 seconds each, while nothing changes; another doubt of the same order begins anew."""
    asked, clock = Unanswered(), []
    orders = put(NO_ORDERS, ORDER._replace(state=UNKNOWN))
    for now_ms in range(0, 200_000, 500):
        clock += [now_ms] * len(asked.due(orders, now_ms))
    gaps = [b - a for a, b in zip([0, *clock], clock, strict=False)]
    assert gaps[:8] == [*WAITS_MS, WAITS_MS[-1], WAITS_MS[-1]]
    cancelling = put(NO_ORDERS, ORDER._replace(state=CANCELLING))
    assert asked.due(cancelling, 200_000) == []
    assert asked.due(cancelling, 201_000) == [ORDER.id]


def test_a_venue_that_comes_back_is_not_flooded() -> None:
    """Twenty orders in doubt: a few in one look, all of them in the looks that follow."""
    orders, asked = NO_ORDERS, Unanswered()
    for n in range(20):
        orders = put(orders, ORDER._replace(id=f"nd{n:02d}", state=UNKNOWN))
    asked.due(orders, 0)
    looks = [asked.due(orders, 1_000 + n) for n in range(5)]
    assert [len(look) for look in looks] == [AT_ONCE] * 4 + [0]
    assert len({id_ for look in looks for id_ in look}) == 20


@pytest.mark.parametrize("state", STATES)
def test_only_what_the_venue_owes_is_asked_about(state: str) -> None:
    """Not one that stands or has ended: an execution that is missing comes from nobody's answer about the order."""
    order, asked = ORDER._replace(state=state, reported=5), Unanswered()
    for now_ms in (0, 1_000):
        found = asked.due(put(NO_ORDERS, order), now_ms)
    assert bool(found) is (state not in (WORKING, PARTIAL, DONE, REJECTED))
