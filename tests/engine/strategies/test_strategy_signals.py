"""signals_of: what the core is told at each close, and how a strategy that breaks its contract is told off."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from engine.errors import BadInput, DeskError, StrategyError
from engine.features.frame import FeatureFrame
from engine.strategies import trend
from engine.strategies.base import SHIPPED, SignalFrame, StrategyParams, load_strategy
from engine.strategies.signals import evaluate, signals_of
from engine.venues.instruments import costs_of

HOUR_MS = 3_600_000
COSTS = costs_of("binance", "BTC-USDT")
FREE = COSTS._replace(half_spread_frac=0.0, impact_y=0.0)
JUDGED = {"range_times", "volume_times"}  # is this bar as usual?


def frame_of(count=1500, holes=(), seed=5) -> FeatureFrame:
    """Hourly random bars."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, count)))
    columns = [close, close * 1.004, close * 0.996, close.copy(), rng.lognormal(5.0, 0.5, count)]
    for column in columns:
        column[list(holes)] = np.nan
    return FeatureFrame((np.arange(count) + 1) * HOUR_MS, *columns, HOUR_MS)


def strategy(signals, features=("sma",)) -> SimpleNamespace:
    """A strategy made of one function."""
    return SimpleNamespace(NAME="mine", FEATURES=features, Params=StrategyParams, signals=signals)


def said(direction, strength) -> SimpleNamespace:
    """A strategy that answers with these arrays."""
    return strategy(lambda f, p: SignalFrame(direction, strength))


def test_every_array_is_one_entry_a_bar() -> None:
    """Sides are int8, the rest float64; the features of strategy, sizing and costs are all in `used`."""
    frame = frame_of()
    out = signals_of(trend, trend.Params(), frame, COSTS)
    assert out.side.dtype == np.int8
    assert {len(x) for x in out[:6]} == {len(frame)}
    assert all(x.dtype == np.float64 for x in out[1:6])
    assert set(out.used) == {"sma(40)", "sma(200)", "atr(14)", "vol(3)", "vol_ratio(14)", "day_volume"} | JUDGED
    assert set(np.unique(out.side)) == {-1, 0, 1}


def test_slippage_is_half_spread_plus_square_root_impact_widened() -> None:
    """slip = half-spread x widening; impact = Y x daily sigma / sqrt(daily volume) x widening (D3, D16)."""
    frame = frame_of()
    out = signals_of(trend, trend.Params(), frame, COSTS)
    t = 1400
    wide = frame.vol_ratio(14)[t]
    assert wide >= 1.0
    assert out.slip_frac[t] == pytest.approx(COSTS.half_spread_frac * wide)
    daily = frame.vol(3.0)[t] / math.sqrt(365)
    assert out.impact[t] == pytest.approx(COSTS.impact_y * daily / math.sqrt(frame.volume[t - 23 : t + 1].sum()) * wide)


def test_half_a_cost_is_no_cost() -> None:
    """While volatility warms up the impact is unknown, so the whole slippage is: the core refuses an entry there."""
    frame = frame_of()
    out = signals_of(trend, trend.Params(vol_target=0.0), frame, COSTS)
    assert np.isnan(out.impact[:216]).all()
    assert np.isnan(out.slip_frac[:216]).all()
    assert np.isfinite(out.slip_frac[216:]).all()
    assert np.isfinite(out.impact[216:]).all()


def test_without_volume_the_impact_is_unknown_not_infinite() -> None:
    """A day in which nothing traded has no square-root impact."""
    frame = frame_of()
    still = FeatureFrame(frame.close_ms, frame.open, frame.high, frame.low, frame.close, np.zeros(len(frame)), frame.timeframe_ms)
    assert np.isnan(signals_of(trend, trend.Params(), still, COSTS).impact).all()


def test_a_rule_that_is_off_is_zero_and_costs_nothing() -> None:
    """No ATR distances, no volatility target, no slippage: zeros, and no feature is computed for them."""
    off = {"stop_atr": 0.0, "stop_frac": 0.01, "target_atr": 0.0, "arm_atr": 0.0, "trail_atr": 0.0, "vol_target": 0.0}
    out = signals_of(strategy(lambda f, p: SignalFrame(*zeros(len(f)))), StrategyParams(**off), frame_of(), FREE, judged=False)
    assert not any(x.any() for x in (out.atr, out.vol_annual, out.slip_frac, out.impact, out.range_times, out.volume_times))
    assert out.used == {}


def zeros(count):
    """Nothing to say for so many bars."""
    return np.zeros(count, np.int8), np.zeros(count)


