"""Random bars with holes, and strategies made of one rule: the ground of the tests of the leaks check."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from engine.features.frame import FeatureFrame
from engine.strategies.base import SignalFrame, StrategyParams

QUARTER_MS = 900_000
COUNT = 5000
FEATURES = ("sma", "ema", "rsi", "atr", "zscore", "highest", "lowest", "returns", "vol", "day_volume")


def frame_of(count: int = COUNT, seed: int = 2) -> FeatureFrame:
    """Random 15m bars, three of them missing."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.004, count)))
    columns = [close, close * (1 + rng.random(count) / 500), close * (1 - rng.random(count) / 500), close.copy()]
    columns.append(rng.lognormal(5.0, 1.0, count))
    for column in columns:
        column[[count // 3, count // 2, count // 2 + 1]] = np.nan
    return FeatureFrame((np.arange(count) + 1) * QUARTER_MS, *columns, QUARTER_MS)


FRAME = frame_of()


def strategy(rule: Callable[[FeatureFrame, Any], Any]) -> SimpleNamespace:
    """A strategy of one rule: a bool array (long or nothing), or a direction."""

    def signals(f: FeatureFrame, p: Any) -> SignalFrame:
        direction = np.asarray(rule(f, p)).astype(np.int8)
        return SignalFrame(direction, np.abs(direction).astype(float))

    return SimpleNamespace(NAME="mine", FEATURES=FEATURES, Params=StrategyParams, signals=signals)


def closes(f: FeatureFrame) -> np.ndarray:
    """Closes with the last known price where one is missing."""
    known = np.where(np.isfinite(f.close), np.arange(len(f)), 0)
    return f.close[np.maximum.accumulate(known)]


def clock(f: FeatureFrame) -> np.ndarray:
    """Number of each bar's hour."""
    return (f.close_ms - f.timeframe_ms) // 3_600_000
