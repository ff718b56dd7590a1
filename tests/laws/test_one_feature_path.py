"""Law 2, one feature path: a value at bar t is the same bit for bit from the whole history and from any prefix, NaN mask too,
also at a higher timeframe, of another instrument, and however long the history is.
"""

import math
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import DAY_MS, utc
from engine.errors import StrategyError
from engine.features.anchor import anchor_ms
from engine.features.catalog import BY_NAME, FEATURES
from engine.features.frame import COLUMNS, FeatureFrame
from engine.features.normalised import NORMAL_FORMS
from engine.strategies.base import SHIPPED, load_strategy
from engine.strategies.signals import evaluate, signals_of
from engine.venues.instruments import costs_of
from tests.engine.features.feature_calls import (
    ARGUMENTS,
    CALLS,
    HOUR_MS,
    LATER,
    NORMAL_CALLS,
    PARTS,
    bars,
    bits,
    built,
    called,
    some,
    value,
)

HOLES = st.sampled_from([0.0, 0.0, 0.003, 0.02, 0.3])
PART = st.integers(0, PARTS - 1)  # of the calls: a fifth in each example


def test_every_feature_of_the_catalog_is_tried_here() -> None:
    """A new feature without a line above is not covered, and this says so."""
    assert set(ARGUMENTS) == {f.name for f in FEATURES} == set(BY_NAME)
    assert {name for name, _ in NORMAL_CALLS} == set(NORMAL_FORMS)
    assert sorted(call for part in range(PARTS) for call in map(repr, some(part))) == sorted(map(repr, CALLS))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 900), HOLES, PART, st.data())
def test_a_prefix_gives_the_same_bits(seed: int, count: int, holes: float, part: int, data: st.DataObject) -> None:
    """Whatever comes after bar t changes nothing at or before t."""
    whole = bars(seed, count, holes)
    for end in data.draw(st.lists(st.integers(1, count), min_size=1, max_size=5)):
        fresh, prefix = cut(whole, end), whole.prefix(end)
        for name, args in some(part):
            alone = bits(value(fresh, name, args))
            assert bits(value(whole, name, args)[:end]) == alone, (name, args, end)
            assert bits(value(prefix, name, args)) == alone, (name, args, end)


def differing(calls: list[list[tuple[str, tuple[Any, ...]]]], holes: float) -> list[tuple[str, tuple[Any, ...], int]]:
    """Calls and prefixes whose last values are not those of all bars: one prefix for each list, of two years of 12h bars."""
    whole, found = slow_bars(11, 1500, holes, 17), []
    for end, some_calls in zip(np.random.default_rng(5).integers(60, 1500, len(calls)).tolist(), calls, strict=True):
        fresh = part(whole, max(0, end - 500), end)  # 250 days: the anchor of its last bars is in them
        for name, args in some_calls:
            if bits(value(whole, name, args)[end - 60 : end]) != bits(value(fresh, name, args)[-60:]):
                found.append((name, args, end))
    return found


def test_fifty_prefixes_of_two_years_give_the_same_bits() -> None:
    """Over eight quarters, and so over seven changes of the anchor: each feature on ten of fifty prefixes."""
    assert differing([some(n) for n in range(50)], 0.01) == []


@pytest.mark.long
@pytest.mark.parametrize("holes", [0.0, 0.01])
def test_every_feature_gives_the_same_bits_on_fifty_prefixes(holes: float) -> None:
    """Long, for 4,400 histories: each feature on each of fifty prefixes."""
    assert differing([CALLS] * 50, holes) == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 900), st.sampled_from([0.0, 0.003, 0.02, 0.3]), PART)
def test_a_value_is_missing_exactly_where_it_must_be(seed: int, count: int, holes: float, part: int) -> None:
    """NaN on a hole, NaN while the window of the run behind it fills again, and a number everywhere else."""
    frame = bars(seed, count, holes)
    for name, args in some(part):
        feature, bound = called(name, args)
        first = feature.first(HOUR_MS, *bound)
        expected = np.zeros(count, np.bool_)
        for start, end in frame.runs(feature.columns):
            expected[start + first : end] = True
        known = ~np.isnan(value(frame, name, args))
        if name in LATER:
            known |= expected & np.isnan(value(frame, name, args))
        assert np.array_equal(known, expected), (name, args)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 900), PART)
