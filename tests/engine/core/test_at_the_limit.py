"""Each guardrail at its limit, one step under, one over: through the whole desk plain and compiled, and as exact arithmetic.

Prices, lots and cash are chosen so that every sum is exact in a float: at the limit means equal to the last bit.
"""

from collections.abc import Sequence
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from engine.core import state
from engine.core.compiled import from_record, to_records
from engine.core.guardrails import (
    count_entry,
    count_order,
    count_trip,
    exposure,
    held_side,
    watch_desk,
    watch_sleeve,
)
from engine.core.kernel import SIGNAL_KINDS
from engine.core.row_fields import BreakerRow, DecisionRow, FillRow, decode
from engine.core.state import DAY_MS, MINUTE_MS, TURNING, Bar, Limits, Row, Rules, Signal, start, start_desk
from engine.core.step import usable
from tests.fakes.desks import BAR_MS, LOOSE, NO_DAYS, RULES, both_ways

T0 = 1_735_689_600_000  # midnight, 2025-01-01
QUIET = Signal(0, 0.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0, 1)
LONG, SHORT = QUIET._replace(side=1, strength=1.0), QUIET._replace(side=-1, strength=1.0)
PLAIN = RULES._replace(
    lot_size=1.0, tick=0.0, fixed_lots=10, vol_target=0.0, trail_atr=0.0, target_atr=0.0, stop_atr=0.0, stop_frac=0.5,
    fade_below=0.0, participation_max=1.0, leverage_max=10.0, notional_frac_max=10.0, maintenance_frac=0.0,
    taker_frac=0.0, maker_frac=0.0, day_loss_frac_max=0.5, streak_max=100, day_entries_max=1_000,
)  # fmt: skip


def bar(t: int, price: float = 100.0, **changed: float) -> Bar:
    """Bar t at one price; it may end at another one."""
    made = Bar(T0 + (t + 1) * BAR_MS, price, price, price, price, 1e6, 0.0, 0.0)._replace(**changed)
    return made._replace(high=max(made[1:5]), low=min(made[1:5]))


