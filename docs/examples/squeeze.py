"""Squeeze: when the Bollinger bands lie inside the Keltner channel, wait for the break.

Hypothesis: quiet markets store the next move.
Universe: liquid perpetuals, 15m to 4h.
Signal: a squeeze at the bar before, and a close outside the channel now.
Exit: a trail, a stop, back inside the bands' middle.
Sizing: risk at the stop.
Constraints: many breaks are of one bar.
Disproved by: no more gain after a squeeze than after any close outside the channel.
"""

import numpy as np

from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "squeeze"
FEATURES = ("bollinger_upper", "bollinger_lower", "keltner_upper", "keltner_lower", "sma")


class Params(StrategyParams):
    """One window for both bands."""

    bars: int = knob(20, 5, 400, "bars", None, "window of bands and channel")


def signals(f, p):
    """An event: the first close outside after a squeeze."""
    upper, lower = f.keltner_upper(p.bars), f.keltner_lower(p.bars)
    quiet = (f.bollinger_upper(p.bars) < upper) & (f.bollinger_lower(p.bars) > lower)
    was_quiet = np.append(False, quiet[:-1])
    direction = np.where(was_quiet & (f.close > upper), 1, np.where(was_quiet & (f.close < lower), -1, 0)).astype(np.int8)
    middle = f.sma(p.bars)
    return SignalFrame(direction, np.ones(len(f)), exit_long=f.close < middle, exit_short=f.close > middle)
