"""Regime: trend or reversion, let through in the regimes that suit it.

Hypothesis: a rule that follows loses when the market goes sideways and one that reverts loses when it falls; a hidden Markov
model of the day's return and of volatility knows which it is well enough to leave the wrong hours out. Universe: instruments
with a stored model `regime-{symbol}`. Signal: the rule's own; a long only while the state is one of `long_in`, a short only in
one of `short_in`. The state has hysteresis: it changes four times a day at most. Exit and sizing: as configured; with `leave` a
position is left when its regime ends. Constraints: states are known late, and what follows each of them is near zero. Measured:
docs/models.md.
"""

from typing import Literal

import numpy as np

from engine.features.frame import FeatureFrame
from engine.strategies.base import SignalFrame, choice
from engine.strategies.two_rules import TwoRulesParams, signals_of_rule

NAME = "regime"
FEATURES = ("sma", "atr", "rsi")
MODELS = ("regime-{symbol}",)
STATES = {
    "bear": (-1.0,),
    "sideways": (0.0,),
    "bull": (1.0,),
    "not bear": (0.0, 1.0),
    "not bull": (-1.0, 0.0),
    "any": (-1.0, 0.0, 1.0),
}
Where = Literal["bear", "sideways", "bull", "not bear", "not bull", "any"]


class Params(TwoRulesParams):
    """Which rule, and where it is let through, beside the common ones."""

    long_in: Where = choice("bull", None, "regimes that longs are entered in")
    short_in: Where = choice("bear", None, "regimes that shorts are entered in")
    leave: Literal["no", "yes"] = choice("no", None, "leave a position when its regime ends")


def signals(f: FeatureFrame, p: Params) -> SignalFrame:
    """The rule's own signals where the state lets them through."""
    out, state = signals_of_rule(p.rule, f, p), f.regime("regime-{symbol}")
    long, short = np.isin(state, STATES[p.long_in]), np.isin(state, STATES[p.short_in])
    direction = np.where((out.direction > 0) & long, 1, 0) - np.where((out.direction < 0) & short, 1, 0)
    strength = np.where(direction != 0, out.strength, 0.0)
    if p.leave == "no":
        return SignalFrame(direction.astype(np.int8), strength)
    known = np.isfinite(state)
    return SignalFrame(direction.astype(np.int8), strength, exit_long=known & ~long, exit_short=known & ~short)
