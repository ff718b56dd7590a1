"""One bar of the desk as small stories: bars and signals in, journal rows out. The order of a bar is part of the contract."""

from typing import Any

import pytest

from engine.core import state
from engine.core.booking import update_kelly_window
from engine.core.rows import unpack
from engine.core.state import Bar, Limits, Rules, Signal, start
from tests.fakes.desks import BAR_MS, LOOSE, RULES, hostile, hostile_rules, run_lists

NAN = float("nan")
T0 = 1_735_689_600_000
QUIET = Signal(0, 0.0, 2.0, 0.5, 0.001, 0.0, 0.0, 0, 1)
LONG, SHORT = QUIET._replace(side=1, strength=1.0), QUIET._replace(side=-1, strength=1.0)
PLAIN = RULES._replace(
    lot_size=1.0, tick=0.0, fixed_lots=10, vol_target=0.0, trail_atr=0.0, fade_below=0.0, participation_max=1.0,
    leverage_max=10.0, notional_frac_max=10.0, taker_frac=0.001, maker_frac=0.0005,
)  # fmt: skip


def bar(t: int, prices: tuple[float, ...], **changed: float) -> Bar:
    """Bar t of open, high, low, close with plenty of volume."""
    return Bar(T0 + (t + 1) * BAR_MS, *map(float, prices), 1e6, 0.0, 0.0)._replace(**changed)


class Ran:
    """What a run left: rows by kind as (sleeve, code, rule, side, layer, lots, price, fee, equity, a, b), and the final state."""

    def __init__(self, bars: list, signals: list, rules: list[Rules], limits: Limits = LOOSE, halted: int = 0) -> None:
        self.rows, self.sleeves, self.desk, self.ambiguous = run_lists(bars, signals, rules, limits, 10_000.0, halted)

    def of(self, kind: int) -> list[tuple[Any, ...]]:
        """Rows of one kind: (bar, code, rule, side, lots, price, fee, a, b)."""
        found = []
        for row in self.rows:
            _, its, code, rule, side, _, _ = unpack(row.tag)
            if its == kind:
                t = (row.close_ms - T0) // BAR_MS - 1
                found.append((t, code, rule, side, row.lots, row.price, row.fee, row.a, row.b))
        return found

    def fills(self) -> list[tuple[int, int, int, int, float]]:
        """(bar, exit reason, trade side, lots, price)."""
        return [(t, rule, side, lots, price) for t, _, rule, side, lots, price, _, _, _ in self.of(state.K_FILL)]

    def refusals(self) -> list[tuple[int, int]]:
        """(bar, rule)."""
        return [(t, rule) for t, code, rule, *_ in self.of(state.K_DECISION) if code == state.REFUSED]


def ran(bars: list[Bar], signals: list[Signal], rules: Rules = PLAIN, **more: Any) -> Ran:
    """One sleeve."""
    return Ran(bars, signals, [rules], **more)


FLAT4 = [(100, 101, 99, 100)] * 4


def test_a_signal_acts_at_the_next_open_and_pays_spread_and_fee() -> None:
    """Decided at the close of bar 0, filled at the open of bar 1: 102 plus 10 bps against us, taker fee on it."""
    run = ran([bar(0, (100, 101, 99, 100)), bar(1, (102, 103, 101, 102))], [LONG, QUIET])
    assert run.fills() == [(1, 0, 1, 10, pytest.approx(102.102))]
    ledger = run.sleeves[0].ledger
    assert ledger.fees == pytest.approx(10 * 102.102 * 0.001)
    assert ledger.slippage == pytest.approx(10 * 0.102)
    assert ledger.equity == pytest.approx(10_000 - ledger.fees + 10 * (102 - 102.102))