def test_a_run_behind_a_hole_is_computed_as_if_it_stood_alone(seed: int, count: int, part: int) -> None:
    """One missing bar poisons nothing behind it: the next run warms up by itself."""
    frame = bars(seed, count, 0.01)
    for name, args in some(part):
        for start, end in frame.runs(called(name, args)[0].columns)[-2:]:
            alone = built(frame, slice(start, end))
            assert bits(value(alone, name, args)) == bits(value(frame, name, args)[start:end]), (name, args)


def cut(frame: FeatureFrame, count: int) -> FeatureFrame:
    """The first `count` bars as a frame built from nothing."""
    return built(frame, slice(count))


@pytest.mark.parametrize("name", SHIPPED)
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(600, 900), st.sampled_from([0.0, 0.002]), st.integers(1, 600))
def test_what_the_core_is_told_is_the_same_from_a_prefix(name: str, seed: int, count: int, holes: float, end: int) -> None:
    """Signals, ATR, volatility and slippage of every shipped strategy: one path, whole or cut."""
    strategy = load_strategy(name)
    frame, params = bars(seed, count, holes), strategy.Params()
    costs = costs_of("binance", "BTC-USDT")
    whole, part = signals_of(strategy, params, frame, costs), signals_of(strategy, params, cut(frame, end), costs)
    assert whole.side[:end].tobytes() == part.side.tobytes()
    for field in ("strength", "atr", "vol_annual", "slip_frac", "impact"):
        assert bits(getattr(whole, field)[:end]) == bits(getattr(part, field)), field
    assert whole.used.keys() == part.used.keys()
    assert set(evaluate(strategy, params, frame).used) <= set(whole.used)


def test_recorded_bars_agree_too(market_data) -> None:
    """A recorded year with every feature at its shipped windows: 20 prefixes, the same bits."""
    import polars as pl

    day = pl.read_parquet(market_data / "ohlcv" / "binance_BTC-USDT_perp_15m.parquet").tail(35_040)
    stamps = day["ts"].cast(pl.Datetime("ms")).cast(pl.Int64).to_numpy() if day["ts"].dtype != pl.Int64 else day["ts"]
    frame = FeatureFrame(np.asarray(stamps) + 900_000, *(day[c].to_numpy() for c in COLUMNS), 900_000)
    calls = [("sma", (40,)), ("sma", (200,)), ("ema", (200,)), ("rsi", (14,)), ("atr", (14,)), ("zscore", (96,))]
    calls += [("vol", (3.0,)), ("vol_ratio", (14,)), ("day_volume", ()), ("highest", (96,)), ("returns", (4,))]
    for end in np.random.default_rng(0).integers(1, len(frame), 20):
        part = cut(frame, int(end))
        for name, args in calls:
            assert bits(getattr(frame, name)(*args)[:end]) == bits(getattr(part, name)(*args)), (name, args, end)


# ---- the same over higher timeframes of the frame's own bars, and over other instruments ----

RATIOS = {"1h": 1, "2h": 2, "4h": 4, "1d": 24}


def begun_at(frame: FeatureFrame, hour: int) -> FeatureFrame:
    """The same bars, the first of them opening at this hour of a day."""
    return built(frame, later_ms=hour * HOUR_MS)


def by_hand(frame: FeatureFrame, t: int, ratio: int) -> dict[str, float] | None:
    """The last higher bar closed at or before bar t, from its base bars one by one; None before the first whole one."""
    end = t
    while end >= 0 and frame.close_ms[end] % (ratio * HOUR_MS):
        end -= 1
    if end - ratio + 1 < 0:
        return None
    part = {name: [float(x) for x in getattr(frame, name)[end - ratio + 1 : end + 1]] for name in COLUMNS}
    found = {"open": part["open"][0], "high": max(part["high"]), "low": min(part["low"])}
    found |= {"close": part["close"][-1], "volume": reduce(add, part["volume"])}  # sum() compensates from Python 3.12 on
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
@given(st.integers(0, 2**32 - 1), st.integers(2, 900), HOLES, st.integers(0, 30), PART, st.data())
def test_what_comes_after_a_bar_changes_nothing_at_it(
    seed: int, count: int, holes: float, hour: int, part: int, data: st.DataObject
) -> None:
    """Features and columns on 4h bars: from a prefix, and with another future, the same bits up to the cut."""
    whole = begun_at(bars(seed, count, holes), hour)
    other = bars(seed + 7, count, holes)
    for end in data.draw(st.lists(st.integers(1, count), min_size=1, max_size=4)):
        futures = (cut(whole, end), whole.prefix(end), another_future(whole, other, end))
        for name, args in some(part):
            values = value(whole.at("4h"), name, args)[:end]
            for future in futures:
                assert bits(values) == bits(value(future.at("4h"), name, args)[:end]), (name, args, end)
        for name in COLUMNS:
            for future in futures:
                assert bits(getattr(whole.at("4h"), name)[:end]) == bits(getattr(future.at("4h"), name)[:end]), (name, end)


