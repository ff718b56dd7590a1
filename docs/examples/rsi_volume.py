"""RSI 30/70 with a volume filter: buy what was sold too fast, when it was sold in earnest.

Hypothesis: a quick fall on high volume is forced selling, and part of it comes back.
Universe: liquid perpetuals, 15m to 4h.
Signal: RSI below 30 (long) or above 70 (short) at a bar with more volume than usual.
Exit: RSI back at 50, a stop, or two days.
Sizing: risk at the stop.
Constraints: it buys into crashes.
Disproved by: no gain over random entries with the same exits.
"""

import numpy as np

from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "rsi_volume"
FEATURES = ("rsi", "volume_times")


class Params(StrategyParams):
    """Levels of the RSI and the volume that counts."""

    rsi_bars: int = knob(14, 2, 200, "bars", None, "window of the RSI")
    buy_below: float = knob(30.0, 1.0, 50.0, "RSI", None, "sold too fast below it")
    sell_above: float = knob(70.0, 50.0, 99.0, "RSI", None, "bought too fast above it")
    volume_least: float = knob(1.2, 0.0, 20.0, "times usual", None, "volume of the bar that counts")


def signals(f, p):
    """Event signals; the exit is the RSI at its middle."""
    rsi, busy = f.rsi(p.rsi_bars), f.volume_times() > p.volume_least
    direction = np.where(busy & (rsi < p.buy_below), 1, np.where(busy & (rsi > p.sell_above), -1, 0)).astype(np.int8)
    return SignalFrame(direction, np.ones(len(f)), exit_long=rsi > 50.0, exit_short=rsi < 50.0, hold_bars=192)
