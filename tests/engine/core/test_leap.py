"""Sleeping changes nothing: the compiled loop with and without leaps leaves the same bytes, also where sleeps are long."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core import kernel
from engine.core.compiled import dtype_of, to_records
from engine.core.memory import Memory
from engine.core.state import TRIPS_KEPT, Limits, Row, Rules, Sleeve, start, start_desk
from engine.data.catalog import Catalog
from engine.sim.backtest import load, signals_in_span
from engine.sim.request import Request, SleeveRequest, plan
from engine.strategies.rules import rules_of
from tests.fakes.desks import LOOSE, STRICT, daily_of, hostile, hostile_rules

LIMITS = (LOOSE, Limits(0.003, 3.0, 1.8, 10), Limits(0.5, 0.3, 0.1, 1), STRICT)
CASH = 100_000.0


def ran(bars: np.ndarray, signals: Any, rules: list[Rules], limits: Limits, leaps: int, instruments: int) -> tuple[Any, ...]:
    """(rows, equity, sleeves, desk, ambiguous) as bytes, and the awake bars."""
    count, length = len(rules), len(bars) // instruments
    sleeves, rows, equity = (
        to_records([start(CASH)] * count, Sleeve),
        np.empty(9 * length * count, dtype_of(Row)),
        np.empty(length),
    )
    scratch = np.zeros(TRIPS_KEPT * count), np.zeros(instruments), np.zeros(instruments, np.int64), np.zeros(instruments)
    more, daily = (np.zeros(count), np.full(instruments**2, np.nan)), daily_of(count, 2 + length // 96, instruments)
    no = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    m = Memory(
        bars,
        sleeves,
        to_records(rules, Rules),
        *scratch,
        *more,
        rows,
        np.empty(0),
        np.empty(0),
        np.empty(0),
        *no,
        np.full(2, np.nan),
    )
    asleep, blocks = (np.zeros(count, np.int64), np.zeros(count, np.int64)), kernel.block_records(bars, instruments)
    begun = start_desk(CASH * count)
    desk, n, ambiguous, awake = kernel.compiled_run(
        m, signals, blocks, begun, limits, equity, daily, *asleep, kernel.guided(signals, count), leaps
    )
    return rows[:n].tobytes(), equity.tobytes(), sleeves.tobytes(), np.array(desk).tobytes(), ambiguous, awake


def calm(seed: int, bars: int = 4_000) -> tuple[np.ndarray, Any, list[Rules]]:
    """A hostile market whose signals are rare and whose stops are wide: sleeves hold for long, holes and settlements stay."""
    rng = np.random.default_rng(seed)
    market, signals = hostile(seed, bars=bars)
    for name in ("open", "high", "low", "close", "volume"):
        market[name][~np.isfinite(market[name])] = np.nan
    side = np.where(rng.random(len(signals[0])) < 0.97, 0, signals[0]).astype(np.int8)
    wide = [
        r._replace(fade_below=0.0 if seed % 2 else r.fade_below, stop_atr=4 + 3 * r.stop_atr, target_atr=15.0, streak_max=50)
        for r in hostile_rules(seed)
    ]
    return market, (side, *signals[1:]), wide


@pytest.mark.parametrize("seed", range(500, 520))
def test_long_sleeps_leave_the_same_bytes(seed: int) -> None:
    """Rows, equity of every close, sleeves, desk; and the sleeves did sleep."""
    bars, signals, rules = calm(seed)
    leaping = ran(bars, signals, rules, LIMITS[seed % 4], 1, 3)
    stepping = ran(bars, signals, rules, LIMITS[seed % 4], 0, 3)
    assert leaping[:5] == stepping[:5]
    assert leaping[5] < (0.8 if seed % 4 < 2 else 0.97) * stepping[5]  # the tightest limits refuse anew at most bars
    assert stepping[5] == len(signals[0])


@pytest.mark.parametrize("seed", range(540, 546))
def test_few_closes_are_those_of_a_run_that_writes_them_all(seed: int) -> None:
    """A sweep's run of one sleeve: equity where it is asked for, the deepest fall, sleeve and desk, also behind a tripped breaker
    and where it goes on from an earlier run."""
    market, signals, rules = calm(seed)
    limits, trips, tripped = (LOOSE, LOOSE._replace(drawdown_frac_max=0.004))[seed % 2], 0, 0
    for k, one in enumerate(rules):
        bars, columns = np.ascontiguousarray(market[k % 3 :: 3]), tuple(column[k::7] for column in signals)
        runs = kernel.SleeveRuns(bars, kernel.block_records(bars, 1), 1, limits, CASH)
        given, all_bars = (
            (columns, kernel.guided(columns, 1), kernel.rules_record(one._replace(instrument=0, bars=0))),
            np.arange(len(bars)),
        )
        at = np.array([-1, 0, 1, 15, 16, 17, 47, 900, 901, 2_222, len(bars) - 1])
        every = runs.run(*given, all_bars)
        for begin, whole in ((None, every), (every.after, runs.run(*given, all_bars, every.after))):
            few = runs.run(*given, at, begin)
            assert few.equity[1:].tobytes() == whole.equity[at[1:]].tobytes()
            assert (few.fall_frac, few.ambiguous) == (whole.fall_frac, whole.ambiguous)
            assert few.after.record.tobytes() == whole.after.record.tobytes()
            assert np.array(few.after.desk).tobytes() == np.array(whole.after.desk).tobytes()
        trips, tripped = trips + every.after.ledger.trips, tripped + every.after.desk.tripped
    assert trips > 10
    assert (tripped > 0) == (seed % 2 == 1)


@pytest.fixture(scope="module")
def recorded(market_data: Path) -> tuple[Any, Any, Any]:
    """(plan, bars, signals) of three sleeves over all recorded 15-minute bars: 2025 whole, with its settlements."""
    specs = (
        SleeveRequest("trend", "BTC-USDT", params={"layers_max": 3, "fade_below": 0.1}, name="a"),
        SleeveRequest("trend", "ETH-USDT", name="b"),
        SleeveRequest("reversion", "SOL-USDT", name="c"),
    )
    planned = plan(Request(specs, "15m", None, None, "pessimistic", "recorded"), Catalog([(market_data, "recorded")]))
    loaded = load(planned)
    return planned, loaded.span, kernel.signal_columns([signals_in_span(s, loaded) for s in planned.sleeves])


@pytest.mark.parametrize("fills", ["pessimistic", "optimistic", "reference"])
def test_a_recorded_desk_leaves_the_same_bytes(recorded: tuple[Any, Any, Any], fills: str) -> None:
    """Layers and fade, in each reading of a bar."""
    planned, span, signals = recorded
    names, limits = span.instruments, planned.request.sleeve_limits
    rules = [
        rules_of(s.params, s.instrument, s.costs, names.index(s.key), fills, planned.clock_ms, limits) for s in planned.sleeves
    ]
    bars = kernel.bar_records(span)
    leaping, stepping = (ran(bars, signals, rules, planned.request.limits, leaps, len(names)) for leaps in (1, 0))
    assert leaping[:5] == stepping[:5]
    assert leaping[5] < 0.5 * stepping[5]
