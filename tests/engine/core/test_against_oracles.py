"""Exits, fills, sizing and the Kelly window against second computations, each written the slow way from DEFINITIONS D1 and D12.

Exits are tried on every bar of a small grid of prices: under, at, over and between the levels. The rest is drawn from a seed.
"""

from collections import deque
from fractions import Fraction
from itertools import combinations_with_replacement, product
from math import floor, inf, nan
from random import Random
from typing import Any

import pytest

from engine.core import state
from engine.core.booking import update_kelly_window
from engine.core.exits import ambiguous, clear_of, reached, to_tick, touched
from engine.core.fills import available, match_entry, match_exit, match_pending, slippage_frac
from engine.core.ledger import drop, entry_index, fits, put
from engine.core.rows import pack, pack_ref, unpack, unpack_ref
from engine.core.sizing import liquidation_distance, risk_frac, size, whole_lots
from engine.core.state import (
    FLAT,
    NO_LAYER,
    NO_ORDER,
    NONE,
    OPTIMISTIC,
    PESSIMISTIC,
    REFERENCE,
    STOP,
    TARGET,
    TRIPS_KEPT,
    Bar,
    Cost,
    Fill,
    Layer,
    Position,
    Signal,
    start,
)
from tests.fakes.desks import BAR_MS, RULES

MODES = (PESSIMISTIC, OPTIMISTIC, REFERENCE)
STOPS_AT, TARGET_AT = 95.0, 105.0
PRICES = (94.0, 95.0, 95.5, 100.0, 104.5, 105.0, 105.5, 106.0)  # under, at, over and between stop and target of a long


def every_bar() -> list[Bar]:
    """Every bar of these prices."""
    found = [
        (o, h, lo, c) for lo, h in combinations_with_replacement(PRICES, 2) for o, c in product(PRICES, repeat=2)
        if lo <= min(o, c) and max(o, c) <= h
    ]  # fmt: skip
    return [Bar(BAR_MS, *prices, 1e6, 0.0, 0.0) for prices in found]


BARS = every_bar()


def mirrored(bar: Bar) -> Bar:
    """The bar as a short sees it."""
    return bar._replace(open=200 - bar.open, high=200 - bar.low, low=200 - bar.high, close=200 - bar.close)


# ---- exits --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_short_is_a_long_in_the_mirror(mode: int) -> None:
    """Every bar, turned over at 100: the same order fills, at the mirrored price; also in the bar of a resting entry."""
    for bar, inside in product(BARS, (0, 1)):
        which, at = reached(1, STOPS_AT, TARGET_AT, bar, 0.5, mode, inside)
        other, there = reached(-1, 200 - STOPS_AT, 200 - TARGET_AT, mirrored(bar), 0.5, mode, inside)
        assert (which, at) == (other, 200 - there if other != NONE else 0.0), bar


def test_no_reading_invents_a_fill_and_the_optimistic_one_is_never_worse() -> None:
    """A fill is at the open, the stop or the target, no better than the bar was; what differs is called ambiguous."""
    for bar in BARS:
        worth = {}
        for mode in MODES:
            which, at = reached(1, STOPS_AT, TARGET_AT, bar, 0.5, mode, 0)
            if which != NONE:
                assert at in {bar.open, STOPS_AT, TARGET_AT}, bar
                assert at <= bar.high, bar
            assert which != STOP or at <= STOPS_AT, bar
            assert which != TARGET or at >= TARGET_AT, bar
            worth[mode] = bar.close if which == NONE else at
        assert worth[PESSIMISTIC] <= worth[REFERENCE] <= worth[OPTIMISTIC], bar
        if not ambiguous(1, STOPS_AT, TARGET_AT, bar, 0.5, 0):
            assert worth[PESSIMISTIC] == worth[OPTIMISTIC], bar


def read_slowly(bar: Bar, tick: float, mode: int) -> tuple[int, float]:
    """D12 for a long: gap, then what comes first in this reading; a pessimistic target must be passed by a tick."""
    gap, fall = bar.open <= STOPS_AT, bar.low < STOPS_AT or (bar.low == STOPS_AT and mode != OPTIMISTIC)
    passed = bar.high > TARGET_AT and bar.high >= TARGET_AT + tick
    rise = passed if mode == PESSIMISTIC else bar.high >= TARGET_AT
    if gap:
        return STOP, bar.open
    if bar.open >= TARGET_AT and mode != PESSIMISTIC:
        return TARGET, bar.open
    first, second = ((TARGET, rise), (STOP, fall)) if mode == OPTIMISTIC else ((STOP, fall), (TARGET, rise))
    which = next((name for name, there in (first, second) if there), NONE)
    return which, {STOP: STOPS_AT, TARGET: TARGET_AT, NONE: 0.0}[which]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tick", [0.0, 0.5, 1.0])