class Ran:
    """What a run left, the same plain and compiled: decoded rows as (bar, sleeve, fields), sleeves, desk."""

    def __init__(
        self,
        bars: Sequence[Bar],
        signals: Sequence[Signal],
        rules: list[Rules],
        limits: Limits = LOOSE,
        cash: float = 10_000.0,
        daily: np.ndarray = NO_DAYS,
    ) -> None:
        kinds = [np.dtype(kind.name) for kind in SIGNAL_KINDS]
        columns = tuple(np.array(values, kind) for values, kind in zip(zip(*signals, strict=True), kinds, strict=True))
        plain, compiled = both_ways(to_records(bars, Bar), columns, rules, limits, cash, daily=daily)
        assert plain[0].tobytes() == compiled[0].tobytes()
        assert plain[3] == compiled[3]
        rows = [from_record(record, Row) for record in compiled[0]]
        self.rows = [((row.close_ms - T0) // BAR_MS - 1, *decode(row)) for row in rows]
        self.desk = compiled[3]

    def decisions(self) -> list[tuple[int, int, int, int]]:
        """(bar, sleeve, action, rule) of every decision."""
        return [(t, s, f.action, f.rule) for t, s, f in self.rows if isinstance(f, DecisionRow)]

    def refused(self) -> list[tuple[int, int, int]]:
        """(bar, sleeve, rule) of every refusal."""
        return [(t, s, rule) for t, s, action, rule in self.decisions() if action == state.REFUSED]

    def lots(self) -> list[int]:
        """Lots of every fill."""
        return [f.lots for _, _, f in self.rows if isinstance(f, FillRow)]

    def breakers(self) -> list[tuple[int, int, int]]:
        """(bar, breaker, until when it holds in bars from the trip; 0 for a latch)."""
        found = [(t, f) for t, _, f in self.rows if isinstance(f, BreakerRow)]
        return [(t, f.breaker, f.until_ms and (int(f.until_ms) - T0) // BAR_MS - 1 - t) for t, f in found]


PLACES = LOOSE._replace(positions_max=2)
STEPS = pytest.mark.parametrize(("over", "refuses"), [(-1, False), (0, False), (1, True)])


def two(lots: int, limits: Limits, same: bool) -> Ran:
    """Two sleeves on one instrument or on two, 10 lots and `lots`, on a desk of 10,000 at a price of 100."""
    other = PLAIN._replace(fixed_lots=lots, instrument=0 if same else 1, bars=0 if same else 1)
    bars = [bar(t) for t in range(2) for _ in range(1 if same else 2)]
    return Ran(bars, [LONG] * 4, [PLAIN, other], limits, 5_000.0)


@STEPS
def test_gross_exposure_of_the_desk(over: int, refuses: bool) -> None:
    """2,000 on a desk of 10,000 at a limit of 0.2: the working order of the first sleeve counts for the second."""
    ran = two(10 + over, LOOSE._replace(gross_frac_max=0.2), same=False)
    assert ran.refused() == ([(0, 1, state.R_GROSS)] if refuses else [])
    assert ran.lots() == ([10] if refuses else [10, 10 + over])


@STEPS
def test_exposure_in_one_instrument(over: int, refuses: bool) -> None:
    """The same on one instrument; on two, each has its own."""
    limits = LOOSE._replace(instrument_frac_max=0.2)
    assert two(10 + over, limits, same=True).refused() == ([(0, 1, state.R_INSTRUMENT)] if refuses else [])
    assert two(10 + over, limits, same=False).refused() == []


@STEPS
def test_exposure_of_one_strategy(over: int, refuses: bool) -> None:
    """2,000 of one family at a limit of 0.2; of two families, each has its own."""
    limits = LOOSE._replace(family_frac_max=0.2)
    assert two(10 + over, limits, same=False).refused() == ([(0, 1, state.R_FAMILY)] if refuses else [])
    other = PLAIN._replace(fixed_lots=10 + over, family=1)
    assert Ran([bar(0), bar(1)], [LONG] * 4, [PLAIN, other], limits, 5_000.0).refused() == []


def test_each_day_has_its_own_correlations() -> None:
    """1,000 on each of two instruments at a limit of 0.15: moving together they are 2,000, against each other nothing."""
    pair = [PLAIN, PLAIN._replace(instrument=1, bars=1)]
    bars = [bar(t) for t in range(98) for _ in range(2)]
    signals = [LONG if t == 96 else QUIET for t in range(98) for _ in range(2)]
    together, against = [1.0, 1.0, 1.0, 1.0], [1.0, -1.0, -1.0, 1.0]
    limits = LOOSE._replace(correlated_frac_max=0.15)
    for first, second, refused in ((together, against, []), (against, together, [(96, 1, state.R_CORRELATED)])):
        ran = Ran(bars, signals, pair, limits, 5_000.0, np.array([*first, *second]))
        assert ran.refused() == refused


def test_a_layer_more_takes_no_place_of_a_position() -> None:
    """Two places: the first sleeve adds a layer and the second still enters at the same close; the third does not."""
    adds = PLAIN._replace(layers_max=2, add_atr=0.0)
    third = [QUIET, QUIET, LONG]
    ran = Ran([bar(t) for t in range(3)], [LONG, QUIET, QUIET, LONG, LONG, LONG, *third], [adds, PLAIN, PLAIN], PLACES, 5_000.0)
    assert [(t, s, action) for t, s, action, _ in ran.decisions() if action in (state.ENTER, state.ADD)] == [
        (0, 0, state.ENTER),
        (1, 0, state.ADD),
        (1, 1, state.ENTER),
    ]
    assert ran.refused() == [(1, 2, state.R_POSITIONS)]


@STEPS
def test_entry_orders_in_a_minute(over: int, refuses: bool) -> None:
    """Three at one close at a limit of three; the next close begins at zero."""
    ran = Ran([bar(0), bar(1)], [LONG] * (2 * (3 + over)), [PLAIN] * (3 + over), LOOSE._replace(orders_minute_max=3))
    assert ran.refused() == ([(0, 3, state.R_ORDER_RATE)] if refuses else [])
    entered = [(t, s) for t, s, action, _ in ran.decisions() if action == state.ENTER]
    assert entered == [(0, s) for s in range(min(3, 3 + over))] + ([(1, 3)] if refuses else [])


@STEPS
def test_leverage_caps_the_size_at_its_limit(over: int, refuses: bool) -> None:
    """20 lots at 100 on 10,000 are a leverage of 0.2; the 21st is not bought, and the row says which cap bound it."""
    ran = Ran([bar(0), bar(1)], [LONG] * 2, [PLAIN._replace(fixed_lots=20 + over, leverage_max=0.2)])
    assert ran.lots() == [min(20, 20 + over)]


@STEPS
def test_a_share_of_the_bars_volume(over: int, refuses: bool) -> None:
    """A quarter of 80 units is 20 lots."""
    ran = Ran([bar(0, volume=80.0), bar(1)], [LONG] * 2, [PLAIN._replace(fixed_lots=20 + over, participation_max=0.25)])
    assert ran.lots() == [min(20, 20 + over)]


@pytest.mark.parametrize(("close", "trips"), [(97.01, False), (97.0, False), (96.99, True)])
@pytest.mark.parametrize("side", [1, -1])
def test_the_loss_of_a_day(close: float, trips: bool, side: int) -> None:
    """100 lots from 100 to 97 are 3 % of 10,000, long or short: a cent more blocks entries for 24 hours."""
    rules = PLAIN._replace(fixed_lots=100, day_loss_frac_max=0.03)
    moved = close if side > 0 else 200.0 - close
    ran = Ran([bar(0), bar(1), bar(2, close=moved)], [LONG if side > 0 else SHORT, QUIET, QUIET], [rules])
    assert ran.breakers() == ([(2, state.DAY_LOSS, DAY_MS // BAR_MS)] if trips else [])


@pytest.mark.parametrize(("close", "trips"), [(85.01, False), (85.0, False), (84.99, True)])
def test_the_drawdown_of_the_desk(close: float, trips: bool) -> None:
    """15 % of the peak, exactly, is allowed; a cent more latches, halts and sells at the next open."""
    limits = LOOSE._replace(drawdown_frac_max=0.15)
    bars = [bar(0), bar(1), bar(2, close=close), bar(3, price=close)]
    ran = Ran(bars, [LONG, QUIET, QUIET, QUIET], [PLAIN._replace(fixed_lots=100)], limits)
    assert ran.breakers() == ([(2, state.DESK_DRAWDOWN, 0)] if trips else [])
    assert ran.lots() == ([100, 100] if trips else [100])
    assert (ran.desk.halted, ran.desk.tripped) == (int(trips), state.DESK_DRAWDOWN * trips)


def losing(trips: int) -> tuple[list[Bar], list[Signal]]:
    """So many round trips that each lose: in at 100, the stop at 50 is touched inside the next bar."""
    bars, signals = [], []
    for t in range(0, 2 * trips, 2):
        bars += [bar(t), bar(t + 1, low=50.0)]
        bars[-1] = bars[-1]._replace(low=50.0)
        signals += [LONG, QUIET]
    return bars, signals


@STEPS
def test_losses_in_a_row(over: int, refuses: bool) -> None:
    """The third of three pauses for pause_ms, counted from the stop's bar; the second does not."""
    bars, signals = losing(3)
    rules = PLAIN._replace(fixed_lots=1, streak_max=3 - over, pause_ms=4 * BAR_MS, day_loss_frac_max=0.9)
    found = [b for b in Ran(bars, signals, [rules]).breakers() if b[1] == state.LOSS_STREAK]
    assert found == {-1: [], 0: [(5, state.LOSS_STREAK, 4)], 1: [(3, state.LOSS_STREAK, 4)]}[over]


@pytest.mark.parametrize(("pause_bars", "enters_at"), [(1, 2), (2, 3), (3, 4)])
def test_a_pause_ends_with_the_bar_that_closes_at_its_end(pause_bars: int, enters_at: int) -> None:
    """Until then every entry is refused, logged once; at its very millisecond one goes."""
    rules = PLAIN._replace(fixed_lots=1, streak_max=1, pause_ms=pause_bars * BAR_MS)
    bars = [bar(0), bar(1, low=50.0)._replace(low=50.0), *(bar(t) for t in range(2, 6))]
    ran = Ran(bars, [LONG] * 6, [rules])
    assert ran.refused() == [(1, 0, state.R_PAUSE)]
    assert [t for t, _, action, _ in ran.decisions() if action == state.ENTER] == [0, enters_at]


@STEPS
def test_entries_of_a_day(over: int, refuses: bool) -> None:
    """The n-th entry of a UTC day pauses: with a limit of three the third one is the last."""
    bars, signals = losing(4)
    rules = PLAIN._replace(fixed_lots=1, day_entries_max=3 - over, pause_ms=DAY_MS, day_loss_frac_max=0.9)
    ran = Ran(bars, signals, [rules])
    assert sum(action == state.ENTER for *_, action, _ in ran.decisions()) == 3 - over
    assert [b[1] for b in ran.breakers()] == [state.FREQUENCY]


@pytest.mark.parametrize("layers_max", [1, 2, 5])
def test_layers_stop_at_their_number(layers_max: int) -> None:
    """Fourteen bars of progress would do for seven layers: there are as many as layers_max."""
    bars = [bar(t, 100.0 + 2 * t) for t in range(14)]
    ran = Ran(bars, [LONG] * 14, [PLAIN._replace(fixed_lots=1, layers_max=layers_max, add_atr=0.5)])
    assert len(ran.lots()) == layers_max


@pytest.mark.parametrize(
    ("field", "value", "fine"),
    [
        ("low", 0.0, False),
        ("low", 5e-324, True),
        ("high", 1e300, False),
        ("high", 9.9e299, True),
        ("volume", 0.0, True),
        ("volume", -5e-324, False),
        ("funding_rate", 1.0, True),
        ("funding_rate", -1.0, True),
        ("funding_rate", 1.0000000000000002, False),
        ("funding_mark", 0.0, True),
        ("funding_mark", -1.0, False),
        ("funding_mark", 1e300, False),
        ("close", float("inf"), False),
        ("open", float("-inf"), False),
    ],
)
def test_a_bar_is_usable_up_to_its_bounds(field: str, value: float, fine: bool) -> None:
    """The smallest price, the largest, a settlement of all of it."""
    made = Bar(1, 100.0, 100.0, 100.0, 100.0, 1.0, 0.0, 0.0)._replace(**{field: value})
    assert usable(made) is fine


# ---- counters and breakers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streak_max", [1, 2, 3, 5])
def test_a_streak_is_what_a_person_would_count(streak_max: int) -> None:
    """Losses in a row since the last win or pause; a trip that made nothing is no win."""
    rng, rules = Random(2), RULES._replace(streak_max=streak_max, pause_ms=1_000)
    guard, row, paused_at = start(1.0).guard, 0, 0
    for n, pnl in enumerate(rng.choices((-1.0, 0.0, 1.0), (4, 1, 2), k=300), 1):
        row = 0 if pnl > 0 else row + 1
        if row == streak_max:
            row, paused_at = 0, n
        guard = count_trip(guard, rules, pnl, n)
        assert (guard.streak, guard.pause_until_ms) == (row, paused_at + 1_000 if paused_at else 0)


def test_orders_are_counted_by_the_minute_of_the_last_one() -> None:
    """And the gross exposure is what all of them are worth."""
    rng, desk = Random(3), start_desk(1.0)
    times = [*sorted(rng.randint(0, 20 * MINUTE_MS) for _ in range(60)), 20 * MINUTE_MS, 21 * MINUTE_MS - 1, 21 * MINUTE_MS]
    for n, t in enumerate(times, 1):
        desk = count_order(desk, t, 2.0, 0)
        assert desk.minute_orders == sum(other // MINUTE_MS == t // MINUTE_MS for other in times[:n])
        assert desk.gross == 2.0 * n


@pytest.mark.parametrize("most", [0.125, 0.25, 0.5])
def test_the_desk_trips_at_the_first_equity_below_its_share_of_the_peak(most: float) -> None:
    """Peak so far, exactly; once tripped it stays, whatever equity does."""
    limits = LOOSE._replace(drawdown_frac_max=most)
    for seed in range(20):
        equity, peak, tripped = 128, 128, False
        desk, rng = start_desk(128.0), Random(seed)
        for _ in range(40):
            equity = max(equity + rng.choice((-16, -8, 0, 8)), 0)
            peak = max(peak, equity)
            tripped = tripped or Fraction(equity) < peak * (1 - Fraction(most))
            desk = watch_desk(desk, limits, float(equity), 0.0, 0)
            assert (bool(desk.halted), bool(desk.tripped), desk.peak) == (tripped, tripped, float(peak))


def test_a_block_is_not_prolonged_while_it_runs_and_renewed_when_it_ends_still_under_water() -> None:
    """24 hours from the bar that tripped; if the day's loss still stands at the end of them, another 24."""
    rules, ledger = PLAIN._replace(day_loss_frac_max=0.25), start(100.0).ledger._replace(equity=74.0)
    guard = watch_sleeve(start(100.0).guard, ledger, rules, 1_000)
    assert guard.block_until_ms == 1_000 + DAY_MS
    assert watch_sleeve(guard, ledger, rules, 999 + DAY_MS) == guard
    assert watch_sleeve(guard, ledger, rules, 1_000 + DAY_MS).block_until_ms == 1_000 + 2 * DAY_MS


def test_a_longer_pause_is_not_shortened_by_an_entry_that_pauses() -> None:
    """A loss streak's pause of a day and a frequency pause of an hour: the later end holds."""
    guard = start(1.0).guard._replace(pause_until_ms=9_000)
    assert count_entry(guard, PLAIN._replace(day_entries_max=1, pause_ms=10), 100).pause_until_ms == 9_000
    assert count_entry(guard, PLAIN._replace(day_entries_max=1, pause_ms=10_000), 100).pause_until_ms == 10_100


def test_what_counts_as_exposure_and_side() -> None:
    """What is held, what is ordered and what is in doubt add up; a position outweighs the order that leaves it."""
    flat = start(1.0)
    ordered = flat._replace(order=flat.order._replace(side=-1, notional=5.0), in_doubt=7.0)
    held = ordered._replace(position=flat.position._replace(open_layers=1, side=1), ledger=flat.ledger._replace(notional=11.0))
    assert [exposure(x) for x in (flat, ordered, held)] == [0.0, 12.0, 23.0]
    same = held._replace(order=held.order._replace(side=1))
    assert [held_side(x) for x in (flat, ordered, same, held)] == [0, -1, 1, TURNING]
