"""`f.at(...)` and `f.of(...)` as a strategy meets them: labels, what must be declared, what cannot be built. Values: law 2."""

import pytest

from engine.errors import BadInput, DataError, StrategyError
from engine.features.feature import COLUMNS
from engine.features.frame import FeatureFrame
from tests.engine.features.feature_calls import HOUR_MS, bars


@pytest.mark.parametrize(
    ("timeframe", "words"),
    [
        ("15m", "15m is lower than the bars, which are 1h"),
        ("90m", "90m is not a multiple of the 1h bars"),
        ("5h", "5h does not divide a UTC day"),
        ("1w", "1w does not divide a UTC day"),
        ("four", "unknown timeframe 'four'"),
    ],
)
def test_a_timeframe_that_cannot_be_built_is_refused(timeframe: str, words: str) -> None:
    """Lower, no multiple, across days, or not a timeframe: one clear line."""
    with pytest.raises(BadInput, match=words):
        bars(1, 50, 0.0).at(timeframe)


def test_a_view_is_read_like_the_frame() -> None:
    """Labels carry the timeframe, FEATURES is asked, arrays are read-only and computed once, unknown names list the catalog."""
    frame = bars(1, 200, 0.0)
    reader = frame.reader(["ema"])
    assert reader.at("4h").ema(5) is reader.at("4h").ema(bars=5)
    assert reader.at("4h").close is frame.at("4h").close
    assert set(reader.used) == {"4h.ema(5)", "4h.close"}
    assert len(reader.at("4h")) == len(frame)
    with pytest.raises(ValueError, match="read-only"):
        reader.at("4h").close[0] = 1.0
    with pytest.raises(StrategyError, match="reads sma, which FEATURES does not list"):
        reader.at("4h").sma(5)
    with pytest.raises(AttributeError, match="no feature 'smma'; available: sma"):
        reader.at("4h").smma(5)


def test_another_instrument_keeps_its_labels_apart_and_must_be_declared() -> None:
    """What was read of whom is in the label; an instrument that is not there says what to declare; 4h of 4h is refused."""
    other = bars(2, 100, 0.0)
    frame = FeatureFrame(other.close_ms, *(getattr(bars(1, 100, 0.0), name) for name in COLUMNS), HOUR_MS, {"ETH-USDT": other})
    reader = frame.reader()
    assert reader.of("ETH-USDT").sma(5) is other.sma(5)
    assert reader.of("ETH-USDT").at("4h").close.tolist()[4:] == other.at("4h").close.tolist()[4:]
    reader.sma(5)
    assert set(reader.used) == {"ETH-USDT.sma(5)", "ETH-USDT.4h.close", "sma(5)"}
    with pytest.raises(StrategyError, match=r"INSTRUMENTS does not list.*INSTRUMENTS = \(\"SOL-USDT\",\)"):
        reader.of("SOL-USDT")
    with pytest.raises(BadInput, match=r"1d is asked of ETH-USDT\.4h"):
        reader.of("ETH-USDT").at("4h").at("1d")
    with pytest.raises(DataError, match="ETH-USDT is on another clock"):
        FeatureFrame(other.close_ms + HOUR_MS, *(getattr(other, name) for name in COLUMNS), HOUR_MS, {"ETH-USDT": other})
