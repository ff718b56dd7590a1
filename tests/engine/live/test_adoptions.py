"""An adoption goes from its row to the journal through the worker's loop: once, also over a crash, and the journal folds."""

from typing import Any

import pytest
from sqlalchemy import text

from app.home.home import Home
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.control import adoptions
from engine.core.state import PROTECTIVE
from engine.errors import Refused
from engine.live.feed import Feed
from engine.live.loop import Loop
from engine.store.journal import read
from tests.fakes.papers import WALL_MS, advanced, advanced_until, holding, loop_of

ANN = {"name": "ann"}
ODD = {
    "trade": "odd",
    "order": "x1",
    "lots": 1,
    "price": 99.0,
    "fee": 0.5,
    "liquidity": "taker",
    "reference_price": 99.0,
    "t_ms": 0,
}


@pytest.fixture
def differing(loop: Loop) -> Loop:
    """A desk that holds a position and was told of a trade that it cannot explain."""
    advanced_until(loop, holding)
    loop.take("fill", ODD)
    assert loop.book.entries_blocked
    return loop


def body_of(loop: Loop, **changes: Any) -> dict[str, Any]:
    """One lot less in the first open layer."""
    name, sleeve = next((n, s) for n, s in zip(loop.book.names, loop.book.sleeves, strict=True) if s.position.open_layers)
    layer = sleeve.position.layers[0]
    body = {"difference": "odd", "by": "ann", "reason": "by hand", "order": "x1", "lots": 1, "filled_lots": 0, "sleeve": name}
    body |= {"key": layer.key, "side": sleeve.position.side, "lots_before": layer.lots, "lots_after": layer.lots - 1}
    return body | {"price": 99.0, "fee": 0.5, "atr": None} | changes


def lots(loop: Loop) -> int:
    """Of the first open layer."""
    return next(s.position.layers[0].lots for s in loop.book.sleeves if s.position.open_layers)


def journaled(home: Home) -> list[dict[str, Any]]:
    """Adoptions in the desk journal."""
    return [dict(event.body) for event in read(home.desk_journal, {"adopt"})]


def test_the_worker_takes_it_at_its_next_look(home: Home, differing: Loop) -> None:
    """Journaled with its person; the position is one lot smaller, the stop at the venue too; entries go on; the journal folds."""
    loop, before = differing, lots(differing)
    number = adoptions.ask(home.engine, body_of(loop), ANN, WALL_MS)
    assert loop.poll_controls()
    (event,) = journaled(home)
    assert (event["adopted"], event["by"], event["reason"], event["request"]) == (True, "ann", "by hand", number)
    assert lots(loop) == before - 1
    assert before - 1 in [order.lots for order in loop.venue.orders.values() if order.slot == PROTECTIVE]
    assert not loop.book.entries_blocked
    assert adoptions.answer_of(home.engine, number) == ("adopted", "")
    assert not loop.poll_controls()
    advanced(loop, 30)
    assert len(journaled(home)) == 1
    assert to_json(fold(home.desk_journal, whole=True)) == to_json(loop.book)


def test_one_that_does_not_fit_is_refused_with_its_reason(home: Home, differing: Loop) -> None:
    """The position has changed since the person looked: nothing moves, entries stay blocked, another one may be asked."""
    number = adoptions.ask(home.engine, body_of(differing, lots_before=9_999_999), ANN, WALL_MS)
    differing.poll_controls()
    answer = adoptions.answer_of(home.engine, number)
    assert (answer.state, "by now" in answer.why) == ("refused", True)
    assert differing.book.entries_blocked
    again = adoptions.ask(home.engine, body_of(differing), ANN, WALL_MS)
    differing.poll_controls()
    assert adoptions.answer_of(home.engine, again).state == "adopted"
    assert to_json(fold(home.desk_journal, whole=True)) == to_json(differing.book)


def test_a_row_that_was_edited_stops_no_worker(home: Home, differing: Loop) -> None:
    """Its body is not an adoption: answered, journaled, and the loop goes on."""
    number = adoptions.ask(home.engine, body_of(differing), ANN, WALL_MS)
    with home.engine.begin() as connection:
        connection.execute(text("UPDATE adoptions SET body = '{}'"))
    advanced(differing, 2)
    assert adoptions.answer_of(home.engine, number).state == "refused"
    assert differing.book.entries_blocked


def test_two_of_one_difference_do_not_wait_together(home: Home, differing: Loop) -> None:
    """The second person is told that one waits."""
    adoptions.ask(home.engine, body_of(differing), ANN, WALL_MS)
    with pytest.raises(Refused, match="waits for the worker"):
        adoptions.ask(home.engine, body_of(differing), {"name": "bob"}, WALL_MS)


def test_killed_before_its_answer_it_is_not_taken_twice(home: Home, feed: Feed, differing: Loop) -> None:
    """The journal has it, the row still waits: the next start answers the row and adopts nothing more."""
    number = adoptions.ask(home.engine, body_of(differing), ANN, WALL_MS)
    differing.poll_controls()
    held = lots(differing)
    with home.engine.begin() as connection:
        connection.execute(text("UPDATE adoptions SET state = 'pending'"))
    differing.journal.close()
    loop = loop_of(home, feed, fold(home.desk_journal))
    assert adoptions.answer_of(home.engine, number).state == "adopted"
    assert (lots(loop), len(journaled(home))) == (held, 1)
    loop.journal.close()
