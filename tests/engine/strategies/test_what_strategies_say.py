"""What a strategy may say beside direction and strength: read as it is, or refused with the name of what is wrong."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.core.state import LEAVE_LONG, LEAVE_SHORT
from engine.errors import StrategyError
from engine.features.frame import FeatureFrame
from engine.sim.leaks import check
from engine.strategies.base import SignalFrame, StrategyParams
from engine.strategies.signals import evaluate, exits_of
from tests.engine.features.test_feature_values import frame_of, walk

COUNT = 300


def saying(features: tuple[str, ...] = (), **said: Any) -> Any:
    """A strategy that is long all the time and says this; a callable is asked with the frame."""

    def signals(f: FeatureFrame, _p: StrategyParams) -> SignalFrame:
        found = {name: value(f) if callable(value) else value for name, value in said.items()}
        return SignalFrame(np.ones(len(f), np.int8), np.ones(len(f)), **found)

    return SimpleNamespace(NAME="mine", FEATURES=features, Params=StrategyParams, signals=signals)


def said_by(strategy: Any) -> SignalFrame:
    """What it says over a random walk, checked."""
    return evaluate(strategy, StrategyParams(), frame_of(walk(COUNT))).hints


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"stop_price": np.ones(COUNT - 1)}, "stop_price has 299 entries for 300 bars"),
        ({"stop_price": 95.0}, "stop_price is a single value for 300 bars"),
        ({"target_price": np.full(COUNT, -1.0)}, "target_price is -1 at bar 0"),
        ({"target_price": np.full(COUNT, np.inf)}, "target_price is infinite at bar 0"),
        ({"exit_long": np.ones(COUNT)}, "exit_long is float64"),
        ({"exit_short": np.ones((COUNT, 2), np.bool_)}, "exit_short has 300x2 entries"),
        ({"stop_price": np.array(["x"] * COUNT)}, "stop_price is <U1"),
        ({"hold_bars": -1}, "hold_bars is -1"),
        ({"hold_bars": 10**9}, "hold_bars is 1000000000"),
        ({"size_frac": 1e6}, "size_frac is 1e+06 at bar 0"),
        ({"size_frac": np.linspace(-1, 1, COUNT)}, "size_frac is -1 at bar 0"),
    ],
)
def test_what_is_wrong_is_named_with_its_bar(said: dict[str, Any], words: str) -> None:
    """Length, kind and bounds of each; nothing is clipped."""
    with pytest.raises(StrategyError) as caught:
        said_by(saying(**said))
    assert words in str(caught.value)


def test_nothing_said_is_nothing_and_one_number_is_for_all_bars() -> None:
    """Zeros that take no memory; a scalar size counts at every bar."""
    nothing = exits_of(said_by(saying()), COUNT)
    assert not any(column.any() for column in nothing)
    assert {column.strides for column in nothing} == {(0,)}
    assert exits_of(said_by(saying(size_frac=0.5, hold_bars=7)), COUNT)[4].tolist() == [0.5] * COUNT


def test_exits_of_both_sides_are_two_bits() -> None:
    """A bar may ask a long and a short to be left."""
    longs, shorts = np.arange(COUNT) % 2 == 0, np.arange(COUNT) % 3 == 0
    leave = exits_of(said_by(saying(exit_long=longs, exit_short=shorts)), COUNT)[2]
    assert leave.tolist() == [LEAVE_LONG * a + LEAVE_SHORT * b for a, b in zip(longs, shorts, strict=True)]


def test_a_bar_at_which_a_feature_is_missing_asks_nobody_to_leave() -> None:
    """`not above` is true of NaN: a hole in the data is no exit."""
    strategy = saying(("sma",), exit_long=lambda f: ~(f.close > f.sma(50)))
    leaving = exits_of(said_by(strategy), COUNT)[2] != 0
    assert not leaving[:49].any()
    assert leaving[49:].any()


@pytest.mark.parametrize("what", ["stop_price", "target_price", "exit_long", "size_frac", "reverse"])
def test_foresight_in_an_exit_is_found(what: str) -> None:
    """A level, an exit or a size that knows the next close looks ahead as much as a direction does."""

    def ahead(f: FeatureFrame) -> Any:
        later = np.append(f.close[1:], f.close[-1])
        return (
            later > f.close if what in ("exit_long", "reverse") else 0.5 * later / f.close if what == "size_frac" else 0.9 * later
        )

    report = check(saying(**{what: ahead}), StrategyParams(), frame_of(walk(COUNT)))
    assert report.looks_ahead
    assert report.output == what