@pytest.mark.parametrize(("side", "kept"), [("both", {-1, 0, 1}), ("long", {0, 1}), ("short", {-1, 0})])
def test_a_sleeve_of_one_side_hears_one_side(side, kept) -> None:
    """The other direction is silence, strength 0."""
    out = signals_of(trend, trend.Params(), frame_of(), FREE, side)
    assert set(np.unique(out.side)) == kept
    assert (out.strength[out.side == 0] == 0.0).all()


def test_a_side_that_is_none_is_refused() -> None:
    """One line with the three there are."""
    with pytest.raises(BadInput, match="side = 'up' is not one of both, long, short"):
        signals_of(trend, trend.Params(), frame_of(50), FREE, "up")


def test_where_a_feature_is_missing_there_is_no_signal() -> None:
    """A strategy that forgets about NaN (`else: short`) is silent in the warm-up and on a hole all the same."""
    careless = strategy(lambda f, p: SignalFrame(np.where(f.close > f.sma(20), 1, -1).astype(np.int8), np.ones(len(f))))
    out = evaluate(careless, StrategyParams(), frame_of(200, holes=[100]))
    assert not out.direction[:19].any()
    assert not out.direction[100:120].any()
    assert out.direction[19:100].all()
    assert out.direction[120:].all()
    assert not out.strength[:19].any()


def test_a_strength_that_is_nan_in_the_warm_up_is_silence() -> None:
    """Arithmetic on a feature that is missing gives NaN; that is not the strategy's fault."""
    out = evaluate(
        strategy(lambda f, p: SignalFrame((f.close > f.sma(20)).astype(np.int8), np.minimum(f.sma(20) / 1e9, 1.0))),
        StrategyParams(),
        frame_of(200),
    )
    assert np.isfinite(out.strength).all()


DOWN, HALF = np.zeros(50, np.int8), np.full(50, 0.5)


@pytest.mark.parametrize(
    ("direction", "strength", "what"),
    [
        (DOWN[:49], HALF, "direction has 49 entries for 50 bars"),
        (DOWN, np.ones(51), "strength has 51 entries for 50 bars"),
        (DOWN.reshape(25, 2), HALF, "direction has 25x2 entries"),
        (1, HALF, "direction is a single value"),
        (DOWN.astype(float), HALF, "direction is float64"),
        (DOWN, np.ones(50, int), "strength is int64"),
        (np.array([None] * 50), HALF, "direction is object"),
        (np.where(np.arange(50) == 41, 2, 0), HALF, r"direction is 2 at bar 41 \(1970-01-02 18:00Z\)"),
        (DOWN, np.where(np.arange(50) == 7, np.nan, 0.5), r"strength is nan at bar 7 \(1970-01-01 08:00Z\)"),
        (DOWN, np.where(np.arange(50) == 7, np.inf, 0.5), "strength is inf at bar 7"),
        (DOWN, np.where(np.arange(50) == 7, -0.1, 0.5), "strength is -0.1 at bar 7"),
        (DOWN, np.where(np.arange(50) == 7, 1.5, 0.5), "strength is 1.5 at bar 7"),
    ],
)
def test_a_broken_answer_is_told_with_its_bar(direction, strength, what) -> None:
    """Length, kind, range: what is wrong, and at which bar and time."""
    with pytest.raises(StrategyError, match=what):
        evaluate(said(direction, strength), StrategyParams(), frame_of(50))


LONGS = np.ones(50, np.int8)


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ({"limit_price": 99.0}, "limit_price is a single value for 50 bars"),
        ({"limit_price": np.array(["99"] * 50)}, "limit_price is <U2"),
        ({"limit_offset_atr": True}, "limit_offset_atr is bool"),
        ({"limit_price": np.where(np.arange(50) == 9, np.inf, 99.0)}, r"limit_price is infinite at bar 9 \("),
        ({"limit_offset_atr": np.inf}, "limit_offset_atr is infinite at bar 0"),
        ({"limit_price": np.full(50, 99.0), "limit_offset_atr": 1.0}, "limit_price and limit_offset_atr are both given"),
        ({"post_only": "no"}, "post_only is 'no' - True or False"),
        ({"post_only": 1}, "post_only is 1 - True or False"),
        ({"good_for_bars": 1.5}, "good_for_bars is 1.5 - a whole number"),
        ({"good_for_bars": True}, "good_for_bars is True"),
        ({"good_for_bars": 0}, "good_for_bars is 0"),
        ({"good_for_bars": "x" * 999}, r"good_for_bars is 'x{59}\.\.\. - a whole"),
    ],
)
def test_a_way_to_enter_that_cannot_be_meant_is_told(how, what) -> None:
    """Kind, length, infinity, two prices of one entry: one clear line instead of an exception from within."""
    with pytest.raises(StrategyError, match=what):
        evaluate(strategy(lambda f, p: SignalFrame(LONGS, HALF, **how)), StrategyParams(), frame_of(50))


