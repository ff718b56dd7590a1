"""What the watch leaves for runbooks: when it last looked, and in the handover where people are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.home.home import open_home
from app.people import checklists
from app.people.identity import Actor
from engine.watch import watch_beat
from engine.watch.handover import make_handover
from tests.app.notify.test_deliveries import Bench
from tests.fakes import papers
from tests.fakes.papers import furnished

ANN = Actor("ann", "claimed", "ann", "test")


@pytest.fixture
def bench(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A desk after a replay of a few bars, with a watch that sends nothing."""
    span = papers.span()
    monkeypatch.setattr(papers, "span", lambda: span._replace(first_ms=span.replay_until_ms - 5 * papers.BAR_MS))
    furnished(own_home)
    made = Bench(open_home(papers.WALL_MS), [])
    yield made
    made.loop.journal.close()


def test_the_handover_names_the_runbook_that_is_worked_through(bench: Bench) -> None:
    """Where it is, for the one who takes over; once it has ended, no more."""
    bench.loop.journal.sync()
    checklists.begin(bench.home, "disk-low", "", ANN, bench.now_ms)
    checklists.done(bench.home, "", 1, "seen", ANN, bench.now_ms)
    line = "cl-1 (disk-low): step 2 of 3, begun by ann"
    text, body = make_handover(bench.home.path, bench.home.engine, bench.now_ms)
    assert body["checklists"] == [line]
    assert f"Runbook being worked through, {line}" in text
    checklists.end(bench.home, "", "it is over", ANN, bench.now_ms)
    assert make_handover(bench.home.path, bench.home.engine, bench.now_ms)[1]["checklists"] == []


def test_a_look_of_the_watch_is_written_down_and_a_failed_one_is_not(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """`no alert is open` counts only beside a watch that looks; not at each check, and never for one that failed."""
    assert not watch_beat.looks(bench.home.path, bench.now_ms)
    bench.watch.check()
    first = bench.now_ms
    assert watch_beat.looked_ms(bench.home.path) == first
    bench.now_ms += 3_000
    bench.watch.check()
    assert watch_beat.looked_ms(bench.home.path) == first
    bench.now_ms += 20_000
    monkeypatch.setattr(bench.watch.observer, "observe", lambda _ms: 1 / 0)
    bench.watch.check()
    assert watch_beat.looked_ms(bench.home.path) == first
    assert not watch_beat.looks(bench.home.path, first + watch_beat.LATE_MS + 1)
    monkeypatch.delattr(bench.watch.observer, "observe")
    bench.watch.check()
    assert watch_beat.looked_ms(bench.home.path) == bench.now_ms
