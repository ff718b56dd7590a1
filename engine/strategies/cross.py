"""Cross: the smallest strategy, to read first and to copy. It acts once, on the bar where two averages cross.

Hypothesis: none worth money; it is a yardstick that other engines can run as well (bench/), to see whether two backtests agree.
Universe: any. Signal: the fast SMA crosses the slow one, an event of one bar at full strength. Exit, sizing: as configured.
Constraints: a signal during an open position is lost.
"""

from typing import Self

import numpy as np
from pydantic import model_validator

from engine.features.frame import FeatureFrame
from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "cross"
FEATURES = ("sma",)

# strategy A of the benchmark: stop 1 %, target 2 %, trail 1.5 % from the entry bar on, quantity 1
YARDSTICK = {"fast_bars": 50, "slow_bars": 200, "fixed_qty": 1.0, "participation_max": 1.0, "vol_target": 0.0}
YARDSTICK |= {"stop_atr": 0.0, "target_atr": 0.0, "arm_atr": 0.0, "trail_atr": 0.0}
YARDSTICK |= {"stop_frac": 0.01, "target_frac": 0.02, "trail_frac": 0.015}


class Params(StrategyParams):
    """Cross's own parameters beside the common ones."""

    fast_bars: int = knob(50, 2, 400, "bars", None, "window of the fast average")
    slow_bars: int = knob(200, 5, 2000, "bars", None, "window of the slow average")

    @model_validator(mode="after")
    def fast_is_faster(self) -> Self:
        """The fast window is the shorter one."""
        if not self.fast_bars < self.slow_bars:
            raise ValueError(f"fast_bars = {self.fast_bars} must be below slow_bars = {self.slow_bars}")
        return self


def signals(f: FeatureFrame, p: Params) -> SignalFrame:
    """Direction: 1 on the bar where fast comes to stand above slow, -1 where it comes to stand below; strength 1 there."""
    fast, slow = f.sma(p.fast_bars), f.sma(p.slow_bars)
    above, below = fast > slow, fast < slow
    direction = np.zeros(len(f), np.int8)
    # only where the order changes; the bar before stood on the other side or on the line, and had both averages
    at = np.flatnonzero((above[1:] != above[:-1]) | (below[1:] != below[:-1])) + 1
    direction[at] += above[at] & (fast[at - 1] <= slow[at - 1])
    direction[at] -= below[at] & (fast[at - 1] >= slow[at - 1])
    return SignalFrame(direction, np.broadcast_to(1.0, len(f)))
