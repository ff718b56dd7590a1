"""Guardrails and sizes of a basket: its pairs share one equity, one day, one row of losses and the desk's caps."""

import math
from typing import Any

import numpy as np
import pytest

from engine.core.basket_open import margin_asked
from engine.core.state import (
    DAY_LOSS,
    EXIT_REASONS,
    FREQUENCY,
    K_BREAKER,
    LOSS_STREAK,
    NO_TIER,
    NONE,
    OPTIMISTIC,
    PAIR,
    PESSIMISTIC,
    R_DAY_LOSS,
    R_GROSS,
    R_INSTRUMENT,
    R_LEVERAGE,
    R_PAUSE,
    R_RISK,
    R_WINDOW,
    Tier,
)
from tests.engine.core.test_basket import COARSE, FAIR, FAR, FREE, fills, held, legs, refusals
from tests.fakes.baskets import LEG, TERMS, BasketCase, inputs
from tests.fakes.desks import LOOSE

UP, DOWN, GONE = FAIR * math.exp(0.025), FAIR * math.exp(-0.025), FAIR * math.exp(0.045)
LOST = [FAIR, UP, UP, GONE, GONE, FAIR]  # entered, given up, back inside


def shared(deviations: tuple[float, float] = (0.01, 0.01), bars: int = 4, **more: Any) -> Any:
    """Legs a, b and c: pair 0 sells a for c, pair 1 buys b for c, both decided at bar 1."""
    given = inputs(*legs([FAIR, *[UP] * (bars - 1)], [FAIR, *[DOWN] * (bars - 1)], [FAIR] * bars), pairs=2, **more)
    return given._replace(deviation=np.tile(deviations, bars))


def breakers(found: Any) -> list[int]:
    """Which tripped."""
    return [int(row["code"]) for row in found.rows if row["kind"] == K_BREAKER]


def test_a_row_of_losing_pairs_pauses_the_basket() -> None:
    """Two stops in a row: the third entry is refused."""
    given = inputs(*legs([*LOST, *LOST[1:], UP, UP], [FAIR] * 13))
    found = BasketCase(given, [FREE._replace(streak_max=2)] * 2, [(0, 1)]).run()
    assert found.book.ledger.trips == 2
    assert breakers(found) == [LOSS_STREAK]
    assert refusals(found) == [R_PAUSE]


def test_a_days_loss_blocks_the_basket() -> None:
    """One stop costs half a percent."""
    given = inputs(*legs([*LOST, UP, UP], [FAIR] * 8))
    found = BasketCase(given, [FREE._replace(day_loss_frac_max=0.002)] * 2, [(0, 1)]).run()
    assert breakers(found) == [DAY_LOSS]
    assert refusals(found) == [R_DAY_LOSS]


def test_too_many_entries_of_a_day_pause_the_basket() -> None:
    """The second entry is its last."""
    given = inputs(*legs([*LOST, *LOST[1:], UP, UP], [FAIR] * 13))
    found = BasketCase(given, [FREE._replace(day_entries_max=2)] * 2, [(0, 1)]).run()
    assert breakers(found) == [FREQUENCY]
    assert refusals(found) == [R_PAUSE]


def test_the_risk_of_all_pairs_counts() -> None:
    """Each risks 2 %: under a limit of 3 % one of two is entered."""
    found = BasketCase(shared(), [FREE._replace(risk_limit_frac=0.03)] * 3, [(0, 2), (1, 2)]).run()
    assert refusals(found) == [R_RISK]
    assert [pair.side for pair in found.pairs] == [-1, 0]


@pytest.mark.parametrize(
    ("limits", "rules", "rule"),
    [
        ({"gross_frac_max": 0.4}, {}, R_GROSS),  # a quarter of equity a leg: the second leg does not go
        ({"instrument_frac_max": 0.2}, {}, R_INSTRUMENT),
        ({"no_entry": (0xFFFFFF,) * 7}, {}, R_WINDOW),
        ({}, {"leverage_max": 0.4, "notional_frac_max": 0.4}, 0),  # sized to it
    ],
)
def test_the_desks_caps_see_both_legs(limits: dict[str, Any], rules: dict[str, Any], rule: int) -> None:
    """Neither leg goes where one does not; a cap of the sleeve's own makes the pair smaller."""
    given = inputs(*legs([FAIR, *[UP] * 3], [FAIR] * 4))
    found = BasketCase(given, [FREE._replace(**rules)] * 2, [(0, 1)], limits=LOOSE._replace(**limits)).run()
    assert refusals(found) == ([rule] if rule else [])
    assert bool(fills(found)) is (rule == 0)
    assert found.book.ledger.notional <= 0.4 * 10_000.0 * 1.001


