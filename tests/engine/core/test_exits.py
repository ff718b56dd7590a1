"""The exits, one by one: the golden table of fills inside a bar, the trail that must fire, the fade, the price grid."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.exits import ambiguous, faded, follow, leave_all, protective, to_tick, touched
from engine.core.state import (
    FADE,
    FLAT,
    NO_LAYER,
    NONE,
    OPTIMISTIC,
    PESSIMISTIC,
    REFERENCE,
    STOP,
    TARGET,
    TRAIL,
    Bar,
    Layer,
    Position,
    Signal,
)
from engine.core.step import usable
from tests.fakes.desks import RULES

NAN = float("nan")
# bar, then (reason, price) pessimistic, optimistic, reference, and whether the two scenarios differ (DEFINITIONS D12)
D12 = [
    ((100, 106, 94, 100), (STOP, 95), (TARGET, 105), (STOP, 95), True),
    ((96, 106, 94, 100), (STOP, 95), (TARGET, 105), (STOP, 95), True),
    ((90, 92, 88, 91), (STOP, 90), (STOP, 90), (STOP, 90), False),
    ((90, 97, 88, 96), (STOP, 90), (STOP, 90), (STOP, 90), False),
    ((110, 112, 108, 111), (TARGET, 105), (TARGET, 110), (TARGET, 110), True),
    ((100, 105, 99, 100), (NONE, 0), (TARGET, 105), (TARGET, 105), True),
    ((100, 104, 95, 100), (STOP, 95), (NONE, 0), (STOP, 95), True),
    ((100, 104, 96, 100), (NONE, 0), (NONE, 0), (NONE, 0), False),
]


def a_bar(prices: tuple[float, ...], **changed: float) -> Bar:
    """A bar of the given open, high, low, close."""
    return Bar(1, *map(float, prices), 1e6, 0.0, 0.0)._replace(**changed)


def held(side: int, stop: float = 95.0, target: float = 105.0, **changed: float) -> tuple[Position, Layer]:
    """A one-layer position entered at 100; stop and target are given for a long and mirrored for a short."""
    if side < 0:
        stop, target = 200.0 - stop, 200.0 - target
    layer = NO_LAYER._replace(lots=1, entry=100.0, stop=stop, target=target)
    position = FLAT._replace(side=side, open_layers=1, best=100.0, atr=2.0, layers=(layer, *FLAT.layers[1:]))
    return position._replace(**changed), layer


def mirrored(prices: tuple[float, ...]) -> tuple[float, ...]:
    """The bar as a short sees it."""
    o, h, lo, c = (200.0 - p for p in prices)
    return o, lo, h, c


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("row", D12, ids=[str(row[0]) for row in D12])
def test_the_golden_table_of_fills(row: tuple, side: int) -> None:
    """Each row of D12 in the three modes, and its mirror image for a short."""
    prices, *wanted, unclear = row
    position, layer = held(side)
    bar = a_bar(prices if side > 0 else mirrored(prices))
    for mode, (reason, price) in zip((PESSIMISTIC, OPTIMISTIC, REFERENCE), wanted, strict=True):
        expected = (reason, float(price if side > 0 or reason == NONE else 200 - price))
        assert touched(position, layer, bar, 0.1, mode) == expected
    assert ambiguous(position.side, protective(position, layer)[1], layer.target, bar, 0.1, 0) is unclear


def test_a_target_needs_trade_through_by_a_tick() -> None:
    """One tick beyond the target fills it pessimistically, less does not."""
    position, layer = held(1)
    assert touched(position, layer, a_bar((100, 105.05, 99, 100)), 0.1, PESSIMISTIC) == (NONE, 0.0)
    assert touched(position, layer, a_bar((100, 105.1, 99, 100)), 0.1, PESSIMISTIC) == (TARGET, 105.0)


@pytest.mark.parametrize("side", [1, -1])
def test_the_trail_fires(side: int) -> None:
    """A trail tighter than the stop is compared with the bar, not only updated, and is reported as a trail."""
    trail = 100.0 + 8 * side
    position, layer = held(side, target=300.0, trail=trail)
    prices = (110, 111, 107, 110)
    bar = a_bar(prices if side > 0 else mirrored(prices))
    assert touched(position, layer, bar, 0.1, PESSIMISTIC) == (TRAIL, trail)


@pytest.mark.parametrize("side", [1, -1])
def test_a_trail_that_is_wider_than_the_stop_does_not_loosen_it(side: int) -> None:
    """A layer that was added later may have a tighter stop than the position's trail."""
    position, layer = held(side, trail=100.0 - 8 * side)
    assert protective(position, layer) == (STOP, layer.stop)


