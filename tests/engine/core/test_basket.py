"""A basket by hand: money, cuts, mates, crossing, margins. Prices are chosen so that every figure can be checked on paper."""

import math
from typing import Any

import numpy as np
import pytest

from engine.core.row_fields import FillRow, decode
from engine.core.rows import unpack
from engine.core.state import EXIT_REASONS, K_DECISION, PESSIMISTIC, R_HALT, R_LEAST, R_RISK, R_SHORT, R_UNKNOWN, Row
from tests.fakes.baskets import FIRST_MS, HOUR_MS, LEG, TERMS, BasketCase, inputs
from tests.fakes.desks import LOOSE

FAIR = 100.0
FAR = FAIR * math.exp(0.025)  # 2.5 deviations of 0.01: short a, long b
FREE = LEG._replace(taker_frac=0.0, lot_size=0.0001)
COARSE = FREE._replace(mode=PESSIMISTIC, participation_max=0.1)


def legs(a: list[float], b: list[float], *more: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """(opens, closes) of legs by their closes; each opens where it closed."""
    closes = np.array([a, b, *more]).T
    return np.vstack([closes[:1], closes[:-1]]), closes


def fills(found: Any) -> list[tuple[int, int, int, FillRow]]:
    """(bar, leg, pair, the fill) of every fill row."""
    decoded = [(Row(*_columns(row)), row) for row in found.rows]
    kept = [(row.close_ms, decode(row)[1]) for row, _ in decoded]
    return [((ms - FIRST_MS) // HOUR_MS - 1, fill.leg, fill.pair, fill) for ms, fill in kept if isinstance(fill, FillRow)]


def _columns(row: Any) -> tuple[Any, ...]:
    raw = np.frombuffer(row.tobytes(), [("close_ms", "i8"), ("tag", "i8"), ("ref", "i8"), ("lots", "i8"), ("x", "f8", 5)])[0]
    return (*(int(raw[name]) for name in ("close_ms", "tag", "ref", "lots")), *(float(x) for x in raw["x"]))


def refusals(found: Any) -> list[int]:
    """Rules of refused entries, each once while it lasts."""
    tags = [unpack(_columns(row)[1]) for row in found.rows]
    return [tag[3] for tag in tags if tag[1] == K_DECISION and tag[2] == 4]


def held(found: Any) -> list[tuple[int, int]]:
    return [(pair.lots_a, pair.lots_b) for pair in found.pairs]


def test_a_spread_that_comes_back_pays_by_hand() -> None:
    """10,000 risk 2 % at 4 deviations of 0.01, with 2 x 0.1 % of fees a unit: gross 200 / 0.042; half on each leg."""
    taker = LEG._replace(lot_size=1e-6, taker_frac=0.001)
    found = BasketCase(inputs(*legs([FAIR, FAR, FAR, FAIR, FAIR], [FAIR] * 5)), [taker] * 2, [(0, 1)]).run()
    gross = 200.0 / 0.042
    units = gross / 2 / FAR, gross / 2 / FAIR
    rows = fills(found)
    assert [(bar, leg, fill.side) for bar, leg, _, fill in rows] == [(2, 0, -1), (2, 1, 1), (4, 0, 1), (4, 1, -1)]
    assert [fill.lots for *_, fill in rows][:2] == [pytest.approx(one * 1e6, abs=2.0) for one in units]
    moved, fees = units[0] * (FAR - FAIR), 0.001 * (units[0] * (FAR + FAIR) + 2 * units[1] * FAIR)
    assert found.equity[-1] - 10_000.0 == pytest.approx(moved - fees, abs=0.001)
    assert EXIT_REASONS[rows[-1][3].reason] == "signal"
    assert rows[-1][3].round_trip_pnl == pytest.approx(moved - fees, abs=0.001)
    assert (found.book.ledger.trips, found.book.ledger.wins) == (1, 1)
    assert found.book.ledger.last_r == pytest.approx((moved - fees) / 200.0, rel=1e-5)


def test_at_the_spreads_stop_the_pair_loses_what_it_risked() -> None:
    """No fees: from 2.5 deviations to 4 of them a gross of 200 / 0.04 loses 1.5 x 0.01 on its half of a: never more than 200."""
    gone = FAIR * math.exp(0.0401)
    found = BasketCase(inputs(*legs([FAIR, FAR, FAR, gone, gone, gone], [FAIR] * 6)), [FREE] * 2, [(0, 1)]).run()
    rows = fills(found)
    assert [EXIT_REASONS[fill.reason] for *_, fill in rows[2:]] == ["stop", "stop"]
    assert -200.0 < found.equity[-1] - 10_000.0 == pytest.approx(-2_500.0 * (gone / FAR - 1.0), rel=1e-3)
    assert found.pairs[0].armed == 0, "and nothing is entered before the spread was inside once"


def test_after_a_stop_the_spread_has_to_come_inside_first() -> None:
    """Beyond the entry level it is not entered a second time."""
    gone = FAIR * math.exp(0.045)
    path = [FAIR, FAR, FAR, gone, FAR, FAR, FAR, FAIR, FAR, FAR]
    found = BasketCase(inputs(*legs(path, [FAIR] * 10)), [FREE] * 2, [(0, 1)]).run()
    assert [bar for bar, leg, _, fill in fills(found) if fill.slot == 0 and leg == 0] == [2, 9]


def test_the_leg_that_fills_less_cuts_the_other_at_the_next_open() -> None:
    """Leg b's bar lets a tenth of 40 units through; a is cut to the same share, for the reason pair, at the next open."""
    volume = np.full((6, 2), 1e6)
    volume[2, 1] = 40.0
    found = BasketCase(inputs(*legs([FAIR, *[FAR] * 5], [FAIR] * 6), volume=volume), [COARSE] * 2, [(0, 1)]).run()
    rows = fills(found)
    assert [(bar, leg, fill.slot) for bar, leg, _, fill in rows] == [(2, 0, 0), (2, 1, 0), (3, 0, 3)]
    whole, part, cut = (fill.lots for *_, fill in rows)
    assert part == 40_000
    assert EXIT_REASONS[rows[2][3].reason] == "pair"
    a, b = held(found)[0]
    assert (a, b) == (-(whole - cut), part)
    assert -a * FAR == pytest.approx(b * FAIR, rel=1e-4), "as hedged as it was ordered"


def test_a_leg_that_fills_nothing_takes_the_other_out() -> None:
    """All or nothing: at the next open, for the reason pair."""
    volume = np.full((6, 2), 1e6)
    volume[2, 1] = 0.0
    given = inputs(*legs([FAIR, *[FAR] * 2, FAIR, FAIR, FAIR], [FAIR] * 6), volume=volume)
    found = BasketCase(given, [COARSE] * 2, [(0, 1)]).run()
    assert [(bar, leg, EXIT_REASONS[fill.reason]) for bar, leg, _, fill in fills(found)] == [(2, 0, "none"), (3, 0, "pair")]
    assert held(found) == [(0, 0)]
    assert found.book.ledger.trips == 1


def test_an_entry_without_a_bar_of_one_leg_takes_the_other_out() -> None:
    """Both orders are out when the bar is missed: a fills and leaves at the next open, the order of b does not wait."""
    opens, closes = legs([FAIR, FAR, FAR, FAIR, FAIR], [FAIR] * 5)
    opens[2, 1] = closes[2, 1] = math.nan
    rows = fills(BasketCase(inputs(opens, closes), [FREE] * 2, [(0, 1)]).run())
    assert [(bar, leg, EXIT_REASONS[fill.reason]) for bar, leg, _, fill in rows] == [(2, 0, "none"), (3, 0, "pair")]


def test_a_leg_that_misses_its_exit_leaves_at_the_next_open() -> None:
    """No order can know that the next bar will be missing."""
    opens, closes = legs([FAIR, FAR, FAR, FAIR, FAIR, FAIR], [FAIR] * 6)
    opens[4, 1] = closes[4, 1] = math.nan
    rows = fills(BasketCase(inputs(opens, closes), [FREE] * 2, [(0, 1)]).run())
    assert [(bar, leg) for bar, leg, _, fill in rows if fill.slot != 0] == [(4, 0), (5, 1)]


def thin(bar: int) -> list[tuple[int, int, int]]:
    """(bar, leg, lots) of the fills of a pair that leaves at the close of bar 3, where b's `bar` lets ten of 24 units through."""
    volume = np.full((6, 2), 1e6)
    volume[bar, 1] = 100.0
    given = inputs(*legs([FAIR, FAR, FAR, FAIR, FAIR, FAIR], [FAIR] * 6), volume=volume)
    rows = fills(BasketCase(given, [COARSE] * 2, [(0, 1)]).run())
    return [(bar, leg, fill.lots) for bar, leg, _, fill in rows]


def test_an_exit_is_ordered_as_the_thinner_closed_bar_would_let_it() -> None:
    """As much of a leaves as of b, and the rest of both at the next open, after a bar that lets all of it through."""
    (_, _, a), (_, _, b), *out = thin(3)
    assert [(bar, leg) for bar, leg, _ in out] == [(4, 0), (4, 1), (5, 0), (5, 1)]
    assert out[1][2] == 100_000
    assert out[0][2] / a == pytest.approx(out[1][2] / b, rel=1e-4)
    assert (out[0][2] + out[2][2], out[1][2] + out[3][2]) == (a, b)


def test_what_the_open_does_not_fill_is_due_at_the_next() -> None:
    """The bar that fills turns out to be thin: a is out, b follows at the next open."""
    (_, _, a), (_, _, b), *out = thin(4)
    assert out == [(4, 0, a), (4, 1, 100_000), (5, 1, b - 100_000)]


def test_a_leg_that_is_ahead_waits_for_its_mate() -> None:
    """Of a leg that leaves more slowly the lead is asked for on top, whatever the closed bar let through."""
    volume = np.full((8, 2), 1e6)
    volume[3, 1] = volume[4, 1] = 120.0  # 12 units are ordered, half of each leg
    volume[4, 0] = 60.0  # and of a 6 fill
    given = inputs(*legs([FAIR, FAR, FAR, *[FAIR] * 5], [FAIR] * 8), volume=volume)
    rows = fills(BasketCase(given, [COARSE] * 2, [(0, 1)]).run())
    (_, _, _, a), (_, _, _, b), *out = rows
    left = {(bar, leg): fill.lots for bar, leg, _, fill in out}
    assert sorted(left) == [(4, 0), (4, 1), (5, 0), (5, 1), (6, 0), (6, 1)]
    assert left[5, 0] > 60_000, "its lead, and its part of the rest"
    part_a, part_b = (left[4, leg] + left[5, leg] for leg in range(2))
    assert part_a / a.lots == pytest.approx(part_b / b.lots, rel=1e-3), "as far as its mate"


def test_a_leg_that_is_stopped_takes_its_mate_along() -> None:
    """b falls by half within a bar: its wide stop at 30 % fills there, a leaves at the next open for the reason pair."""
    given = inputs(*legs([FAIR, *[FAR] * 5], [FAIR, FAIR, FAIR, 50.0, 50.0, 50.0]))
    rows = fills(BasketCase(given, [FREE] * 2, [(0, 1)]).run())
    left = [(bar, leg, fill.slot, EXIT_REASONS[fill.reason], fill.price) for bar, leg, _, fill in rows if fill.slot != 0]
    assert left == [(3, 1, 1, "stop", 70.0), (4, 0, 3, "pair", FAR)]


def test_an_entry_that_fills_in_part_and_is_stopped_in_its_bar_risked_that_part() -> None:
    """b fills 12 of 25 units, and within the bar a doubles: R is over the share that was in."""
    volume = np.full((6, 2), 1e6)
    volume[2, 1] = 120.0
    opens, closes = legs([FAIR, *[FAR] * 5], [FAIR] * 6)
    high = np.maximum(opens, closes)
    high[2, 0] = 2.0 * FAR
    found = BasketCase(inputs(opens, closes, volume=volume, high=high), [COARSE] * 2, [(0, 1)]).run()
    assert [EXIT_REASONS[fill.reason] for *_, fill in fills(found)] == ["none", "none", "stop", "pair"]
    assert found.book.ledger.last_r == pytest.approx((found.equity[-1] - 10_000.0) / (200.0 * 12.0 / 25.0), rel=1e-3)


def test_a_leg_whose_bars_end_takes_its_mate_along() -> None:
    """It is closed at its last close, the mate at the next open."""
    opens, closes = legs([FAIR, *[FAR] * 5], [FAIR] * 6)
    opens[4:, 1] = closes[4:, 1] = math.nan
    rows = fills(BasketCase(inputs(opens, closes, ends=np.array([-1, 3])), [FREE] * 2, [(0, 1)]).run())
    left = [(bar, leg, EXIT_REASONS[fill.reason]) for bar, leg, _, fill in rows if fill.slot != 0]
    assert left == [(3, 1, "delisted"), (4, 0, "pair")]


def without_margin() -> BasketCase:
    """30 x leverage without a wide stop in reach: b falls by 20 %, which is more than all of the equity."""
    bold = FREE._replace(
        risk_start_frac=1.0,
        risk_max_frac=1.0,
        risk_limit_frac=9.0,
        leverage_max=50.0,
        notional_frac_max=50.0,
        maintenance_frac=0.01,
    )
    bold = bold._replace(liquidation_fee_frac=0.005)
    given = inputs(*legs([FAIR, *[FAR] * 5], [FAIR, FAIR, FAIR, 80.0, 80.0, 80.0]), fit=(1.0, 0.0, 0.01))
    return BasketCase(given, [bold] * 2, [(0, 1)], TERMS._replace(pair_frac_max=12.0, stop=3.0))


def test_margin_that_is_gone_closes_every_leg() -> None:
    """At the worst prices of that bar."""
    found = without_margin().run()
    left = [(bar, leg, EXIT_REASONS[fill.reason]) for bar, leg, _, fill in fills(found) if fill.slot != 0]
    assert left == [(3, 0, "liquidation"), (3, 1, "liquidation")]
    assert held(found) == [(0, 0)]


def test_what_crosses_inside_costs_nothing() -> None:
    """c against a and b against c: the one sells c, the other buys as much of it. No order leaves, no fee, one price for both."""
    up, down = FAIR * math.exp(0.025), FAIR * math.exp(-0.025)
    given = inputs(*legs([FAIR, up, up, up], [FAIR, down, down, down], [FAIR] * 4), pairs=2)
    rules = [LEG._replace(lot_size=size, taker_frac=0.001) for size in (1e-6, 1e-6, 0.001)]
    found = BasketCase(given, rules, [(0, 2), (1, 2)]).run()
    on_c = [(pair, fill.side, fill.lots, fill.fee, fill.price) for _, leg, pair, fill in fills(found) if leg == 2]
    (first, buys, lots, *paid), (second, sells, same, *also) = on_c
    assert (first, buys, second, sells) == (0, 1, 1, -1)
    assert lots == same
    assert paid == also == [0.0, FAIR]
    assert found.legs[2].position.open_layers == 0
    assert found.legs[2].ledger.fees == 0.0
    assert min(found.legs[0].ledger.fees, found.legs[1].ledger.fees) > 0.0


def test_the_fee_of_a_net_order_is_paid_by_who_traded_outside() -> None:
    """Pair 0 buys 2 x as much of c as pair 1 sells: it pays for the net half, the other nothing."""
    up, down = FAIR * math.exp(0.025), FAIR * math.exp(-0.025)
    given = inputs(*legs([FAIR, up, up, up], [FAIR, down, down, down], [FAIR] * 4), pairs=2)
    given = given._replace(deviation=np.tile([0.01, 0.011], 4))
    found = BasketCase(given, [LEG._replace(taker_frac=0.001)] * 3, [(0, 2), (1, 2)]).run()
    (_, first), (_, second) = [(pair, fill) for _, leg, pair, fill in fills(found) if leg == 2]
    net = first.lots - second.lots
    assert net > 0
    assert second.fee == 0.0
    assert first.fee == pytest.approx(net * 0.001 * FAIR * 0.001)
    assert found.legs[2].ledger.fees == pytest.approx(first.fee)


@pytest.mark.parametrize(
    ("change", "rule"),
    [({"shorts": 0}, R_SHORT), ({"least_notional": 1e6}, R_LEAST), ({"risk_limit_frac": 0.01}, R_RISK)],
)
def test_what_refuses_one_leg_refuses_the_pair(change: dict[str, Any], rule: int) -> None:
    """By the rule of guardrails.review that refuses any sleeve."""
    given = inputs(*legs([FAIR, *[FAR] * 3], [FAIR] * 4))
    found = BasketCase(given, [FREE._replace(**change), FREE], [(0, 1)]).run()
    assert refusals(found) == [rule]
    assert fills(found) == []


def test_the_drawdown_breaker_halts_and_flattens_both_legs() -> None:
    """At the next open; nothing enters after it."""
    worse = FAIR * math.exp(0.035)
    given = inputs(*legs([FAIR, FAR, FAR, worse, worse, worse, FAIR, FAR], [FAIR] * 8))
    found = BasketCase(given, [FREE] * 2, [(0, 1)], limits=LOOSE._replace(drawdown_frac_max=0.001)).run()
    assert [EXIT_REASONS[fill.reason] for *_, fill in fills(found) if fill.slot != 0] == ["halt", "halt"]
    assert found.desk.halted == 1
    assert set(refusals(found)) == {R_HALT}


def test_momentum_stays_past_the_mean_while_the_spread_moves_on() -> None:
    """It is left one bar after the spread stops."""
    low, lower = FAIR * math.exp(-0.01), FAIR * math.exp(-0.02)
    given = inputs(*legs([FAIR, FAR, FAR, FAIR, low, lower, lower, lower], [FAIR] * 8))
    rows = fills(BasketCase(given, [FREE] * 2, [(0, 1)], TERMS._replace(momentum_bars=1)).run())
    assert [(bar, leg) for bar, leg, _, fill in rows if fill.slot != 0] == [(7, 0), (7, 1)]


def test_funding_is_paid_net_and_shared_by_lots() -> None:
    """The short is paid a positive rate, and its pair has it."""
    rate = np.zeros((5, 2))
    rate[3, 0] = 0.001
    given = inputs(*legs([FAIR, *[FAR] * 4], [FAIR] * 5), funding_rate=rate, funding_mark=np.where(rate > 0, FAR, 0.0))
    found = BasketCase(given, [FREE] * 2, [(0, 1)]).run()
    assert found.book.ledger.funding == pytest.approx(-found.pairs[0].lots_a * 0.0001 * FAR * 0.001)  # the short is paid
    assert found.pairs[0].funding == pytest.approx(found.book.ledger.funding)


def test_an_unknown_cost_refuses() -> None:
    """Half a cost is not a cost."""
    given = inputs(*legs([FAIR, *[FAR] * 3], [FAIR] * 4))._replace(slip=np.full(8, math.nan))
    found = BasketCase(given, [FREE] * 2, [(0, 1)]).run()
    assert fills(found) == []
    assert refusals(found) == [R_UNKNOWN]
