"""The checks at the door of an outside series: what refuses an answer, what is only shown, and what is left alone."""

import pytest

from engine.clock import DAY_MS, HOUR_MS
from engine.data.issues import DataIssue
from engine.data.outside.declared import OutsideFeed, feeds_of, series_named
from engine.data.outside.door import compare_feeds, enough_rows, findings, lag_of
from engine.data.outside.reading import OutsideRow

MONDAY = 1_735_516_800_000  # 2024-12-30
OI, VIX = (feeds_of(series_named([name]), ["BTC-USDT"])[0] for name in ("oi", "vix"))


def rows(feed: OutsideFeed, values: list[float], first_ms: int = MONDAY) -> list[OutsideRow]:
    """Rows of a feed, one a period, all fields alike."""
    step = feed.series.period_ms
    return [OutsideRow(first_ms + n * step, (v,) * len(feed.series.fields)) for n, v in enumerate(values)]


def moving(count: int, base: float = 100.0) -> list[float]:
    """Numbers that move a little."""
    return [base * (1 + 0.01 * ((n * 7) % 11 - 5)) for n in range(count)]


def judged(feed: OutsideFeed, before: list[OutsideRow], new: list[OutsideRow]) -> set[tuple[str, str]]:
    """(rule, severity) of everything found after the last row."""
    return {(f.rule, f.severity) for f in findings(feed, before, new, new[-1].ts + feed.series.period_ms)}


def test_a_living_series_is_left_alone() -> None:
    """First answer, next answers, a weekend of the VIX with a holiday."""
    every = rows(OI, moving(60))
    assert judged(OI, [], every) == set()
    assert judged(OI, every[:40], every[20:]) == set()
    week = [row for row in rows(VIX, moving(30)) if (row.ts // DAY_MS + 3) % 7 < 5 and row.ts != MONDAY + 7 * DAY_MS]
    assert judged(VIX, [], week) == set()


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        (moving(30) + [101.0] * 6, ("constant", "error")),
        (moving(30) + [v * 100 for v in moving(1)], ("unit", "error")),
        (moving(30) + [v / 100 for v in moving(4)], ("unit", "error")),
        (moving(30) + [v * 1000 for v in moving(4)], ("unit", "error")),
        (moving(30) + [v * 40 for v in moving(4)], ("unit", "error")),
        (moving(30) + [v * 3 for v in moving(4)], ("level", "warning")),
    ],
)
def test_a_number_that_freezes_or_leaps_is_found_in_new_rows(values: list[float], rule: tuple[str, str]) -> None:
    """In one answer, and over the border between stored rows and new ones; once it is stored it is not said again."""
    every = rows(OI, values)
    assert rule in judged(OI, [], every)
    assert rule in judged(OI, every[:30], every[28:])
    later = [*every, *rows(OI, [v * values[-1] / 100 for v in moving(30)], every[-1].ts + HOUR_MS)]
    assert judged(OI, later[:60], later[50:]) == set()


@pytest.mark.parametrize("odd", [0.0, -2.5])
def test_another_unit_is_found_behind_a_value_without_a_logarithm(odd: float) -> None:
    """A yield at or below zero is no error by itself, and hides none."""
    calm, thousand = moving(30), [value * 1000 for value in moving(6)]
    assert ("unit", "error") not in judged(OI, [], rows(OI, [*calm[:25], odd, *calm]))
    assert ("unit", "error") in judged(OI, [], rows(OI, [*calm, odd, *thousand]))


def test_another_unit_is_found_behind_a_jump_that_is_only_shown() -> None:
    """Five times as much, and in the same answer a thousand times."""
    values = [*moving(30), *moving(30, 500.0), *moving(6, 500_000.0)]
    assert ("unit", "error") in judged(OI, [], rows(OI, values))


def test_one_wild_hour_is_no_other_unit() -> None:
    """A single row fifty times the usual is shown, not refused; it would have to stay."""
    assert judged(OI, [], rows(OI, [*moving(30), 5_000 * 0.9])) == {("level", "warning")}


def test_gaps_are_shown_and_another_zone_is_refused() -> None:
    """Missing hours stay missing; times that are off the grid, or where another time's values were, are errors."""
    every = rows(OI, moving(60))
    assert judged(OI, [], every[:20] + every[25:]) == {("gap", "warning")}
    assert judged(OI, every[:30], every[50:]) == {("gap", "warning")}
    off = [row._replace(ts=row.ts + 1_800_000) for row in every]
    assert ("shifted", "error") in judged(OI, [], off)
    assert ("shifted", "error") in judged(VIX, [], [row._replace(ts=row.ts + 5 * HOUR_MS) for row in rows(VIX, moving(5))])
    late = [row._replace(ts=row.ts + 8 * HOUR_MS) for row in rows(OI, [n * 1.0 + 100 for n in range(60)])]
    assert ("shifted", "error") in judged(OI, rows(OI, [n * 1.0 + 100 for n in range(60)]), late)
    assert lag_of({n: float(n) for n in range(50)}, {n + 3: float(n) for n in range(50)}, 1) == 3
    assert lag_of(dict.fromkeys(range(50), 1.0), dict.fromkeys(range(50), 2.0), 1) == 0


def test_too_little_history_names_window_and_series() -> None:
    """A 720-row window over 200 rows."""
    assert enough_rows(OI, 720, 720, "the mean of 30 days") == []
    (found,) = enough_rows(OI, 200, 720, "the mean of 30 days")
    assert found.text.startswith("the mean of 30 days needs 720 rows of oi/binance/BTC-USDT (30d), and 200 are stored")


def test_two_sources_are_compared_by_their_common_times() -> None:
    """Near enough: nothing. Percent for a fraction, or another zone: named. Too few common rows: nothing is claimed."""

    def compared(theirs: list[OutsideRow]) -> list[DataIssue]:
        return compare_feeds(VIX.series, ("fred", rows(VIX, moving(40))), ("cboe", theirs))

    assert compared(rows(VIX, [v * 1.001 for v in moving(40)])) == []
    assert compared(rows(VIX, [v * 2 for v in moving(40)])[:9]) == []
    (apart,) = compared(rows(VIX, [v / 100 for v in moving(40)]))
    assert (apart.severity, apart.text.endswith("one is about 100 times the other: another unit?")) == ("warning", True)
    mine = rows(VIX, [100.0 + n * n for n in range(40)])
    shifted = [row._replace(ts=row.ts + DAY_MS) for row in mine]
    found = compare_feeds(VIX.series, ("fred", mine), ("cboe", shifted))
    assert found[0].text == "value: cboe has the values of fred 24 h later"