def test_what_a_close_has_ordered_on_a_leg_counts_for_the_next_pair() -> None:
    """Both pairs want a quarter of equity of c at one close: a cap between a quarter and a half lets one through."""
    case = BasketCase(shared(), [FREE] * 3, [(0, 2), (1, 2)], limits=LOOSE._replace(instrument_frac_max=0.3))
    assert refusals(case.run()) == [R_INSTRUMENT]
    assert refusals(case._replace(limits=LOOSE).run()) == []


def test_leverage_counts_every_pair() -> None:
    """The second pair has what the first left over."""
    rules = [FREE._replace(leverage_max=0.7, notional_frac_max=0.7)] * 3
    found = BasketCase(shared(), rules, [(0, 2), (1, 2)]).run()
    first, second = (abs(pair.lots_a) * 0.0001 for pair in found.pairs)
    assert first * UP == pytest.approx(2_500.0, rel=1e-3)
    assert second * DOWN == pytest.approx(1_000.0, rel=1e-3)
    assert R_LEVERAGE not in refusals(found)


def test_a_net_order_below_the_venues_least_does_not_go() -> None:
    """Pair 0 buys 2,500 of c, pair 1 sells 2,273 of it: 2,273 cross, the rest is too little for the venue, and a is cut to it."""
    rules = [FREE, FREE, FREE._replace(least_notional=2_000.0)]
    found = BasketCase(shared((0.01, 0.011), bars=5), rules, [(0, 2), (1, 2)]).run()
    assert found.legs[2].position.open_layers == 0
    assert found.pairs[0].lots_b == -found.pairs[1].lots_b > 0
    cut = [(leg, pair, EXIT_REASONS[fill.reason]) for _, leg, pair, fill in fills(found) if fill.slot != 0]
    assert cut == [(0, 0, "pair")]
    assert -found.pairs[0].lots_a * UP == pytest.approx(found.pairs[0].lots_b * FAIR, rel=1e-3)


def test_a_leg_that_was_cut_still_has_its_stop() -> None:
    """b fills in part, a is cut, then a rises by half: its wide stop fills, and b leaves."""
    volume = np.full((8, 2), 1e6)
    volume[2, 1] = 40.0
    a = [FAIR, FAR, FAR, FAR, FAR, FAR * 1.5, FAR * 1.5, FAR * 1.5]
    terms = TERMS._replace(stop=90.0)
    rules = [COARSE._replace(risk_start_frac=0.2, risk_max_frac=0.2)] * 2
    rows = fills(BasketCase(inputs(*legs(a, [FAIR] * 8), volume=volume), rules, [(0, 1)], terms).run())
    left = [(bar, leg, fill.slot, EXIT_REASONS[fill.reason]) for bar, leg, _, fill in rows if fill.slot != 0]
    assert left == [(3, 0, 3, "pair"), (5, 0, 1, "stop"), (6, 1, 3, "pair")]


def test_the_finer_leg_is_sized_to_the_coarser() -> None:
    """A lot of a is 10 units: 20 of the 24.4 that risk allows are whole, and b is as much money."""
    given = inputs(*legs([FAIR, *[FAR] * 3], [FAIR] * 4))
    found = BasketCase(given, [FREE._replace(lot_size=10.0), FREE], [(0, 1)]).run()
    ((a, b),) = held(found)
    assert a == -2
    assert b * 0.0001 * FAIR == pytest.approx(20.0 * FAR, rel=1e-4)
    assert found.pairs[0].risk == pytest.approx(200.0 * 20.0 / (2_500.0 / FAR), rel=1e-4)


def test_the_bars_volume_caps_the_pair_at_its_entry() -> None:
    """A tenth of 100 units of a: no more is ordered of it, b is as much money, and nothing has to be cut."""
    volume = np.column_stack((np.full(5, 100.0), np.full(5, 1e6)))
    found = BasketCase(inputs(*legs([FAIR, *[FAR] * 4], [FAIR] * 5), volume=volume), [COARSE] * 2, [(0, 1)]).run()
    assert COARSE.mode == PESSIMISTIC
    ((a, b),) = held(found)
    assert a in (-100_000, -99_999)
    assert b * 0.0001 * FAIR == pytest.approx(10.0 * FAR, rel=2e-4)
    assert len(fills(found)) == 2
    assert LEG.participation_max == 0.1


def test_a_stop_that_fills_in_part_leaves_the_rest_to_what_pairs_want() -> None:
    """Ten of 25 units of b leave in its bar; the leg has no exit of its own beside the pair's, and keeps its stop."""
    volume = np.full((4, 2), 1e6)
    volume[3, 1] = 100.0
    found = BasketCase(
        inputs(*legs([FAIR, FAR, FAR, FAR], [FAIR, FAIR, FAIR, 50.0]), volume=volume), [COARSE] * 2, [(0, 1)]
    ).run()
    pair, layer = found.pairs[0], found.legs[1].position.layers[0]
    assert 0 < layer.lots == pair.lots_b < abs(pair.lots_a)
    assert layer.exit_pending == NONE
    assert (pair.want_a, pair.want_b, pair.leaving) == (0, 0, PAIR)


