"""All features, one line each: what a strategy may read as `f.NAME(...)`. frame.py looks names up here."""

from typing import Any

from engine.features import price, spread, traded
from engine.features.feature import Feature

FEATURES: tuple[Feature, ...] = (
    price.sma,
    price.ema,
    price.rsi,
    price.returns,
    price.zscore,
    price.highest,
    price.lowest,
    spread.atr,
    spread.vol,
    spread.vol_ratio,
    traded.day_volume,
)

BY_NAME: dict[str, Feature] = {f.name: f for f in FEATURES}


def features_table() -> list[dict[str, Any]]:
    """One row a feature for lists and docs: name, call (as a strategy writes it), inputs, about."""
    return [{"name": f.name, "call": f"f.{f.name}{f.signature}", "inputs": list(f.inputs), "about": f.about} for f in FEATURES]
