"""Figures of the desk: its round trips are those of the equal backtest, and its periods sum to the change of equity."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from app.api import figures
from app.api.context import ApiContext
from app.home.home import open_home
from engine.clock import DAY_MS, MINUTE_MS
from engine.errors import BadInput
from engine.sim.excursions import worth_held
from engine.sim.trips import COSTS, frame_of, trips
from engine.store.chain import Event
from engine.watch import benchmark
from engine.watch.benchmark import desk_hold_line
from engine.watch.desk_trips import desk_trips, sleeves_of
from engine.watch.periods import UNITS, curve_periods, lately, periods
from engine.watch.window import between, first_mark, journal_of, mark_at
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of
from tests.laws.test_one_decision_path import kernel_result

BARS = 400
SAME = ("sleeve", "instrument", "side", "layers", "lots", "entry_ms", "exit_ms", "bars", "reason")


@pytest.fixture
def lived(own_home: Path) -> Iterator[Any]:
    """A desk four days into a synthetic market, and its feed."""
    furnished(own_home)
    home = open_home(WALL_MS)
    feed = feed_of(home)
    loop = advanced(loop_of(home, feed), BARS)
    loop.journal.sync()
    yield home, feed
    loop.journal.close()


def test_the_desk_s_figures_are_the_backtest_s_and_sum(lived: Any) -> None:
    """Round trips equal those of the kernel over the same bars; every sum of them and of every period is the change of equity."""
    home, feed = lived
    path = journal_of(home.path)
    first, last = first_mark(path), mark_at(path)
    assert first is not None
    assert last is not None
    made, sleeves = desk_trips(home.path), sleeves_of(path, last.body)
    tested = trips(frame_of(kernel_result(home, feed, BARS).rows), sleeves)
    assert tested.height > 10
    assert made.select(SAME).rows() == tested.select(SAME).rows()
    for name in (*COSTS, "r", "entry_price", "exit_price"):
        assert made[name].to_list() == pytest.approx(tested[name].to_list(), abs=1e-9), name
    change = last.body["equity"] - first.body["equity"]
    assert made["net"].sum() == pytest.approx(change, abs=1e-6)
    assert made.filter(pl.col("exit_ms").is_null())["exit_event"].null_count() == made["exit_ms"].null_count()
    for unit in UNITS:
        found = periods(home.path, unit)
        assert round(sum(p.net or 0.0 for p in found), 2) == pytest.approx(change, abs=0.0051), unit
        assert all(p.net == pytest.approx((p.realised or 0.0) + (p.unrealised or 0.0), abs=1e-9) for p in found)
        assert all(one.until_ms == other.from_ms for one, other in pairwise(found))
        assert round(sum(p.fees or 0.0 for p in found), 2) == pytest.approx(made["fees"].sum(), abs=0.0051)
    assert [p.until_ms % DAY_MS for p in periods(home.path, "day")[:-1]] == [0] * 4
    for unit in UNITS:  # the equity at each end is the mark's, and a curve of the same ends has the same periods
        ends = [(p.until_ms, p.equity) for p in periods(home.path, unit)]
        assert [worth for _, worth in ends] == [round(mark_at(path, ms).body["equity"], 2) for ms, _ in ends]  # type: ignore[union-attr]
        marks = [mark.body["equity"] for mark in between(path, first.t_event_ms, last.t_event_ms, {"mark"})]
        times = [mark.t_event_ms for mark in between(path, first.t_event_ms, last.t_event_ms, {"mark"})]
        curve = curve_periods(np.array(times), np.array(marks), (first.t_event_ms, first.body["equity"]), unit)
        for cut, kept in zip(curve, periods(home.path, unit), strict=True):
            assert (cut.from_ms, cut.until_ms) == (kept.from_ms, kept.until_ms)
            assert cut.net == pytest.approx(kept.net, abs=0.011)
            assert cut.equity == pytest.approx(kept.equity, abs=0.011)
    since = lately(home.path)
    assert since["start"].net == pytest.approx(change, abs=0.0051)
    assert since["start"].trips == made["exit_ms"].is_not_null().sum()
    assert since["start"].r == pytest.approx(made["r"].sum())
    one = sleeves[0].name
    assert desk_trips(home.path, one)["sleeve"].unique().to_list() == [one]
    with pytest.raises(BadInput, match="no sleeve"):
        periods(home.path, "day", "nobody")
    line = desk_hold_line(home.path, 50)
    bars = [feed.span.close[BARS - 1, k] / feed.span.open[0, k] for k in range(len(line.instruments))]
    assert line.return_frac == pytest.approx(sum(bars) / len(bars) - 1.0)
    at = ApiContext(home)
    answer = figures.breakdown_of_desk(at, None)  # type: ignore[arg-type]  # the session is not read
    assert {by: sum(row.trips for row in rows) for by, rows in answer.splits.items()} == dict.fromkeys(answer.splits, made.height)
    assert figures.trips_of_desk(at, None, limit=3).total == made.height  # type: ignore[arg-type]  # the same


def test_holding_begins_at_the_first_price_of_each_instrument(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first bars of an account may have no price, while its feed connects: the line is bought at the first that has one."""
    names, prices = ("okx:A:perp", "okx:B:perp"), [(None, None), (None, None), (100.0, None), (110.0, 50.0), (120.0, 55.0)]
    bodies = [
        {"bars": {name: [open_, open_, open_, open_ and open_ * 1.1] for name, open_ in zip(names, row, strict=True)}}
        for row in prices
    ]
    bars = [Event("bar", n * MINUTE_MS, body) for n, body in enumerate(bodies, 1)]
    mark = Event("mark", len(bars) * MINUTE_MS, {"equity": 1_000.0})

    def between(_: Path, after_ms: int, until_ms: int, kinds: set[str]) -> list[Event]:
        return [bar for bar in bars if after_ms < bar.t_event_ms <= until_ms]

    monkeypatch.setattr(benchmark, "between", lambda *at: iter(between(*at)))
    monkeypatch.setattr(benchmark, "start_of", lambda _: {"timeframe_ms": MINUTE_MS})
    monkeypatch.setattr(benchmark, "first_mark", lambda _: mark._replace(t_event_ms=0))
    monkeypatch.setattr(benchmark, "mark_at", lambda _: mark)
    for points in (50, 2):
        line = desk_hold_line(own_home / str(points), points)
        assert line.return_frac == pytest.approx((132.0 / 100.0 + 60.5 / 50.0) / 2 - 1.0), points
    assert desk_hold_line(own_home / "50", 50).equity[:2] == [1_000.0, 1_000.0]


def test_a_desk_without_a_bar_has_no_figures(own_home: Path) -> None:
    """Empty, not an error: the page is opened before the first bar."""
    assert desk_trips(own_home).is_empty()
    assert periods(own_home, "day") == []
    assert lately(own_home) == {}
    assert desk_hold_line(own_home).equity == []
    with pytest.raises(BadInput, match="year"):
        periods(own_home, "year")
    assert curve_periods(np.empty(0, np.int64), np.empty(0), (0, 1.0), "day") == []
    with pytest.raises(BadInput, match="year"):
        curve_periods(np.empty(0, np.int64), np.empty(0), (0, 1.0), "year")


def test_a_missing_price_of_a_holder_is_the_last_one() -> None:
    """Before the first price a part is cash: nothing is gained by a gap, and nothing is filled into the past."""
    closes = np.array([[10, np.nan], [20, 100], [20, np.nan], [20, 50]], dtype=float)
    assert worth_held(np.array([10.0, 100.0]), closes, 1000.0).tolist() == [1000.0, 1500.0, 1500.0, 1250.0]
    assert worth_held(np.array([10.0, np.nan]), closes, 1000.0).tolist() == [1000.0, 1500.0, 1500.0, 1500.0]