def another_future(frame: FeatureFrame, other: FeatureFrame, end: int) -> FeatureFrame:
    """The frame up to `end`, and the other's bars from there on."""
    columns = {n: np.concatenate((getattr(frame, n)[:end], getattr(other, n)[end:])) for n in frame.recorded}
    others = {n: another_future(one, other, end) for n, one in frame._others.items()}
    return FeatureFrame(frame.close_ms, **columns, timeframe_ms=HOUR_MS, others=others, outside=frame._outside)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 900), HOLES, st.integers(0, 30), PART)
def test_a_feature_is_that_of_the_higher_bars_alone(seed: int, count: int, holes: float, hour: int, part: int) -> None:
    """Each feature equals, at every close of a 4h bar, the same feature of a frame made of 4h bars."""
    frame = begun_at(bars(seed, count, holes), hour)
    closes = np.flatnonzero((frame.close_ms % (4 * HOUR_MS) == 0) & (frame.at("4h").available_ms > 0))

    def slow(one: FeatureFrame) -> FeatureFrame:
        columns = {n: getattr(one.at("4h"), n)[closes] for n in one.recorded}
        others = {n: slow(other) for n, other in one._others.items()}
        return FeatureFrame(one.close_ms[closes], **columns, timeframe_ms=4 * HOUR_MS, others=others, outside=one._outside)

    alone = slow(frame)
    for name, args in some(part):
        assert bits(value(frame.at("4h"), name, args)[closes]) == bits(value(alone, name, args)), (name, args)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 600), HOLES, PART, st.data())
def test_another_instrument_is_read_by_the_same_law(seed: int, count: int, holes: float, part: int, data: st.DataObject) -> None:
    """`f.of(...)`, at once and at 4h: the other instrument's own values, and the same bits from any prefix."""
    other = bars(seed + 7, count, holes)
    own = {name: getattr(bars(seed, count, holes), name) for name in COLUMNS}
    whole = FeatureFrame(other.close_ms, **own, timeframe_ms=HOUR_MS, others={"ETH-USDT": other})
    end = data.draw(st.integers(1, count))
    cut_short = whole.prefix(end).of("ETH-USDT")
    for name, args in some(part):
        read, higher = value(whole.of("ETH-USDT"), name, args), value(whole.of("ETH-USDT").at("4h"), name, args)
        assert bits(read) == bits(value(other, name, args)), (name, args)
        assert bits(higher) == bits(value(other.at("4h"), name, args)), (name, args)
        assert bits(read[:end]) == bits(value(cut_short, name, args)), (name, args, end)
        assert bits(higher[:end]) == bits(value(cut_short.at("4h"), name, args)), (name, args, end)


# ---- the anchor: where a feature begins is a matter of the bar's time, not of how long its history is ----

STEP_MS = 12 * HOUR_MS
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def slow_bars(seed: int, count: int, holes: float, day: int) -> FeatureFrame:
    """Random bars of 12 hours, beginning on a day of 2023 and 2024: two years of them cross eight quarters."""
    frame = bars(seed, count, holes)
    first = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp() * 1000) + day * DAY_MS
    return slowed(frame, first)


def slowed(frame: FeatureFrame, first: int) -> FeatureFrame:
    """The same columns as bars of 12 hours, the first of them opening at `first`."""
    columns = {name: getattr(frame, name) for name in frame.recorded}
    others = {name: slowed(other, first) for name, other in frame._others.items()}
    closes = first + (np.arange(len(frame)) + 1) * STEP_MS
    return FeatureFrame(closes, **columns, timeframe_ms=STEP_MS, others=others, outside=frame._outside)


def quarter_before(open_ms: int, back: int = 1) -> int:
    """The first moment of the quarter before that of a bar, by the calendar."""
    when = EPOCH + timedelta(milliseconds=open_ms)
    months = when.year * 12 + (when.month - 1) // 3 * 3 - 3 * back
    return int(datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)


