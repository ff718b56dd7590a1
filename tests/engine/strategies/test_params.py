"""Parameters: bounds, words, cross-checks, and how each key moves risk. Every strategy that is shipped is tried."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.strategies import cross, reversion, trend
from engine.strategies.base import SHIPPED, StrategyParams, load_strategy, params_table, parse_params, risk_move

ALL = [load_strategy(name) for name in SHIPPED]
KEYS = [(s, row["key"]) for s in ALL for row in params_table(s)]


def ids(value) -> str:
    """A test's name for a strategy or a key."""
    return getattr(value, "NAME", value)


def test_words_of_the_command_line_become_numbers() -> None:
    """--set k=v gives strings; whole numbers and fractions come out, blanks do not matter."""
    params = parse_params(trend, {"fast_bars": "20", "slow_bars": " 60 ", "stop_atr": "3", "vol_target": "2e-1"})
    assert (params.fast_bars, params.slow_bars, params.stop_atr, params.vol_target) == (20, 60, 3.0, 0.2)
    assert isinstance(params.stop_atr, float)


def test_nothing_given_is_the_default() -> None:
    """The shipped defaults are the documented ones."""
    params = parse_params(trend)
    assert (params.fast_bars, params.atr_bars, params.stop_atr, params.target_atr) == (40, 14, 2.0, 4.0)
    assert (params.risk_start_frac, params.risk_floor_frac, params.risk_max_frac) == (0.0025, 0.001, 0.02)
    assert (params.kelly_part, params.vol_target, params.leverage_max) == (0.25, 0.2, 3.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"stop_atr": "99"}, "trend: stop_atr = 99 is out of bounds - allowed is 0 to 20 ATR"),
        ({"stop_atr": "-1"}, "trend: stop_atr = -1 is out of bounds - allowed is 0 to 20 ATR"),
        ({"leverage_max": "10.01"}, "trend: leverage_max = 10.01 is out of bounds - allowed is 0.1 to 10 x"),
        ({"risk_max_frac": 0.03}, "risk_max_frac = 0.03 is out of bounds - allowed is 0.0001 to 0.02 of equity"),
        ({"stop_art": "2"}, "trend has no parameter 'stop_art' - did you mean stop_atr?"),
        ({"xyz": "2"}, "trend has no parameter 'xyz' - available: "),
        ({"fast_bars": "2.5"}, "trend: fast_bars = '2.5' is not a whole number - allowed is 5 to 400 bars"),
        ({"fast_bars": "many"}, "trend: fast_bars = 'many' is not a whole number - allowed is 5 to 400 bars"),
        ({"fast_bars": ""}, "trend: fast_bars = '' is not a whole number"),
        ({"fast_bars": None}, "trend: fast_bars = None is not a whole number"),
        ({"fast_bars": [40]}, "trend: fast_bars = [40] is not a whole number"),
        ({"fast_bars": True}, "trend: fast_bars = True is not a number"),
        ({"stop_atr": "nan"}, "trend: stop_atr = 'nan' is not a number - allowed is 0 to 20 ATR"),
        ({"stop_atr": math.nan}, "trend: stop_atr = nan is not a number"),
        ({"stop_atr": math.inf}, "trend: stop_atr = inf is not a number"),
        ({"fast_bars": 200}, "trend: fast_bars = 200 must be below slow_bars = 200"),
        ({"stop_atr": 0}, "stop_atr and stop_frac are both 0: every position needs a stop"),
        ({"risk_start_frac": 0.0005}, "must be in ascending order"),
        ({"entry": "limt"}, "trend: entry = 'limt' is not one of market, limit - did you mean limit?"),
        ({"entry": "Limit"}, "trend: entry = 'Limit' is not one of market, limit - did you mean limit?"),
        ({"entry": "stop"}, "trend: entry = 'stop' is not one of market, limit"),
        ({"entry": ""}, "trend: entry = '' is not one of market, limit"),
        ({"entry": None}, "trend: entry = None is not one of market, limit"),
        ({"entry": True}, "trend: entry = True is not one of market, limit"),
        ({"entry": ["limit"]}, "trend: entry = ['limit'] is not one of market, limit"),
        ({"good_for_bars": 0}, "trend: good_for_bars = 0 is out of bounds - allowed is 1 to 100 bars"),
        ({"limit_offset_atr": -0.1}, "trend: limit_offset_atr = -0.1 is out of bounds - allowed is 0 to 5 ATR"),
    ],
)
def test_bad_words_are_one_clear_line(values, said) -> None:
    """Key, value and bounds, and what to do; never a traceback, never two lines."""
    with pytest.raises(BadInput) as caught:
        parse_params(trend, values)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_cross_checks_of_the_other_strategies() -> None:
    """Thresholds that meet and windows that swap are refused."""
    with pytest.raises(BadInput, match="enter_below = 50 must be below enter_above = 50"):
        parse_params(reversion, {"enter_below": 50, "enter_above": 50})
    with pytest.raises(BadInput, match="fast_bars = 300 must be below slow_bars = 200"):
        parse_params(cross, {"fast_bars": 300})


