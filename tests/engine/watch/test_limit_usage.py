"""How near each limit is: the mark carries the guardrails' own memory, and nobody counts it again."""

import pytest

from app.home.home import Home
from engine.control.config import active
from engine.control.limits import HardLimits
from engine.core.state import DAY_MS
from engine.watch.limit_usage import limit_usage
from engine.watch.window import mark_at
from tests.fakes.papers import feed_of, furnished, loop_of


@pytest.fixture
def home(own_home: object) -> Home:
    """A home with the small market."""
    from pathlib import Path

    from app.home.home import open_home

    furnished(Path(str(own_home)))
    return open_home()


def test_what_the_page_counts_is_what_the_guardrails_count(home: Home) -> None:
    """After every few bars of three days: entries of the day, losses in a row and the day's first equity are the guard's own."""
    loop = loop_of(home, feed_of(home))
    sleeves, seen = active(home.engine, home.path)[1].sleeves, 0
    for bar in range(280):
        loop.step()
        if bar % 7:
            continue
        mark = mark_at(home.desk_journal)
        assert mark is not None
        for s, sleeve in zip(sleeves, loop.book.sleeves, strict=True):
            if sleeve.guard.day != (mark.t_event_ms - 1) // DAY_MS:
                continue  # not decided today yet
            body = mark.body["sleeves"][s.name]["guard"]
            counted = (body["day_entries"], body["streak"], body["day_equity"])
            assert counted == (sleeve.guard.day_entries, sleeve.guard.streak, sleeve.guard.day_equity), (bar, s.name)
            seen += bool(sleeve.guard.streak)
    loop.journal.close()
    assert seen > 10  # it did lose in a row


def test_each_limit_is_listed_with_its_value(home: Home) -> None:
    """Before the first bar values are null, not nought; after it every sleeve's limits are there, as shares of the limit."""
    sleeves = active(home.engine, home.path)[1].sleeves
    empty = limit_usage(None, HardLimits.model_validate({}), sleeves)
    assert {g.value for g in empty} == {None}
    loop = loop_of(home, feed_of(home))
    for _ in range(60):
        loop.step()
    loop.journal.close()
    mark = mark_at(home.desk_journal)
    assert mark is not None
    found = {g.name: g for g in limit_usage(mark.body, HardLimits.model_validate({}), sleeves)}
    assert len(found) == 3 + 3 + 4 * 3
    for g in found.values():
        assert g.value is not None, g.name
        assert g.used_frac == pytest.approx(g.value / g.limit)
    assert found["btc-trend: entries of the day"].limit == 20
