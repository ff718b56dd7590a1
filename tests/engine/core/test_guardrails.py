"""The door for orders: each rule refuses alone, breakers trip, last and re-arm as stated."""

from typing import Any

import pytest

from engine.core import state
from engine.core.desk import joint, signed, squared_exposure
from engine.core.guardrails import (
    NOTHING_AROUND,
    barred,
    correlated,
    count_entry,
    count_trip,
    review,
    roll_day,
    watch_desk,
    watch_sleeve,
)
from engine.core.state import DAY_MS, DESK_DRAWDOWN, NO_SIZE, Limits, Signal, start, start_desk
from tests.fakes.desks import RULES

NAN = float("nan")
NOW = 20_000 * DAY_MS + 12 * 3_600_000
LIMITS = Limits(0.15, 3.0, 1.8, 10)
SLEEVE, DESK = start(10_000.0), start_desk(10_000.0)
SIGNAL = Signal(1, 1.0, 1.0, 0.5, 1e-4, 0.0, 0.0, 0, 1, 1.0, 1.0)
JUDGING = LIMITS._replace(spread_frac_max=0.001, range_times_max=3.0, volume_times_min=0.5, volume_times_max=4.0)
FULL = NOTHING_AROUND._replace(square=4_950.0**2, cross=4_950.0)
SIZE = NO_SIZE._replace(lots=1_000, wanted=1.0)  # 1.0 unit at 100: notional 100


def reviewed(**changed: Any) -> int:
    """The rule that refuses an entry of notional 100 on a 10,000 desk, with some arguments changed."""
    given = {
        "sleeve": SLEEVE,
        "desk": DESK,
        "rules": RULES,
        "limits": LIMITS,
        "close_ms": NOW,
        "close": 100.0,
        "price": 100.0,
        "signal": SIGNAL,
        "size": SIZE,
        "stop_distance": 1.0,
        "target_distance": 2.0,
        "around": NOTHING_AROUND,
    }
    return review(**{**given, **changed})


def guarded(**changed: int) -> state.Sleeve:
    """A sleeve whose guard is changed."""
    return SLEEVE._replace(guard=SLEEVE.guard._replace(**changed))