def test_a_target_pays_maker_and_no_slippage_a_stop_pays_taker_and_slips() -> None:
    """Long from 100.1: the target 8 above fills at its level; the stop 4 below fills 10 bps lower."""
    win = ran([bar(0, FLAT4[0]), bar(1, FLAT4[0]), bar(2, (100, 109, 100, 108))], [LONG, QUIET, QUIET])
    assert win.fills()[1] == (2, state.TARGET, -1, 10, pytest.approx(108.1))
    assert win.of(state.K_FILL)[1][6] == pytest.approx(10 * 108.1 * 0.0005)
    loss = ran([bar(0, FLAT4[0]), bar(1, FLAT4[0]), bar(2, (100, 100, 95, 96))], [LONG, QUIET, QUIET])
    assert loss.fills()[1] == (2, state.STOP, -1, 10, pytest.approx(96.1 * 0.999))
    assert loss.of(state.K_FILL)[1][6] == pytest.approx(10 * 96.1 * 0.999 * 0.001)


def test_exits_are_live_on_the_bar_of_the_entry() -> None:
    """Entry at the open of bar 1, stop touched in bar 1: out in bar 1."""
    run = ran([bar(0, FLAT4[0]), bar(1, (100, 100, 90, 91))], [LONG, QUIET])
    assert [fill[:2] for fill in run.fills()] == [(1, 0), (1, state.STOP)]


def test_only_a_carried_position_settles_funding() -> None:
    """An entry at the settlement's open pays nothing; a position carried into it pays, also when it leaves at that open."""
    settled = {"funding_rate": 0.01, "funding_mark": 100.0}
    fresh = ran([bar(0, FLAT4[0]), bar(1, FLAT4[0], **settled)], [LONG, QUIET])
    assert fresh.sleeves[0].ledger.funding == 0.0
    carried = ran([bar(0, FLAT4[0]), bar(1, FLAT4[0]), bar(2, FLAT4[0], **settled)], [LONG, QUIET, QUIET])
    assert carried.sleeves[0].ledger.funding == pytest.approx(-10.0)
    rules = PLAIN._replace(fade_below=0.5)
    left = ran([bar(0, FLAT4[0]), bar(1, FLAT4[0]), bar(2, FLAT4[0], **settled)], [LONG, QUIET, QUIET], rules)
    assert left.fills()[-1][:2] == (2, state.FADE)
    assert left.sleeves[0].ledger.funding == pytest.approx(-10.0)


def test_a_reversal_leaves_at_the_next_open_and_enters_one_later() -> None:
    """The opposite signal at bar 1: out at the open of 2, short at the open of 3."""
    rules = PLAIN._replace(fade_below=0.5)
    run = ran([bar(t, FLAT4[0]) for t in range(4)], [LONG, SHORT, SHORT, SHORT], rules)
    assert [fill[:3] for fill in run.fills()] == [(1, 0, 1), (2, state.FADE, -1), (3, 0, -1)]


def test_nothing_happens_on_a_missing_bar_and_its_order_is_stale_afterwards() -> None:
    """The entry's bar is missing: it is cancelled, not filled a bar late."""
    run = ran([bar(0, FLAT4[0]), bar(1, (NAN,) * 4), bar(2, FLAT4[0]), bar(3, FLAT4[0])], [LONG, QUIET, QUIET, QUIET])
    assert run.fills() == []
    assert run.sleeves[0].order.side == 0


def test_a_thin_bar_fills_what_it_can() -> None:
    """Volume 4: an entry of 10 gets 4 and the rest is cancelled; an exit of 4 from a bar of 3 leaves 1 for the next open."""
    bars = [bar(0, FLAT4[0]), bar(1, FLAT4[0], volume=4.0), bar(2, (100, 100, 95, 96), volume=3.0), bar(3, (97, 98, 96, 97))]
    run = ran(bars, [LONG, QUIET, QUIET, QUIET])
    assert [fill[:4] for fill in run.fills()] == [(1, 0, 1, 4), (2, state.STOP, -1, 3), (3, state.STOP, -1, 1)]


