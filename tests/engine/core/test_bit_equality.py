"""Plain Python and compiled code are one core: every row, every equity value and every field of the state, bit for bit."""

import typing
from typing import Any

import numpy as np
import pytest

from engine.core.kernel import ROW_VIEW
from engine.core.state import (
    K_DECISION,
    K_FILL,
    R_DAY_LOSS,
    R_GROSS,
    R_INSTRUMENT,
    R_OPPOSITE,
    R_ORDER_RATE,
    R_PAUSE,
    R_SIZE,
    R_UNKNOWN,
    RULES,
    Bar,
    Limits,
    Sleeve,
)
from tests.fakes.desks import LOOSE, both_ways, hostile, hostile_rules, sleeves_of

LIMITS = (LOOSE, Limits(0.003, 3.0, 1.8, 10), Limits(0.5, 0.3, 0.1, 1))


def assert_equal(plain: Any, compiled: Any) -> None:
    """Both results are the same bytes."""
    assert len(plain[0]) == len(compiled[0])
    for name, left, right in zip(("rows", "equity", "sleeves"), plain, compiled, strict=False):
        assert left.tobytes() == right.tobytes(), f"{name} differ"
    assert np.array(plain[3]).tobytes() == np.array(compiled[3]).tobytes(), "the desk differs"
    assert plain[4] == compiled[4], "ambiguous bars differ"


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


@pytest.mark.parametrize("seed", [*range(24), 237, 336, 341])  # the last three: a block that ends under a new loss
def test_hostile_bars_run_the_same_both_ways(seed: int) -> None:
    """NaN, zeros, gaps, odd rules, tight and loose limits; an exception in plain Python would be a finding too."""
    bars, signals = hostile(seed)
    plain, compiled = both_ways(bars, signals, hostile_rules(seed), LIMITS[seed % 3], 100_000.0, int(seed % 12 == 11))
    assert_equal(plain, compiled)
    assert np.isfinite(compiled[1]).all()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 400))
def test_hostile_bars_run_the_same_both_ways_300_times(seed: int) -> None:
    """The same at length."""
    bars, signals = hostile(seed)
    plain, compiled = both_ways(bars, signals, hostile_rules(seed), LIMITS[seed % 3], 100_000.0, int(seed % 12 == 11))
    assert_equal(plain, compiled)


def test_the_fuzz_reaches_what_it_should() -> None:
    """A fuzz that never fills, adds, trails or refuses would prove nothing."""
    fills, refusals, layers = set(), set(), 0
    for seed in range(24):
        bars, signals = hostile(seed)
        _, compiled = both_ways(bars, signals, hostile_rules(seed), LIMITS[seed % 3], 100_000.0)
        rows = compiled[0].view(ROW_VIEW)
        fills |= set(rows["rule"][rows["kind"] == K_FILL].tolist())
        refusals |= set(rows["rule"][(rows["kind"] == K_DECISION) & (rows["code"] == 4)].tolist())
        layers = max(layers, 1 + int(rows["layer"][rows["kind"] == K_FILL].max()))
    assert fills == {0, 1, 2, 3, 4, 5}, "entries and all five exit reasons"
    assert layers == 5
    met = {R_DAY_LOSS, R_PAUSE, R_UNKNOWN, R_OPPOSITE, R_SIZE, R_GROSS, R_INSTRUMENT, R_ORDER_RATE}
    assert refusals >= met, [RULES[k] for k in met - refusals]  # the others stand behind earlier checks: test_guardrails


def test_cash_and_positions_are_equity_after_every_run() -> None:
    """Equity of each sleeve = cash + open profit at its last mark, and the desk is the sum of its sleeves (to 1e-9)."""
    for seed in range(12):
        bars, signals = hostile(seed)
        rules = hostile_rules(seed)
        _, compiled = both_ways(bars, signals, rules, LIMITS[seed % 3], 100_000.0)
        sleeves = sleeves_of(compiled[2])
        assert compiled[3].equity == pytest.approx(sum(s.ledger.equity for s in sleeves), rel=1e-9)
        for sleeve in sleeves:
            assert_types(sleeve, Sleeve, "Sleeve")
            held = sleeve.position
            assert all(layer.lots > 0 for layer in held.layers[: held.open_layers])
            assert all(layer.lots == 0 for layer in held.layers[held.open_layers :])


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), float(2**62), -1.0])
@pytest.mark.parametrize("field", ["open", "high", "low", "close", "volume", "funding_rate", "funding_mark"])
def test_a_poisoned_field_runs_the_same_both_ways(field: str, value: float) -> None:
    """One absurd value in one field of many bars: same bytes, and nothing infinite in the money."""
    bars, signals = hostile(5, bars=300)
    bars[field][::17] = value
    plain, compiled = both_ways(bars, signals, hostile_rules(5), LOOSE, 100_000.0)
    assert_equal(plain, compiled)
    assert set(Bar._fields) == set(bars.dtype.names)
