"""50/200 averages with MACD and OBV: a trend that price, momentum and volume agree on.

Hypothesis: a trend that buyers pay for with volume lasts longer than one that prices drift into.
Universe: large coins, 1h to 1d.
Signal: the 50-bar average above the 200-bar one, MACD above its signal line, OBV above its own average; short the other way
round.
Exit: most of the three against it, a stop, a trail.
Sizing: risk at the stop.
Constraints: late at every turn; loses in ranges.
Disproved by: a Sharpe that holding the coin beats in each half of the data.
"""

import numpy as np

from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "golden_cross"
FEATURES = ("sma", "macd_hist", "obv", "obv_sma")


class Params(StrategyParams):
    """Windows of the averages."""

    fast_bars: int = knob(50, 5, 500, "bars", None, "window of the fast average")
    slow_bars: int = knob(200, 20, 2000, "bars", None, "window of the slow average")
    obv_bars: int = knob(20, 2, 500, "bars", None, "window of the OBV's average")


def signals(f, p):
    """A state signal: it lasts while all three agree."""
    votes = np.sign(f.sma(p.fast_bars) - f.sma(p.slow_bars)) + np.sign(f.macd_hist()) + np.sign(f.obv() - f.obv_sma(p.obv_bars))
    direction = np.where(votes == 3.0, 1, np.where(votes == -3.0, -1, 0)).astype(np.int8)
    strength = np.where(np.isfinite(votes), np.abs(votes) / 3.0, 0.0)
    return SignalFrame(direction, strength, exit_long=votes <= -1.0, exit_short=votes >= 1.0)
