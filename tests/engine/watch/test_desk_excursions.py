"""Excursions of the desk: those of the equal backtest, trip by trip, whatever the order that entered."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.home.home import open_home
from engine.core.row_fields import KIND_OF, FillRow
from engine.data.timeframes import column_name
from engine.sim.excursions import with_excursions
from engine.sim.trips import field, frame_of, trips
from engine.watch import desk_excursions as measured
from engine.watch import desk_trips as desk_lines
from engine.watch.desk_excursions import reached_trips
from engine.watch.desk_trips import desk_trips, journal_rows, sleeves_of
from engine.watch.kept_lines import keep_lines
from engine.watch.window import journal_of, mark_at
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of
from tests.laws.test_one_decision_path import kernel_result

BARS = 400
MORE = 60


def of_backtest(home: Any, feed: Any, bars: int) -> Any:
    """The kernel's trips over the same bars, with their excursions."""
    path = journal_of(home.path)
    mark = mark_at(path)
    assert mark is not None
    sleeves, rows = sleeves_of(path, mark.body), frame_of(kernel_result(home, feed, bars).rows)
    span = feed.span._replace(**{name: getattr(feed.span, name)[:bars] for name in ("close_ms", "open", "high", "low", "close")})
    own = [span.instruments.index(column_name(s.instrument, "15m", "15m")) for s in sleeves]
    return with_excursions(trips(rows, sleeves), rows, sleeves, own, span), rows


def test_the_desk_s_excursions_are_the_backtest_s(own_home: Path) -> None:
    """Equal per trip, open ones too; resting orders apart from others; a journal that has grown is measured anew."""
    measured._BARS.clear()
    furnished(own_home)
    home = open_home(WALL_MS)
    feed = feed_of(home)
    loop = advanced(loop_of(home, feed), BARS)
    loop.journal.sync()
    made, (expected, rows) = reached_trips(home.path), of_backtest(home, feed, BARS)
    assert expected.height > 10
    assert made.drop("mae", "mfe").equals(desk_trips(home.path))
    for name in ("mae", "mfe"):
        assert made[name].to_list() == pytest.approx(expected[name].to_list(), abs=1e-9), name
    ours, _ = journal_rows(journal_of(home.path), [s.name for s in sleeves_of(journal_of(home.path), {})])
    fills = [frame.filter(frame["kind"] == KIND_OF[FillRow]) for frame in (ours, rows)]
    makers = [frame.select(field(FillRow, "maker"))["maker"].to_list() for frame in fills]
    assert makers[0] == makers[1]
    assert 0 < sum(makers[0]) < len(makers[0])
    assert all(mae <= 0.0 <= mfe for mae, mfe in made.select("mae", "mfe").rows())
    again = reached_trips(home.path)
    assert again is reached_trips(home.path)
    advanced(loop, MORE)
    loop.journal.sync()
    grown, (expected, _) = reached_trips(home.path), of_backtest(home, feed, BARS + MORE)
    assert grown["mfe"].to_list() == pytest.approx(expected["mfe"].to_list(), abs=1e-9)
    assert grown["mae"].to_list() == pytest.approx(expected["mae"].to_list(), abs=1e-9)
    assert np.isfinite(grown["mae"].to_numpy()).all()
    (bars,) = measured._BARS.values()  # read in two parts, none left out
    assert bars.close_ms.tolist() == feed.span.close_ms[: BARS + MORE].tolist()
    keep_lines(home.path)
    for cache in (desk_lines._SETTLED, desk_lines._TRIPS, measured._REACHED, measured._BARS):  # as another process would begin
        cache.clear()
    assert reached_trips(home.path).equals(grown)
    loop.journal.close()


def test_a_desk_without_a_bar_has_none(own_home: Path) -> None:
    """Empty with both columns, not an error."""
    found = reached_trips(own_home)
    assert found.is_empty()
    assert {"mae", "mfe"} <= set(found.columns)