@pytest.mark.parametrize("side", [1, -1])
def test_the_trail_arms_follows_and_never_moves_back(side: int) -> None:
    """Not before the profit threshold; then behind the best price; a worse bar leaves it where it is."""
    rules = RULES._replace(arm_atr=1.5, trail_atr=2.5, tick=0.0)
    position, _ = held(side)
    for prices, trail in (((100, 102.9, 100, 102), 0.0), ((102, 110, 102, 109), 105.0), ((109, 109, 104, 104), 105.0)):
        position = follow(position, rules, a_bar(prices if side > 0 else mirrored(prices)))
        assert position.trail == pytest.approx(trail if side > 0 or trail == 0.0 else 200 - trail)
    assert position.best == pytest.approx(100.0 + 10 * side)


prices = st.floats(60.0, 160.0)
wide = st.floats(0.5, 8.0)


@settings(max_examples=200)
@given(st.sampled_from([1, -1]), st.lists(st.tuples(prices, prices, wide, st.floats(0.0, 0.2)), min_size=2, max_size=12))
def test_a_trail_never_moves_back_also_when_its_rules_change(side: int, bars: list[tuple[float, float, float, float]]) -> None:
    """A version adopted under an open position may trail wider or arm later: its level never goes back."""
    position, _ = held(side)
    for one, other, trail_atr, trail_frac in bars:
        rules = RULES._replace(arm_atr=trail_atr / 2, trail_atr=trail_atr, trail_frac=trail_frac, tick=0.1)
        before = position.trail
        position = follow(position, rules, a_bar((one, max(one, other), min(one, other), other)))
        if before:
            assert (position.trail - before) * side >= 0.0
        armed = (position.best - 100.0) * side >= trail_atr / 2 * position.atr
        level = position.best * (1 - side * trail_frac) - side * trail_atr * position.atr
        if armed and before == 0.0 and level > 0.0:
            assert position.trail == pytest.approx(level, abs=0.1)


def test_a_wider_trail_leaves_the_level_and_a_tighter_one_moves_it() -> None:
    """Trail 2.5 ATR, then 5, then 1, at the same best price: 105, 105, 108."""
    position, _ = held(1)
    levels = []
    for trail_atr in (2.5, 5.0, 1.0):
        position = follow(position, RULES._replace(arm_atr=1.5, trail_atr=trail_atr, tick=0.0), a_bar((102, 110, 102, 109)))
        levels.append(position.trail)
    assert levels == [pytest.approx(105.0), pytest.approx(105.0), pytest.approx(108.0)]


def test_a_trail_by_fraction_can_be_armed_from_the_start() -> None:
    """Arming threshold zero is allowed: the trail follows the best price from the entry on."""
    rules = RULES._replace(arm_atr=0.0, trail_atr=0.0, trail_frac=0.015, tick=0.0)
    position = follow(held(1)[0], rules, a_bar((100, 104, 99, 103)))
    assert position.trail == pytest.approx(104 * 0.985)


@pytest.mark.parametrize(
    ("side", "strength", "gone"), [(1, 0.2, False), (1, 0.1, True), (0, 0.9, True), (-1, 0.9, True), (1, NAN, False)]
)
def test_fade_watches_the_signal_of_the_position(side: int, strength: float, gone: bool) -> None:
    """A decayed or turned signal ends the position; a missing one does not."""
    position, _ = held(1)
    signal = Signal(side, strength, 1.0, 0.5, 0.0, 0.0, 0.0, 0, 1)
    assert faded(position, RULES._replace(fade_below=0.15), signal) is gone
    assert not faded(position, RULES._replace(fade_below=0.0), signal)


def test_leaving_keeps_an_exit_that_was_decided_before() -> None:
    """A layer whose stop filled in part stays a stop when the signal fades afterwards."""
    position, layer = held(1)
    position = position._replace(open_layers=2, layers=(layer._replace(exit_pending=STOP), layer, *FLAT.layers[2:]))
    left = leave_all(position, FADE)
    assert [x.exit_pending for x in left.layers] == [STOP, FADE, NONE, NONE, NONE]


@pytest.mark.parametrize(
    ("level", "tick", "side", "rounded"),
    [(95.03, 0.1, 1, 95.1), (95.03, 0.1, -1, 95.0), (95.1, 0.1, 1, 95.1), (95.1, 0.1, -1, 95.1), (95.03, 0.0, 1, 95.03)],
)
def test_levels_stand_on_the_price_grid(level: float, tick: float, side: int, rounded: float) -> None:
    """Up for a long, down for a short, and a level that is on the grid stays."""
    assert to_tick(level, tick, side) == pytest.approx(rounded, abs=1e-9)


@pytest.mark.parametrize("field", ["open", "high", "low", "close", "volume", "funding_mark", "funding_rate"])
def test_a_bar_with_a_missing_field_is_not_usable(field: str) -> None:
    """Whichever field is NaN; and a bar whose close lies outside its range."""
    assert usable(a_bar((100, 101, 99, 100)))
    assert not usable(a_bar((100, 101, 99, 100), **{field: NAN}))
    assert not usable(a_bar((100, 101, 99, 102)))
