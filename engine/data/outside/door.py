"""What is odd about the rows of an answer, before they are stored: errors refuse the answer, warnings are shown.

Called by app/market_data/outside_fetch.py after reading.py, which has seen to shape, types and bounds. A refused series is not
filled in: it grows too old, and what reads it becomes missing with the reason.
"""

import math
from collections.abc import Sequence
from statistics import median

import numpy as np
import polars as pl

from engine.clock import DAY_MS, HOUR_MS, timeframe_text, utc
from engine.data.checks import check_series
from engine.data.issues import DataIssue, issue
from engine.data.outside.declared import DeclaredSeries, OutsideFeed
from engine.data.outside.reading import OutsideRow
from engine.data.outside.stored import AHEAD_MS

BESIDE = 24  # rows on each side of a change of level
LEAST = 5  # rows before it that say what is usual
UNIT = 1.5  # of log10: thirty times as much is no market's move of a day
NEAR = 0.15  # of log10: how near to a power of ten
LEVEL, LEVEL_FRAC = 30.0, 0.5  # usual steps, and part of the value
LAGS = 26  # periods by which a clock may be off
COMMON = 10  # rows two series share before they are compared
GAP_WEEKDAYS_MS = 5 * DAY_MS  # a weekend with a holiday on either side
REFUSING = ("shifted", "timeframe")  # findings of check_series that refuse; a gap is missing, and stays it

Numbers = np.ndarray


def findings(feed: OutsideFeed, before: Sequence[OutsideRow], rows: Sequence[OutsideRow], now_ms: int) -> list[DataIssue]:
    """Everything odd about an answer: `before` are the stored rows, both ascend in time. Row numbers count in the answer."""
    late = issue("future", "error", [n for n, r in enumerate(rows) if r.ts > now_ms + AHEAD_MS], "a time that has not been yet")
    older = [row for row in before if row.ts < rows[0].ts]
    both = [*older, *rows]
    last = before[-1].ts if before else -1
    first = next((n for n, row in enumerate(both) if row.ts > last), len(both))
    found = [*late, *_clock(feed, both), *_shift(feed, before, rows)]
    for n, field in enumerate(feed.series.fields):
        pairs = [(i - len(older), row.values[n]) for i, row in enumerate(both) if row.values[n] is not None]
        new = sum(i + len(older) < first for i, _ in pairs)
        values = np.array([value for _, value in pairs], float)
        at = [i for i, _ in pairs]
        found += _still(field.name, values, at, field.still_rows)
        found += _levels(field.name, values, at, new)
    return found


def _clock(feed: OutsideFeed, both: Sequence[OutsideRow]) -> list[DataIssue]:
    """Times off the grid of the period, and gaps."""
    ts = np.array([row.ts for row in both], np.int64)
    if feed.series.weekdays:
        off = ts % feed.series.period_ms != 0
        apart = np.flatnonzero(np.diff(ts) > GAP_WEEKDAYS_MS)
        found = issue("shifted", "error", np.flatnonzero(off), "days that do not begin at 00:00 UTC: another zone?")
        return found + issue("gap", "warning", apart + 1, f"{apart.size} gaps of more than {GAP_WEEKDAYS_MS // DAY_MS} days")
    found = check_series(pl.DataFrame({"ts": ts}), feed.series.period_ms)
    return [f._replace(severity="error" if f.rule in REFUSING else "warning") for f in found]


def _shift(feed: OutsideFeed, before: Sequence[OutsideRow], rows: Sequence[OutsideRow]) -> list[DataIssue]:
    """An answer whose every value is where another time's was stored: its clock has moved."""
    lag = lag_of(_numbers(before), _numbers(rows), feed.series.period_ms)
    if not lag:
        return []
    side = "later" if lag > 0 else "earlier"
    text = f"every value is now {timeframe_text(abs(lag))} {side} than it was stored: another zone?"
    return issue("shifted", "error", [0], text)


def lag_of(one: dict[int, float], other: dict[int, float], period_ms: int) -> int:
    """By how much the times of `other` are late (negative: early) against the same values in `one`; 0 when they are not."""
    if len(set(one.values())) < COMMON:
        return 0
    here = _agreement(one, other, 0)
    if here >= 0.5:
        return 0
    best = max((k * period_ms for k in range(-LAGS, LAGS + 1)), key=lambda lag: (_agreement(one, other, lag), -abs(lag)))
    return best if _agreement(one, other, best) >= 0.9 else 0


