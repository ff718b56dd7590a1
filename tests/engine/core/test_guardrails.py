"""The door for orders: each rule refuses alone, breakers trip, last and re-arm as stated."""

from typing import Any

import pytest

from engine.core import state
from engine.core.guardrails import barred, count_entry, count_trip, review, roll_day, watch_desk, watch_sleeve
from engine.core.state import DAY_MS, DESK_DRAWDOWN, NO_SIZE, Limits, start, start_desk
from tests.fakes.desks import RULES

NAN = float("nan")
NOW = 20_000 * DAY_MS + 12 * 3_600_000
LIMITS = Limits(0.15, 3.0, 1.8, 10)
SLEEVE, DESK = start(10_000.0), start_desk(10_000.0)
SIZE = NO_SIZE._replace(lots=1_000, wanted=1.0)  # 1.0 unit at 100: notional 100


def reviewed(**changed: Any) -> int:
    """The rule that refuses an entry of notional 100 on a 10,000 desk, with some arguments changed."""
    given = {
        "sleeve": SLEEVE,
        "desk": DESK,
        "rules": RULES,
        "limits": LIMITS,
        "close_ms": NOW,
        "price": 100.0,
        "side": 1,
        "size": SIZE,
        "stop_distance": 1.0,
        "instrument_gross": 0.0,
        "instrument_side": 0,
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
        (state.R_OPPOSITE, {"instrument_side": -1}),
        (state.R_SHORT, {"side": -1, "rules": RULES._replace(shorts=0)}),
        (state.R_SIZE, {"size": NO_SIZE._replace(wanted=0.0004)}),
        (state.R_LEAST, {"rules": RULES._replace(least_lots=1_001)}),
        (state.R_LEAST, {"rules": RULES._replace(least_notional=100.01)}),
        (state.R_RISK, {"size": SIZE._replace(risk_frac=0.0201), "rules": RULES._replace(risk_limit_frac=0.02)}),
        (state.R_RISK, {"size": SIZE._replace(risk_frac=NAN)}),
        (state.R_LIQUIDATION, {"stop_distance": 6_000.0}),
        (state.R_LEVERAGE, {"size": SIZE._replace(lots=310_000)}),
        (state.R_GROSS, {"desk": DESK._replace(gross=29_901.0)}),
        (state.R_INSTRUMENT, {"instrument_gross": 17_901.0}),
        (state.R_ORDER_RATE, {"desk": DESK._replace(minute=NOW // 60_000, minute_orders=10)}),
    ],
)
def test_each_rule_refuses_alone(rule: int, changed: dict) -> None:
    """One input beyond its limit, all others fine: exactly that rule refuses."""
    assert reviewed(**changed) == rule


def test_limits_at_the_limit_still_pass() -> None:
    """The limit itself is allowed, one cent more is not."""
    assert reviewed(desk=DESK._replace(gross=29_900.0)) == state.R_NONE
    assert reviewed(instrument_gross=17_900.0) == state.R_NONE


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
    desk = watch_desk(DESK, LIMITS, equity, 0.0)
    assert (desk.halted, desk.tripped) == (halted, halted * DESK_DRAWDOWN)
    again = watch_desk(desk, LIMITS, 12_000.0, 0.0)
    assert again.halted == halted
