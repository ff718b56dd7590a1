"""Law 5, journal before act: durable first; the state is a fold over the journal, and a start is replay, reconcile, run.

tests/storms does the same to a whole desk under seeded faults.
"""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.home.home import Home
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.control import halt
from engine.core.state import ENTRY, EXIT_SLOT
from engine.errors import JournalBroken
from engine.live.feed import Feed
from engine.live.loop import Loop
from engine.store.journal import journal_hash, read
from tests.fakes.papers import WALL_MS, advanced, advanced_until, holding, loop_of


def events(loop: Loop, *kinds: str) -> list:
    """What was journaled of these kinds."""
    return list(read(loop.journal.path, kinds or None))


def restarted(home: Home, feed: Feed, loop: Loop) -> Loop:
    """The same desk in a new process' shoes."""
    loop.journal.close()
    return loop_of(home, feed, fold(home.desk_journal))


def test_the_order_is_on_the_disk_before_the_venue_hears_of_it(home: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journal before act: each order that is placed between two bars is already readable in the file, as sent."""
    heard, place = [], loop.venue.place

    def placed(order):
        if order.slot in (ENTRY, EXIT_SLOT):
            assert order.id in {e.body["order"] for e in events(loop, "intent")}
            assert order.id in {id_ for e in events(loop, "sent") for id_ in e.body["orders"]}
            heard.append(order.slot)
        return place(order)

    monkeypatch.setattr(loop.venue, "place", placed)
    advanced_until(loop, holding)
    halt.set(home.path, "a test", {"name": "ann"}, WALL_MS, home.engine)
    loop.poll_controls()
    assert set(heard) == {ENTRY, EXIT_SLOT}


@pytest.mark.parametrize("broken", ["fdatasync", "write"])
def test_a_disk_that_fails_stops_the_desk_before_it_acts(loop: Loop, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """ENOSPC at the write or at the sync: JournalBroken, no order leaves, and it is not asked again."""
    advanced_until(loop, lambda book: not loop.replaying)
    asked = []

    def fails(*_args: object) -> int:
        asked.append(1)
        raise OSError(28, "No space left on device")

    before = len(loop.venue.requests)
    monkeypatch.setattr(os, broken, fails)
    for _ in range(3):
        with pytest.raises(JournalBroken):
            loop.step()
    assert len(asked) == 1
    assert len(loop.venue.requests) == before


def test_a_restart_changes_nothing(home: Home, feed: Feed, loop: Loop) -> None:
    """Stopped and folded at any bars, with positions and orders open: the hash and the state of an undisturbed run."""
    advanced(loop, 300)
    undisturbed, state = journal_hash(home.desk_journal), to_json(loop.book)
    loop.journal.close()

    @settings(max_examples=4, deadline=None, derandomize=True, database=None)
    @given(st.sets(st.integers(1, 299), min_size=2, max_size=6))
    def stopped_at(bars: set[int]) -> None:
        home.desk_journal.unlink()
        again = loop_of(home, feed)
        for bar in sorted(bars | {300}):
            again = restarted(home, feed, advanced(again, bar - again.book.count))
        again.journal.close()
        assert to_json(again.book) == state
        assert journal_hash(home.desk_journal) == undisturbed

    stopped_at()


def test_the_state_is_a_fold_over_the_journal(home: Home, loop: Loop) -> None:
    """From the first record, from the last snapshot, and in memory: three ways to the same bits."""
    advanced(loop, 6 * 96 + 31)
    loop.journal.close()
    tail, whole = fold(home.desk_journal), fold(home.desk_journal, whole=True)
    assert to_json(tail) == to_json(whole) == to_json(loop.book)
    assert tail.sleeves == loop.book.sleeves
    assert tail.recent_r == loop.book.recent_r
    assert sum(s.ledger.trips for s in loop.book.sleeves) > 3, "the market traded, or this says little"
