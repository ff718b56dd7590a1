"""All features, one line each: what a strategy may read as `f.NAME(...)`. frame.py looks names up here."""

from engine.features import (
    across,
    calendar,
    channels,
    flow,
    macro,
    momentum,
    positioning,
    price,
    profile,
    shape,
    spread,
    traded,
    volatility,
)
from engine.features.feature import Feature

FEATURES: tuple[Feature, ...] = (
    price.sma,
    price.ema,
    price.rsi,
    price.returns,
    price.zscore,
    price.highest,
    price.lowest,
    momentum.macd,
    momentum.macd_signal,
    momentum.macd_hist,
    momentum.ppo,
    momentum.stoch_k,
    momentum.stoch_d,
    momentum.williams_r,
    momentum.cci,
    momentum.mfi,
    momentum.adx,
    momentum.plus_di,
    momentum.minus_di,
    momentum.aroon,
    momentum.trix,
    momentum.cmo,
    momentum.ultimate,
    momentum.efficiency,
    channels.bollinger_upper,
    channels.bollinger_lower,
    channels.bollinger_position,
    channels.bollinger_width,
    channels.keltner_upper,
    channels.keltner_lower,
    channels.donchian_position,
    channels.supertrend,
    channels.supertrend_side,
    spread.atr,
    spread.vol,
    spread.vol_ratio,
    spread.range_times,
    volatility.realised_vol,
    volatility.parkinson,
    volatility.garman_klass,
    volatility.rogers_satchell,
    volatility.yang_zhang,
    volatility.downside_vol,
    volatility.skewness,
    across.vol_index,
    across.premium,
    across.relative_return,
    across.correlation,
    across.beta,
    traded.day_volume,
    traded.volume_times,
    flow.volume_zscore,
    flow.amihud,
    flow.obv,
    flow.obv_sma,
    flow.obv_slope,
    flow.cmf,
    flow.vwap,
    flow.vwap_session,
    flow.vwap_distance,
    flow.twma,
    flow.twap,
    flow.delta,
    flow.cumulative_delta,
    profile.poc,
    profile.value_area_high,
    profile.value_area_low,
    shape.body,
    shape.upper_wick,
    shape.lower_wick,
    shape.close_position,
    calendar.hour,
    calendar.weekday,
    calendar.month,
    calendar.weekend,
    calendar.funding_hours,
    calendar.session,
    calendar.hour_sin,
    calendar.hour_cos,
    calendar.week_sin,
    calendar.week_cos,
    calendar.funding_sin,
    calendar.funding_cos,
    positioning.funding_rate,
    positioning.funding_zscore,
    positioning.funding_trend,
    positioning.open_interest_change,
    positioning.long_short,
    macro.vix,
    macro.dollar_change,
    macro.stocks_change,
    macro.mvrv,
    macro.sopr,
    macro.fear_greed,
)

BY_NAME: dict[str, Feature] = {f.name: f for f in FEATURES}


def features_table() -> list[dict[str, str]]:
    """Every feature as a table of the docs shows it: how it is called, with defaults, its unit, what it reads and what it is."""
    return [
        {"call": f"f.{f.name}{call_text(f)}", "unit": f.unit, "reads": ", ".join(read_by(f)), "about": f.about} for f in FEATURES
    ]


def read_by(feature: Feature) -> tuple[str, ...]:
    """The columns and outside series that a feature reads; the length of a bar is not one."""
    return tuple(name for name in feature.inputs if name != "timeframe_ms")


def call_text(feature: Feature) -> str:
    """The arguments as they are written: `(fast=12, slow=26)`."""
    shown = [p.name if p.default is p.empty else f"{p.name}={p.default:g}" for p in feature.signature.parameters.values()]
    return f"({', '.join(shown)})"
