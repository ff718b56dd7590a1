"""All features, one line each: what a strategy may read as `f.NAME(...)`. frame.py looks names up here."""

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
    spread.range_times,
    traded.day_volume,
    traded.volume_times,
)

BY_NAME: dict[str, Feature] = {f.name: f for f in FEATURES}