def test_every_bar_is_read_as_the_definition_says(tick: float, mode: int) -> None:
    """All bars of the grid, with a tick under, at and over the step of the grid."""
    for bar in BARS:
        assert reached(1, STOPS_AT, TARGET_AT, bar, tick, mode, 0) == read_slowly(bar, tick, mode), bar


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("target", [0.0, TARGET_AT])
@pytest.mark.parametrize("trail", [0.0, 94.0, 104.5])
def test_a_bar_that_is_clear_of_both_orders_fills_nothing_in_any_reading(side: int, target: float, trail: float) -> None:
    """What lets a backtest leap over bars: strictly between the orders, and never said of a bar that fills one."""
    stop, far, behind = (x if side > 0 or x == 0.0 else 200.0 - x for x in (STOPS_AT, target, trail))
    layer = NO_LAYER._replace(lots=1, entry=100.0, stop=stop, target=far)
    position = FLAT._replace(side=side, open_layers=1, trail=behind, layers=(layer, *FLAT.layers[1:]))
    tight = max(STOPS_AT, trail)
    for bar in BARS:
        seen = bar if side > 0 else mirrored(bar)
        clear = clear_of(position, layer, seen)
        assert clear is (bar.low > tight and (target == 0.0 or bar.high < target)), bar
        if clear:
            assert {touched(position, layer, seen, 0.5, mode) for mode in MODES} == {(NONE, 0.0)}, bar


@pytest.mark.parametrize("tick", [0.1, 0.01, 0.001, 0.0001, 1e-5, 0.5, 0.05])
def test_a_level_on_the_grid_stays_where_it_is(tick: float) -> None:
    """As a multiple of the tick and as a venue writes it, rounded to eight places; up to two million steps."""
    for steps in (*range(1, 400), *range(1_999_800, 2_000_000)):
        for level, side in product((steps * tick, round(steps * tick, 8)), (1, -1)):
            assert abs(to_tick(level, tick, side) - steps * tick) < tick * 1e-6, (steps, side)


@pytest.mark.parametrize("tick", [0.1, 0.01, 0.5, 1.0, 25.0])
def test_a_level_off_the_grid_moves_to_the_next_one_on_its_side(tick: float) -> None:
    """Less than a tick, up for a long, down for a short, and onto a multiple."""
    rng = Random(5)
    for level, side in ((rng.uniform(tick, 1e6), rng.choice((1, -1))) for _ in range(500)):
        found = to_tick(level, tick, side)
        assert abs(found / tick - round(found / tick)) < 1e-6, (level, side)
        assert -1e-6 * tick <= (found - level) * side < tick * (1 + 1e-6), (level, side)


@pytest.mark.parametrize("level", [nan, inf, -inf, -5.0, 0.0])
@pytest.mark.parametrize("tick", [0.1, 0.0, nan, -1.0])
def test_what_is_no_price_is_not_rounded(level: float, tick: float) -> None:
    """It comes back as it is, for whoever refuses it; nothing raises, also compiled it would be no number of lots."""
    assert repr(to_tick(level, tick, 1)) == repr(level)


# ---- fills --------------------------------------------------------------------------------------------------------------

UNIT = RULES._replace(lot_size=1.0, tick=1.0, participation_max=0.25, bar_ms=BAR_MS)
COST = Cost(0.001, 0.0001)


def test_the_fills_of_a_bar_share_its_volume() -> None:
    """Whoever comes first takes first; together never more than a quarter, and no whole lot is left that somebody wanted."""
    rng = Random(1)
    for _ in range(300):
        volume, taken, left = rng.randint(0, 200), 0.0, 0
        left = volume // 4
        for lots in (rng.randint(1, 50) for _ in range(rng.randint(1, 6))):
            found = max(available(UNIT, lots, float(volume), taken), 0)
            assert found == min(lots, left), (volume, taken, lots)
            taken, left = taken + found, left - found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("post_only", [0, 1])
