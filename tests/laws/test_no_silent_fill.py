"""Law 9, no silent fill: missing data is null, with a reason; nothing is traded on what is not known, no zero stands for it."""

import json
import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import engine
from engine.core import state
from engine.core.rows import unpack
from engine.core.state import Bar, Signal
from engine.core.step import usable
from engine.sim.metrics import Totals, metrics
from engine.strategies.base import SHIPPED, load_strategy
from engine.strategies.signals import evaluate, signals_of
from engine.venues.instruments import costs_of
from tests.fakes.desks import LOOSE, hostile, hostile_rules, run_lists
from tests.laws.test_one_feature_path import HOUR_MS, bars

ROOT = Path(engine.__file__).resolve().parents[1]
FOLDERS = ("app", "agents", "tools", "memory", "engine", "bench")
FILLS = re.compile(r"fillna\(|fill_null\(\s*0|fill_nan\(\s*0|nan_to_num|except\s*:\s*$|except Exception:\s*(pass)?\s*$")


def test_nothing_missing_is_filled_silently() -> None:
    """No fillna(0), nan_to_num, or bare `except: pass` in the product."""
    product = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    files = [path for path in product if "venvs" not in path.parts]  # the peers of the benchmark
    hits = [f"{p}:{n}: {x.strip()}" for p in files for n, x in enumerate(p.read_text().splitlines(), 1) if FILLS.search(x)]
    assert len(files) > 200
    assert not hits, "\n".join(hits)


@pytest.mark.parametrize("name", SHIPPED)
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(300, 900), st.sampled_from([0.003, 0.02, 0.3]))
def test_a_strategy_wants_nothing_where_a_feature_is_missing(name: str, seed: int, count: int, holes: float) -> None:
    """Where a feature it read is NaN its side is flat, and a strength that exits watch is unknown, not zero."""
    strategy, frame = load_strategy(name), bars(seed, count, holes)
    params = strategy.Params(fade_below=0.15)
    used = evaluate(strategy, params, frame).used
    missing = np.any([np.isnan(values) for values in used.values()], axis=0)
    signals = signals_of(strategy, params, frame, costs_of("binance", "BTC-USDT"))
    assert missing[:2].all(), "the warm-up is missing too"
    assert not np.asarray(signals.side)[missing].any()
    assert np.isnan(np.asarray(signals.strength)[missing]).all()
    assert np.isnan(np.asarray(signals.atr)[np.isnan(frame.high)]).all()
    assert frame.timeframe_ms == HOUR_MS


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(60, 400), st.sampled_from([0.003, 0.02, 0.3]))
def test_a_strategy_that_wants_in_at_every_bar_gets_none_where_a_feature_is_missing(seed: int, count: int, holes: float) -> None:
    """It reads a mean and ignores it: long at each bar that has the mean, and at no other."""

    def signals(f: Any, _params: Any) -> Any:
        f.sma(20)
        return np.ones(count, np.int8), np.ones(count)

    eager = SimpleNamespace(NAME="eager", FEATURES=("sma",), signals=signals)
    frame = bars(seed, count, holes)
    found = evaluate(eager, load_strategy("trend").Params(), frame)
    assert np.array_equal(found.direction == 1, ~np.isnan(frame.sma(20)))


@pytest.mark.parametrize("seed", range(8))
def test_no_entry_is_decided_on_an_unknown(seed: int) -> None:
    """Hostile feeds: at each entry the bar is usable, and strength, ATR and volatility that its rules read are numbers."""
    records, columns = hostile(seed, bars=300)
    listed = [Bar(*row) for row in records.tolist()]
    signals = [Signal(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    rules = hostile_rules(seed)
    instruments, entries = 1 + max(r.instrument for r in rules), 0
    first_ms = listed[0].close_ms
    for row in run_lists(listed, signals, rules, LOOSE, 100_000.0)[0]:
        s, kind, code, *_ = unpack(row.tag)
        if kind != state.K_DECISION or code not in (state.ENTER, state.ADD):
            continue
        entries, own = entries + 1, rules[s]
        t = (row.close_ms - first_ms) // own.bar_ms
        signal, bar = signals[t * len(rules) + s], listed[t * instruments + own.instrument]
        assert bar.close_ms == row.close_ms
        assert usable(bar)
        assert math.isfinite(signal.strength)
        assert math.isfinite(signal.limit)
        assert math.isfinite(signal.atr) or not own.stop_atr > 0.0
        assert math.isfinite(signal.vol_annual) or not own.vol_target > 0.0
    assert entries > 5, "a run that never enters shows nothing"


moves = st.lists(st.floats(-0.9, 2.0) | st.sampled_from([0.0, -1.0, -1.5]), min_size=1, max_size=60)
counts = st.integers(0, 5)


@example([0.0] * 40 + [-1.0], 24 * HOUR_MS, 0, 0, 0.0)  # more than a month that ends with nothing left
@settings(max_examples=150, deadline=None)
@given(moves, st.sampled_from([HOUR_MS, 24 * HOUR_MS]), counts, counts, st.floats(0.0, 1e6))
def test_an_undefined_figure_is_null_and_has_its_reason(
    steps: list[float], timeframe_ms: int, trades: int, wins: int, traded: float
) -> None:
    """Any equity curve, also one of a single bar or down to nothing: finite numbers, or None with a sentence; plain JSON."""
    equity = 10_000.0 * np.cumprod(1.0 + np.array(steps))
    close_ms = timeframe_ms * np.arange(1, len(steps) + 1, dtype=np.int64)
    found = metrics(close_ms, equity, timeframe_ms, 10_000.0, Totals(trades, min(wins, trades), 0, 1, 1.0, 0.0, 1.0, traded))
    undefined = found.pop("undefined")
    json.dumps(found, allow_nan=False)
    assert {name for name, value in found.items() if value is None} == set(undefined)
    assert all(len(reason) > 8 for reason in undefined.values()), undefined
    if trades < 2:
        assert found["win_rate"] is None
