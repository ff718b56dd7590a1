"""Stochastic pullback: in an uptrend of the day buy the dips of the hour.

Hypothesis: trends pause, and those who missed them buy the pause.
Universe: large coins, 15m to 1h.
Signal: the close above its long average, the stochastic turned up from below 20; mirrored for shorts.
Entry: a post-only limit below the close.
Exit: the stochastic on the other side, a stop.
Sizing: risk at the stop.
Constraints: limits fill best when the pullback goes on.
Disproved by: worse fills than the market order's on the same signals.
"""

import numpy as np

from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "stochastic_pullback"
FEATURES = ("stoch_k", "stoch_d", "ema")


class Params(StrategyParams):
    """The trend and the dip."""

    trend_bars: int = knob(200, 20, 2000, "bars", None, "window of the trend's average")
    dip: float = knob(20.0, 1.0, 45.0, "of 100", None, "a dip below it, a peak above 100 minus it")


def signals(f, p):
    """An entry by limit that rests for three bars."""
    k, d, up = f.stoch_k(), f.stoch_d(), f.close > f.ema(p.trend_bars)
    direction = np.where(up & (d < p.dip) & (k > d), 1, np.where(~up & (d > 100.0 - p.dip) & (k < d), -1, 0)).astype(np.int8)
    way = {"limit_offset_atr": 0.2, "post_only": True, "good_for_bars": 3}
    return SignalFrame(direction, np.ones(len(f)), exit_long=k > 100.0 - p.dip, exit_short=k < p.dip, **way)
