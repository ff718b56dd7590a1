"""Mlsignal: the side that a model is sure of, where what it expects is more than the costs.

Hypothesis: none that held: the direction of the next hour is right in 51 to 52 of 100 (docs/models.md) and would have to be right
in 65 to pay a round trip. It is here so that a better model can be judged by what it earns, and a worse one by what it costs.
Universe: instruments with a stored model `dir-{symbol}` of `direction_4`. Signal: long when its probability is above 0.5 +
`edge_min`, short when below 0.5 - `edge_min`, and only where twice the edge times the usual move is more than `cost_bps`. Exit:
after `hold_bars` at the latest, and as configured. Sizing: as configured. Measured: docs/models.md.
"""

from math import sqrt

import numpy as np

from engine.clock import DAY_MS
from engine.features.frame import FeatureFrame
from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "mlsignal"
FEATURES = ("realised_vol",)
MODELS = ("dir-{symbol}",)


class Params(StrategyParams):
    """How sure it has to be, beside the common ones."""

    edge_min: float = knob(0.1, 0.0, 0.5, "probability", None, "how far from one half the model has to be")
    cost_bps: float = knob(0.0, 0.0, 200.0, "bps", None, "what a round trip costs: expected moves below it are left out")
    vol_bars: int = knob(96, 4, 2000, "bars", None, "window of the volatility that an expected move is made of")
    hold_bars: int = knob(4, 1, 1000, "bars", None, "bars after which a position is left")


def signals(f: FeatureFrame, p: Params) -> SignalFrame:
    """Direction: the likelier side. Strength: distance of the probability from one half, doubled."""
    edge = f.model("dir-{symbol}") - 0.5
    bars_a_year = 365.0 * DAY_MS / f.timeframe_ms
    move_bps = 2e4 * np.abs(edge) * f.realised_vol(p.vol_bars) * sqrt(p.hold_bars / bars_a_year)
    clear = (np.abs(edge) > p.edge_min) & (move_bps > p.cost_bps)
    direction = np.where(clear, np.sign(edge), 0.0).astype(np.int8)
    strength = np.where(clear, np.minimum(2.0 * np.abs(edge), 1.0), 0.0)
    return SignalFrame(direction, strength, hold_bars=p.hold_bars)
