"""While the journal is not verified the desk enters nothing; exits and protective orders go on, and the journal folds."""

from app.home.home import Home
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.live.feed import Feed
from engine.live.loop import Loop
from engine.store.journal import read
from tests.fakes.papers import advanced, advanced_until, holding, loop_of, ordering


def test_nothing_enters_and_positions_still_leave(home: Home, loop: Loop) -> None:
    """From the first withheld bar on: no intent, no fill of an entry; open positions end by their own orders."""
    advanced_until(loop, lambda book: ordering(book) and holding(book))
    loop.withheld = lambda: "the journal is being verified"
    last = loop.journal.head.seq
    advanced_until(loop, lambda book: not holding(book))
    advanced(loop, 200)
    since = list(read(home.desk_journal, after=last))
    assert not [e for e in since if e.kind == "intent"]
    slots = {e.body["slot"] for e in since if e.kind == "fill"}
    assert slots
    assert "entry" not in slots
    assert [e.body["state"] for e in since if e.kind == "order"] == ["cancelled"]
    assert not loop.venue.working
    assert to_json(fold(home.desk_journal, whole=True)) == to_json(loop.book)


def test_entries_begin_again_once_it_is_verified(loop: Loop) -> None:
    """The pause is the bar's, not the sleeve's."""
    loop.withheld = lambda: "the journal is being verified"
    advanced(loop, 150)
    assert not ordering(loop.book)
    loop.withheld = lambda: ""
    assert ordering(advanced_until(loop, ordering).book)


def test_a_restart_hands_no_order_over_before_it_is_verified(home: Home, feed: Feed, loop: Loop) -> None:
    """Verified before the next bar, the order is sent then; else that bar takes it back."""
    advanced_until(loop, ordering)
    loop.journal.close()
    for verified in (True, False):
        again = loop_of(home, feed, fold(home.desk_journal))
        again.venue.working.clear()
        again.venue.requests.clear()
        again.withheld = lambda: "the journal is being verified"
        again.submit_pending()
        assert not again.venue.requests
        if verified:
            again.withheld = lambda: ""
        again.step()
        placed = [r for r in again.venue.requests if r.what == "place"]
        assert bool(placed) is verified
        advanced_until(again, ordering) if verified else None
        again.journal.close()


def test_a_healthy_bar_says_nothing_of_it(home: Home, loop: Loop) -> None:
    """The journal's hash of a desk whose journal verified at once is what it was."""
    advanced(loop, 10)
    assert all("withheld" not in e.body for e in read(home.desk_journal, {"bar"}))
