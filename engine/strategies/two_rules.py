"""The signals of trend or reversion, and their parameters, for what sizes them or lets them through (volscaled, regime)."""

from typing import Any, Literal, Self

from pydantic import model_validator

from engine.features.frame import FeatureFrame
from engine.strategies import reversion, trend
from engine.strategies.base import SignalFrame, StrategyParams, choice, knob

READ: dict[str, tuple[Any, tuple[str, ...]]] = {
    "trend": (trend, ("atr_bars", "fast_bars", "slow_bars", "band_atr")),
    "reversion": (reversion, ("rsi_bars", "enter_below", "enter_above", "trend_bars")),
}


class TwoRulesParams(StrategyParams):
    """Which rule, with its numbers as they are there, beside the common ones."""

    rule: Literal["trend", "reversion"] = choice("trend", None, "whose signals")
    fast_bars: int = knob(40, 5, 400, "bars", None, "trend: window of the fast average")
    slow_bars: int = knob(200, 10, 2000, "bars", None, "trend: window of the slow average")
    band_atr: float = knob(0.5, 0.0, 10.0, "ATR", None, "trend: smallest spread of the averages that gives a signal")
    rsi_bars: int = knob(14, 2, 200, "bars", None, "reversion: window of the RSI")
    enter_below: float = knob(30.0, 1.0, 50.0, "RSI", None, "reversion: long when the RSI is lower")
    enter_above: float = knob(70.0, 50.0, 99.0, "RSI", None, "reversion: short when the RSI is higher")
    trend_bars: int = knob(400, 0, 2000, "bars", None, "reversion: average that a long's close must be above", zero="no filter")

    @model_validator(mode="after")
    def in_order(self) -> Self:
        """The fast window is the shorter one, and the two thresholds do not meet."""
        if not self.fast_bars < self.slow_bars:
            raise ValueError(f"fast_bars = {self.fast_bars} must be below slow_bars = {self.slow_bars}")
        if not self.enter_below < self.enter_above:
            raise ValueError(f"enter_below = {self.enter_below:g} must be below enter_above = {self.enter_above:g}")
        return self


def signals_of_rule(rule: str, f: FeatureFrame, p: Any) -> SignalFrame:
    """What trend or reversion says with these numbers; entries at the market."""
    module, names = READ[rule]
    own = module.Params.model_construct(**{**module.Params().model_dump(), **{name: getattr(p, name) for name in names}})
    found: SignalFrame = module.signals(f, own)
    return found
