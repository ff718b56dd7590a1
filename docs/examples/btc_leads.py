"""BTC leads: a large move of BTC that another coin has not followed yet.

Hypothesis: capital reaches the second coin some bars later.
Universe: any perpetual beside BTC-USDT of the same venue, 5m to 15m.
Signal: BTC's z-score of its last moves beyond two while the coin's own stays below one.
Exit: four bars later, a stop.
Sizing: risk at the stop.
Constraints: the lag is shorter every year.
Disproved by: the same figures with BTC one bar later.
"""

import numpy as np

from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "btc_leads"
FEATURES = ("zscore",)
INSTRUMENTS = ("BTC-USDT",)


class Params(StrategyParams):
    """What counts as a move, and as not yet followed."""

    bars: int = knob(96, 10, 1000, "bars", None, "window of both scores")
    led: float = knob(2.0, 0.5, 6.0, "deviations", None, "BTC moved beyond it")
    followed: float = knob(1.0, 0.0, 6.0, "deviations", None, "the coin has followed beyond it")


def signals(f, p):
    """Left by time: a lead that was not followed by then is none."""
    lead, own = f.of("BTC-USDT").zscore(p.bars), f.zscore(p.bars)
    up, down = (lead > p.led) & (own < p.followed), (lead < -p.led) & (own > -p.followed)
    direction = np.where(up, 1, np.where(down, -1, 0)).astype(np.int8)
    return SignalFrame(direction, np.ones(len(f)), hold_bars=4)