def test_an_ordinary_entry_goes() -> None:
    """Nothing refuses a small order on a healthy desk."""
    assert reviewed() == state.R_NONE


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        (state.R_HALT, {"desk": DESK._replace(halted=1)}),
        (state.R_DRAWDOWN, {"desk": DESK._replace(tripped=DESK_DRAWDOWN)}),
        (state.R_DAY_LOSS, {"sleeve": guarded(block_until_ms=NOW + 1)}),
        (state.R_PAUSE, {"sleeve": guarded(pause_until_ms=NOW + 1)}),
        (state.R_UNKNOWN, {"stop_distance": 0.0}),
        (state.R_LAYERS, {"sleeve": SLEEVE._replace(position=SLEEVE.position._replace(open_layers=1))}),
        (state.R_OPPOSITE, {"around": NOTHING_AROUND._replace(side=-1)}),
        (state.R_SHORT, {"signal": SIGNAL._replace(side=-1), "rules": RULES._replace(shorts=0)}),
        (state.R_SIZE, {"size": NO_SIZE._replace(wanted=0.0004)}),
        (state.R_LEAST, {"rules": RULES._replace(least_lots=1_001)}),
        (state.R_LEAST, {"rules": RULES._replace(least_notional=100.01)}),
        (state.R_RISK, {"size": SIZE._replace(risk_frac=0.0201), "rules": RULES._replace(risk_limit_frac=0.02)}),
        (state.R_RISK, {"size": SIZE._replace(risk_frac=NAN)}),
        (state.R_LIQUIDATION, {"stop_distance": 60.0, "size": SIZE._replace(lots=100_000)}),
        (state.R_LEVERAGE, {"size": SIZE._replace(lots=310_000)}),
        (state.R_GROSS, {"desk": DESK._replace(gross=29_901.0)}),
        (state.R_INSTRUMENT, {"around": NOTHING_AROUND._replace(gross=17_901.0)}),
        (state.R_WINDOW, {"limits": LIMITS._replace(no_entry=(1 << 12,) * 7)}),
        (state.R_WINDOW, {"limits": LIMITS._replace(funding_quiet_ms=1), "rules": RULES._replace(funding_ms=4 * 3_600_000)}),
        (state.R_SIGNAL, {"signal": SIGNAL._replace(strength=0.0)}),
        (state.R_SIGNAL, {"signal": SIGNAL._replace(strength=NAN)}),
        (state.R_SIGNAL, {"signal": SIGNAL._replace(post_only=1)}),
        (state.R_SIGNAL, {"signal": SIGNAL._replace(limit=40.0), "price": 40.0}),
        (state.R_SIGNAL, {"stop_distance": 100.0}),
        (state.R_SPREAD, {"limits": LIMITS._replace(spread_frac_max=1.9e-4)}),
        (state.R_UNKNOWN, {"limits": JUDGING, "signal": SIGNAL._replace(slip_frac=NAN)}),
        (state.R_VOLUME, {"limits": JUDGING, "signal": SIGNAL._replace(volume_times=4.01)}),
        (state.R_VOLUME, {"limits": JUDGING, "signal": SIGNAL._replace(volume_times=0.49)}),
        (state.R_VOLUME, {"limits": LIMITS._replace(volume_times_min=0.5), "signal": SIGNAL._replace(volume_times=0.49)}),
        (state.R_UNKNOWN, {"limits": JUDGING, "signal": SIGNAL._replace(volume_times=NAN)}),
        (state.R_RANGE, {"limits": JUDGING, "signal": SIGNAL._replace(range_times=3.01)}),
        (state.R_UNKNOWN, {"limits": JUDGING, "signal": SIGNAL._replace(range_times=NAN)}),
        (state.R_FAMILY, {"limits": LIMITS._replace(family_frac_max=0.5), "around": NOTHING_AROUND._replace(family=4_901.0)}),
        (state.R_CORRELATED, {"limits": LIMITS._replace(correlated_frac_max=0.5), "around": FULL}),
        (state.R_POSITIONS, {"limits": LIMITS._replace(positions_max=3), "desk": DESK._replace(positions=3)}),
        (state.R_ORDER_RATE, {"desk": DESK._replace(minute=NOW // 60_000, minute_orders=10)}),
    ],
)
def test_each_rule_refuses_alone(rule: int, changed: dict) -> None:
    """One input beyond its limit, all others fine: exactly that rule refuses."""
    assert reviewed(**changed) == rule


def test_limits_at_the_limit_still_pass() -> None:
    """The limit itself is allowed, one cent more is not."""
    assert reviewed(desk=DESK._replace(gross=29_900.0)) == state.R_NONE
    assert reviewed(around=NOTHING_AROUND._replace(gross=17_900.0)) == state.R_NONE


def test_what_is_usual_passes_and_a_limit_that_is_off_asks_nothing() -> None:
    """At each bound of the market conditions; without them even an unknown range does not matter."""
    at_bound = SIGNAL._replace(slip_frac=0.0005, range_times=3.0, volume_times=4.0)
    assert reviewed(limits=JUDGING, signal=at_bound) == state.R_NONE
    assert reviewed(limits=JUDGING, signal=at_bound._replace(volume_times=0.5)) == state.R_NONE
    assert reviewed(signal=SIGNAL._replace(slip_frac=1.0, range_times=NAN, volume_times=NAN)) == state.R_NONE


def test_a_hedge_lowers_the_correlated_exposure_and_an_unknown_correlation_raises_it() -> None:
    """1,000 long of one instrument, 500 more of another: 1,500 together, 500 as a hedge, the root of the squares apart."""
    other = NOTHING_AROUND._replace(square=1_000.0**2)
    for moves, expected in ((1.0, 1_500.0), (-1.0, 500.0), (0.0, 1_118.034)):
        assert correlated(other._replace(cross=1_000.0 * moves), 500.0) == pytest.approx(expected)
    exposed, sides, unknown = [1_000.0, 0.0], [1, 0], [NAN] * 4
    for side in (1, -1):
        assert joint(unknown, 2, 1, 0, float(side), signed(exposed, sides, 0, side)) == 1_000.0
    assert squared_exposure([1_000.0, 500.0], [1, -1], unknown, 1) == 1_500.0**2
    assert squared_exposure([1_000.0, 500.0], [1, -1], [1.0, 1.0, 1.0, 1.0], 1) == 500.0**2


def test_one_more_layer_is_no_more_position() -> None:
    """A sleeve that is in already adds a layer while the desk has as many positions as it may."""
    inside = SLEEVE._replace(position=SLEEVE.position._replace(open_layers=1, side=1))
    full, limits, layers = DESK._replace(positions=3), LIMITS._replace(positions_max=3), RULES._replace(layers_max=2)
    assert reviewed(sleeve=inside, desk=full, limits=limits, rules=layers) == state.R_NONE


def test_the_venues_least_order_itself_passes() -> None:
    """As many lots, or as much money, as the venue asks for; and a spot instrument may be bought."""
    assert reviewed(rules=RULES._replace(least_lots=1_000, least_notional=100.0)) == state.R_NONE
    assert reviewed(rules=RULES._replace(shorts=0)) == state.R_NONE


def test_daily_loss_blocks_for_24_hours_and_not_on_the_new_day() -> None:
    """3 % below the day's start blocks; the next UTC day alone does not lift it, 24 hours do."""
    guard = roll_day(SLEEVE.guard, SLEEVE.ledger, NOW)
    fine = watch_sleeve(guard, SLEEVE.ledger._replace(equity=9_700.0), RULES, NOW)
    assert fine.block_until_ms == 0
    blocked = watch_sleeve(guard, SLEEVE.ledger._replace(equity=9_699.9), RULES, NOW)
    assert blocked.block_until_ms == NOW + DAY_MS
    assert barred(blocked, DESK, NOW + DAY_MS // 2 + 1) == state.R_DAY_LOSS
    assert barred(blocked, DESK, NOW + DAY_MS) == state.R_NONE


def test_an_unknown_equity_counts_as_a_daily_loss() -> None:
    """NaN is a breach, not a pass."""
    assert watch_sleeve(SLEEVE.guard, SLEEVE.ledger._replace(equity=NAN), RULES, NOW).block_until_ms == NOW + DAY_MS


def test_three_losses_pause_and_a_win_forgives() -> None:
    """The streak counts round trips in a row; the pause is the stated time; the count starts anew."""
    guard = SLEEVE.guard
    for pnl in (-1.0, -1.0, 5.0, -1.0, -1.0):
        guard = count_trip(guard, RULES, pnl, NOW)
        assert guard.pause_until_ms == 0
    guard = count_trip(guard, RULES, 0.0, NOW)
    assert (guard.pause_until_ms, guard.streak) == (NOW + RULES.pause_ms, 0)


def test_the_twentieth_entry_of_a_day_pauses() -> None:
    """Counted by UTC day; a new day starts at zero."""
    guard = SLEEVE.guard._replace(day=5)
    for _ in range(19):
        guard = count_entry(guard, RULES, NOW)
    assert guard.pause_until_ms == 0
    assert count_entry(guard, RULES, NOW).pause_until_ms == NOW + RULES.pause_ms
    assert roll_day(guard, SLEEVE.ledger, NOW).day_entries == 0


@pytest.mark.parametrize(("equity", "halted"), [(8_501.0, 0), (8_499.0, 1), (NAN, 1)])
def test_desk_drawdown_latches_and_halts(equity: float, halted: int) -> None:
    """15 % below the peak of marked equity halts; a recovery does not lift it."""
    desk = watch_desk(DESK, LIMITS, equity, 0.0, 0)
    assert (desk.halted, desk.tripped) == (halted, halted * DESK_DRAWDOWN)
    again = watch_desk(desk, LIMITS, 12_000.0, 0.0, 0)
    assert again.halted == halted
