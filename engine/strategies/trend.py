"""Trend: follow the fast average relative to the slow one, while the spread is worth the costs.

Hypothesis: on BTC and ETH perpetuals at 15 minutes, a price that has moved away from its longer mean continues often enough to
pay for many small losses. Universe: liquid USDT perpetuals. Signal: fast SMA minus slow SMA, in ATRs, beyond `band_atr`; its
sign is the direction (a state signal, not an event: it persists while the spread does), its size the strength. Exit: a stop of
some ATRs, a far target, a trail once in profit, and a fade if asked for. Sizing: risk at the stop under a volatility target.
Entry: at the market, or by a post-only limit that misses what runs away and fills what comes back.
Constraints: it loses in a market that reverses within the slow window. Measured: at the shipped numbers it did not earn its
costs on recorded BTC and ETH bars of 2023 to 2025; a starting point for research, not advice.
"""

from typing import Literal, Self

import numpy as np
from pydantic import model_validator

from engine.features.frame import FeatureFrame
from engine.strategies.base import SignalFrame, StrategyParams, choice, knob

NAME = "trend"
FEATURES = ("sma", "atr")


class Params(StrategyParams):
    """Trend's own parameters beside the common ones."""

    fast_bars: int = knob(40, 5, 400, "bars", None, "window of the fast average")
    slow_bars: int = knob(200, 10, 2000, "bars", None, "window of the slow average")
    band_atr: float = knob(0.5, 0.0, 10.0, "ATR", None, "smallest spread of the averages that gives a signal")
    entry: Literal["market", "limit"] = choice("market", "neutral", "entry order; a limit rests as maker and never takes")
    limit_offset_atr: float = knob(0.1, 0.0, 5.0, "ATR", "neutral", "limit entry: distance from the close, on the better side")
    good_for_bars: int = knob(3, 1, 100, "bars", "neutral", "limit entry: bars that it may rest")

    @model_validator(mode="after")
    def fast_is_faster(self) -> Self:
        """The fast window is the shorter one."""
        if not self.fast_bars < self.slow_bars:
            raise ValueError(f"fast_bars = {self.fast_bars} must be below slow_bars = {self.slow_bars}")
        return self


def signals(f: FeatureFrame, p: Params) -> SignalFrame:
    """Direction: the sign of fast minus slow beyond the band. Strength: spread/(1 + spread), the spread in ATRs."""
    spread = f.sma(p.fast_bars) - f.sma(p.slow_bars)
    width = f.atr(p.atr_bars)
    size = np.abs(spread) / np.where(width > 0.0, width, np.nan)
    clear = size > p.band_atr
    direction = np.where(clear, np.sign(spread), 0.0).astype(np.int8)
    strength = np.where(clear, size / (1.0 + size), 0.0)
    if p.entry == "market":
        return SignalFrame(direction, strength)
    return SignalFrame(direction, strength, limit_offset_atr=p.limit_offset_atr, post_only=True, good_for_bars=p.good_for_bars)