def _agreement(one: dict[int, float], other: dict[int, float], lag: int) -> float:
    """The share of equal values at times that are `lag` apart; 0 below COMMON of them."""
    pairs = [(one[ts - lag], value) for ts, value in other.items() if ts - lag in one]
    return sum(math.isclose(a, b, rel_tol=1e-9) for a, b in pairs) / len(pairs) if len(pairs) >= COMMON else 0.0


def _numbers(rows: Sequence[OutsideRow], field: int = 0) -> dict[int, float]:
    """Time -> value of one field."""
    return {row.ts: value for row in rows if (value := row.values[field]) is not None}


def _still(name: str, values: Numbers, at: Sequence[int], most: int) -> list[DataIssue]:
    """A number that does not move any more: a default, or a feed that repeats its last answer."""
    if not values.size:
        return []
    moved = np.flatnonzero(values != values[-1])
    run = values.size - (int(moved[-1]) + 1 if moved.size else 0)
    if run < most:
        return []
    return issue("constant", "error", [max(at[-run], 0)], f"{name} is {values[-1]:g} in the last {run} rows, {most} are too many")


def _levels(name: str, values: Numbers, at: Sequence[int], new: int) -> list[DataIssue]:
    """The first new row from which a number is on another level: another unit (error), or else a jump worth a look (warning)."""
    jump: list[DataIssue] = []
    for i in range(max(new, LEAST), values.size):
        before, after = values[max(0, i - BESIDE) : i], values[i : i + BESIDE]
        a, b = float(np.median(before)), float(np.median(after))
        if a > 0 and b > 0 and values[i] > 0:
            apart = math.log10(b / a)
            near = abs(apart) >= UNIT and abs(apart - round(apart)) <= NEAR
            leaps = values[i - 1] <= 0 or abs(math.log10(values[i] / values[i - 1])) >= UNIT / 2
            if abs(apart) >= UNIT and leaps and (near or after.size >= 3):
                text = f"{name} is {b / a:.3g} times what it was: another unit, or percent for a fraction?"
                return issue("unit", "error", [max(at[i], 0)], text)
        usual = max(float(np.median(np.abs(np.diff(before)))), 1e-12)
        moved = abs(b - a) > max(LEVEL * usual, LEVEL_FRAC * abs(a))
        if not jump and moved and abs(values[i] - values[i - 1]) > LEVEL / 2 * usual:
            jump = issue("level", "warning", [max(at[i], 0)], f"{name} goes from about {a:.4g} to about {b:.4g}")
    return jump


def enough_rows(feed: OutsideFeed, rows: int, window: int, what: str) -> list[DataIssue]:
    """An error when a window needs more rows than there are; `what` names it."""
    if rows >= window:
        return []
    span = timeframe_text(window * feed.series.period_ms)
    text = f"{what} needs {window} rows of {feed.key} ({span}), and {rows} are stored: nothing is computed from fewer"
    return [DataIssue("history", "error", (), text)]


def compare_feeds(
    series: DeclaredSeries, one: tuple[str, Sequence[OutsideRow]], other: tuple[str, Sequence[OutsideRow]]
) -> list[DataIssue]:
    """What two sources of one series disagree on: warnings, never an average. Fewer than COMMON common rows say nothing."""
    names, found = (one[0], other[0]), []
    for n, field in enumerate(series.fields):
        mine, theirs = _numbers(one[1], n), _numbers(other[1], n)
        common = sorted(set(mine) & set(theirs))
        lag = lag_of(mine, theirs, series.period_ms)
        if lag:
            side = "later" if lag > 0 else "earlier"
            text = f"{field.name}: {names[1]} has the values of {names[0]} {abs(lag) / HOUR_MS:g} h {side}"
            found.append(DataIssue("shifted", "warning", (), text))
        if len(common) < COMMON:
            continue
        apart = median(abs(mine[t] - theirs[t]) / max(abs(theirs[t]), 1e-12) for t in common)
        if apart > series.apart_frac:
            text = f"{field.name}: {names[0]} and {names[1]} usually differ by {apart:.1%} since {utc(common[0])}"
            found.append(DataIssue("sources", "warning", (), text + _factor(mine, theirs)))
    return found


def _factor(mine: dict[int, float], theirs: dict[int, float]) -> str:
    """How many times one is of the other, where that is a power of ten."""
    ratios = [mine[t] / theirs[t] for t in mine if t in theirs and theirs[t] > 0 and mine[t] > 0]
    if not ratios:
        return ""
    power = math.log10(median(ratios))
    unit = abs(power) >= 1 and abs(power - round(power)) < NEAR
    return f"; one is about {10.0 ** round(power):g} times the other: another unit?" if unit else ""
