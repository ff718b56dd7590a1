"""VWAP fade: away from the day's average price, back to it before the day ends.

Hypothesis: who has to trade a day's volume trades around its average price.
Universe: liquid perpetuals, 5m to 15m.
Signal: more than two ATRs away from the session's VWAP, not in the first two hours of the UTC day.
Exit: VWAP as target, the end of the day, a stop.
Sizing: risk at the stop.
Constraints: trend days.
Disproved by: a loss that is still there without the ten strongest trend days.
"""

import numpy as np

from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "vwap_fade"
FEATURES = ("vwap_session", "atr", "hour")


class Params(StrategyParams):
    """How far is far."""

    away_atr: float = knob(2.0, 0.5, 10.0, "ATR", None, "distance from VWAP that is faded")


def signals(f, p):
    """The target is the VWAP of the close that decides."""
    vwap, hour = f.vwap_session(), f.hour()
    away = (f.close - vwap) / f.atr(p.atr_bars)
    tradable = (hour >= 2.0) & (hour < 22.0)
    direction = np.where(tradable & (away < -p.away_atr), 1, np.where(tradable & (away > p.away_atr), -1, 0)).astype(np.int8)
    late = hour >= 23.0
    target = np.where(direction != 0, vwap, 0.0)
    return SignalFrame(direction, np.ones(len(f)), target_price=target, exit_long=late, exit_short=late)