def test_liquidity_is_consumed_once_over_all_sleeves() -> None:
    """Two sleeves want 10 of a bar of 12: the first gets 10, the second 2."""
    bars = [bar(0, FLAT4[0]), bar(1, FLAT4[0], volume=12.0)]
    run = Ran(bars, [LONG, LONG, QUIET, QUIET], [PLAIN, PLAIN])
    assert [fill[3] for fill in run.fills()] == [10, 2]


@pytest.mark.parametrize(("side", "moved"), [(1, (100, 100, 90, 90)), (-1, (100, 110, 100, 110))])
def test_stops_of_several_sleeves_share_one_bar(side: int, moved: tuple[float, ...]) -> None:
    """Three positions of 10 meet their stops in a bar of 12: 10, 2 and nothing; the rest leaves at the next open, as it can."""
    enters = LONG if side > 0 else SHORT
    bars = [bar(0, FLAT4[0]), bar(1, FLAT4[0]), bar(2, moved, volume=12.0), bar(3, (moved[3],) * 4, volume=15.0)]
    run = Ran(bars, [enters] * 3 + [QUIET] * 9, [PLAIN] * 3)
    assert [fill[:4] for fill in run.fills()[3:]] == [
        (2, state.STOP, -side, 10),
        (2, state.STOP, -side, 2),
        (3, state.STOP, -side, 8),
        (3, state.STOP, -side, 7),
    ]


