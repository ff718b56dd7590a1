"""Why the anchor is stored: which features have other values under another one, and that its rule makes them equal."""

import numpy as np

from engine.features.anchor import anchor_ms
from tests.engine.features.feature_calls import CALLS, HOUR_MS, bars, bits, built, value

WARM = 40  # bars behind the later beginning; the longest average of CALLS has 33 to warm up
# averages that never forget, sums over all bars, and what is made of them
REMEMBERING = {
    "ema", "macd", "macd_signal", "macd_hist", "ppo", "trix", "keltner_upper", "keltner_lower", "supertrend", "obv", "obv_sma",
    "rsi", "cmo", "adx", "plus_di", "minus_di", "atr", "vol", "vol_ratio", "zscored", "minmaxed",
}  # fmt: skip
# a running sum keeps the rounding of what it has dropped: last digits
ROUNDED = {
    "sma", "bollinger_upper", "bollinger_lower", "bollinger_position", "bollinger_width", "zscore", "stoch_k", "stoch_d", "mfi",
    "cmf", "day_volume", "volume_times", "range_times", "vwap", "twma", "twap", "cumulative_delta", "efficiency", "ultimate",
    "realised_vol", "parkinson", "garman_klass", "rogers_satchell", "yang_zhang", "vol_index", "cci", "downside_vol", "skewness",
    "correlation", "beta", "vwap_distance", "obv_slope", "volume_zscore", "amihud", "funding_zscore", "funding_trend",
}  # fmt: skip


def test_which_features_remember_where_they_began() -> None:
    """Two histories of one quarter, the second without the first 1,100 bars: recursive features differ, windows do not."""
    frame, values, digits = bars(21, 1500, 0.0), set(), set()
    later = built(frame, slice(1100, None))
    for name, args in CALLS:
        a, b = value(frame, name, args)[1100 + WARM :], value(later, name, args)[WARM:]
        there = np.isfinite(a) & np.isfinite(b)
        if np.abs(a - b)[there].max(initial=0.0) > 1e-9 * np.abs(a[there]).max():
            values.add(name)
        elif bits(a[there]) != bits(b[there]):
            digits.add(name)
    assert values == REMEMBERING
    assert digits - values <= ROUNDED


def test_the_anchor_makes_them_equal_in_a_backtest_and_on_paper() -> None:
    """A desk that reads its bars from the anchor on, and a backtest of nine months: the same bits in the last quarter."""
    frame = built(bars(22, 24 * 275, 0.001))
    opens = frame.close_ms - HOUR_MS
    first, quarter = (int(np.searchsorted(opens, anchor_ms(int(opens[-1]), back))) for back in (1, 0))
    assert 0 < first < quarter < len(frame)
    paper = built(frame, slice(first, None))
    for name, args in CALLS:
        assert bits(value(frame, name, args)[quarter:]) == bits(value(paper, name, args)[quarter - first :]), (name, args)
