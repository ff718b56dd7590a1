"""Every feature of the catalog with arguments to try, and random bars to try them on. Used by the laws and the feature tests."""

from functools import cache
from typing import Any

import numpy as np

from engine.data.sources import Observations
from engine.features.catalog import FEATURES
from engine.features.feature import Feature
from engine.features.frame import FeatureFrame

HOUR_MS = 3_600_000
# arguments to try, one line a feature of the catalog; small windows, so that a few hundred hourly bars pass the warm-up
ARGUMENTS: dict[str, list[tuple[Any, ...]]] = {
    "sma": [(2,), (17,)],
    "ema": [(2,), (17,)],
    "rsi": [(2,), (14,)],
    "returns": [(), (5,)],
    "zscore": [(3,), (20,)],
    "highest": [(2,), (30,)],
    "lowest": [(2,), (30,)],
    "macd": [(), (2, 5)],
    "macd_signal": [(), (2, 5, 3)],
    "macd_hist": [(2, 5, 3)],
    "ppo": [(3, 7)],
    "stoch_k": [(), (5, 1)],
    "stoch_d": [(), (5, 1, 2)],
    "williams_r": [(5,)],
    "cci": [(2,), (20,)],
    "mfi": [(2,), (14,)],
    "adx": [(2,), (14,)],
    "plus_di": [(2,), (14,)],
    "minus_di": [(14,)],
    "aroon": [(2,), (25,)],
    "trix": [(2,), (9,)],
    "cmo": [(2,), (14,)],
    "ultimate": [(2, 4, 9)],
    "efficiency": [(1,), (10,)],
    "bollinger_upper": [(), (5, 1.5)],
    "bollinger_lower": [()],
    "bollinger_position": [(), (5, 1.5)],
    "bollinger_width": [(5, 1.5)],
    "keltner_upper": [(), (3, 7, 1.5)],
    "keltner_lower": [()],
    "donchian_position": [(), (2,)],
    "supertrend": [(), (3, 1.0)],
    "supertrend_side": [(), (3, 1.0)],
    "atr": [(2,), (14,)],
    "vol": [(0.25,), (1.0,)],
    "vol_ratio": [(5,)],
    "range_times": [()],
    "realised_vol": [(1,), (24,)],
    "parkinson": [(1,), (24,)],
    "garman_klass": [(24,)],
    "rogers_satchell": [(24,)],
    "yang_zhang": [(2,), (24,)],
    "vol_index": [(24,)],
    "day_volume": [()],
    "volume_times": [()],
    "obv": [()],
    "obv_sma": [(5,)],
    "cmf": [(2,), (20,)],
    "vwap": [(1,), (24,)],
    "vwap_session": [()],
    "twma": [(2,), (20,)],
    "twap": [(2,), (24,)],
    "delta": [()],
    "cumulative_delta": [(1,), (24,)],
    "poc": [(24, 0.004), (5, 0.001)],
    "value_area_high": [(24, 0.004)],
    "value_area_low": [(24, 0.004)],
    "body": [()],
    "upper_wick": [()],
    "lower_wick": [()],
    "close_position": [()],
    "hour": [()],
    "weekday": [()],
    "month": [()],
    "weekend": [()],
    "funding_hours": [()],
    "session": [()],
    "hour_sin": [()],
    "hour_cos": [()],
    "week_sin": [()],
    "week_cos": [()],
    "funding_sin": [()],
    "funding_cos": [()],
    "downside_vol": [(1,), (24,)],
    "skewness": [(3,), (24,)],
    "premium": [()],
    "relative_return": [(5,)],
    "correlation": [(2,), (24,)],
    "beta": [(24,)],
    "vwap_distance": [(24,)],
    "obv_slope": [(1,), (20,)],
    "volume_zscore": [(24,)],
    "amihud": [(1,), (24,)],
    "funding_rate": [()],
    "funding_zscore": [(1.0,)],
    "funding_trend": [(1.0,)],
    "open_interest_change": [(24,)],
    "long_short": [()],
    "vix": [()],
    "dollar_change": [(1.0,)],
    "stocks_change": [(0.5,)],
    "mvrv": [()],
    "sopr": [()],
    "fear_greed": [()],
}
NORMAL_CALLS = [("zscored", ("rsi", 5)), ("zscored", ("obv",)), ("minmaxed", ("macd", 2, 5)), ("minmaxed", ("vol_index", 9))]
CALLS = [(name, args) for name, many in ARGUMENTS.items() for args in many] + NORMAL_CALLS
LATER = {"vwap_session", "supertrend", "supertrend_side"}  # these wait for a day's first bar, or a close beyond a band
PARTS = 5
OBSERVED_MS = 8 * HOUR_MS  # one observation in so long a time, from 1970 to 2026


