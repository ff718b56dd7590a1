"""Bollinger reversion: sell the upper band and buy the lower one while the market has no direction.

Hypothesis: in a range liquidity comes back to the middle.
Universe: liquid pairs, 5m to 1h.
Signal: a close beyond a band of two deviations while ADX is low.
Exit: the middle of the bands as target, a stop, or a day.
Sizing: risk at the stop.
Constraints: the last trade of every range is a breakout.
Disproved by: the same figures without the ADX filter.
"""

import numpy as np

from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "bollinger_reversion"
FEATURES = ("bollinger_position", "adx", "sma")


class Params(StrategyParams):
    """Bands, and what counts as a market without direction."""

    bars: int = knob(20, 5, 400, "bars", None, "window of the bands")
    adx_most: float = knob(25.0, 5.0, 80.0, "ADX", None, "a direction above it")


def signals(f, p):
    """The target is the average that the bands surround."""
    position, calm = f.bollinger_position(p.bars), f.adx() < p.adx_most
    direction = np.where(calm & (position < -1.0), 1, np.where(calm & (position > 1.0), -1, 0)).astype(np.int8)
    target = np.where(direction != 0, f.sma(p.bars), 0.0)
    return SignalFrame(direction, np.ones(len(f)), target_price=target, hold_bars=96)
