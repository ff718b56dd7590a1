"""Late signals: what is shifted, what is not, that nothing looks ahead, and that every surface says so."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.cli.backtest import text_of
from app.cli.stories import trip_text
from app.home.home import Home, open_home
from app.jobs import kinds
from engine.control.proposals import evidence_fault
from engine.data.catalog import Catalog
from engine.errors import BadInput
from engine.sim import backtest
from engine.sim.late import NONE, delayed_by, jittered
from engine.sim.report_parts import verdicts
from engine.sim.request import request_of
from tests.fakes import recordings

ASK = {"strategy": "cross", "symbol": "BTC-USDT"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A desk with a month of made-up bars."""
    folder = tmp_path_factory.mktemp("desk")
    recordings.record(folder / "data", symbols=("BTC-USDT",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(folder))
        return open_home()


def first_entries(home: Home, bars: int) -> pl.DataFrame:
    """The first entry decision of a run with that delay."""
    run = backtest(**ASK, catalog=Catalog([(home.path / "data", "recorded")]), delay_bars=bars)
    return run.decisions.filter(pl.col("action") == "enter").head(1)


def test_a_delayed_run_enters_that_many_bars_later(home: Home) -> None:
    """The first entry is N bars late, on the features that the signal was made of, and sized at the later close."""
    now, later = first_entries(home, 0), first_entries(home, 3)
    assert later["close_ms"][0] - now["close_ms"][0] == 3 * recordings.BAR_MS
    label = next(name for name in now.columns if name.startswith("sma("))
    assert later[label][0] == now[label][0]
    assert later["close"][0] != now["close"][0]


def test_no_delay_is_the_run_as_it_was(home: Home) -> None:
    """Zero bars leave the configuration's hash and the journal alone: stored runs are found again."""
    catalog = Catalog([(home.path / "data", "recorded")])
    one, other = backtest(**ASK, catalog=catalog), backtest(**ASK, catalog=catalog, delay_bars=0)
    assert one.report["config_hash"] == other.report["config_hash"]
    assert "delay_bars" not in one.report["config"]
    assert one.report["delayed"] is None


@pytest.mark.parametrize("bars", [-1, 1_001, 1.5, True])
def test_a_delay_out_of_bounds_is_one_clear_line(home: Home, bars: object) -> None:
    """Refused before any bar is loaded."""
    with pytest.raises(BadInput, match="delay_bars"):
        backtest(**ASK, catalog=Catalog([(home.path / "data", "recorded")]), delay_bars=bars)  # type: ignore[arg-type]


def test_every_surface_stamps_it(home: Home) -> None:
    """Terminal, explanation, report, list, notes and both doors of evidence; a rerun keeps the delay."""
    from rich.console import Console

    from engine.sim import explain
    from engine.store.runs import Runs

    run = kinds.backtest(home, ASK | {"delay_bars": 2})
    stamp = "DELAYED: every signal acts 2 bars late, never evidence"
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115 - closed with the process
    console.print(text_of({**run, "report": "x"}))
    assert stamp in console.export_text()
    assert run["delayed"]["text"] == stamp == run["notes"][0]
    assert run["strategy"] == "cross, 2 bars late"
    assert any("Late signals" in found["strong"] and found["text"] == stamp for found in verdicts(run))
    assert stamp in (Path(run["folder"]) / "report.html").read_text()
    assert stamp in trip_text(explain.trip(Runs(home.runs, home.engine), run["run_id"], "t1"))
    assert evidence_fault(run, None) == "its signals acted late"  # type: ignore[arg-type]  # it is refused before the sleeve
    assert request_of(run["config"])[0].delay_bars == 2
    assert kinds.rerun(home, run["run_id"])["equal"]


def test_the_source_of_a_delayed_bar() -> None:
    """Two bars late: none, none, then the first bar's answer."""
    assert delayed_by(5, 2).tolist() == [NONE, NONE, 0, 1, 2]
    assert delayed_by(2, 3).tolist() == [NONE, NONE]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([-1, 0, 0, 0, 1]), max_size=60), st.integers(0, 4), st.integers(0, 99))
def test_jitter_never_reads_ahead_and_keeps_lone_signals(directions: list[int], most: int, seed: int) -> None:
    """Each bar's source is at or before it and at most `most` bars back within a signal; a signal of one bar between flat bars
    is seen once, 0 to `most` bars late."""
    values = np.array(directions, np.int8)
    source = jittered(values, most, seed)
    bars = np.arange(len(values))
    assert (source <= bars).all()
    assert (np.diff(source) >= 0).all()
    moved = np.where(source >= 0, values[np.maximum(source, 0)] if len(values) else 0, 0)
    alone = [
        t for t in range(1, len(values) - most - 1) if values[t] and not values[t - 1] and not values[t + 1 : t + most + 2].any()
    ]
    for t in alone:
        if not values[max(0, t - most - 1) : t].any():
            seen = np.flatnonzero(moved[t : t + most + 1])
            assert len(seen) == 1
            assert moved[t + seen[0]] == values[t]


@pytest.mark.parametrize("seed", range(6))
def test_jitter_moves_a_signal_as_a_whole(seed: int) -> None:
    """Three bars of one direction stay three, each the answer of its own bar, all late by the same."""
    source = jittered(np.array([0, 0, 0, 1, 1, 1, 0, 0, 0, 0], np.int8), 3, seed)
    seen = np.flatnonzero((source >= 3) & (source <= 5))
    assert source[seen].tolist() == [3, 4, 5]
    assert len(set((seen - source[seen]).tolist())) == 1


def test_jitter_of_nothing_is_the_signal_itself() -> None:
    """No delay to draw: every bar is its own source."""
    assert jittered(np.array([0, 1, 1, 0, -1], np.int8), 0, 7).tolist() == [0, 1, 2, 3, 4]
