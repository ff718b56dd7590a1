"""The three shipped strategies: each says what its docstring says."""

import numpy as np
import pytest

from engine.features.frame import FeatureFrame
from engine.strategies import cross, reversion, trend
from engine.strategies.base import SHIPPED, load_strategy, parse_params
from engine.strategies.signals import evaluate, signals_of
from engine.venues.instruments import costs_of

MINUTE_MS = 60_000


def frame_of(close) -> FeatureFrame:
    """Bars around closes."""
    close = np.asarray(close, dtype=float)
    stamps = (np.arange(len(close)) + 1) * MINUTE_MS
    return FeatureFrame(stamps, close, close + 1.0, close - 1.0, close, np.ones(len(close)), MINUTE_MS)


def walk(count=4000, seed=11) -> np.ndarray:
    """A random walk in steps of 0.1, so that averages do meet exactly now and then."""
    return np.round(1000.0 + np.cumsum(np.random.default_rng(seed).normal(0.0, 0.5, count)), 1)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_docstring_states_the_hypothesis(name) -> None:
    """Universe, signal, exit, sizing, constraints: a strategy says what it believes."""
    text = load_strategy(name).__doc__
    assert all(word in text for word in ("Hypothesis:", "Universe:", "Signal:", "Exit", "izing", "Constraints:"))


def test_trend_goes_with_the_spread_and_its_strength_is_the_spread() -> None:
    """Long in a rise, short in a fall, nothing in the band; strength is x/(1+x) of the spread in ATRs."""
    params = parse_params(trend, {"fast_bars": 10, "slow_bars": 50, "band_atr": 0.5})
    frame = frame_of(np.concatenate([np.linspace(1000, 1500, 300), np.linspace(1500, 900, 300)]))
    out = evaluate(trend, params, frame)
    assert (out.direction[100:290] == 1).all()
    assert (out.direction[400:] == -1).all()
    spread = (frame.sma(10) - frame.sma(50)) / frame.atr(14)
    t = 200
    assert out.strength[t] == pytest.approx(spread[t] / (1.0 + spread[t]))
    quiet = np.abs(spread) <= 0.5
    assert not out.direction[quiet].any()
    assert not out.strength[quiet].any()


def test_trend_enters_at_the_market_or_by_a_limit_on_the_better_side() -> None:
    """Same direction and strength; a limit below a long's close and above a short's, post-only, for its bars; else no price."""
    frame = frame_of(np.concatenate([np.linspace(1000, 1500, 300), np.linspace(1500, 900, 300)]))
    costs = costs_of("binance", "BTC-USDT", "perp")
    plain = signals_of(trend, parse_params(trend), frame, costs)
    limit = signals_of(
        trend, parse_params(trend, {"entry": "limit", "limit_offset_atr": "0.5", "good_for_bars": 4}), frame, costs
    )
    assert np.array_equal(plain.side, limit.side)
    assert np.array_equal(plain.strength, limit.strength)
    assert (plain.limit.any(), plain.post_only.any(), set(plain.good_for.tolist())) == (False, False, {1})
    known = np.flatnonzero(limit.side)
    assert limit.limit[known] == pytest.approx((frame.close - limit.side * 0.5 * frame.atr(14))[known])
    assert {1, -1} <= set(limit.side[known].tolist())
    assert (set(limit.post_only.tolist()), set(limit.good_for.tolist())) == ({1}, {4})


def test_reversion_buys_the_dip_of_a_rise_and_sells_the_spike_of_a_fall() -> None:
    """A sharp dip above the long average is bought; the same dip in a falling market is not."""
    params = parse_params(reversion, {"trend_bars": 100, "rsi_bars": 5})
    steps = np.arange(300)
    rise = 1000.0 + 2.0 * steps
    rise[250:254] -= np.array([15.0, 30.0, 45.0, 60.0])
    up = evaluate(reversion, params, frame_of(rise))
    assert (up.direction[251:254] == 1).all()
    assert set(np.unique(up.direction)) == {0, 1}
    down = evaluate(reversion, params, frame_of(3000.0 - rise))
    assert (down.direction[251:254] == -1).all()
    assert set(np.unique(down.direction)) == {0, -1}


def test_reversions_filter_can_be_switched_off() -> None:
    """trend_bars 0: the RSI alone decides, and its strength is the distance from 50."""
    params = parse_params(reversion, {"trend_bars": 0})
    frame = frame_of(walk())
    out, rsi = evaluate(reversion, params, frame), frame.rsi(14)
    assert np.array_equal(out.direction == 1, rsi < 30.0)
    assert np.array_equal(out.direction == -1, rsi > 70.0)
    at = int(np.flatnonzero(out.direction)[0])
    assert out.strength[at] == pytest.approx(abs(rsi[at] - 50.0) / 50.0)


def test_cross_is_strategy_a_of_the_benchmark() -> None:
    """Bar by bar in plain words: f over g now, at or under it before; and the mirror; nothing else."""
    params = parse_params(cross, {"fast_bars": 5, "slow_bars": 20})
    frame = frame_of(walk())
    out, f, g = evaluate(cross, params, frame), frame.sma(5), frame.sma(20)
    expected = np.zeros(len(frame), int)
    for t in range(1, len(frame)):
        if f[t] > g[t] and f[t - 1] <= g[t - 1]:
            expected[t] = 1
        if f[t] < g[t] and f[t - 1] >= g[t - 1]:
            expected[t] = -1
    assert np.abs(expected).sum() > 100
    assert out.direction.tolist() == expected.tolist()


def test_the_yardstick_is_the_benchmarks_rules() -> None:
    """Stop 1 %, target 2 %, trail 1.5 %, from the entry bar on, quantity 1."""
    params = parse_params(cross, cross.YARDSTICK)
    assert (params.fast_bars, params.slow_bars, params.fixed_qty) == (50, 200, 1.0)
    assert (params.stop_frac, params.target_frac, params.trail_frac, params.arm_frac) == (0.01, 0.02, 0.015, 0.0)
    assert not any((params.stop_atr, params.target_atr, params.arm_atr, params.trail_atr, params.vol_target))