def test_a_hedge_of_the_wrong_sign_enters_nothing() -> None:
    """Both legs on one side would be no hedge."""
    given = inputs(*legs([FAIR, *[UP] * 3], [FAIR] * 4), fit=(-1.0, 2.0 * math.log(FAIR), 0.01))
    assert len(BasketCase(given, [FREE] * 2, [(0, 1)]).run().rows) == 0


def test_a_leg_at_its_end_is_not_entered() -> None:
    """Nothing is even decided: its last bar is known."""
    opens, closes = legs([FAIR, *[UP] * 3], [FAIR] * 4)
    opens[2:, 1] = closes[2:, 1] = math.nan
    found = BasketCase(inputs(opens, closes, ends=np.array([-1, 1])), [FREE] * 2, [(0, 1)]).run()
    assert len(found.rows) == 0


def test_a_delisted_leg_pays_the_taker_fee_at_its_last_close() -> None:
    """There is no open after it."""
    opens, closes = legs([FAIR, *[UP] * 4], [FAIR, FAIR, FAIR, 101.0, 101.0])
    opens[4:, 1] = closes[4:, 1] = math.nan
    rules = [FREE._replace(taker_frac=0.001)] * 2
    rows = fills(BasketCase(inputs(opens, closes, ends=np.array([-1, 3])), rules, [(0, 1)]).run())
    (gone,) = [fill for _, leg, _, fill in rows if leg == 1 and fill.slot != 0]
    assert gone.price == 101.0
    assert gone.fee == pytest.approx(gone.lots * 0.0001 * 101.0 * 0.001)


def test_who_leaves_fills_before_who_enters() -> None:
    """Pair 0 leaves c while pair 1 sells it to enter, and the bar lets 26 units through: the 25 that leave, and one."""
    volume = np.full((6, 3), 1e6)
    volume[4, 2] = 260.0
    a, b = [FAIR, UP, UP, FAIR, FAIR, FAIR], [FAIR, FAIR, FAIR, UP, UP, UP]
    given = inputs(*legs(a, b, [FAIR] * 6), volume=volume, pairs=2)
    found = BasketCase(given._replace(intercept=np.tile([0.0, 0.05], 6)), [COARSE] * 3, [(0, 2), (1, 2)]).run()
    on_c = [(pair, fill.side, fill.slot, fill.lots) for bar, leg, pair, fill in fills(found) if leg == 2 and bar == 4]
    assert [one[:3] for one in on_c] == [(0, -1, 3), (1, -1, 0)]
    (entered,) = [fill.lots for bar, leg, _, fill in fills(found) if (bar, leg) == (2, 2)]
    assert on_c[0][3] == entered
    assert sum(lots for *_, lots in on_c) == 260_000


def test_a_new_day_has_its_own_entries() -> None:
    """Two of them on two days are not too many of one."""
    quiet = [FAIR] * 20
    given = inputs(*legs([*LOST, *quiet, UP, UP, UP], [FAIR] * 29))
    found = BasketCase(given, [FREE._replace(day_entries_max=2)] * 2, [(0, 1)]).run()
    assert found.book.entries == 2
    assert breakers(found) == []


@pytest.mark.parametrize(("mode", "reasons"), [(PESSIMISTIC, ["liquidation", "liquidation"]), (OPTIMISTIC, [])])
def test_a_wick_that_takes_the_margin_liquidates(mode: int, reasons: list[str]) -> None:
    """b's low is 25 % down and its close is not: the margin of 12 x was gone there. With its fee, which the venue keeps."""
    opens, closes = legs([FAIR, *[UP] * 4], [FAIR] * 5)
    low = np.minimum(opens, closes)
    low[3, 1] = 75.0
    more = {"risk_start_frac": 1.0, "risk_max_frac": 1.0, "leverage_max": 50.0, "notional_frac_max": 50.0, "stop_frac": 0.5}
    bold = FREE._replace(**more, mode=mode, maintenance_frac=0.01, liquidation_fee_frac=0.005)
    terms = TERMS._replace(pair_frac_max=12.0, stop=3.0)
    rows = fills(BasketCase(inputs(opens, closes, low=low), [bold] * 2, [(0, 1)], terms).run())
    left = [fill for _, _, _, fill in rows if fill.slot != 0]
    assert [EXIT_REASONS[fill.reason] for fill in left] == reasons
    for fill, price in zip(left, (UP, 75.0), strict=False):
        assert fill.price == price
        assert fill.fee == pytest.approx(fill.lots * 0.0001 * price * 0.005)


def test_the_tier_that_asks_for_the_most_decides() -> None:
    """One percent at first, five less 100 above."""
    rules = FREE._replace(maintenance_frac=0.01, tiers=(Tier(0.05, 100.0), *[NO_TIER] * 5))
    assert margin_asked(rules, 1_000.0) == pytest.approx(10.0)
    assert margin_asked(rules, 10_000.0) == pytest.approx(400.0)