def test_an_infinite_limit_without_a_signal_is_nobodys_order() -> None:
    """Only bars with a signal are asked; NaN is no limit."""
    quiet = SignalFrame(np.zeros(50, np.int8), HALF, limit_price=np.full(50, np.inf))
    assert not evaluate(strategy(lambda f, p: quiet), StrategyParams(), frame_of(50)).direction.any()
    unknown = SignalFrame(LONGS, HALF, limit_price=np.full(50, np.nan))
    assert evaluate(strategy(lambda f, p: unknown), StrategyParams(), frame_of(50)).direction.any()


def test_our_own_refusal_is_not_called_an_exception() -> None:
    """`strategy mine: it reads rsi`, not `raised it reads rsi`."""
    with pytest.raises(StrategyError, match="strategy mine: it reads rsi, which FEATURES does not list"):
        evaluate(strategy(lambda f, p: f.rsi(14)), StrategyParams(), frame_of(50))


@pytest.mark.parametrize("out", [None, 5, "no", (1,), [DOWN, HALF, HALF]])
def test_an_answer_that_is_no_signal_frame_is_told(out) -> None:
    """Whatever comes back, it is one clear line."""
    with pytest.raises(StrategyError, match="mine"):
        evaluate(strategy(lambda f, p: out), StrategyParams(), frame_of(50))


def raising(error):
    """A strategy that raises."""

    def signals(f, p):
        raise error

    return strategy(signals)


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), KeyError("x"), SystemExit(2), RecursionError()])
def test_a_strategy_that_raises_is_one_line(error) -> None:
    """Any exception, an exit included, is the strategy's error, with what it was."""
    with pytest.raises(StrategyError, match=f"strategy mine raised {type(error).__name__}"):
        evaluate(raising(error), StrategyParams(), frame_of(50))


def test_an_exception_of_the_files_own_making_is_its_fault_too() -> None:
    """One that derives from no Exception is a line like any other; Ctrl-C and a time limit of ours go through."""
    own = type("Odd", (BaseException,), {"__module__": "strategy_mine"})
    mine = raising(own("hm"))
    mine.__name__ = "strategy_mine"
    with pytest.raises(StrategyError, match="strategy mine raised Odd: hm"):
        evaluate(mine, StrategyParams(), frame_of(50))
    for ours in (KeyboardInterrupt(), type("TimedOut", (BaseException,), {})()):
        with pytest.raises(type(ours)):
            evaluate(raising(ours), StrategyParams(), frame_of(50))


def test_a_strategy_that_reads_what_it_did_not_declare_is_told() -> None:
    """FEATURES is the truth about what is read."""
    with pytest.raises(StrategyError, match="it reads ema, which FEATURES does not list"):
        evaluate(strategy(lambda f, p: SignalFrame(*zeros(len(f.ema(3))))), StrategyParams(), frame_of(50))


def test_a_strategy_cannot_change_the_bars() -> None:
    """Writing into a bar raises instead of changing what the next reader sees."""

    def signals(f, p):
        f.close[3] = 0.0
        return SignalFrame(*zeros(len(f)))

    with pytest.raises(StrategyError, match="read-only"):
        evaluate(strategy(signals), StrategyParams(), frame_of(50))


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("count", [0, 1, 2, 15, 250])
def test_shipped_strategies_live_with_any_history(name, count) -> None:
    """From no bar at all on: an answer of the right length, silence while windows fill."""
    module = load_strategy(name)
    out = signals_of(module, module.Params(), frame_of(count), COSTS)
    assert len(out.side) == count
    assert not out.side[:14].any()


def test_a_flat_market_says_nothing() -> None:
    """No range, no movement: no ATR to divide by, and no signal."""
    flat = np.full(900, 50.0)
    frame = FeatureFrame((np.arange(900) + 1) * HOUR_MS, flat, flat, flat, flat, flat, HOUR_MS)
    for name in SHIPPED:
        module = load_strategy(name)
        assert not signals_of(module, module.Params(), frame, COSTS).side.any()


def test_errors_are_desk_errors() -> None:
    """One door turns any of them into a line."""
    assert issubclass(StrategyError, DeskError)
