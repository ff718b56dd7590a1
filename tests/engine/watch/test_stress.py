"""The worst recorded days on a desk that holds a position: equal to what follows from the levels, and nothing is changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.home.home import open_home
from engine.book.book import Book
from engine.clock import DAY_MS
from engine.core.ledger import open_lots
from engine.core.state import BY_TIME, EXIT_REASONS, FADE, FLAT, NO_ORDER, Rules, Sleeve
from engine.data.align import Market
from engine.data.timeframes import DeskBars
from engine.errors import BadInput, DataError
from engine.live.loop import Loop
from engine.watch import stress
from engine.watch.window import first_mark
from tests.fakes.papers import WALL_MS, advanced_until, feed_of, furnished, loop_of

BARS = 96
DAYS = 4


@pytest.fixture
def holding(own_home: Path) -> Iterator[Loop]:
    """A real desk that holds a position."""
    furnished(own_home)
    home = open_home(WALL_MS)
    loop = advanced_until(loop_of(home, feed_of(home)), holds)
    yield loop
    loop.journal.close()


def holds(book: Book) -> bool:
    """Whether a sleeve has a position."""
    return any(sleeve.position.open_layers for sleeve in book.sleeves)


def market(book: Book, moves: list[float]) -> Market:
    """Days of 15m bars of the desk's columns: each goes in a straight line by its move, from a price of its own."""
    width = len(book.columns)
    shape = (BARS * len(moves), width)
    path = np.concatenate([np.linspace(1.0, 1.0 + move, BARS + 1) for move in moves]).reshape(len(moves), BARS + 1)
    opens, closes = (np.repeat(part.reshape(-1, 1), width, axis=1) * 7.0 for part in (path[:, :-1], path[:, 1:]))
    close_ms = DAY_MS * 20_000 + (np.arange(shape[0]) + 1) * 900_000
    zeros, volume = np.zeros(shape), np.full(shape, 1e9)
    high, low = np.maximum(opens, closes), np.minimum(opens, closes)
    return Market(tuple(book.columns), 900_000, close_ms, opens, high, low, closes, volume, zeros, zeros, ())


def units_of(book: Book, sleeve: Sleeve, rules: Rules) -> float:
    """Signed base units of a sleeve's position."""
    return open_lots(sleeve.position) * rules.lot_size * sleeve.position.side


def holders(book: Book) -> list[tuple[Sleeve, Rules]]:
    """The sleeves that hold something."""
    pairs = [(sleeve, spec.rules) for sleeve, spec in zip(book.sleeves, book.specs, strict=True)]
    return [(sleeve, rules) for sleeve, rules in pairs if sleeve.position.open_layers]


def side_of(book: Book) -> int:
    """The one side that is held."""
    (side,) = {sleeve.position.side for sleeve, _ in holders(book)}
    return side


def found(book: Book, moves: list[float], count: int = DAYS) -> stress.Stress:
    """The worst days of such a market."""
    return stress.stress_of(book, market(book, moves), count, "e1")


def test_a_day_within_the_levels_is_arithmetic(holding: Loop) -> None:
    """No stop is reached: the desk loses what its units lose, and has them still."""
    book = holding.book
    nearest = min(abs(x.position.layers[0].stop / book.bars[r.instrument].close - 1.0) for x, r in holders(book))
    move = -0.1 * nearest * side_of(book)
    seen = found(book, [move])
    lost = sum(units_of(book, sleeve, rules) * book.bars[rules.instrument].close * move for sleeve, rules in holders(book))
    (day,) = seen.days
    assert day.after == pytest.approx(seen.before + lost, abs=1e-6)
    assert day.lowest <= day.after + 1e-9
    assert not day.exits
    assert not day.halts


