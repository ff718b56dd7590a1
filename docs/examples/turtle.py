"""Turtle breakout: buy a new high of 20 days, leave at a low of 10.

Hypothesis: a market that leaves its range goes on, seldom and far.
Universe: anything liquid; the windows are in bars, for 4h or 1d.
Signal: the close beyond the highest high or lowest low of the bars before.
Exit: the opposite extreme of a shorter window, as a stop that follows.
Sizing: risk at the stop; `layers_max` and `add_atr` add to a winner.
Constraints: most breakouts fail.
Disproved by: a profit that one trip in a hundred carries.
"""

import numpy as np

from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "turtle"
FEATURES = ("highest", "lowest")


class Params(StrategyParams):
    """Windows of entry and exit."""

    entry_bars: int = knob(120, 5, 2000, "bars", None, "range that a breakout leaves")
    exit_bars: int = knob(60, 3, 1000, "bars", None, "range whose other end is the stop")


def signals(f, p):
    """The stop is the other end of the shorter range, and only ever tightens."""
    top, bottom = before(f.highest(p.entry_bars)), before(f.lowest(p.entry_bars))
    direction = np.where(f.close > top, 1, np.where(f.close < bottom, -1, 0)).astype(np.int8)
    floor, ceiling = f.lowest(p.exit_bars), f.highest(p.exit_bars)
    stop = np.where(direction > 0, floor, np.where(direction < 0, ceiling, 0.0))
    left = {"exit_long": f.close < before(floor), "exit_short": f.close > before(ceiling)}
    return SignalFrame(direction, np.ones(len(f)), stop_price=stop, **left)


def before(values):
    """What was known at the close before."""
    return np.append(np.nan, values[:-1])
