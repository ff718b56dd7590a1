"""What we own: conservation of money under any sequence of fills, round trips flat to flat, funding, one door for all fills."""

import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.ledger import fits, funding_cash, on_fill, on_funding, on_mark, open_lots
from engine.core.state import (
    ENTRY,
    NO_LAYER,
    NO_ORDER,
    NONE,
    PROTECTIVE,
    STOP,
    TARGET,
    TARGET_SLOT,
    Fill,
    Limits,
    Order,
    Sleeve,
    start,
)
from tests.fakes.desks import LOOSE, RULES, both_ways, hostile, hostile_rules, sleeves_of

T = 1_700_000_000_000
UNIT = RULES._replace(lot_size=1.0, layers_max=5)


def ordered(sleeve: Sleeve, side: int, lots: int) -> Sleeve:
    """The sleeve with a reviewed entry order."""
    key = sleeve.entries + 1
    order = Order(key, side, lots, 100.0 * lots, 4.0, 8.0, 2.0, T, 0.0, 0, 1)
    return sleeve._replace(order=order, entries=key)


def entry(key: int, layer: int, lots: int, price: float, fee: float = 0.0) -> Fill:
    """An execution of the entry order `key`."""
    return Fill(ENTRY, 0, 0, key, layer, lots, price, fee, 0, NONE, price, T)


def leaving(layer: int, lots: int, price: float, fee: float = 0.0, slot: int = PROTECTIVE, reason: int = STOP) -> Fill:
    """An execution that reduces a layer."""
    return Fill(slot, 0, 0, layer + 1, layer, lots, price, fee, 0, reason, price, T)


def bought(sleeve: Sleeve, lots: int, price: float, side: int = 1, fee: float = 0.0) -> Sleeve:
    """The sleeve after an entry of `lots` as its next layer."""
    sleeve = ordered(sleeve, side, lots)
    return on_fill(sleeve, UNIT, entry(sleeve.order.key, sleeve.position.open_layers, lots, price, fee))


def test_a_winning_round_trip_to_the_cent() -> None:
    """Buy 2 at 100, pay 0.10; sell at the 108 target, pay 0.05: cash 10,015.85, one trip, R of the risk at the first stop."""
    sleeve = bought(start(10_000.0), 2, 100.0, fee=0.10)
    layer = sleeve.position.layers[0]
    assert (layer.stop, layer.target) == (pytest.approx(96.0), pytest.approx(108.0))
    sleeve = on_fill(sleeve, UNIT, leaving(0, 2, 108.0, 0.05, TARGET_SLOT, TARGET))
    assert sleeve.ledger.cash == pytest.approx(10_015.85)
    assert (sleeve.ledger.trips, sleeve.position.open_layers, sleeve.order) == (1, 0, NO_ORDER)
    assert sleeve.ledger.last_r == pytest.approx(15.85 / 8.0)


def test_a_round_trip_is_flat_to_flat_and_includes_funding() -> None:
    """Two layers and a settlement: one trip, its P&L net of everything; price gain eaten by funding is a loss."""
    sleeve = bought(bought(start(10_000.0), 1, 100.0), 1, 101.0)
    sleeve = on_funding(sleeve, funding_cash(sleeve.position, UNIT, 100.0, 0.03))
    assert sleeve.ledger.funding == pytest.approx(-6.0)
    for _ in range(2):
        sleeve = on_fill(sleeve, UNIT, leaving(0, 1, 102.0))
    assert sleeve.ledger.trips == 1
    assert sleeve.ledger.cash == pytest.approx(10_000 + 2 + 1 - 6)
    assert sleeve.guard.streak == 1


def test_a_short_receives_a_positive_rate() -> None:
    """Longs pay, shorts receive (D4)."""
    sleeve = bought(start(10_000.0), 3, 100.0, side=-1)
    sleeve = on_funding(sleeve, funding_cash(sleeve.position, UNIT, 100.0, 0.0001))
    assert sleeve.ledger.funding == pytest.approx(0.03)


def test_parts_of_one_entry_make_one_layer_at_the_average_price() -> None:
    """A real venue may fill an order in parts: 1 at 100 and 3 at 104 are 4 at 103, with levels from there."""
    sleeve = ordered(start(10_000.0), 1, 4)
    sleeve = on_fill(sleeve, UNIT, entry(1, 0, 1, 100.0))
    assert sleeve.order.lots == 3
    sleeve = on_fill(sleeve, UNIT, entry(1, 0, 3, 104.0))
    layer = sleeve.position.layers[0]
    assert (sleeve.position.open_layers, layer.lots, sleeve.order) == (1, 4, NO_ORDER)
    assert (layer.entry, layer.stop) == (pytest.approx(103.0), pytest.approx(99.0))


def test_a_part_filled_exit_leaves_the_rest_due() -> None:
    """What the bar's volume did not take leaves at the next open, with the same reason."""
    sleeve = bought(start(10_000.0), 5, 100.0)
    sleeve = on_fill(sleeve, UNIT, leaving(0, 2, 96.0))
    assert (open_lots(sleeve.position), sleeve.position.layers[0].exit_pending, sleeve.ledger.trips) == (3, STOP, 0)