@pytest.mark.parametrize(("strategy", "key"), KEYS, ids=ids)
def test_every_parameter_is_bounded_and_explained(strategy, key) -> None:
    """Default inside its bounds, a unit, an explanation, and a word on risk; just outside is refused. A choice has its words."""
    row = next(row for row in params_table(strategy) if row["key"] == key)
    assert row["about"]
    assert row["risk"] in {"up", "down", "neutral", None}
    if row["choices"]:
        assert row["default"] in row["choices"]
        assert (row["low"], row["high"], row["unit"]) == (None, None, "")
        with pytest.raises(BadInput, match=key):
            parse_params(strategy, {key: "another"})
        return
    assert row["low"] <= row["default"] <= row["high"]
    assert row["unit"]
    for outside in (row["low"] - 1, row["high"] + 1):
        with pytest.raises(BadInput, match=key):
            parse_params(strategy, {key: outside})


@pytest.mark.parametrize("strategy", ALL, ids=ids)
def test_the_table_begins_with_the_strategys_own(strategy) -> None:
    """All fields, once each, own ones first."""
    keys = [row["key"] for row in params_table(strategy)]
    assert sorted(keys) == sorted(strategy.Params.model_fields)
    own = [key for key in keys if key not in StrategyParams.model_fields]
    assert keys[: len(own)] == own


@given(st.dictionaries(st.text(max_size=12), st.one_of(st.none(), st.booleans(), st.floats(), st.text(), st.integers())))
def test_whatever_is_typed_the_answer_is_params_or_one_line(values) -> None:
    """Any words and values: a checked Params, or BadInput."""
    try:
        params = parse_params(trend, values)
    except BadInput:
        return
    assert isinstance(params, StrategyParams)


def test_params_cannot_be_changed_afterwards() -> None:
    """What was checked stays what it was."""
    with pytest.raises(Exception, match="frozen"):
        trend.Params().stop_atr = 99.0


@pytest.mark.parametrize(
    ("key", "old", "new", "moves"),
    [
        ("stop_atr", 2.0, 3.0, 1),
        ("stop_atr", 2.0, 1.5, -1),
        ("leverage_max", 3.0, 2.0, -1),
        ("fade_below", 0.0, 0.2, -1),
        ("fade_below", 0.2, 0.0, 1),
        ("add_atr", 1.0, 2.0, -1),
        ("trail_atr", 2.5, 2.0, -1),
        ("trail_atr", 2.5, 0.0, 1),  # no trail any more: smaller is not safer
        ("trail_frac", 0.0, 0.01, None),  # beside trail_atr it widens the trail
        ("vol_target", 0.2, 0.0, 1),  # no volatility cap any more
        ("fast_bars", 40, 50, None),
        ("entry", "market", "limit", 0),  # sized and stopped alike
        ("entry", "limit", "market", 0),
        ("entry", "market", "stop", None),  # not among the choices
        ("entry", 1.0, "limit", None),
        ("limit_offset_atr", 0.1, 0.5, 0),
        ("good_for_bars", 3, 10, 0),
        ("stop_atr", "2", 3.0, None),  # a word where a number belongs
        ("nonsense", 1.0, 2.0, None),
        ("stop_atr", 2.0, 2.0, 0),
    ],
)
def test_how_a_change_moves_risk(key, old, new, moves) -> None:
    """Declared directions, with 0 as the switch that it is for some keys; unknown stays unknown."""
    assert risk_move(trend.Params, key, old, new) == moves
