"""The windows without entries: hours of the week in desk.toml as the core reads them, when they shut and when they open."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import DAY_MS, HOUR_MS, MINUTE_MS
from engine.control.limits import HardLimits, limits_of
from engine.core.windows import opens_ms, shut
from engine.errors import BadInput
from tests.fakes.desks import LOOSE, RULES

MONDAY_MS = 1_736_121_600_000  # 2025-01-06 00:00Z


def written(home: Path, line: str) -> Path:
    """A home whose desk.toml has one limit."""
    (home / "desk.toml").write_text(f"[limits]\n{line}\n")
    return home


HOUR_BITS = {"Sat": (5, range(24)), "sunday 20-24": (6, range(20, 24)), "Mon 0 - 1": (0, [0])}


@pytest.mark.parametrize("window", HOUR_BITS)
def test_a_window_is_its_hours_of_its_day(tmp_path: Path, window: str) -> None:
    """A bit an hour, Monday first; the end is excluded."""
    day, hours = HOUR_BITS[window]
    found = limits_of(written(tmp_path, f'no_entry = ["{window}"]')).desk().no_entry
    assert found[day] == sum(1 << hour for hour in hours)
    assert [n for n, mask in enumerate(found) if mask] == [day]


def test_windows_join_and_run_over_midnight(tmp_path: Path) -> None:
    """`22-2` is of every day; of a named day it ends on the next one."""
    every = limits_of(written(tmp_path, 'no_entry = ["22-2"]')).desk().no_entry
    assert set(every) == {1 << 22 | 1 << 23 | 1 | 2}
    night = limits_of(written(tmp_path, 'no_entry = ["Sun 23-1", "Mon 1-2"]')).desk().no_entry
    assert (night[6], night[0], sum(night[1:6])) == (1 << 23, 0b11, 0)


@pytest.mark.parametrize(
    "windows",
    ['["Someday"]', '["25-2"]', '["3-3"]', '[""]', '"Sat"', "[5]", '["Sat Sun"]', '["0-24"]', '["Su-Mo"]', '["T"]', "0"],
)
def test_what_is_not_a_window_is_refused(tmp_path: Path, windows: str) -> None:
    """A word, an hour that no day has, nothing at all; and windows that leave no hour for entries."""
    with pytest.raises(BadInput, match="hard limits in"):
        limits_of(written(tmp_path, f"no_entry = {windows}"))


def test_a_window_shuts_at_its_first_millisecond_and_opens_at_its_end() -> None:
    """Sunday from 20:00 to Monday 02:00, with what a person is told of its end."""
    limits = HardLimits(no_entry=("Sun 20-24", "Mon 0-2")).desk()
    first, end = MONDAY_MS - 4 * HOUR_MS, MONDAY_MS + 2 * HOUR_MS
    assert [shut(RULES, limits, t) for t in (first - 1, first, MONDAY_MS, end - 1, end)] == [False, True, True, True, False]
    assert [opens_ms(RULES, limits, t) for t in (first - 1, first, end - 1, end)] == [0, end, end, 0]


def test_a_settlement_shuts_before_and_after_it() -> None:
    """Ten minutes around 08:00; an instrument without settlements knows no such window."""
    limits = LOOSE._replace(funding_quiet_ms=10 * MINUTE_MS)
    rules, at = RULES._replace(funding_ms=8 * HOUR_MS), MONDAY_MS + 8 * HOUR_MS
    near = [at - 10 * MINUTE_MS, at - 10 * MINUTE_MS + 1, at, at + 10 * MINUTE_MS - 1, at + 10 * MINUTE_MS]
    assert [shut(rules, limits, t) for t in near] == [False, True, True, True, False]
    assert opens_ms(rules, limits, at - MINUTE_MS) == at + 10 * MINUTE_MS
    assert not any(shut(RULES, limits, t) for t in near)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 167), max_size=60),
    st.sampled_from([0, 5, 60, 240]),
    st.sampled_from([0, 1, 4, 8]),
    st.integers(0, 14 * DAY_MS),
)
def test_it_opens_at_the_first_moment_that_is_not_shut(hours: list[int], minutes: int, every: int, after: int) -> None:
    """Any windows: what opens_ms says is open, every minute before it is shut; -1 only where all of two weeks are."""
    masks = [sum(1 << h for h in range(24) if day * 24 + h in hours) for day in range(7)]
    limits = LOOSE._replace(no_entry=tuple(masks), funding_quiet_ms=minutes * MINUTE_MS)
    rules, t = RULES._replace(funding_ms=every * HOUR_MS), MONDAY_MS + after // MINUTE_MS * MINUTE_MS
    end = opens_ms(rules, limits, t)
    if end == 0:
        assert not shut(rules, limits, t)
        return
    horizon = end if end > 0 else t + 14 * DAY_MS
    assert all(shut(rules, limits, x) for x in range(t, horizon, MINUTE_MS))
    assert end < 0 or not shut(rules, limits, end)
