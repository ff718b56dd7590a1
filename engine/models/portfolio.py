"""A portfolio of fixed weights as bars of its own, so that a label and its baselines are of it as they are of a coin.

Called by train_config.py for the weights, and by recipe.py for the bars. Weights are shares of the equity, the same after every
bar; what is beside the instrument's own bars is loaded for the label alone, and no strategy that reads the model needs it.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.errors import BadInput
from engine.features.feature import empty
from engine.features.frame import FeatureFrame
from engine.features.reads import INSTRUMENT, SYMBOL

KIND = "portfolio_vol"  # of labels.KINDS
SLEEVES = "sleeves"  # in place of a table: by the cash of the desk's own
OWN = ""  # the instrument whose bars the model is trained on, among the weights
WEIGHT_MAX, INSTRUMENTS_MAX = 10.0, 20
Weights = Mapping[str, float]
HINT = 'portfolio = { "BTC-USDT" = 0.5, "ETH-USDT" = 0.5 }, shares of the equity (a short one below 0), or "sleeves"'


def weights_of(value: Any, place: str, venue: str, market: str, desk: Callable[[], Weights]) -> dict[str, float]:
    """Full name of an instrument -> its weight; of `sleeves` what `desk` says. Raises BadInput naming the first fault."""
    if value == SLEEVES:
        found = dict(desk())
        if len(found) < 2:
            raise BadInput(f"{place}: the sleeves of this desk trade {len(found)} instruments", f"a portfolio has two: {HINT}")
        return found
    if not isinstance(value, dict) or not 2 <= len(value) <= INSTRUMENTS_MAX:
        raise BadInput(f"{place}: portfolio is not a table of 2 to {INSTRUMENTS_MAX} weights", HINT)
    found = {}
    for name, weight in value.items():
        if not (SYMBOL.fullmatch(name) or INSTRUMENT.fullmatch(name)):
            raise BadInput(f"{place}: portfolio: {name[:40]!r} is not an instrument", HINT)
        number = isinstance(weight, int | float) and not isinstance(weight, bool) and math.isfinite(weight)
        if not number or weight == 0.0 or abs(weight) > WEIGHT_MAX:
            what = f"{place}: portfolio: the weight of {name} is {str(weight)[:40]!r}"
            raise BadInput(what, f"other than 0, from -{WEIGHT_MAX:g} to {WEIGHT_MAX:g}")
        full = name if ":" in name else f"{venue}:{name}:{market}"
        if full in found:
            raise BadInput(f"{place}: portfolio names {full} twice", HINT)
        found[full] = float(weight)
    return found


def aliased(weights: Weights, instrument: str) -> tuple[dict[str, float], tuple[tuple[str, str], ...]]:
    """(weight by the name that a frame has it under, (that name, full name) of what is loaded beside `instrument`)."""
    beside = tuple((full, full) for full in weights if full != instrument)
    return {OWN if full == instrument else full: weight for full, weight in weights.items()}, beside


def portfolio_bars(bars: FeatureFrame, weights: Weights) -> FeatureFrame:
    """The worth of the weights at each close of `bars`, in all four prices; NaN at a close where an instrument has no bar.

    What is missing is not filled: neither the bar that lacks it nor the one after it has a return.
    """
    others, total = bars.beside[0], np.zeros(len(bars))
    known = np.ones(len(bars), np.bool_)
    with np.errstate(all="ignore"):
        for name, weight in weights.items():
            close = bars.close if name == OWN else others[name].close
            moves = empty(len(bars))
            moves[1:] = close[1:] / close[:-1] - 1.0
            total += weight * moves
            known &= np.isfinite(close)
    alive = np.isfinite(total) & (total > -1.0)
    worth = np.cumprod(np.where(alive, 1.0 + total, 1.0))
    worth[~known | (np.isfinite(total) & (total <= -1.0))] = np.nan  # more than all of it is lost: no logarithm
    return FeatureFrame(bars.close_ms, worth, worth, worth, worth, np.where(np.isnan(worth), np.nan, 1.0), bars.timeframe_ms)


def missing_of(bars: FeatureFrame, weights: Weights, since_ms: int = 0) -> dict[str, int]:
    """Bars that each of the instruments lacks, of those that close after `since_ms` (UTC)."""
    closes, counted = (
        {name: bars.close if name == OWN else bars.beside[0][name].close for name in weights},
        bars.close_ms > since_ms,
    )
    return {name: int((~np.isfinite(close[counted])).sum()) for name, close in closes.items()}
