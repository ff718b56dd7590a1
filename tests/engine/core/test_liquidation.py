"""Liquidation of isolated margin: where it stands, who goes first inside a bar, what it leaves; beside it a separate oracle."""

import hashlib
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import state
from engine.core.liquidation import bankruptcy_price, liquidation_fill, liquidation_level
from engine.core.rows import unpack
from engine.core.sim_venue import settle
from engine.core.state import (
    EXIT_REASONS,
    FLAT,
    K_FILL,
    LIQUIDATION,
    NO_LAYER,
    NONE,
    PESSIMISTIC,
    STOP,
    TARGET,
    Bar,
    Layer,
    Rules,
    Signal,
    Sleeve,
    start,
)
from engine.venues.tiers import core_tiers
from tests.fakes.desks import BAR_MS, LOOSE, RULES, both_ways, of_lists, run_lists
from tests.fakes.paying_desks import T0, indebted, made, paying

FREE = RULES._replace(lot_size=1.0, tick=0.0, participation_max=1.0, taker_frac=0.0, maker_frac=0.0, mode=PESSIMISTIC)
PAIRS = [[1_000.0, 0.01], [5_000.0, 0.02], [20_000.0, 0.05]]


def holding(cash: float, *layers: Layer, side: int = 1) -> Sleeve:
    """A sleeve with an open position."""
    position = FLAT._replace(side=side, open_layers=len(layers), layers=(*layers, *[NO_LAYER] * 5)[:5], risk=1.0)
    return start(cash)._replace(position=position)


def layer(lots: int = 10, entry: float = 100.0, stop: float = 50.0, target: float = 0.0, key: int = 1, due: int = NONE) -> Layer:
    """A layer of a long."""
    return Layer(key, lots, entry, stop, target, due)


def settled(sleeve: Sleeve, bar: Bar, rules: Rules = FREE) -> tuple[Sleeve, list[tuple[str, float, int]]]:
    """The sleeve after a bar, and (reason, price, lots) of its fills."""
    rows: list[Any] = [None] * 12
    after, n, _ = settle(sleeve, rules, bar, 0, of_lists([bar], [sleeve], [rules], rows), 0, 0, -1, 0)
    fills = [r for r in rows[:n] if unpack(r.tag)[1] == K_FILL]
    return after, [(EXIT_REASONS[unpack(r.tag)[3]], r.price, r.lots) for r in fills]


def bar(opened: float, high: float, low: float, close: float, volume: float = 1e6) -> Bar:
    """One bar."""
    return Bar(T0 + BAR_MS, opened, high, low, close, volume, 0.0, 0.0)


@pytest.mark.parametrize(("side", "expected"), [(1, 54_216.867), (-1, 65_737.052)])
def test_golden_levels_of_the_definitions(side: int, expected: float) -> None:
    """D5: 1 BTC at 60,000, 10x isolated, 0.4 %: the level, and there margin and maintenance are equal to 1e-9."""
    rules = FREE._replace(lot_size=0.001, maintenance_frac=0.004)
    level = liquidation_level(holding(6_000.0, layer(1_000, 60_000.0), side=side), rules)
    assert level == pytest.approx(expected, abs=1e-3)
    assert 6_000.0 + side * (level - 60_000.0) == pytest.approx(0.004 * level, abs=1e-9)


class Found(NamedTuple):
    """What the oracle says of a bar."""

    reason: int
    price: float
    cash: float


def needed(notional: float, pairs: list[list[float]]) -> float:
    """Maintenance margin tier by tier: each part of the notional at its own rate, as a tax is reckoned; the last has no cap."""
    total, below = 0.0, 0.0
    for n, (cap, rate) in enumerate(pairs):
        top = notional if n == len(pairs) - 1 else min(notional, cap)
        total += max(top - below, 0.0) * rate
        below = cap
    return total


def oracle(cash: float, q: int, entry: float, side: int, stop: float, target: float, b: Bar, pairs: Any, fee: float) -> Found:
    """Who exits first, at what price and with what cash: the level by halving, the rest by going through the bar by hand."""

    def worth(price: float) -> float:
        return cash + side * q * (price - entry)

    near, far = entry, entry * 1e-9 if side > 0 else entry * 1e6
    for _ in range(200):
        middle = (near + far) / 2
        near, far = (middle, far) if worth(middle) > needed(q * middle, pairs) else (near, middle)
    level, worst = far, b.low if side > 0 else b.high
    liquidates = (level - stop) * side > 0
    first = level if liquidates else stop
    gap, reached = (b.open - first) * side <= 0, (worst - first) * side <= 0
    if not reached:
        best = b.high if side > 0 else b.low
        if target > 0 and (best - target) * side > 0:
            return Found(TARGET, target, worth(target))
        return Found(NONE, 0.0, cash)
    if not liquidates:
        price = b.open if gap else stop
        return Found(STOP, price, worth(price))
    price = (cash - side * q * entry) / (q * (fee - side))  # worth(price) = fee * q * price
    if (b.open - price) * side < 0:
        price = b.open
    return Found(LIQUIDATION, price, worth(price) - fee * q * price)


