"""A hole in the data is no reason to leave: where a feature is missing the strength is unknown, not decayed."""

import numpy as np

from engine.features.frame import FeatureFrame
from engine.strategies import trend
from engine.strategies.signals import evaluate


def frame_with_a_hole() -> FeatureFrame:
    """400 rising bars, one missing."""
    n = 400
    close = 100.0 + np.arange(n, dtype=np.float64)
    columns = [close - 0.5, close + 1.0, close - 1.0, close.copy(), np.full(n, 10.0)]
    for column in columns:
        column[300] = np.nan
    return FeatureFrame(900_000 * np.arange(1, n + 1), *columns, 900_000)


def test_strength_is_unknown_while_features_warm_up_again() -> None:
    """With a fade threshold the strength is NaN from the hole on, and there is no entry; before the hole it is a number."""
    said = evaluate(trend, trend.Params(fast_bars=10, slow_bars=50, fade_below=0.1), frame_with_a_hole())
    assert np.isfinite(said.strength[200:300]).all()
    assert np.isnan(said.strength[300:340]).all()
    assert (said.direction[300:340] == 0).all()
