"""The desk as one value: empty before the first bar; then what the last mark, the latch and the heartbeat say, nothing else."""

import json
from pathlib import Path

import pytest

from app.home.home import open_home
from engine.book.replay import fold
from engine.control import halt
from engine.watch.desk_view import desk_view, drawdown_text, release_effect
from engine.watch.heartbeat import FILE
from engine.watch.window import mark_at
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of

BEAT = {"phase": "replaying", "note": "catching up", "wall_ms": WALL_MS, "bars_per_second": 40.0, "stamp": "REPLAYED"}


def test_before_the_first_bar_nothing_is_known(own_home: Path) -> None:
    """No mark: figures are None, lists are empty, and no worker runs."""
    home = open_home(WALL_MS)
    view = desk_view(home.path, home.engine)
    assert (view.mark, view.event, view.desk_ms, view.equity, view.drawdown_frac, view.gross_frac) == (None,) * 6
    assert (view.bars, view.breakers, view.sleeves) == (0, [], {})
    assert (view.worker.running, view.worker.phase, view.halt.halted) == (False, "not running", False)


def test_it_says_what_the_last_mark_the_latch_and_the_heartbeat_say(own_home: Path) -> None:
    """Figures of the mark with their ratios; a halt at once; of a dead worker the note and its time, but no pace and no stamp."""
    furnished(own_home)
    home = open_home(WALL_MS)
    loop = advanced(loop_of(home, feed_of(home)), 300)
    loop.journal.close()
    halt.set(home.path, "smoke", {"name": "ann", "channel": "cli"}, WALL_MS)
    (home.path / FILE).write_text(json.dumps(BEAT))
    view, mark = desk_view(home.path, home.engine), mark_at(home.desk_journal)
    assert mark is not None
    assert (view.event, view.desk_ms, view.sleeves) == (mark.id, mark.t_event_ms, mark.body["sleeves"])
    assert view.equity is not None
    assert view.peak is not None
    assert view.drawdown_frac == 1 - mark.body["equity"] / mark.body["peak"]
    assert view.gross_frac == mark.body["gross"] / mark.body["equity"]
    assert (view.halt.halted, view.halt.reason) == (True, "smoke")
    assert (view.worker.note, view.worker.beat_ms) == ("catching up", WALL_MS)
    assert (view.worker.phase, view.worker.bars_per_second, view.stamp) == ("not running", None, None)


@pytest.mark.slow
def test_a_release_hides_no_drawdown(own_home: Path) -> None:
    """Halted below its peak and released: peak and drawdown stay what they were, the breaker's reference stands beside them, the
    next start folds to the same, and the sentence before a release says how far the desk may fall in all.
    """
    furnished(own_home)
    home = open_home(WALL_MS)
    loop = advanced(loop_of(home, feed_of(home)), 300)
    while loop.book.desk.equity >= 0.999 * loop.book.desk.peak:
        advanced(loop, 20)
    before = desk_view(home.path, home.engine)
    assert before.drawdown_frac is not None and before.drawdown_frac > 0.001  # noqa: PT018 - one thought
    assert (before.breaker_peak, before.breaker_drawdown_frac) == (before.peak, before.drawdown_frac)
    halt.set(home.path, "look", {"name": "ann"}, WALL_MS, home.engine)
    advanced(loop, 3)
    halt.release(home.path, home.engine, halt.read(home.path, home.engine), {"name": "bob"}, "fine", WALL_MS)
    loop.poll_controls()
    loop.snapshot()
    advanced(loop, 1)
    view = desk_view(home.path, home.engine)
    assert view.peak == before.peak
    assert view.drawdown_frac == 1 - view.equity / before.peak
    assert view.breaker_peak is not None and view.breaker_peak < view.peak  # noqa: PT018 - one thought
    assert "since the last release" in drawdown_text(view)
    assert f"{100 * view.drawdown_frac:.2f} %" in release_effect(view, 0.15)
    assert f"{100 - 85 * view.equity / view.peak:.2f} %" in release_effect(view, 0.15)
    loop.journal.close()
    for whole in (True, False):
        book = fold(home.desk_journal, whole=whole)
        assert book is not None
        assert book.highest == before.peak