positions = st.tuples(
    st.sampled_from([1, -1]),
    st.integers(1, 400),  # lots
    st.floats(0.02, 0.9),  # margin of the notional at the entry
    st.floats(0.5, 40.0),  # stop distance
    st.floats(0.0, 40.0),  # target distance; under 1: none
    st.lists(st.floats(40.0, 160.0), min_size=4, max_size=4),
    st.integers(1, 3),  # tiers known
    st.floats(0.0, 0.05),  # liquidation fee
)


@given(positions)
def test_an_oracle_agrees_on_who_exits_first_and_at_what_price(drawn: Any) -> None:
    """Random positions, bars and tiers: the same reason, price and cash; cash is below zero only after an open beyond ruin."""
    side, lots, margin, stop_away, target_away, prices, known, fee = drawn
    cash, pairs = margin * lots * 100.0, PAIRS[:known]
    stop, target = 100.0 - side * stop_away, 100.0 + side * target_away if target_away >= 1.0 else 0.0
    b = bar(prices[0], max(prices), min(prices), prices[3])
    rules = FREE._replace(maintenance_frac=PAIRS[0][1], tiers=core_tiers(pairs), liquidation_fee_frac=fee)
    sleeve = holding(cash, layer(lots, 100.0, stop, target), side=side)
    if not cash > needed(lots * 100.0, pairs):
        return  # gone before it began: no level between the entry and ruin
    said = oracle(cash, lots, 100.0, side, stop, target, b, pairs, min(fee, PAIRS[0][1]))
    after, fills = settled(sleeve, b, rules)
    if said.reason == NONE:
        assert fills == []
        return
    ((reason, price, closed),) = fills
    assert (reason, closed) == (EXIT_REASONS[said.reason], lots)
    assert price == pytest.approx(said.price, rel=1e-9)
    assert after.ledger.cash == pytest.approx(said.cash, abs=1e-6 * lots)
    ruin = bankruptcy_price(sleeve, rules)
    assert after.ledger.cash > -1e-6 * lots or (b.open - ruin) * side < 0


def test_the_nearer_of_stop_and_liquidation_goes_first() -> None:
    """Long 10 at 100 with 200 of cash, level 80.4: a stop at 90 saves half of it, one at 70 comes too late."""
    rules, falls = FREE._replace(maintenance_frac=0.005, liquidation_fee_frac=0.001), bar(100.0, 100.0, 60.0, 65.0)
    assert settled(holding(200.0, layer(stop=90.0)), falls, rules)[1] == [("stop", 90.0, 10)]
    after, fills = settled(holding(200.0, layer(stop=70.0)), falls, rules)
    assert fills == [("liquidation", pytest.approx(80.08, abs=1e-2), 10)]
    assert after.ledger.cash == pytest.approx(0.0, abs=1e-9)
    assert after.position.open_layers == 0


def test_a_gap_through_the_margin_leaves_less_than_nothing_and_no_entry_after_it() -> None:
    """Open at 60 with ruin at 80: filled at the open, cash is -200, and the next signal is refused by its name."""
    after, fills = settled(holding(200.0, layer(stop=70.0)), bar(60.0, 65.0, 55.0, 60.0))
    assert fills == [("liquidation", 60.0, 10)]
    assert after.ledger.cash == pytest.approx(-200.0)
    later = [bar(60.0, 61.0, 59.0, 60.0)._replace(close_ms=T0 + k * BAR_MS) for k in (2, 3)]
    said = [Signal(1, 1.0, 2.0, 0.5, 0.0, 0.0, 0.0, 0, 1)] * 2
    rules, limits = FREE._replace(day_loss_frac_max=1e9), LOOSE._replace(drawdown_frac_max=1e9)
    rows = run_lists(later, said, [rules], limits, 0.0, sleeves=[after], desk=state.start_desk(1.0))[0]
    refused = [unpack(r.tag)[3] for r in rows if unpack(r.tag)[1] == state.K_DECISION]
    assert refused[:1] == [state.R_EQUITY]


def test_the_rest_of_a_stop_that_filled_in_part_is_liquidated() -> None:
    """Volume for 4 of 10 lots at the stop, then the price falls through the level: the venue takes the other 6."""
    rules = FREE._replace(participation_max=0.1)
    after, fills = settled(holding(200.0, layer(stop=90.0)), bar(100.0, 100.0, 50.0, 55.0, volume=40.0), rules)
    assert [(reason, lots) for reason, _, lots in fills] == [("stop", 4), ("liquidation", 6)]
    assert after.position.open_layers == 0