def some(part: int) -> list[tuple[str, tuple[Any, ...]]]:
    """Every fifth call: a test that draws its part covers all of them over its examples."""
    return CALLS[part % PARTS :: PARTS]


def value(bars: Any, name: str, args: tuple[Any, ...]) -> np.ndarray:
    """What a call reads of a frame or a view; a normal form over 12 bars."""
    named = {"over": 12} if (name, args) in NORMAL_CALLS else {}
    return getattr(bars, name)(*args, **named)


def called(name: str, args: tuple[Any, ...]) -> tuple[Feature, tuple[Any, ...]]:
    """The feature that a call computes, and its arguments."""
    named = {"over": 12} if (name, args) in NORMAL_CALLS else {}
    return FeatureFrame.feature(name).of(args, named)[1:]


@cache
def observed(holes: bool) -> dict[str, Observations]:
    """Every outside series that a feature reads, whatever the clock of the bars; with holes some values came to be too old."""
    rng, count = np.random.default_rng(7), 56 * 366 * 3
    walk = 20.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, count)) / 10.0)
    names = dict.fromkeys(name for feature in FEATURES for name in feature.series)
    known = np.flatnonzero(rng.random(count) > 0.05 * holes)
    times = known * OBSERVED_MS - 60_000
    return {name: Observations(times, (walk + k)[known], OBSERVED_MS, None) for k, name in enumerate(names)}


def bars(seed: int, count: int, holes: float, others: bool = True) -> FeatureFrame:
    """Hourly random bars beside two other coins; a share of them is missing whole, and some lack their volume only."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, count)))
    open_ = close * (1.0 + rng.normal(0.0, 0.002, count))
    high = np.maximum(open_, close) * (1.0 + rng.random(count) * 0.004)
    low = np.minimum(open_, close) * (1.0 - rng.random(count) * 0.004)
    volume = rng.lognormal(3.0, 1.0, count)
    missing = rng.random(count) < holes
    for column in (open_, high, low, close, volume):
        column[missing] = np.nan
    volume[rng.random(count) < holes / 4] = np.inf
    beside = {"XRP-USDT": bars(seed + 1, count, holes, False), "SOL-USDT": bars(seed + 2, count, 0.0, False)} if others else {}
    taker = volume * rng.random(count)
    return FeatureFrame(
        (np.arange(count) + 1) * HOUR_MS,
        open_,
        high,
        low,
        close,
        volume,
        HOUR_MS,
        others=beside,
        outside=observed(holes > 0.0),
        taker_buy_volume=taker,
    )


def built(frame: FeatureFrame, rows: slice = slice(None), later_ms: int = 0) -> FeatureFrame:
    """Some rows of a frame as one built from nothing, its clock moved."""
    columns = {name: getattr(frame, name)[rows].copy() for name in frame.recorded}
    others = {name: built(other, rows, later_ms) for name, other in frame._others.items()}
    return FeatureFrame(
        frame.close_ms[rows] + later_ms, **columns, timeframe_ms=frame.timeframe_ms, others=others, outside=frame._outside
    )


def bits(values: np.ndarray) -> bytes:
    """The very bits, every NaN written the same way."""
    return np.where(np.isnan(values), np.nan, values).tobytes()
