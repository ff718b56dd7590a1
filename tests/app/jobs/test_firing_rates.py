"""`nightdesk drill --against-backtest`: one stored run of the desk, its rates beside the desk's, and a baseline for the watch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.home.home import Home, open_home
from app.jobs.firing_rates import against_backtest
from engine.clock import DAY_MS
from engine.errors import BadInput
from engine.live.loop import Loop
from engine.store.runs import Runs
from engine.watch import deadguards
from engine.watch.window import journal_of, mark_at
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk on a synthetic market."""
    furnished(own_home)
    return open_home(WALL_MS)


@pytest.fixture
def loop(home: Home) -> Iterator[Loop]:
    """Its loop, before the first bar."""
    loop = loop_of(home, feed_of(home))
    yield loop
    loop.journal.close()


def test_a_desk_that_has_not_traded_says_so(home: Home) -> None:
    """Nothing is run."""
    with pytest.raises(BadInput, match="this desk has not traded yet"):
        against_backtest(home)
    assert Runs(home.runs, home.engine).latest() == []


def test_a_healthy_desk_has_no_dead_guard(home: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk beside its own backtest, which ends with the last whole day that the desk has lived; the baseline is kept."""
    monkeypatch.setattr(deadguards, "TRIPS_MIN", 10)
    advanced(loop, 500)
    loop.journal.sync()
    found = against_backtest(home)
    assert found["verdict"].startswith("No dead guard: none of ")
    assert found["dead"] == []
    assert "trail" in {rate["guard"] for rate in found["compared"]}
    mark = mark_at(journal_of(home.path))
    assert mark is not None
    assert Runs(home.runs, home.engine).load(found["run_id"])["data"]["last_ms"] < mark.t_event_ms // DAY_MS * DAY_MS
    again = deadguards.compared(home.path, home.desk.limits)
    assert again is not None
    assert again.run_id == found["run_id"]
