"""SuperTrend: hold the side on which the price is of a line that follows it.

Hypothesis: volatility sets how far a trend may breathe.
Universe: large coins, 1h to 4h.
Signal: the side of SuperTrend.
Exit: the line, as a stop that follows; the turn of the side.
Sizing: risk at the line.
Constraints: whipsaws in a range.
Disproved by: costs times two.
"""

import numpy as np

from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "supertrend_follow"
FEATURES = ("supertrend", "supertrend_side")


class Params(StrategyParams):
    """Window and width of the line."""

    line_bars: int = knob(10, 2, 200, "bars", None, "window of the line's ATR")
    width: float = knob(3.0, 0.5, 10.0, "ATR", None, "distance of the line from the middle of the bar")


def signals(f, p):
    """A state signal with the line as stop."""
    side, line = f.supertrend_side(p.line_bars, p.width), f.supertrend(p.line_bars, p.width)
    direction = np.where(np.isfinite(side), side, 0.0).astype(np.int8)
    return SignalFrame(direction, np.ones(len(f)), stop_price=line, exit_long=side < 0.0, exit_short=side > 0.0)
