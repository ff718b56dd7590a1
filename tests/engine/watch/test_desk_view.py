"""The desk as one value: empty before the first bar; then what the last mark, the latch and the heartbeat say, nothing else."""

import json
from pathlib import Path

from app.home.home import open_home
from engine.control import halt
from engine.watch.desk_view import desk_view
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
