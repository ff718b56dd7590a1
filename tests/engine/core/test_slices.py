"""An entry worked in slices on the clock's bars: never above its parent, checked against each bar's volume, ended by a halt."""

from typing import Any

import numpy as np
import pytest

from engine.core import state
from engine.core.compiled import dtype_of
from engine.core.row_fields import FillRow, decode
from engine.core.schedule import almgren_chriss, cumulated, twap
from engine.core.slices import WIDTH
from engine.core.state import Bar, Limits, Rules, Signal
from tests.engine.core.test_desk import LONG, PLAIN, QUIET, SHORT, T0
from tests.fakes.desks import LOOSE, both_ways, hostile, hostile_rules, run_lists

CLOCK_MS, PARTS = 300_000, 12  # an hour of 5m bars
HOUR_MS = CLOCK_MS * PARTS
SLOW = PLAIN._replace(bars=1, bar_ms=HOUR_MS, fixed_lots=60)
FLAT, NAN = (100.0, 101.0, 99.0, 100.0), float("nan")
BEGIN = T0 // HOUR_MS * HOUR_MS


def schedule(shares: list[float]) -> list[float]:
    """One sleeve's part of Memory.schedules."""
    done = cumulated(shares)
    return [float(len(done)), float(CLOCK_MS), *done, *[0.0] * (WIDTH - 2 - len(done))]


