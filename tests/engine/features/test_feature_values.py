"""Values of the features against their definitions, computed here the slow way."""

import math

import numpy as np
import pytest

from engine.features.catalog import BY_NAME, FEATURES
from engine.features.frame import FeatureFrame

QUARTER_MS = 900_000
HOUR_MS = 3_600_000


def frame_of(close, timeframe_ms=QUARTER_MS, volume=None, spread=0.0) -> FeatureFrame:
    """Bars around a list of closes."""
    close = np.asarray(close, dtype=float)
    volume = np.ones(len(close)) if volume is None else np.asarray(volume, dtype=float)
    stamps = (np.arange(len(close)) + 1) * timeframe_ms
    return FeatureFrame(stamps, close, close + spread, close - spread, close, volume, timeframe_ms)


def walk(count=3000, seed=3) -> np.ndarray:
    """A random walk of closes."""
    return 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 0.003, count)))


def test_volatility_golden_of_d17() -> None:
    """A move of 0.001 at every 15m bar is 0.18719 a year, and 10,000 at a target of 0.20 is a notional of 10,684.35."""
    steps = np.where(np.arange(2000) % 2 == 0, 1.001, 0.999)
    sigma = frame_of(50_000.0 * np.cumprod(steps)).vol(3.0)[-1]
    assert sigma == pytest.approx(0.001 * math.sqrt(365 * 96), rel=1e-9)
    assert round(float(sigma), 5) == 0.18719
    assert 0.20 / sigma * 10_000 == pytest.approx(10_684.35, abs=0.01)


def test_volatility_weighs_a_half_life_ago_half() -> None:
    """The EWMA is the normalised sum of squared returns with weights 0.5 ** (age / half-life), exactly that half-life."""
    close = walk()
    half, squares = 288.0, (close[1:] / close[:-1] - 1.0) ** 2
    for end in (864, 1500, 2999):
        weights = 0.5 ** (np.arange(end)[::-1] / half)
        by_hand = math.sqrt(365 * 96 * float(weights @ squares[:end]) / float(weights.sum()))
        assert frame_of(close).vol(3.0)[end] == pytest.approx(by_hand, rel=1e-9)


def test_volatility_waits_three_half_lives() -> None:
    """The first value stands where 3 x 288 returns are known, not a bar earlier."""
    values = frame_of(walk()).vol(3.0)
    assert np.isnan(values[:864]).all()
    assert np.isfinite(values[864:]).all()


@pytest.mark.parametrize(
    ("name", "args", "by_hand"),
    [
        ("sma", (20,), lambda c, t: c[t - 19 : t + 1].mean()),
        ("returns", (4,), lambda c, t: c[t] / c[t - 4] - 1.0),
        ("zscore", (20,), lambda c, t: (c[t] - c[t - 19 : t + 1].mean()) / c[t - 19 : t + 1].std()),
        ("highest", (20,), lambda c, t: (c[t - 19 : t + 1] + 0.5).max()),
        ("lowest", (20,), lambda c, t: (c[t - 19 : t + 1] - 0.5).min()),
    ],
)
def test_window_features_are_their_definition(name, args, by_hand) -> None:
    """The value at t is the textbook's, over the window that ends at t."""
    close = walk(400)
    values = getattr(frame_of(close, spread=0.5), name)(*args)
    for t in (30, 199, 399):
        assert values[t] == pytest.approx(by_hand(close, t), rel=1e-8)


def test_atr_is_wilders() -> None:
    """The first value is the mean of the first 14 true ranges, then 13 parts of it and one part of the newest."""
    close = walk(200)
    values = frame_of(close, spread=0.5).atr(14)
    ranges = np.maximum(1.0, np.abs(np.diff(close)) + 0.5)
    expected = ranges[:14].mean()
    assert values[14] == pytest.approx(expected)
    for t in range(15, 200):
        expected = (13.0 * expected + ranges[t - 1]) / 14.0
    assert values[199] == pytest.approx(expected)


def test_a_frozen_price_has_no_rsi() -> None:
    """TA-Lib says 0 where nothing moves, which would read as the deepest fall; here it is unknown."""
    assert np.isnan(frame_of(np.full(200, 42.0)).rsi(14)).all()
    assert np.isnan(frame_of(np.full(200, 42.0)).zscore(14)).all()


def test_a_price_that_only_falls_has_an_rsi_of_zero() -> None:
    """0 is a value where there were losses and no gain."""
    values = frame_of(np.linspace(100.0, 50.0, 100)).rsi(14)
    assert (values[14:] == 0.0).all()


def test_a_feed_that_freezes_ends_in_unknown_not_in_oversold() -> None:
    """A price that stands still keeps no RSI of the market before, low as that may have been."""
    values = frame_of(np.concatenate([walk(300), np.full(100, walk(300)[-1])])).rsi(14)
    assert np.isfinite(values[14:313]).all()
    assert np.isnan(values[313:]).all()


def test_day_volume_is_24_hours_and_exactly_zero_when_nothing_trades() -> None:
    """A running sum's rounding is not mistaken for volume."""
    volume = np.concatenate([np.random.default_rng(0).lognormal(8, 2, 500), np.zeros(200)])
    values = frame_of(np.full(700, 9.0), volume=volume).day_volume()
    assert np.isnan(values[:95]).all()
    assert values[300] == pytest.approx(volume[205:301].sum())
    assert (values[595:] == 0.0).all()


def test_vol_ratio_is_one_in_a_calm_and_grows_in_a_storm() -> None:
    """ATR over close against its median of up to 30 days, never below 1."""
    rng = np.random.default_rng(1)
    scale = np.where(np.arange(1200) < 1100, 0.002, 0.01)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 1.0, 1200) * scale))
    frame = frame_of(close, HOUR_MS, spread=0.1)
    values = frame.vol_ratio(14)
    share = frame.atr(14) / close
    assert np.isnan(values[: 14 + 23]).all()
    assert np.nanmin(values) == 1.0
    for t in (200, 900, 1199):
        assert values[t] == pytest.approx(max(1.0, share[t] / np.median(share[max(14, t - 719) : t + 1])))
    assert values[1199] > 2.0


def test_every_feature_says_what_it_reads_and_what_it_is() -> None:
    """Each has one name of its own, declared inputs and a description."""
    assert list(BY_NAME) == [f.name for f in FEATURES]
    assert all(f.about and f.inputs for f in FEATURES)
