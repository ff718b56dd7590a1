"""ADX trend: the directional lines say which way, ADX says whether.

Hypothesis: a strong direction outlasts the bar that shows it.
Universe: large coins, 1h to 4h.
Signal: +DI above -DI with ADX above 25 on a 4h view, and the same on its own bars.
Exit: the lines cross, a stop, a trail.
Sizing: smaller while ADX is young.
Constraints: ADX is high when a trend ends, too.
Disproved by: the same figures with the 4h view left out.
"""

import numpy as np

from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "adx_trend"
FEATURES = ("adx", "plus_di", "minus_di")


class Params(StrategyParams):
    """What counts as strong."""

    adx_least: float = knob(25.0, 5.0, 80.0, "ADX", None, "a direction above it")


def signals(f, p):
    """Two timeframes have to agree."""
    own, high = np.sign(f.plus_di() - f.minus_di()), np.sign(f.at("4h").plus_di() - f.at("4h").minus_di())
    strong = (f.adx() > p.adx_least) & (own == high)
    direction = np.where(strong, own, 0.0).astype(np.int8)
    size = np.clip(f.adx() / 50.0, 0.1, 1.0)
    return SignalFrame(direction, np.ones(len(f)), exit_long=own < 0.0, exit_short=own > 0.0, size_frac=size)
