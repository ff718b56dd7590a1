"""What a sweep runs: exact values, each once, within bounds; and one clear line for everything else."""

import numpy as np
import pytest

from engine.errors import BadInput
from engine.research import grid
from engine.strategies import trend
from engine.strategies.base import parse_params

BASE = parse_params(trend, {})


def test_values_are_exact_and_each_is_there_once() -> None:
    """Steps are decimal: 0.1:0.3:0.1 has three values, and the last is 0.3."""
    assert grid.axis(trend, "stop_atr", "0.1:0.3:0.1") == (0.1, 0.2, 0.3)
    assert grid.axis(trend, "fast_bars", "30, 10,20,10") == (10, 20, 30)
    assert grid.axis(trend, "entry", "limit,market") == ("limit", "market")
    assert grid.axis(trend, "stop_atr", [1, 2.5]) == (1.0, 2.5)
    assert grid.axis(trend, "fast_bars", range(5, 20, 5)) == grid.axis(trend, "fast_bars", np.array([15, 10, 5])) == (5, 10, 15)
    assert str(grid.axis(trend, "target_atr", "-0.0,1")) == "(0.0, 1.0)"


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({}, "nothing to vary"),
        ({"stop_atr": "2"}, "has one value"),
        ({"stop_atr": "1,99"}, "out of bounds"),
        ({"stop_atr": "1,nan"}, "not a finite number"),
        ({"stop_atr": "1,1e309"}, "out of bounds"),
        ({"fast_bars": "1e99999,5"}, "out of bounds"),
        ({"fast_bars": "1:1e999999:1"}, "beyond 1e30"),
        ({"stop_atr": "1:1e999999:1e-999999"}, "beyond 1e30"),
        ("stop_atr=1,2", "nothing to vary"),
        ({"stop_atr": "1,two"}, "not a number"),
        ({"stop_atr": "1,,2"}, "not a list of values"),
        ({"stop_atr": "3:1:1"}, "LOW <= HIGH"),
        ({"stop_atr": "1:inf:1"}, "stop_atr=1:inf:1: LOW, HIGH and STEP are not all finite numbers"),
        ({"stop_atr": "nan:3:1"}, "not all finite numbers"),
        ({"stop_atr": "1:3:0"}, "STEP above 0"),
        ({"stop_atr": "1:3:-1"}, "STEP above 0"),
        ({"stop_atr": "1:3"}, "not LOW:HIGH:STEP"),
        ({"fast_bars": "10,10.5"}, "not a whole number"),
        ({"stop_at": "1,2"}, "did you mean stop_atr"),
        ({"entry": "market,fast"}, "not one of market, limit"),
        ({"stop_atr": "0:20:0.001"}, "20,001 values"),
        ({"fast_bars": "5:400:1", "slow_bars": "10:2000:1"}, "788,436 variations"),
        (
            dict.fromkeys(("stop_atr", "target_atr", "arm_atr", "trail_atr", "add_atr", "band_atr", "atr_bars"), "1,2"),
            "7 param",
        ),
        ({"fast_bars": "200,300", "slow_bars": "100,150"}, "accepts none of the 4"),
    ],
)
def test_what_cannot_be_varied_is_one_line(vary: dict[str, str], said: str) -> None:
    """Nothing is run, and nothing as large as what was asked for is made."""
    with pytest.raises(BadInput) as error:
        grid.grid(trend, BASE, vary)
    assert said in str(error.value)


@pytest.mark.parametrize("vary", [{"x" * 10_000: "1,2"}, {"stop_atr": "x" * 10_000}, {"stop_atr": "1" * 10_000 + ":2:1"}])
def test_a_message_is_short_whatever_was_given(vary: dict[str, str]) -> None:
    """It is read on a terminal."""
    with pytest.raises(BadInput) as error:
        grid.grid(trend, BASE, vary)
    assert len(str(error.value)) < 800


def test_combinations_that_the_strategy_refuses_are_counted() -> None:
    """fast_bars has to be below slow_bars."""
    found = grid.grid(trend, BASE, {"fast_bars": "100,200", "slow_bars": "150,250"})
    assert [one.values for one in found.chosen] == [(100, 150), (100, 250), (200, 250)]
    assert found.refused == 1
    assert "must be below slow_bars" in found.why


def test_a_random_search_draws_different_ones_and_the_same_again() -> None:
    """Of a space too large to run whole."""
    vary = {"fast_bars": "5:100:1", "slow_bars": "110:2000:1"}
    found = grid.drawn(trend, BASE, vary, 50, seed=3)
    assert len({one.values for one in found.chosen}) == 50
    assert found == grid.drawn(trend, BASE, vary, 50, seed=3)
    assert found != grid.drawn(trend, BASE, vary, 50, seed=4)
    assert len(grid.drawn(trend, BASE, {"stop_atr": "1,2"}, 50).chosen) == 2


@pytest.mark.parametrize("pair", ["stop_atr", "=1,2", "stop_atr=", "stop_atr = "])
def test_a_pair_without_both_parts_is_refused(pair: str) -> None:
    """`--vary KEY=VALUES`."""
    with pytest.raises(BadInput, match="not KEY=VALUES"):
        grid.parse_vary([pair])
    with pytest.raises(BadInput, match="twice"):
        grid.parse_vary(["a=1,2", "a=3,4"])


@pytest.mark.parametrize(
    ("given", "vary", "stop_frac"),
    [
        ({"stop_atr": "0"}, {"stop_frac": "0,0.03,0.05"}, 0.03),
        ({"stop_atr": "2", "stop_frac": "0.01"}, {"fast_bars": "10,20"}, 0.01),
    ],
)
def test_a_base_is_a_setting_only_with_what_is_varied(given: dict[str, str], vary: dict[str, str], stop_frac: float) -> None:
    """No stop in ATRs is none at all until the stop as a fraction is varied; every variation is then as if typed out."""
    base = grid.base_of(trend, given, vary)
    assert (base.stop_atr, base.stop_frac) == (float(given["stop_atr"]), stop_frac)


def test_a_base_that_no_value_makes_right_keeps_its_own_fault() -> None:
    """An unknown key, a value out of bounds, two parameters that never fit."""
    for given, said in (
        ({"stop_at": "2"}, "did you mean stop_atr"),
        ({"stop_atr": "99"}, "stop_atr"),
        ({"stop_atr": "0"}, "needs"),
    ):
        with pytest.raises(BadInput, match=said):
            grid.base_of(trend, given, {"fast_bars": "10,20"})


def test_what_is_given_twice_is_said() -> None:
    """Values once each with a note, a parameter that is set and varied not at all."""
    space = grid.grid(trend, BASE, {"stop_atr": "1,2,2.0,1", "fast_bars": "10:30:10"})
    found = grid.repeats_of({"stop_atr": "1,2,2.0,1", "fast_bars": "10:30:10"}, space.keys, space.axes)
    assert found == ["stop_atr: 4 values given, 2 of them different: each is run once"]
    with pytest.raises(BadInput, match="stop_atr is set to 3 and varied - do one of the two"):
        grid.check_once({"stop_atr": "3"}, {"stop_atr": "1,2"})