class Worked:
    """A sleeve on hours over 5m bars; `changed`: 5m bars by number from the first hour's begin, `said`: a signal an hour."""

    def __init__(
        self,
        said: list[Signal],
        changed: dict[int, Bar | dict[str, float]] | None = None,
        rules: Rules = SLOW,
        shares: list[float] | None = None,
        limits: Limits = LOOSE,
    ) -> None:
        bars, signals = list[Bar](), list[Signal]()
        for n in range(len(said) * PARTS):
            close_ms = BEGIN + (n + 1) * CLOCK_MS
            quiet = Bar(close_ms, *FLAT, 1e6, 0.0, 0.0)
            bars.append(quiet._replace(**(changed or {}).get(n, {})))  # type: ignore[arg-type]  # names of fields
            closes = (n + 1) % PARTS == 0
            part = bars[-2 * PARTS + 1 :: 2] if closes else []
            high, low = max((b.high for b in part), default=NAN), min((b.low for b in part), default=NAN)
            hour = Bar(close_ms, part[0].open, high, low, part[-1].close, 1e6, 0.0, 0.0) if closes else None
            bars.append(hour or Bar(close_ms, *[NAN] * 5, 0.0, 0.0))
            signals.append(said[n // PARTS] if closes else QUIET)
        given = schedule(twap(6) if shares is None else shares)
        self.rows, self.sleeves, self.desk, _ = run_lists(bars, signals, [rules], limits, 10_000.0, schedules=given)

    @property
    def fills(self) -> list[tuple[int, int, float]]:
        """(exit reason, lots with the trade's side, price without slippage)."""
        found = [decode(row)[1] for row in self.rows]
        return [(f.reason, f.side * f.lots, f.reference_price) for f in found if isinstance(f, FillRow)]


def prices(*opens: float) -> dict[int, dict[str, float]]:
    """The 5m bars of the second hour with these opens, each a bar that goes nowhere."""
    return {PARTS + k: {"open": o, "high": o + 0.5, "low": o - 0.5, "close": o} for k, o in enumerate(opens)}


def test_twap_fills_a_sixth_at_the_open_of_every_second_bar() -> None:
    """Sixty lots in six slices over the hour after the decision, one layer, protected by what has filled."""
    run = Worked([LONG, QUIET], prices(*[100.0 + k for k in range(12)]), SLOW._replace(stop_atr=20.0))
    assert run.fills == [(0, 10, 100.0), (0, 10, 102.0), (0, 10, 104.0), (0, 10, 106.0), (0, 10, 108.0), (0, 10, 110.0)]
    held = run.sleeves[0]
    assert (held.position.open_layers, held.position.layers[0].lots, held.order.side) == (1, 60, 0)
    assert held.position.layers[0].entry == pytest.approx(105.0 * 1.001)
    assert held.guard.day_entries == 1


def test_an_urgent_schedule_is_done_earlier_and_no_less() -> None:
    """Almgren-Chriss at kappa T = 3: the first slice is the largest, and all of the parent is filled."""
    run = Worked([LONG, QUIET], shares=almgren_chriss(3.0, 6))
    lots = [lots for _, lots, _ in run.fills]
    assert sum(lots) == 60
    assert lots == sorted(lots, reverse=True)
    assert lots[0] > 20


def test_a_thin_bar_gives_what_it_can_and_the_next_slice_catches_up() -> None:
    """Bar 0 of the hour trades 4 of 10, bar 2 nothing: bar 4 fills the 26 that are due by then. Never above the parent."""
    thin: dict[int, Any] = {PARTS: {"volume": 4.0}, PARTS + 2: {"volume": 0.0}}
    run = Worked([LONG, QUIET], thin)
    assert [lots for _, lots, _ in run.fills] == [4, 26, 10, 10, 10]


def test_what_is_not_filled_in_its_bar_ends_with_it() -> None:
    """The last slice finds no volume: 50 of 60, and the next hour orders nothing more."""
    run = Worked([LONG, QUIET, QUIET], {PARTS + 10: {"volume": 0.0}})
    assert sum(lots for _, lots, _ in run.fills) == 50
    assert run.sleeves[0].order.side == 0


def test_a_slice_below_the_venues_least_order_waits_for_the_next() -> None:
    """Least order 15: the slices of 10 go in pairs."""
    run = Worked([LONG, QUIET], rules=SLOW._replace(least_lots=15))
    assert [lots for _, lots, _ in run.fills] == [20, 20, 20]


def test_a_stop_inside_the_hour_ends_the_parent() -> None:
    """Two slices are in; the third bar falls through the stop: out with what is held, and no slice follows."""
    fall: dict[int, Any] = {PARTS + 3: {"low": 90.0, "close": 91.0}}
    run = Worked([LONG, QUIET, QUIET], fall)
    assert [(reason, lots) for reason, lots, _ in run.fills] == [(0, 10), (0, 10), (state.STOP, -20)]
    assert run.sleeves[0].order.side == run.sleeves[0].position.side == 0


def test_a_low_before_the_first_fill_is_no_stop() -> None:
    """The hour before the decision fell far below; within the hour only bars after a fill count."""
    run = Worked([LONG, QUIET], {PARTS - 2: {"low": 50.0}} | {PARTS: {"volume": 0.0, "low": 60.0}})
    assert state.STOP not in [reason for reason, *_ in run.fills]


def test_a_halt_inside_the_hour_stops_the_slices() -> None:
    """A fall that the drawdown breaker halts for, stop far away: the slices behind it do not go, the position leaves."""
    fall: dict[int, Any] = {PARTS + k: {"open": 90.0, "high": 90.5, "low": 89.5, "close": 90.0} for k in range(3, 12)}
    rules, tight = SLOW._replace(stop_atr=40.0, day_loss_frac_max=9.0), LOOSE._replace(drawdown_frac_max=0.015)
    run = Worked([LONG, QUIET, QUIET], fall, rules, limits=tight)
    assert [(reason, lots) for reason, lots, _ in run.fills] == [(0, 10), (0, 10), (state.HALT, -20)]
    assert run.desk.halted == 1


def test_a_reversal_waits_for_its_exit_slice_by_slice() -> None:
    """The exit takes two bars of the clock; the slices behind it catch up."""
    thin: dict[int, Any] = {2 * PARTS: {"volume": 40.0}}
    run = Worked([LONG, SHORT._replace(reverse=1), QUIET], thin)
    turned = [(reason, lots) for reason, lots, _ in run.fills[6:]]
    assert turned == [(state.BY_REVERSAL, -40), (state.BY_REVERSAL, -20), (0, -20), (0, -10), (0, -10), (0, -10), (0, -10)]


def test_a_limit_is_not_sliced() -> None:
    """It rests and fills as it always did, on the sleeve's own bar."""
    run = Worked([LONG._replace(limit=99.5), QUIET])
    assert [lots for _, lots, _ in run.fills] == [60]


@pytest.mark.parametrize("seed", range(8))
def test_compiled_and_plain_work_the_same_slices(seed: int) -> None:
    """Hostile bars on a clock of which own bars close every fourth: the same rows and state, with and without leaps."""
    bars, signals = hostile(seed, bars=400, sleeves=3)
    wide = np.zeros(len(bars) * 2, dtype_of(Bar)).reshape(400, 6)
    wide[:, :3] = bars.reshape(400, 3)
    wide[:, 3:] = bars.reshape(400, 3)
    closing = wide["close_ms"][:, 0] % (4 * PLAIN.bar_ms) == 0
    for name in ("open", "high", "low", "close", "volume"):
        wide[name][np.ix_(~closing, [3, 4, 5])] = np.nan
    rules = [r._replace(bars=r.instrument + 3, bar_ms=4 * PLAIN.bar_ms, layers_max=1) for r in hostile_rules(seed, 3)]
    parts = [[4.0, float(PLAIN.bar_ms), *cumulated(almgren_chriss(float(k), 4)), *[0.0] * 6] for k in range(3)]
    plain, compiled = both_ways(wide.reshape(-1), signals, rules, LOOSE, 1e5, schedules=np.array(parts).reshape(-1))
    assert plain[0].tobytes() == compiled[0].tobytes()
    assert plain[1].tobytes() == compiled[1].tobytes()
    assert plain[2].tobytes() == compiled[2].tobytes()
    whole = both_ways(wide.reshape(-1), signals, rules, LOOSE, 1e5)[1]
    assert len(compiled[0]) == 0 or whole[0].tobytes() != compiled[0].tobytes()
