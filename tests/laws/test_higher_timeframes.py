"""Law 2 over higher timeframes: `f.at("4h")` at bar t is the same bit for bit whatever comes after t, and never early."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInput, DataError, StrategyError
from engine.features.feature import COLUMNS
from engine.features.frame import FeatureFrame
from tests.laws.test_one_feature_path import ARGUMENTS, CALLS, HOUR_MS, bars, bits, cut

RATIOS = {"1h": 1, "2h": 2, "4h": 4, "1d": 24}
HOLES = st.sampled_from([0.0, 0.0, 0.003, 0.02, 0.3])


def begun_at(frame: FeatureFrame, hour: int) -> FeatureFrame:
    """The same bars, the first of them opening at this hour of a day."""
    return FeatureFrame(frame.close_ms + hour * HOUR_MS, *(getattr(frame, name) for name in COLUMNS), HOUR_MS)


def by_hand(frame: FeatureFrame, t: int, ratio: int) -> dict[str, float] | None:
    """The last higher bar closed at or before bar t, from its base bars one by one; None before the first whole one."""
    end = t
    while end >= 0 and frame.close_ms[end] % (ratio * HOUR_MS):
        end -= 1
    if end - ratio + 1 < 0:
        return None
    part = {name: [float(x) for x in getattr(frame, name)[end - ratio + 1 : end + 1]] for name in COLUMNS}
    found = {"open": part["open"][0], "high": max(part["high"]), "low": min(part["low"])}
    found |= {"close": part["close"][-1], "volume": sum(part["volume"])}
    return {name: found[name] if all(map(math.isfinite, part[name])) else math.nan for name in COLUMNS}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), HOLES, st.integers(0, 30), st.sampled_from(list(RATIOS)))
def test_a_column_is_the_last_whole_bar_and_never_an_early_one(
    seed: int, count: int, holes: float, hour: int, timeframe: str
) -> None:
    """Against the slow definition: UTC-aligned, complete bars only, NaN where a base bar is missing, known at its close."""
    frame = begun_at(bars(seed, count, holes), hour)
    view = frame.at(timeframe)
    for t in range(count):
        wanted = by_hand(frame, t, RATIOS[timeframe])
        found = {name: float(getattr(view, name)[t]) for name in COLUMNS}
        assert found == pytest.approx(wanted or dict.fromkeys(COLUMNS, math.nan), rel=0, abs=0, nan_ok=True), t
        assert view.available_ms[t] <= frame.close_ms[t]
        assert (view.available_ms[t] == 0) == (wanted is None)
        assert view.available_ms[t] % (RATIOS[timeframe] * HOUR_MS) == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 900), HOLES, st.integers(0, 30), st.data())
def test_what_comes_after_a_bar_changes_nothing_at_it(
    seed: int, count: int, holes: float, hour: int, data: st.DataObject
) -> None:
    """Every feature and column on 4h bars: from a prefix, and with another future, the same bits up to the cut."""
    whole = begun_at(bars(seed, count, holes), hour)
    other = bars(seed + 1, count, holes)
    for end in data.draw(st.lists(st.integers(1, count), min_size=1, max_size=4)):
        columns = [np.concatenate((getattr(whole, name)[:end], getattr(other, name)[end:])) for name in COLUMNS]
        futures = (cut(whole, end), whole.prefix(end), FeatureFrame(whole.close_ms, *columns, HOUR_MS))
        for part in futures:
            for name, args in CALLS:
                values = getattr(whole.at("4h"), name)(*args)[:end]
                assert bits(values) == bits(getattr(part.at("4h"), name)(*args)[:end]), (name, args, end)
            for name in COLUMNS:
                assert bits(getattr(whole.at("4h"), name)[:end]) == bits(getattr(part.at("4h"), name)[:end]), (name, end)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 900), HOLES, st.integers(0, 30))
def test_a_feature_is_that_of_the_higher_bars_alone(seed: int, count: int, holes: float, hour: int) -> None:
    """Each feature equals, at every close of a 4h bar, the same feature of a frame made of 4h bars."""
    frame = begun_at(bars(seed, count, holes), hour)
    closes = np.flatnonzero((frame.close_ms % (4 * HOUR_MS) == 0) & (frame.at("4h").available_ms > 0))
    columns = [getattr(frame.at("4h"), name)[closes] for name in COLUMNS]
    alone = FeatureFrame(frame.close_ms[closes], *columns, 4 * HOUR_MS)
    assert set(ARGUMENTS) == {name for name, _ in CALLS}
    for name, args in CALLS:
        assert bits(getattr(frame.at("4h"), name)(*args)[closes]) == bits(getattr(alone, name)(*args)), (name, args)


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


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 600), HOLES, st.data())
def test_another_instrument_is_read_by_the_same_law(seed: int, count: int, holes: float, data: st.DataObject) -> None:
    """`f.of(...)`, at once and at 4h: the other instrument's own values, and the same bits from any prefix."""
    other = bars(seed + 7, count, holes)
    own = [getattr(bars(seed, count, holes), name) for name in COLUMNS]
    whole = FeatureFrame(other.close_ms, *own, HOUR_MS, {"ETH-USDT": other})
    end = data.draw(st.integers(1, count))
    for name, args in CALLS:
        read, higher = getattr(whole.of("ETH-USDT"), name)(*args), getattr(whole.of("ETH-USDT").at("4h"), name)(*args)
        assert bits(read) == bits(getattr(other, name)(*args)), (name, args)
        assert bits(higher) == bits(getattr(other.at("4h"), name)(*args)), (name, args)
        part = whole.prefix(end).of("ETH-USDT")
        assert bits(read[:end]) == bits(getattr(part, name)(*args)), (name, args, end)
        assert bits(higher[:end]) == bits(getattr(part.at("4h"), name)(*args)), (name, args, end)


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