def test_a_day_through_the_stops_leaves_there(holding: Loop) -> None:
    """The loss is that of the stops, and not that of the day."""
    book = holding.book
    move = -0.3 * side_of(book)
    seen = found(book, [move])
    at_stops, at_the_end = 0.0, 0.0
    for sleeve, rules in holders(book):
        close, side = book.bars[rules.instrument].close, sleeve.position.side
        levels = [max(side * x.stop, side * sleeve.position.trail or -1e18) * side for x in sleeve.position.layers[:1]]
        at_stops += units_of(book, sleeve, rules) * (levels[0] - close)
        at_the_end += units_of(book, sleeve, rules) * close * move
    (day,) = seen.days
    assert {reason for _, reason in day.exits} <= {"stop", "trail"}
    assert day.after - seen.before == pytest.approx(at_stops, rel=0.2)
    assert abs(day.after - seen.before) < abs(at_the_end) / 2


def test_the_worst_come_first_and_the_book_stays(holding: Loop) -> None:
    """Ranked by the lowest equity; each names its date and move; the desk is not moved by being asked."""
    book, side = holding.book, side_of(holding.book)
    before = (list(book.sleeves), list(book.recent_r), book.desk)
    moves = [0.001 * side, -0.001 * side, 0.0, -0.002 * side]
    days = found(book, moves).days
    assert [day.moves[0][1] for day in days] == pytest.approx([moves[3], moves[1], moves[2], moves[0]])
    assert days[0].day_ms == DAY_MS * 20_003
    assert len(found(book, moves, 2).days) == 2
    assert (list(book.sleeves), list(book.recent_r), book.desk) == before


def test_strategies_say_nothing(holding: Loop) -> None:
    """A desk that is not asked leaves by its levels alone: not as if its signal had faded."""
    exits = {reason for day in found(holding.book, [0.004, -0.004, 0.05, -0.05]).days for _, reason in day.exits}
    assert not exits & {EXIT_REASONS[FADE], EXIT_REASONS[BY_TIME]}


def test_days_that_are_not_whole_are_not_played(holding: Loop) -> None:
    """One bar of one instrument is missing: the day is left out, and the count says so."""
    book = holding.book
    bars = market(book, [-0.01, -0.02])
    bars.close[BARS + 5, 0] = np.nan
    seen = stress.stress_of(book, bars, 2, "e1")
    assert (seen.looked_at, len(seen.days)) == (1, 1)
    assert seen.days[0].day_ms == DAY_MS * 20_000


def test_a_hole_of_long_ago_leaves_the_days_that_the_desk_has_lived(holding: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file with a month missing before the desk began had the whole answer refused; what is left out is said."""
    lived = market(holding.book, [-0.01] * DAYS)
    asked = list[int | None]()

    def load(_catalog: Any, _series: Any, _policy: str, _anchor: None, from_ms: int | None, _to: None) -> Any:
        asked.append(from_ms)
        if from_ms is None:
            raise DataError("SOL has invalid bars in this range", "nightdesk data check FILE")
        return DeskBars(lived, {}, ())

    monkeypatch.setattr(stress, "load_desk", load)
    home = open_home(WALL_MS)
    seen = stress.worst_days(home.path, home.catalog, 2)
    first = first_mark(home.desk_journal)
    assert seen is not None
    assert first is not None
    assert (asked, len(seen.days)) == ([None, first.t_event_ms], 2)
    assert seen.left_out == "SOL has invalid bars in this range: nightdesk data check FILE"


def test_nothing_held_is_no_day(holding: Loop) -> None:
    """A flat desk: held is False, and no day is played."""
    book = holding.book
    book.sleeves = [sleeve._replace(position=FLAT, order=NO_ORDER) for sleeve in book.sleeves]
    assert not found(book, [-0.5]).held
    assert found(book, [-0.5]).days == ()


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, -1, 21])
def test_a_count_out_of_bounds_is_one_line(tmp_path: Path, count: int) -> None:
    """Before anything is read."""
    catalog: Any = None
    with pytest.raises(BadInput, match="out of bounds"):
        stress.worst_days(tmp_path, catalog, count)