def test_a_limit_entry_never_fills_worse_than_its_price(mode: int, post_only: int) -> None:
    """Every bar, side and age: never past its last bar, a post-only order only ever makes, who takes does so at the open."""
    rules, filled = UNIT._replace(mode=mode), 0
    for bar, limit, side, good_for, age in product(BARS[::3], (95.0, 100.0, 105.0), (1, -1), (1, 2), (1, 2, 3)):
        order = NO_ORDER._replace(key=1, side=side, lots=10, limit=limit, post_only=post_only, good_for=good_for)
        fill = match_entry(order, 0, rules, COST, bar._replace(close_ms=age * BAR_MS), 0.0)
        if fill.lots == 0:
            continue
        filled += 1
        case = (bar, limit, side, good_for, age)
        assert (limit - fill.price) * side >= 0.0, case
        assert age <= good_for, case
        if fill.maker:
            assert fill.price == limit, case
        else:
            assert (age, post_only, fill.reference_price) == (1, 0, bar.open), case
        rate = rules.maker_frac if fill.maker else rules.taker_frac
        assert abs(fill.fee - 10 * fill.price * rate) < 1e-9, case
    assert filled > 100


@pytest.mark.parametrize("units", [1.0, 7.0, 1e6])
def test_slippage_grows_with_the_root_of_size_and_is_none_in_the_reference(units: float) -> None:
    """Half-spread, and an impact that doubles with four times the size."""
    one, four = slippage_frac(UNIT, COST, units), slippage_frac(UNIT, COST, 4.0 * units)
    assert four - COST.slip_frac == pytest.approx(2 * (one - COST.slip_frac))
    assert slippage_frac(UNIT._replace(mode=REFERENCE), COST, units) == slippage_frac(UNIT, COST, 0.0) == 0.0


def test_an_exit_that_is_due_leaves_at_the_open_and_not_at_its_level() -> None:
    """A layer whose exit was decided is filled once: at the market, and its resting orders do not fill beside it."""
    layer = NO_LAYER._replace(key=3, lots=7, entry=100.0, stop=95.0, target=105.0, exit_pending=state.FADE)
    position = FLAT._replace(side=1, open_layers=1, layers=(layer, *FLAT.layers[1:]))
    bar = Bar(BAR_MS, 101.0, 110.0, 90.0, 100.0, 1e6, 0.0, 0.0)
    due = match_pending(position, layer, 0, UNIT, COST, bar, 0.0)
    assert (due.slot, due.lots, due.reference_price, due.reason) == (state.EXIT_SLOT, 7, 101.0, state.FADE)
    assert due.price < 101.0
    assert match_exit(position, layer, 0, UNIT, COST, bar, 0.0, 0).lots == 0
    stopped = match_pending(position, layer._replace(exit_pending=STOP), 0, UNIT, COST, bar, 0.0)
    assert (stopped.slot, stopped.reason) == (state.PROTECTIVE, STOP)
    rests = layer._replace(exit_pending=NONE)
    assert match_pending(position, rests, 0, UNIT, COST, bar, 0.0).lots == 0
    assert match_exit(position, rests, 0, UNIT, COST, bar, 0.0, 0).price < 95.0


# ---- sizing -------------------------------------------------------------------------------------------------------------

SIGNAL = Signal(1, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0, 1)


