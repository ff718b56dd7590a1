"""The ids of a home that was begun anew on an account: none that an earlier home has used."""

import pytest

from app.processes.live_start import ids_from
from engine.book.order_events import issued, order_id
from engine.book.snapshot import from_json, to_json
from engine.book.transitions import begin
from engine.core.orders import REJECTED, WORKING
from engine.core.state import ENTRY, PROTECTIVE
from tests.engine.book.test_late_reports import NAME, Desk
from tests.fakes.order_desks import config_body

FROM = 120_000


@pytest.fixture
def desk() -> Desk:
    """A desk whose ids begin behind a number of its own."""
    made, body = Desk(), config_body()
    body["start"]["ids_from"] = FROM
    made.book = begin(body)[0]
    return made


def test_each_order_counts_on_from_the_home_s_own_begin(desk: Desk) -> None:
    """Entry, stop and its second attempt; what an earlier home called its first entry is not this one's."""
    desk.bar(1)
    assert order_id(NAME, FROM + 1) in desk.book.orders.open
    desk.order(ENTRY, WORKING, key=FROM + 1)
    desk.fill(ENTRY, 10, key=FROM + 1)
    assert order_id(NAME, FROM + 1, PROTECTIVE) in desk.book.orders.open
    desk.order(PROTECTIVE, REJECTED, key=FROM + 1)
    assert order_id(NAME, FROM + 1, PROTECTIVE, 1) in desk.book.orders.open
    assert issued(desk.book, order_id(NAME, FROM + 1, PROTECTIVE))
    assert not issued(desk.book, order_id(NAME, 1))
    assert not issued(desk.book, order_id(NAME, FROM + 2))
    assert from_json(to_json(desk.book)).ids_from == FROM


def test_two_homes_do_not_meet() -> None:
    """Ten thousand numbers each, of eight digits; the same after every start."""
    homes = [f"home-{n}" for n in range(20)]
    begun = [ids_from(home) for home in homes]
    assert begun == [ids_from(home) for home in homes]
    assert len(set(begun)) == len(begun)
    assert all(n % 10_000 == 0 and 10_000 <= n < 10**8 - 10_000 for n in begun)