def test_a_target_filled_in_part_rests_on() -> None:
    """The rest of a target is no reason to leave at the market: stop and target stand for what is left."""
    sleeve = bought(start(10_000.0), 5, 100.0)
    sleeve = on_fill(sleeve, UNIT, leaving(0, 2, 108.0, 0.0, TARGET_SLOT, TARGET))
    assert (open_lots(sleeve.position), sleeve.position.layers[0].exit_pending) == (3, NONE)


def test_a_layer_that_leaves_takes_no_more_of_its_entry() -> None:
    """A resting entry filled in part, then its stop in part: the rest of the entry is cancelled."""
    sleeve = on_fill(ordered(start(10_000.0), 1, 9), UNIT, entry(1, 0, 5, 100.0))
    assert sleeve.order.lots == 4
    sleeve = on_fill(sleeve, UNIT, leaving(0, 2, 96.0))
    assert (sleeve.order, sleeve.position.layers[0].exit_pending) == (NO_ORDER, STOP)


def test_a_fill_that_does_not_fit_is_seen() -> None:
    """More than the layer holds, an entry nobody ordered, a layer that is not there."""
    flat, held = start(10_000.0), bought(start(10_000.0), 2, 100.0)
    first, leave = entry(1, 0, 1, 1.0), leaving(0, 2, 1.0)
    assert not fits(flat, first)
    assert fits(ordered(flat, 1, 1), first)
    assert not fits(ordered(flat, 1, 1), first._replace(key=7))
    assert fits(held, leave)
    assert not fits(held, leave._replace(lots=3))
    assert not fits(held, leave._replace(layer=1))


MOVES = st.lists(
    st.tuples(st.sampled_from("ex"), st.integers(1, 50), st.floats(50, 150), st.floats(0, 5), st.floats(-0.01, 0.01)),
    min_size=1,
    max_size=40,
)


@given(MOVES, st.sampled_from([1, -1]))
def test_money_is_conserved(moves: list, side: int) -> None:
    """After any fills and settlements: equity = start + trade cash flows + value of what is held, to 1e-9."""
    sleeve, flow, held = start(10_000.0), 10_000.0, 0
    for kind, lots, price, fee, rate in moves:
        if kind == "e" and sleeve.position.open_layers < 5:
            sleeve = bought(sleeve, lots, price, side, fee)
            flow, held = flow - side * lots * price - fee, held + side * lots
        elif kind == "x" and sleeve.position.open_layers > 0:
            k = lots % sleeve.position.open_layers
            part = min(lots, sleeve.position.layers[k].lots)
            sleeve = on_fill(sleeve, UNIT, leaving(k, part, price, fee))
            flow, held = flow + side * part * price - fee, held - side * part
        flow -= held * price * rate
        sleeve = on_mark(on_funding(sleeve, funding_cash(sleeve.position, UNIT, price, rate)), UNIT, price)
        assert open_lots(sleeve.position) * sleeve.position.side == held
        assert sleeve.ledger.equity == pytest.approx(flow + held * price, rel=1e-9)
        assert sleeve.position.layers[sleeve.position.open_layers :] == (NO_LAYER,) * (5 - sleeve.position.open_layers)


def assert_types(value: Any, kind: Any, path: str) -> None:
    """Every leaf has exactly its annotated type: an int in a float field would compile to something else."""
    if kind in (int, float):
        assert type(value) is kind, f"{path} is {type(value).__name__}, annotated {kind.__name__}"
    elif typing.get_origin(kind) is tuple:
        for k, (part, wanted) in enumerate(zip(value, typing.get_args(kind), strict=True)):
            assert_types(part, wanted, f"{path}[{k}]")
    else:
        for name, wanted in typing.get_type_hints(kind).items():
            assert_types(getattr(value, name), wanted, f"{path}.{name}")


def test_cash_and_positions_are_equity_after_every_run() -> None:
    """Equity of each sleeve = cash + open profit at its last mark, and the desk is the sum of its sleeves (to 1e-9)."""
    for seed in range(12):
        bars, signals = hostile(seed)
        rules = hostile_rules(seed)
        _, compiled = both_ways(
            bars, signals, rules, (LOOSE, Limits(0.003, 3.0, 1.8, 10), Limits(0.5, 0.3, 0.1, 1))[seed % 3], 100_000.0
        )
        sleeves = sleeves_of(compiled[2])
        assert compiled[3].equity == pytest.approx(sum(s.ledger.equity for s in sleeves), rel=1e-9)
        for sleeve in sleeves:
            assert_types(sleeve, Sleeve, "Sleeve")
            held = sleeve.position
            assert all(layer.lots > 0 for layer in held.layers[: held.open_layers])
            assert all(layer.lots == 0 for layer in held.layers[held.open_layers :])
