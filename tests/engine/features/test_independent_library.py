"""Features against talipp, a library of indicators that shares no code with TA-Lib.

Averages that never forget are begun differently there, so values are compared where the beginning no longer counts.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from talipp import indicators as talipp
from talipp.ohlcv import OHLCV

from tests.engine.features.feature_calls import bars

COUNT, LAST = 900, 300
FRAME = bars(21, COUNT, 0.0)
ROWS = [
    OHLCV(*row, datetime.fromtimestamp((ms - FRAME.timeframe_ms) / 1000, UTC))
    for *row, ms in zip(FRAME.open, FRAME.high, FRAME.low, FRAME.close, FRAME.volume, FRAME.close_ms, strict=True)
]
CLOSES = FRAME.close.tolist()
Read = Callable[[Any], float]


def field(name: str, scale: float = 1.0) -> Read:
    """One part of an indicator's value."""
    return lambda found: getattr(found, name) * scale


def itself(found: float) -> float:
    """An indicator of one number."""
    return found


CASES: dict[str, tuple[tuple[float, ...], Callable[[], Any], Read]] = {
    "sma": ((20,), lambda: talipp.SMA(20, CLOSES), itself),
    "ema": ((20,), lambda: talipp.EMA(20, CLOSES), itself),
    "rsi": ((14,), lambda: talipp.RSI(14, CLOSES), itself),
    "returns": ((5,), lambda: talipp.ROC(5, CLOSES), lambda x: x / 100.0),
    "atr": ((14,), lambda: talipp.ATR(14, ROWS), itself),
    "macd": ((), lambda: talipp.MACD(12, 26, 9, CLOSES), field("macd")),
    "macd_signal": ((), lambda: talipp.MACD(12, 26, 9, CLOSES), field("signal")),
    "macd_hist": ((), lambda: talipp.MACD(12, 26, 9, CLOSES), field("histogram")),
    "stoch_k": ((14, 1), lambda: talipp.Stoch(14, 3, ROWS), field("k")),
    "stoch_d": ((14, 1, 3), lambda: talipp.Stoch(14, 3, ROWS), field("d")),
    "williams_r": ((14,), lambda: talipp.Williams(14, ROWS), itself),
    "cci": ((20,), lambda: talipp.CCI(20, ROWS), itself),
    "adx": ((14,), lambda: talipp.ADX(14, 14, ROWS), field("adx")),
    "plus_di": ((14,), lambda: talipp.ADX(14, 14, ROWS), field("plus_di")),
    "minus_di": ((14,), lambda: talipp.ADX(14, 14, ROWS), field("minus_di")),
    "aroon": ((25,), lambda: talipp.Aroon(25, ROWS), lambda x: x.up - x.down),
    "trix": ((15,), lambda: talipp.TRIX(15, CLOSES), lambda x: x / 100.0),
    "ultimate": ((), lambda: talipp.UO(7, 14, 28, ROWS), itself),
    "bollinger_upper": ((), lambda: talipp.BB(20, 2.0, CLOSES), field("ub")),
    "bollinger_lower": ((), lambda: talipp.BB(20, 2.0, CLOSES), field("lb")),
    "keltner_upper": ((), lambda: talipp.KeltnerChannels(20, 10, 2.0, 2.0, ROWS), field("ub")),
    "keltner_lower": ((), lambda: talipp.KeltnerChannels(20, 10, 2.0, 2.0, ROWS), field("lb")),
    "highest": ((20,), lambda: talipp.DonchianChannels(20, ROWS), field("ub")),
    "lowest": ((20,), lambda: talipp.DonchianChannels(20, ROWS), field("lb")),
    "supertrend": ((), lambda: talipp.SuperTrend(10, 3, ROWS), field("value")),
    "supertrend_side": ((), lambda: talipp.SuperTrend(10, 3, ROWS), lambda x: 1.0 if x.trend.name == "UP" else -1.0),
    "twma": ((20,), lambda: talipp.WMA(20, CLOSES), itself),
    "close_position": ((), lambda: talipp.IBS(ROWS), itself),
    "body": ((), lambda: talipp.BOP(ROWS), itself),
    "rogers_satchell": ((24,), lambda: talipp.RogersSatchell(24, ROWS), lambda x: x * np.sqrt(365 * 24)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_feature_is_what_another_library_makes_of_the_same_bars(name: str) -> None:
    """The last 300 of 900 bars, digit by digit."""
    args, made, read = CASES[name]
    found = getattr(FRAME, name)(*args)[-LAST:]
    expected = np.array([read(x) for x in list(made())[-LAST:]])
    assert np.isfinite(found).all()
    assert np.abs(found - expected).max() <= 1e-8 * max(np.abs(expected).max(), 1.0)


def test_flows_are_what_another_library_makes_of_them() -> None:
    """Those that begin somewhere: on-balance volume as changes, the day's VWAP as one begun with the day."""
    talipp_obv = np.array(list(talipp.OBV(ROWS)))
    assert np.diff(FRAME.obv())[-LAST:] == pytest.approx(np.diff(talipp_obv)[-LAST:])
    day = 24 * 20
    expected = list(talipp.VWAP(ROWS[day : day + 24]))
    assert FRAME.vwap_session()[day : day + 24] == pytest.approx(expected)
    assert FRAME.vwap(24)[day + 23] == pytest.approx(expected[-1])
