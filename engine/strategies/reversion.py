"""Reversion: buy a fall that has gone too far inside a rising market, sell a rise that has gone too far inside a falling one.

Hypothesis: on SOL perpetuals at 15 minutes, liquidations and stop runs push the price too far; a patient order is paid when it
reverts. Against the longer trend such a push often continues, hence the filter. Universe: liquid USDT perpetuals with volatile
moves. Signal: Wilder's RSI below `enter_below` with the close above its long average (long), or above `enter_above` with the
close below it (short); strength is the distance of the RSI from 50. Exit: a near target, a stop of some ATRs, a trail once in
profit. Sizing: risk at the stop under a volatility target. Constraints: a crash that does not revert hits the stop several
times in a row, which the loss-streak breaker ends. Measured: at the shipped numbers it lost a little on recorded SOL bars of
2025; a starting point for research, not advice.
"""

from typing import Self

import numpy as np
from pydantic import model_validator

from engine.features.frame import FeatureFrame
from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "reversion"
FEATURES = ("rsi", "sma")


class Params(StrategyParams):
    """Reversion's own parameters beside the common ones, and nearer exits."""

    rsi_bars: int = knob(14, 2, 200, "bars", None, "window of the RSI")
    enter_below: float = knob(30.0, 1.0, 50.0, "RSI", None, "long when the RSI is lower")
    enter_above: float = knob(70.0, 50.0, 99.0, "RSI", None, "short when the RSI is higher")
    trend_bars: int = knob(400, 0, 2000, "bars", None, "average that a long's close must be above", zero="no trend filter")
    target_atr: float = knob(3.0, 0.0, 50.0, "ATR", None, "target, from the entry", zero="no target in ATRs")
    arm_atr: float = knob(1.0, 0.0, 20.0, "ATR", "up", "profit at which the trail arms; 0 with arm_frac 0: at once")
    trail_atr: float = knob(2.0, 0.0, 20.0, "ATR", "up", "trail behind the best price", zero="no trail in ATRs")

    @model_validator(mode="after")
    def below_is_below(self) -> Self:
        """The two thresholds do not meet."""
        if not self.enter_below < self.enter_above:
            raise ValueError(f"enter_below = {self.enter_below:g} must be below enter_above = {self.enter_above:g}")
        return self


def signals(f: FeatureFrame, p: Params) -> SignalFrame:
    """Direction: 1 oversold, -1 overbought, on the trend's side. Strength: distance of the RSI from 50, as a share of 50."""
    rsi = f.rsi(p.rsi_bars)
    low, high = rsi < p.enter_below, rsi > p.enter_above
    if p.trend_bars > 0:
        mean = f.sma(p.trend_bars)
        low, high = low & (f.close > mean), high & (f.close < mean)
    direction = low.astype(np.int8) - high.astype(np.int8)
    return SignalFrame(direction, np.where(direction != 0, np.abs(rsi - 50.0) / 50.0, 0.0))
