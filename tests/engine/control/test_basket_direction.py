"""What a basket is a risk by: its legs and what its hedge ratio is fitted on are for a person to judge, never neutral."""

from collections.abc import Sequence
from typing import Any

import pytest

from engine.control.config import SleeveConfig
from engine.control.direction import direction
from engine.control.limits import HardLimits
from engine.strategies.pairs import Params

LEGS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")


def basket(legs: Sequence[str] = LEGS, **params: Any) -> SleeveConfig:
    """A basket with all parameters spelled out."""
    about = {"name": "b", "strategy": "pairs", "venue": "binance", "timeframe": "1h", "cash": 100_000.0, "legs": list(legs)}
    return SleeveConfig.model_validate(about | {"params": Params(**params).model_dump()})


@pytest.mark.parametrize(
    ("new", "label"),
    [
        (basket(), "neutral"),
        (basket((*LEGS, "XRP-USDT")), "unknown"),
        (basket(LEGS[:2]), "unknown"),  # the pairs that stay get the cash of those that go
        (basket((*LEGS[:2], "BNB-USDT")), "unknown"),
        (basket(window_days=30.0), "unknown"),
        (basket(step_days=10.0), "unknown"),
        (basket(stop=6.0), "loosens"),
        (basket(stop_frac=0.4), "loosens"),
        (basket(pair_frac_max=1.0), "loosens"),
        (basket(pair_frac_max=0.2), "tightens"),
        (basket(LEGS[:2], pair_frac_max=0.2), "unknown"),  # what lowers risk does not carry other legs along
    ],
)
def test_legs_and_hedge_ratio_are_risk(new: SleeveConfig, label: str) -> None:
    """As of one basket that is changed into another."""
    assert direction(basket(), new, Params, HardLimits.model_validate({})).label == label