def test_a_stop_behind_the_level_fills_when_the_layers_before_it_have_moved_the_level_away() -> None:
    """Two layers: the newer's stop at 95 leaves the older with enough margin for its own stop at 78, which the bar reaches."""
    older, newer = layer(10, 100.0, 78.0, key=1), layer(10, 100.0, 95.0, key=2)
    sleeve = holding(300.0, older, newer)
    assert liquidation_level(sleeve, FREE) > 78.0
    assert settled(sleeve, bar(100.0, 100.0, 77.0, 80.0))[1] == [("stop", 95.0, 10), ("stop", 78.0, 10)]


def test_an_order_that_has_waited_for_the_level_fills_once_it_is_out_of_reach() -> None:
    """The same with the stops the other way round: the newer layer comes first, waits, and fills after the older one's stop."""
    sleeve = holding(300.0, layer(10, 100.0, 95.0, key=1), layer(10, 100.0, 78.0, key=2))
    assert settled(sleeve, bar(100.0, 100.0, 77.0, 80.0))[1] == [("stop", 95.0, 10), ("stop", 78.0, 10)]


def test_an_exit_that_waits_does_not_save_a_position() -> None:
    """A fade with no volume to leave at the open is liquidated inside the bar like any other position."""
    sleeve = holding(200.0, layer(stop=50.0, due=state.FADE))
    after, fills = settled(sleeve, bar(100.0, 100.0, 70.0, 75.0, volume=0.0))
    assert [(reason, lots) for reason, _, lots in fills] == [("liquidation", 10)]
    assert after.position.open_layers == 0
    waiting = [liquidation_fill(sleeve.position.layers[0]._replace(exit_pending=due), 0, FREE, 80.0, T0).slot for due in range(6)]
    assert [due for due, slot in enumerate(waiting) if slot == state.EXIT_SLOT] == [state.FADE, state.HALT]


def test_a_target_is_reached_before_liquidation_only_in_the_optimistic_reading() -> None:
    """Both touched: pessimistic liquidates, optimistic takes the profit."""
    sleeve, wide = holding(200.0, layer(stop=50.0, target=110.0)), bar(100.0, 115.0, 70.0, 100.0)
    assert settled(sleeve, wide)[1][0][0] == "liquidation"
    assert settled(sleeve, wide, FREE._replace(mode=state.OPTIMISTIC))[1][0][0] == "target"


def test_a_bar_that_reaches_target_and_level_is_ambiguous() -> None:
    """The stop is out of its reach, so without the level the bar would have one reading."""
    sleeve, wide = holding(200.0, layer(stop=50.0, target=110.0)), bar(100.0, 115.0, 70.0, 100.0)
    for cash, expected in ((200.0, 1), (2_000.0, 0)):
        held = sleeve._replace(ledger=sleeve.ledger._replace(cash=cash))
        assert settle(held, FREE, wide, 0, of_lists([wide], [held], [FREE], [None] * 4), 0, 0, -1, 0)[2] == expected


# ---- the loop ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "count", "digest"), [(0, 227, "84e71b2d5da0847e"), (1, 158, "0d775cb6533dea75"), (2, 197, "4324a809b92421f3")]
)
def test_runs_without_a_liquidation_are_what_they_were(seed: int, count: int, digest: str) -> None:
    """Rows recorded before liquidation was simulated, one run a fill mode: the same to the last digit."""
    rules = RULES._replace(layers_max=3, fade_below=0.0, mode=seed % 3)
    rows = run_lists(*made(seed), [rules], LOOSE, 10_000.0)[0]
    assert (len(rows), hashlib.sha256(repr([tuple(r) for r in rows]).encode()).hexdigest()[:16]) == (count, digest)


def test_machine_code_liquidates_as_plain_python_does() -> None:
    """Settlements eat the margin until the level is nearer than the stop, in bars that sleep otherwise: the same bytes both ways,
    and positions are liquidated in every fill mode."""
    closed = set()
    for seed in range(3):
        bars, signals = paying(seed)
        rules = indebted(seed)
        plain, machine = both_ways(bars, signals, rules, LOOSE._replace(drawdown_frac_max=1e9), 10_000.0)
        assert plain[0].tobytes() == machine[0].tobytes()
        assert plain[1].tobytes() == machine[1].tobytes()
        assert plain[2].tobytes() == machine[2].tobytes()
        assert plain[3:] == machine[3:]
        tags = [unpack(tag) for tag in machine[0]["tag"].tolist()]
        closed |= {(seed, tag[0]) for tag in tags if tag[1] == K_FILL and tag[3] == LIQUIDATION}
    assert {mode for mode, _ in closed} == {0, 1, 2}, closed