@pytest.mark.parametrize("seed", [0, 1, 3, 4, 6, 7])
def test_no_bar_fills_more_than_its_share_of_volume(seed: int) -> None:
    """Hostile feeds with thin bars: entries and exits of all sleeves on an instrument together stay within participation_max."""
    records, columns = hostile(seed, bars=400)
    records["volume"] *= 1e-3
    bars = [Bar(*row) for row in records.tolist()]
    signals = [Signal(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    rules = [rule._replace(participation_max=0.02) for rule in hostile_rules(seed)]
    volume = {(b.close_ms, k % 3): b.volume for k, b in enumerate(bars)}
    filled: dict[tuple[int, int], float] = {}
    bound = exits = 0
    for row in run_lists(bars, signals, rules, LOOSE, 100_000.0)[0]:
        s, kind, _, reason, *_ = unpack(row.tag)
        if kind == state.K_FILL:
            at = row.close_ms, rules[s].instrument
            filled[at] = filled.get(at, 0.0) + row.lots * rules[s].lot_size
            exits += reason != state.NONE
    for at, units in filled.items():
        share = 0.02 * volume[at]
        assert units <= share * (1 + 1e-9)
        bound += units > 0.9 * share
    assert bound > 3, "no bar was thin enough to matter"
    assert exits > 3


def test_a_halt_flattens_at_the_next_open_and_lets_nothing_in() -> None:
    """Halted from the start of bar 2 on: out at the open of 3 by reason halt; signals are not even sized."""
    bars = [bar(t, FLAT4[0]) for t in range(5)]
    open_ = ran(bars[:2], [LONG, QUIET])
    rows, sleeves, desk, _ = run_lists(
        bars[2:], [LONG] * 3, [PLAIN], LOOSE, 10_000.0, 1, sleeves=open_.sleeves, desk=open_.desk._replace(halted=1)
    )
    assert sleeves[0].position.open_layers == 0
    kinds = [unpack(row.tag) for row in rows]
    assert [k[3] for k in kinds if k[1] == state.K_FILL] == [state.HALT]
    assert not [k for k in kinds if k[1] == state.K_SIZE]
    assert desk.halted == 1


def test_a_desk_drawdown_halts_and_flattens() -> None:
    """1 % allowed, 3 % lost in a bar: the breaker's row comes once, the position leaves at the next open, for good."""
    rules = PLAIN._replace(stop_atr=20.0, fixed_lots=40)
    bars = [bar(0, FLAT4[0]), bar(1, FLAT4[0]), bar(2, (100, 100, 95, 95)), bar(3, (95, 96, 94, 95)), bar(4, (95, 96, 94, 95))]
    run = ran(bars, [LONG] * 5, rules, limits=LOOSE._replace(drawdown_frac_max=0.01))
    assert [(t, code) for t, code, *_ in run.of(state.K_BREAKER)] == [(2, state.DESK_DRAWDOWN)]
    assert run.fills()[-1][:2] == (3, state.HALT)
    assert run.desk.halted == 1


def test_the_second_sleeve_sees_what_the_first_has_ordered() -> None:
    """One instrument may carry 1.5 times the desk's equity: 20,000 fit, 20,000 more at the same close do not."""
    rules = PLAIN._replace(fixed_lots=200)
    limits = LOOSE._replace(instrument_frac_max=1.5)
    run = Ran([bar(0, FLAT4[0])], [LONG, LONG], [rules, rules], limits)
    assert [code for _, code, *_ in run.of(state.K_DECISION)] == [state.ENTER, state.REFUSED]
    assert run.refusals() == [(0, state.R_INSTRUMENT)]


def test_an_order_that_waits_for_a_missing_bar_counts_as_exposure() -> None:
    """15,000 ordered on an instrument whose next bar is missing: 20,000 more at that bar pass the desk's gross limit."""
    bars = [bar(0, FLAT4[0]), bar(0, FLAT4[0]), bar(1, (NAN,) * 4), bar(1, FLAT4[0])]
    rules = [PLAIN._replace(fixed_lots=150), PLAIN._replace(fixed_lots=200, instrument=1, bars=1)]
    run = Ran(bars, [LONG, QUIET, QUIET, LONG], rules, LOOSE._replace(gross_frac_max=1.5))
    assert run.refusals() == [(1, state.R_GROSS)]


def test_sleeves_on_one_instrument_hold_one_side() -> None:
    """A short beside a long that is only ordered yet is refused; on another instrument it is not."""
    run = Ran([bar(0, FLAT4[0])], [LONG, SHORT], [PLAIN, PLAIN])
    assert run.refusals() == [(0, state.R_OPPOSITE)]
    other = Ran([bar(0, FLAT4[0]), bar(0, FLAT4[0])], [LONG, SHORT], [PLAIN, PLAIN._replace(instrument=1, bars=1)])
    assert other.refusals() == []


def test_orders_of_one_minute_are_limited_over_the_desk() -> None:
    """Two a minute: the third sleeve at the same close is refused."""
    run = Ran([bar(0, FLAT4[0])], [LONG] * 3, [PLAIN] * 3, LOOSE._replace(orders_minute_max=2))
    assert run.refusals() == [(0, state.R_ORDER_RATE)]


def test_a_refusal_that_lasts_is_logged_and_sized_once() -> None:
    """Three closes without an ATR: one decision with its size and caps; the guard says since when."""
    run = ran([bar(t, FLAT4[0]) for t in range(3)], [LONG._replace(atr=NAN)] * 3)
    assert run.refusals() == [(0, state.R_UNKNOWN)]
    guard = run.sleeves[0].guard
    assert (guard.refused, guard.refused_ms) == (state.R_UNKNOWN, T0 + BAR_MS)
    assert len(run.of(state.K_SIZE)) == len(run.of(state.K_CAPS)) == 1


def test_layers_are_added_after_progress_each_with_its_own_stop() -> None:
    """A second layer needs add_atr of progress; never more than layers_max."""
    rules = PLAIN._replace(layers_max=2, add_atr=1.0, target_atr=0.0)
    bars = [bar(0, FLAT4[0])] + [bar(t, (99 + 2 * t, 100 + 2 * t, 98 + 2 * t, 99 + 2 * t)) for t in range(1, 7)]
    run = ran(bars, [LONG] * 7, rules)
    position = run.sleeves[0].position
    assert position.open_layers == 2
    assert [fill[0] for fill in run.fills()] == [1, 4]  # 1.9 of progress at bar 2 are too little
    assert position.layers[1].stop > position.layers[0].stop


def test_three_losing_trips_pause_and_the_row_says_until_when() -> None:
    """Stopped out three times in a row: one breaker row, and then entries are refused by the pause."""
    bars = [bar(t, FLAT4[0] if t % 2 == 0 else (100, 100, 90, 100)) for t in range(10)]
    run = ran(bars, [LONG] * 10)
    assert [(t, code, a) for t, code, *_, a, _ in run.of(state.K_BREAKER)] == [
        (5, state.LOSS_STREAK, float(T0 + 6 * BAR_MS + PLAIN.pause_ms))
    ]
    assert {rule for _, rule in run.refusals()} == {state.R_PAUSE}
    assert len([fill for fill in run.fills() if fill[1] == state.NONE]) == 3


def test_a_daily_loss_blocks_entries_but_no_exit() -> None:
    """3 % of a day lost on an open position: a breaker row, the stop still works."""
    rules = PLAIN._replace(stop_atr=10.0, fixed_lots=60)
    bars = [bar(0, FLAT4[0]), bar(1, FLAT4[0]), bar(2, (100, 100, 93, 93)), bar(3, (93, 93, 70, 71)), bar(4, FLAT4[0])]
    run = ran(bars, [LONG] * 5, rules)
    assert [(t, code) for t, code, *_ in run.of(state.K_BREAKER)] == [(2, state.DAY_LOSS)]
    assert run.fills()[-1][:2] == (3, state.STOP)
    assert run.refusals()[-1] == (3, state.R_DAY_LOSS)


def test_an_exit_that_waits_for_volume_is_decided_once() -> None:
    """Faded at bar 1, no volume in 2 and 3: one exit decision, and it leaves in 4."""
    bars = [bar(0, FLAT4[0]), bar(1, FLAT4[0])] + [bar(t, FLAT4[0], volume=0.0) for t in (2, 3)] + [bar(4, FLAT4[0])]
    run = ran(bars, [LONG, QUIET, QUIET, QUIET, QUIET], PLAIN._replace(fade_below=0.5))
    assert [t for t, code, *_ in run.of(state.K_DECISION) if code == state.EXIT] == [1]
    assert run.fills()[-1][:2] == (4, state.FADE)


def test_ambiguous_bars_are_counted() -> None:
    """A bar that touches stop and target is one; the same run is not ambiguous without it."""
    wild = ran([bar(0, FLAT4[0]), bar(1, FLAT4[0]), bar(2, (100, 110, 90, 100))], [LONG, QUIET, QUIET])
    assert wild.ambiguous == 1
    assert ran([bar(t, FLAT4[0]) for t in range(3)], [LONG, QUIET, QUIET]).ambiguous == 0


def test_sizing_learns_from_the_round_trips_of_the_run() -> None:
    """0.25 % at risk for 30 round trips, then what a record of every second trip won at two to one allows: the maximum."""
    rules = PLAIN._replace(fixed_lots=0, lot_size=0.001, day_entries_max=1_000, streak_max=1_000)
    bars = [bar(t, (100, 109, 100, 100) if t % 2 else (100, 100, 90, 100)) for t in range(40)]
    sizes = ran(bars, [LONG] * 40, rules).of(state.K_SIZE)
    risks = [fee for _, _, _, _, _, _, fee, _, _ in sizes]
    assert max(risks[:30]) <= 0.0025  # whole lots, rounded down
    assert risks[:30] == pytest.approx([0.0025] * 30, rel=0.01)
    assert 0.0198 < risks[31] <= 0.02


def test_the_record_of_the_last_hundred_trips_is_what_sizing_learns_from() -> None:
    """The 101st round trip pushes the first out of the estimate."""
    recent_r, ledger = [0.0] * 100, start(1.0).ledger
    for k in range(101):
        ledger = update_kelly_window(recent_r, 0, ledger._replace(trips=k + 1, last_r=5.0 if k == 0 else -1.0 if k % 2 else 2.0))
    assert (ledger.wins, ledger.losses) == (50, 50)
    assert (ledger.gain, ledger.loss) == (pytest.approx(100.0), pytest.approx(50.0))