def test_a_size_is_the_most_whole_lots_within_every_cap() -> None:
    """Each cap worked out in exact fractions: the lots keep all of them, one more would break the one that is named."""
    rng, bound = Random(2), set[int]()
    for _ in range(500):
        equity, at, held = rng.uniform(100.0, 1e6), rng.uniform(1.0, 1e5), rng.choice((0.0, rng.uniform(0.0, 5e5)))
        stop, slip, volume = rng.uniform(0.001, 0.5) * at, rng.choice((0.0, 0.01)), rng.choice((0.0, rng.uniform(0.0, 1e6), 1e12))
        lot, vol_target, fixed = rng.choice((1.0, 0.1, 0.001)), rng.choice((0.0, 0.02, 2.0)), rng.choice((0, 0, 7))
        rules = RULES._replace(
            lot_size=lot, vol_target=vol_target, risk_start_frac=0.01, fixed_lots=fixed,
            notional_frac_max=rng.choice((1.5, 5.0)), leverage_max=rng.choice((1.0, 3.0)),
        )  # fmt: skip
        ledger, own = start(equity).ledger._replace(notional=held), rng.choice((0.0, 0.0, rng.uniform(0.001, 2.0)))
        found = size(ledger, rules, SIGNAL._replace(slip_frac=slip, size_frac=own), at, stop, volume)
        e, p = Fraction(equity), Fraction(at)
        caps = {
            state.CAP_NOTIONAL: (Fraction(rules.notional_frac_max) * e - Fraction(held)) / p,
            state.CAP_LEVERAGE: (Fraction(rules.leverage_max) * e - Fraction(held)) / p,
            state.CAP_PARTICIPATION: Fraction(rules.participation_max) * Fraction(volume),
        }
        if fixed:
            caps[state.CAP_FIXED] = fixed * Fraction(lot)
        else:
            caps[state.CAP_RISK] = Fraction(0.01) * e / (Fraction(stop) + 2 * p * (Fraction(rules.taker_frac) + Fraction(slip)))
            if vol_target:
                caps[state.CAP_VOL] = Fraction(vol_target) / Fraction(SIGNAL.vol_annual) * e / p
        if own:
            caps[state.CAP_STRATEGY] = Fraction(own) * e / p
        case, least, room = (found, caps), min(caps.values()), Fraction(1, 10**9)
        bound.add(found.binding)
        assert caps[found.binding] <= least + abs(least) * room + room, case
        units = found.lots * Fraction(lot)
        assert found.lots == 0 or units <= least * (1 + room), case
        assert least <= 0 or units + Fraction(lot) > least * (1 - room), case
    assert bound == set(range(len(state.CAPS)))


@pytest.mark.parametrize("lot", [1.0, 0.1, 0.001, 1e-8])
def test_whole_lots_are_the_floor_in_exact_numbers(lot: float) -> None:
    """Of the decimal that the lot size stands for; a float's last bits buy no lot that was not wanted to 11 digits."""
    rng, exact_lot = Random(3), Fraction(str(lot))
    for units in (rng.choice((rng.uniform(0.0, 1e6), rng.randint(0, 10**6) * lot)) for _ in range(500)):
        exact = Fraction(units) / exact_lot
        assert floor(exact) <= whole_lots(units, lot) <= floor(exact * (1 + Fraction(1, 10**11))), units


def test_risk_stays_between_floor_and_maximum_and_grows_with_the_record() -> None:
    """Whatever the record; with one more win instead of a loss it never falls."""
    rng, seen = Random(4), set[float]()
    for _ in range(500):
        wins, losses, win, loss = rng.randint(1, 60), rng.randint(2, 60), rng.uniform(0.05, 5.0), rng.uniform(0.05, 5.0)
        ledger = start(1.0).ledger._replace(trips=100, wins=wins, losses=losses, gain=wins * win, loss=losses * loss)
        better = ledger._replace(wins=wins + 1, losses=losses - 1, gain=(wins + 1) * win, loss=(losses - 1) * loss)
        found = risk_frac(ledger, RULES)
        seen.add(found)
        assert RULES.risk_floor_frac <= found <= RULES.risk_max_frac, ledger
        assert risk_frac(better, RULES) >= found - 1e-15, ledger
    assert {RULES.risk_floor_frac, RULES.risk_max_frac} < seen


@pytest.mark.parametrize("side", [1, -1])
def test_at_the_liquidation_price_the_margin_is_exactly_what_must_be_maintained(side: int) -> None:
    """D5: equity at that price equals maintenance margin at that price."""
    rng = Random(6)
    for _ in range(200):
        equity, units, at, keep = rng.uniform(10, 1e6), rng.uniform(0.01, 100), rng.uniform(1, 1e5), rng.uniform(0, 0.3)
        distance = liquidation_distance(equity, units, at, side, keep)
        there = at - side * distance
        assert equity - units * distance == pytest.approx(keep * units * there, abs=1e-9 * (equity + units * at))


@pytest.mark.parametrize(
    "bad", [{"units": 0.0}, {"units": nan}, {"maintenance_frac": 1.0}, {"maintenance_frac": -0.1}, {"maintenance_frac": nan}]
)
def test_an_unknown_margin_leaves_no_distance(bad: dict[str, float]) -> None:
    """0 is nearer than twice any stop: it refuses."""
    given_ = {"equity": 100.0, "units": 1.0, "price": 100.0, "side": 1, "maintenance_frac": 0.01}
    assert liquidation_distance(**{**given_, **bad}) == 0.0