def part(frame: FeatureFrame, start: int, end: int) -> FeatureFrame:
    """Some bars as a frame built from nothing."""
    return built(frame, slice(start, end))


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(600, 1500), st.sampled_from([0.0, 0.003, 0.02]), st.integers(0, 400), PART, st.data()
)
def test_a_value_is_that_of_the_bars_since_its_anchor(
    seed: int, count: int, holes: float, day: int, which: int, data: st.DataObject
) -> None:
    """Computed apart, from the first bar of the quarter before the bar's own and no other: the same bits, for every feature."""
    frame = slow_bars(seed, count, holes, day)
    for t in data.draw(st.lists(st.integers(0, count - 1), min_size=3, max_size=6)):
        begin = quarter_before(int(frame.close_ms[t]) - STEP_MS)
        start = max(0, int(np.searchsorted(frame.close_ms - STEP_MS, begin)))
        alone = part(frame, start, t + 1)
        for name, args in some(which):
            assert bits(value(frame, name, args)[t : t + 1]) == bits(value(alone, name, args)[-1:]), (name, args, t)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(600, 1500),
    st.sampled_from([0.0, 0.01]),
    st.integers(0, 400),
    st.integers(1, 500),
    PART,
)
def test_how_long_a_history_is_changes_nothing(seed: int, count: int, holes: float, day: int, cut: int, which: int) -> None:
    """Two histories that begin apart agree on every bar whose anchor both have, at once and on a higher timeframe."""
    frame = slow_bars(seed, count, holes, day)
    shorter = part(frame, cut, count)
    anchors = np.array([quarter_before(int(close) - STEP_MS) for close in shorter.close_ms])
    shared = anchors >= shorter.close_ms[0] - STEP_MS
    for name, args in some(which):
        assert bits(value(frame, name, args)[cut:][shared]) == bits(value(shorter, name, args)[shared]), (name, args)
        higher, other = value(frame.at("1d"), name, args)[cut:][shared], value(shorter.at("1d"), name, args)[shared]
        assert bits(higher)[8 * 2 :] == bits(other)[8 * 2 :], (name, args)


def test_a_long_warm_up_begins_as_many_quarters_earlier_as_it_needs() -> None:
    """200 bars of 12 hours are 100 days: two quarters back, never missing after the first; more than 360 days are refused."""
    frame = slow_bars(1, 1500, 0.0, 0)
    values = frame.sma(200)
    assert np.isnan(values[:199]).all()
    assert np.isfinite(values[199:]).all()
    start = int(np.searchsorted(frame.close_ms - STEP_MS, quarter_before(int(frame.close_ms[-1]) - STEP_MS, 2)))
    assert bits(part(frame, start, 1500).sma(200)[-1:]) == bits(values[-1:])
    with pytest.raises(StrategyError, match=r"sma\(800\) has its first value after 400 days of bars"):
        frame.sma(800)


@pytest.mark.parametrize(
    ("when", "quarters", "anchor"),
    [
        ("2025-05-17 13:45", 1, "2025-01-01 00:00Z"),
        ("2025-04-01 00:00", 1, "2025-01-01 00:00Z"),
        ("2025-03-31 23:45", 1, "2024-10-01 00:00Z"),
        ("2025-05-17 13:45", 4, "2024-04-01 00:00Z"),
        ("1970-01-02 00:00", 1, "1969-10-01 00:00Z"),
    ],
)
def test_the_anchor_is_a_quarters_first_bar(when: str, quarters: int, anchor: str) -> None:
    """A bar belongs to the quarter in which it opens."""
    opened = int(datetime.fromisoformat(f"{when}+00:00").timestamp() * 1000)
    assert utc(anchor_ms(opened, quarters)) == anchor
    assert anchor_ms(opened, quarters) == quarter_before(opened, quarters)


def test_every_feature_of_a_paper_window_is_that_of_the_whole_history() -> None:
    """The bars since the earliest anchor give the last quarter's values, bit for bit: that is all a paper desk reads."""
    frame = slow_bars(3, 1500, 0.003, 0)
    opens = frame.close_ms - STEP_MS
    first = int(np.searchsorted(opens, anchor_ms(int(opens[-1]))))
    quarter = int(np.searchsorted(opens, anchor_ms(int(opens[-1]), 0)))
    assert 0 < first < quarter
    window = frame.since(first)
    for name, args in (*CALLS, ("sma", (200,)), ("vol", (60.0,))):
        assert bits(value(frame, name, args)[quarter:]) == bits(value(window, name, args)[quarter - first :]), (name, args)
