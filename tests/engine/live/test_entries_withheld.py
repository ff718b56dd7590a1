"""While the journal is not verified the desk enters nothing; exits and protective orders go on, and the journal folds."""

from app.home.home import Home
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.core.state import ENTRY
from engine.live.feed import Feed
from engine.live.loop import Loop
from engine.store.journal import read
from tests.fakes.papers import advanced, advanced_until, begun, holding, ordering


def test_nothing_enters_and_positions_still_leave(home: Home, loop: Loop) -> None:
    """From the first withheld bar on: no intent, no fill of an entry; open positions end by their own orders."""
    advanced_until(loop, lambda book: ordering(book) and holding(book))
    loop.withheld = lambda: "the journal is being verified"
    last = loop.journal.head.seq
    advanced_until(loop, lambda book: not holding(book))
    advanced(loop, 200)
    since = list(read(home.desk_journal, after=last))
    assert not [e for e in since if e.kind == "intent" and e.body["slot"] == "entry"]
    slots = {e.body["slot"] for e in since if e.kind == "fill"}
    assert slots
    assert "entry" not in slots
    assert [e.body["state"] for e in since if e.kind == "order" and e.body["slot"] == "entry"] == ["cancelling", "done"]
    assert not loop.venue.orders
    assert to_json(fold(home.desk_journal, whole=True)) == to_json(loop.book)


def test_entries_begin_again_once_it_is_verified(loop: Loop) -> None:
    """The pause is the bar's, not the sleeve's."""
    loop.withheld = lambda: "the journal is being verified"
    advanced(loop, 150)
    assert not ordering(loop.book)
    loop.withheld = lambda: ""
    assert ordering(advanced_until(loop, ordering).book)


def test_a_restart_hands_no_order_over_before_it_is_verified(home: Home, feed: Feed, loop: Loop) -> None:
    """Killed before its order was answered. Verified before the next bar, it is sent then; else that bar withdraws it."""
    advanced_until(loop, ordering)
    loop.journal.close()
    lines = home.desk_journal.read_bytes().splitlines(keepends=True)
    answered = max(n for n, line in enumerate(lines) if b'"kind":"mark"' in line) + 1
    home.desk_journal.write_bytes(b"".join(lines[:answered]))
    killed = home.desk_journal.read_bytes()
    for verified in (True, False):
        home.desk_journal.write_bytes(killed)
        book = fold(home.desk_journal)
        sent = next(o for o in book.orders.open.values() if o.slot == ENTRY)
        assert sent.state == "sent"
        again = begun(home, feed, book)
        again.withheld = lambda: "the journal is being verified"
        again.resume()
        assert not again.venue.requests
        if verified:
            again.withheld = lambda: ""
        again.step()
        assert any(r.what == "place" and r.slot == ENTRY for r in again.venue.requests) is verified
        ended = [o.why for o in again.book.orders.ended if o.id == sent.id]
        assert ended == ([""] if verified else ["never sent: the journal is being verified"])
        again.journal.close()


def test_a_healthy_bar_says_nothing_of_it(home: Home, loop: Loop) -> None:
    """The journal of a desk that verified at once says nothing of health, and its marks of nothing that blocks entries."""
    advanced(loop, 10)
    assert not list(read(home.desk_journal, {"health"}))
    assert all("blocked" not in e.body for e in read(home.desk_journal, {"mark"}))
