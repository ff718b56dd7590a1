"""Volscaled: trend or reversion, with an entry sized by how far the price is expected to move in the next hour.

Hypothesis: volatility is predictable where direction is not (docs/models.md), so the same signals with a size that falls before a
wild hour and rises before a calm one lose less for what they earn. Universe: instruments with a stored model `vol-{symbol}` of
`log_vol_4`. Signal: trend's or reversion's, with their numbers. Sizing: at most `vol_aim` over the volatility of a year, as a
fraction of equity, beside the risk at the stop; the volatility is predicted, or for comparison that of the last `past_bars`;
`flat` leaves the size alone.
Exit: as configured. Constraints: a size without an edge scales losses too. Measured: docs/models.md.
"""

from math import sqrt
from typing import Literal

import numpy as np

from engine.clock import DAY_MS
from engine.features.frame import FeatureFrame
from engine.strategies.base import SignalFrame, choice, knob
from engine.strategies.two_rules import TwoRulesParams, signals_of_rule

NAME = "volscaled"
FEATURES = ("sma", "atr", "rsi", "realised_vol")
MODELS = ("vol-{symbol}",)
YEAR_DAYS = 365.0
SIZE_MIN, SIZE_MAX = 0.01, 10.0  # of equity


class Params(TwoRulesParams):
    """Which signal, and what sizes it, beside the common ones."""

    sizing: Literal["predicted", "past", "flat"] = choice("predicted", None, "which volatility sizes an entry")
    vol_aim: float = knob(0.2, 0.01, 2.0, "a year", "up", "volatility that an entry is to have")
    vol_target: float = knob(0.0, 0.0, 2.0, "a year", "up", "volatility cap of past days beside it", zero="no volatility cap")
    past_bars: int = knob(96, 4, 2000, "bars", None, "window of the past volatility")


def signals(f: FeatureFrame, p: Params) -> SignalFrame:
    """The rule's own signals; size: the aim over the volatility of a year."""
    out = signals_of_rule(p.rule, f, p)
    if p.sizing == "flat":
        return out
    year = sqrt(YEAR_DAYS * DAY_MS / f.timeframe_ms)  # of a bar's, which the label is the logarithm of
    a_year = np.exp(f.model("vol-{symbol}")) * year if p.sizing == "predicted" else f.realised_vol(p.past_bars)
    size = np.clip(p.vol_aim / np.where(a_year > 0.0, a_year, np.nan), SIZE_MIN, SIZE_MAX)
    known = np.isfinite(size)
    return out._replace(direction=np.where(known, out.direction, 0).astype(np.int8), size_frac=np.where(known, size, 0.0))
