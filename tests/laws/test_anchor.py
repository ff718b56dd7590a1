"""Law 2 over years: a feature begins at the first bar of the previous calendar quarter, wherever its history begins."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import DAY_MS, utc
from engine.errors import StrategyError
from engine.features.anchor import anchor_ms
from engine.features.feature import COLUMNS
from engine.features.frame import FeatureFrame
from tests.laws.test_one_feature_path import CALLS, HOUR_MS, bars, bits

STEP_MS = 12 * HOUR_MS
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def slow_bars(seed: int, count: int, holes: float, day: int) -> FeatureFrame:
    """Random bars of 12 hours, beginning on a day of 2023 and 2024: two years of them cross eight quarters."""
    frame = bars(seed, count, holes)
    first = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp() * 1000) + day * DAY_MS
    return FeatureFrame(first + (np.arange(count) + 1) * STEP_MS, *(getattr(frame, name) for name in COLUMNS), STEP_MS)


def quarter_before(open_ms: int, back: int = 1) -> int:
    """The first moment of the quarter before that of a bar, by the calendar."""
    when = EPOCH + timedelta(milliseconds=open_ms)
    months = when.year * 12 + (when.month - 1) // 3 * 3 - 3 * back
    return int(datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)


def part(frame: FeatureFrame, start: int, end: int) -> FeatureFrame:
    """Some bars as a frame built from nothing."""
    return FeatureFrame(frame.close_ms[start:end], *(getattr(frame, name)[start:end] for name in COLUMNS), frame.timeframe_ms)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(600, 1500), st.sampled_from([0.0, 0.003, 0.02]), st.integers(0, 400), st.data())
def test_a_value_is_that_of_the_bars_since_its_anchor(seed: int, count: int, holes: float, day: int, data: st.DataObject) -> None:
    """Computed apart, from the first bar of the quarter before the bar's own and no other: the same bits, for every feature."""
    frame = slow_bars(seed, count, holes, day)
    for t in data.draw(st.lists(st.integers(0, count - 1), min_size=3, max_size=6)):
        begin = quarter_before(int(frame.close_ms[t]) - STEP_MS)
        start = max(0, int(np.searchsorted(frame.close_ms - STEP_MS, begin)))
        alone = part(frame, start, t + 1)
        for name, args in CALLS:
            assert bits(getattr(frame, name)(*args)[t : t + 1]) == bits(getattr(alone, name)(*args)[-1:]), (name, args, t)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(600, 1500), st.sampled_from([0.0, 0.01]), st.integers(0, 400), st.integers(1, 500))
def test_how_long_a_history_is_changes_nothing(seed: int, count: int, holes: float, day: int, cut: int) -> None:
    """Two histories that begin apart agree on every bar whose anchor both have, at once and on a higher timeframe."""
    frame = slow_bars(seed, count, holes, day)
    shorter = part(frame, cut, count)
    anchors = np.array([quarter_before(int(close) - STEP_MS) for close in shorter.close_ms])
    shared = anchors >= shorter.close_ms[0] - STEP_MS
    for name, args in CALLS:
        assert bits(getattr(frame, name)(*args)[cut:][shared]) == bits(getattr(shorter, name)(*args)[shared]), (name, args)
        higher, other = getattr(frame.at("1d"), name)(*args)[cut:][shared], getattr(shorter.at("1d"), name)(*args)[shared]
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
        assert bits(getattr(frame, name)(*args)[quarter:]) == bits(getattr(window, name)(*args)[quarter - first :]), (name, args)