def test_the_kelly_window_holds_the_last_hundred_round_trips() -> None:
    """A deque says the same; a trip that made nothing is a loss of nothing; the other sleeve's window is untouched."""
    rng, kept = Random(8), deque[float](maxlen=TRIPS_KEPT)
    recent, ledger = [0.0] * (2 * TRIPS_KEPT), start(1.0).ledger
    for n in range(1, 251):
        r = rng.randint(-8, 8) / 4
        kept.append(r)
        ledger = update_kelly_window(recent, 1, ledger._replace(trips=n, last_r=r))
        wins, losses = [x for x in kept if x > 0], [x for x in kept if x <= 0]
        assert (ledger.wins, ledger.losses, ledger.gain, ledger.loss) == (len(wins), len(losses), sum(wins), -sum(losses))
    assert recent[:TRIPS_KEPT] == [0.0] * TRIPS_KEPT


# ---- layers and rows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "j"), list(product(range(5), repeat=2)))
def test_layers_are_replaced_and_dropped_like_a_list(k: int, j: int) -> None:
    """The five-tuple behaves as a list of five would."""
    layers = tuple(NO_LAYER._replace(key=n + 1, lots=n + 1) for n in range(5))
    other = Layer(99, 9, 1.0, 1.0, 1.0, NONE)
    as_list = list(layers)
    as_list[k] = other
    assert list(put(layers, k, other)) == as_list
    del as_list[j]
    assert list(drop(put(layers, k, other), j)) == [*as_list, NO_LAYER]


@pytest.mark.parametrize(
    ("changed", "fine"),
    [
        ({}, True),
        ({"lots": 0}, False),
        ({"lots": -1}, False),
        ({"lots": 5}, True),
        ({"lots": 6}, False),
        ({"layer": 1}, False),
        ({"layer": -1}, False),
        ({"key": 4}, False),
    ],
)
def test_an_entry_fits_as_its_own_layer_and_no_more_than_was_ordered(changed: dict[str, int], fine: bool) -> None:
    """Lots from one to the order's, the next free layer, its own key."""
    sleeve = start(1.0)._replace(order=NO_ORDER._replace(key=3, side=1, lots=5))
    fill = Fill(state.ENTRY, 0, 0, 3, 0, 3, 100.0, 0.0, 0, NONE, 100.0, 1)._replace(**changed)
    assert fits(sleeve, fill) is fine


def test_a_sixth_layer_never_fits_and_a_part_of_the_fifth_does() -> None:
    """Five layers are all there is room for; a further part of an entry finds its own layer, wherever that stands."""
    layers: Any = tuple(NO_LAYER._replace(key=n + 1, lots=1) for n in range(5))
    full = start(1.0)._replace(position=Position(1, 5, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, layers))
    sixth = full._replace(order=NO_ORDER._replace(key=6, side=1, lots=1))
    third = full._replace(order=NO_ORDER._replace(key=3, side=1, lots=1))
    fill = Fill(state.ENTRY, 0, 0, 6, 5, 1, 100.0, 0.0, 0, NONE, 100.0, 1)
    assert entry_index(sixth) == 5
    assert not fits(sixth, fill)
    assert entry_index(third) == 2
    assert fits(third, fill._replace(key=3, layer=2))


LARGEST = {"sleeve": 32_767, "kind": 255, "code": 255, "rule": 255, "side": 1, "layer": 255, "binding": 127}
LARGEST_REF = {"leg": 255, "pair": 65_535, "key": 2**39 - 1}


def test_a_tag_and_a_ref_give_back_every_field() -> None:
    """At the smallest and the largest value of each field alone and of all: none runs into its neighbour, 64 bits are enough."""
    smallest = dict.fromkeys(LARGEST, 0) | {"sleeve": -1, "side": -1}
    for whole in product(*zip(smallest.values(), LARGEST.values(), strict=True)):
        assert unpack(pack(*whole)) == whole
        assert -(2**63) <= pack(*whole) < 2**63
    for whole in product(*((0, most) for most in LARGEST_REF.values())):
        assert unpack_ref(pack_ref(*whole)) == whole
        assert pack_ref(*whole) < 2**63
