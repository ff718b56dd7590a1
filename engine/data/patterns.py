"""What a tampered or badly joined file of bars shows by itself: copied blocks, a volume that changes its unit, bars carried
forward, an hour that is skipped while the price goes on.

Called by checks.py on readable bars in time order. Whole blocks are meant: single bars are checks.py's.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from engine.clock import DAY_MS, HOUR_MS
from engine.data.issues import DataIssue, issue

COPIED = 12  # bars in a row that stand elsewhere too, volume included
COPIED_MARKS = 48  # the same without volume
LEVEL_BARS = 96  # on each side of a change of the volume's level
END_BARS = 24  # the same within LEVEL_BARS of an end of the file
LEVEL = 30.0  # times the volume from one bar to the next; recorded files change by 14 at most, over many bars
CARRIED = 20  # bars in a row without any movement while volume goes on
AVERAGED, AVERAGED_BARS = 5e-4, 40  # least body, of price, and how many bars have one, to tell where the next opens
NO_PRICE = 0.5  # of the close: the range of a usual bar; the wildest recorded coin has 0.1 in a day
SEAMLESS = 0.02  # usual ranges between close and open around a hole


class PatternBars(NamedTuple):
    """Readable bars in time order; `rows` are rows of the file, volume is None without a column."""

    rows: np.ndarray
    ts: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray | None
    timeframe_ms: int


def patterns(u: PatternBars) -> list[DataIssue]:
    """All of them."""
    return [*copied_blocks(u), *volume_levels(u), *carried_bars(u), *skipped_hours(u), *averaged_bars(u), *no_prices(u)]


def no_prices(u: PatternBars) -> list[DataIssue]:
    """Numbers that range over half of themselves within a usual bar: a premium or a rate, not a price."""
    with np.errstate(all="ignore"):
        usual = float(np.median((u.high - u.low) / np.abs(u.close)))
    if not usual > NO_PRICE:
        return []
    return issue("range", "error", [u.rows[0]], f"a usual bar ranges over {usual * 100:.0f}% of its close: these are no prices")


def copied_blocks(u: PatternBars) -> list[DataIssue]:
    """Bars that repeat earlier ones, row after row at one distance: a month that was copied over another."""
    moved = u.high > u.low
    columns = [u.open, u.high, u.low, u.close, *([u.volume] if u.volume is not None else [])]
    at = np.flatnonzero(moved)
    if at.size < COPIED:
        return []
    same = pl.DataFrame({str(n): column[at] for n, column in enumerate(columns)}).hash_rows(1).to_numpy()
    order = np.argsort(same, kind="stable")
    twin = np.flatnonzero(same[order[1:]] == same[order[:-1]])
    lag = np.zeros(u.ts.size, dtype=np.int64)
    lag[at[order[twin + 1]]] = at[order[twin + 1]] - at[order[twin]]
    least = COPIED if u.volume is not None else COPIED_MARKS
    found: list[DataIssue] = []
    for first, last in runs(lag > 1):
        apart = lag[first : last + 1]
        values, counts = np.unique(apart, return_counts=True)
        if counts.max() >= least:
            text = f"{last - first + 1} bars repeat the bars {int(values[np.argmax(counts)]):,} rows earlier: a copied block"
            found += issue("copied", "error", u.rows[first : last + 1], text)
    return found


def volume_levels(u: PatternBars) -> list[DataIssue]:
    """A volume that is many times larger or smaller from one bar on, for good: another unit joined on."""
    if u.volume is None:
        return []
    at = np.flatnonzero(u.volume > 0)
    if at.size < 2 * LEVEL_BARS:
        return []
    size = np.log(u.volume[at])
    middle = pl.Series(size).rolling_median(LEVEL_BARS).to_numpy()[LEVEL_BARS - 1 :]
    apart = middle[LEVEL_BARS:] - middle[:-LEVEL_BARS]
    changes = [
        first + int(np.argmax(np.abs(apart[first : last + 1]))) + LEVEL_BARS
        for first, last in runs(np.abs(apart) > np.log(LEVEL))
    ]
    found: list[DataIssue] = []
    for near in [*changes, *_at_the_ends(size)]:
        k = _edge(size, near)
        before, after = size[max(k - LEVEL_BARS, 0) : k], size[k : k + LEVEL_BARS]
        low, high = (before, after) if np.median(after) > np.median(before) else (after, before)
        if np.quantile(high, 0.1) - np.quantile(low, 0.9) < np.log(5):
            continue  # a market that wakes up does so over many bars
        times = float(np.exp(np.median(after) - np.median(before)))
        text = f"from here on volume is {times:.3g} times what it was: another unit joined on"
        found += issue("unit", "error", u.rows[[at[k]]], text)
    return list(dict.fromkeys(found))


def _at_the_ends(size: np.ndarray) -> list[int]:
    """A change so near an end of the file that fewer bars are on one side of it; at most one at each end."""
    found = []
    for places in (np.arange(END_BARS, LEVEL_BARS), np.arange(size.size - LEVEL_BARS + 1, size.size - END_BARS + 1)):
        after = _medians(size, places, np.minimum(places + LEVEL_BARS, size.size))
        apart = np.abs(after - _medians(size, np.maximum(places - LEVEL_BARS, 0), places))
        if apart.max() > np.log(LEVEL):
            found.append(int(places[np.argmax(apart)]))
    return found


def _medians(values: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The median of values[a:b] for each a of `first` and b of `last`, at most LEVEL_BARS apart."""
    at = first[:, None] + np.arange(LEVEL_BARS)
    ordered = np.sort(np.where(at < last[:, None], values[np.minimum(at, values.size - 1)], np.inf), axis=1)
    count, row = last - first, np.arange(first.size)
    return (ordered[row, (count - 1) // 2] + ordered[row, count // 2]) / 2


def _edge(size: np.ndarray, near: int) -> int:
    """The bar near `near` at which the level changes: the largest difference of the medians of few bars on either side."""
    places = range(max(near - 24, 8), min(near + 25, size.size - 8))
    return max(
        places,
        key=lambda k: abs(float(np.median(size[k : k + 8]) - np.median(size[k - 8 : k]))) + abs(size[k] - size[k - 1]) / 100,
    )


def carried_bars(u: PatternBars) -> list[DataIssue]:
    """A price that does not move for many bars while trading goes on: the last bar carried forward."""
    if u.volume is None:
        return []
    flat = (u.high == u.low) & (u.volume > 0)
    flat[1:] &= u.close[1:] == u.close[:-1]
    if flat.mean() > 0.2:  # a coin whose tick is wider than its moves
        return []
    rows = [r for first, last in runs(flat) if last - first + 1 >= CARRIED for r in range(first, last + 1)]
    return issue("stale", "error", u.rows[rows], "the price does not move while volume goes on: a bar carried forward")


def skipped_hours(u: PatternBars) -> list[DataIssue]:
    """Whole hours missing where the price goes on as if nothing were: the times after it are shifted."""
    steps = np.diff(u.ts) - u.timeframe_ms
    if u.timeframe_ms >= HOUR_MS or u.ts.size < 100:
        return []
    usual = float(np.median((u.high - u.low) / u.close))
    gap = np.abs(np.log(u.open[1:] / u.close[:-1]))
    whole = (steps > 0) & (steps % HOUR_MS == 0) & (steps <= DAY_MS) & (gap <= SEAMLESS * usual)
    at = np.flatnonzero(whole) + 1
    hours = ", ".join(f"{int(s) // HOUR_MS} h" for s in steps[at[:3] - 1])
    text = f"{hours} missing, and the price goes on where it was: times shifted from here on? (--against another source)"
    return issue("shifted", "warning", u.rows[at], text)


def averaged_bars(u: PatternBars) -> list[DataIssue]:
    """Heikin-ashi candles: each opens in the middle of the body before it. Their prices were never traded."""
    joined = np.diff(u.ts) == u.timeframe_ms
    body = np.abs(u.close - u.open)[:-1]
    middle = ((u.open + u.close) / 2)[:-1]
    use = joined & (body > AVERAGED * u.close[:-1])
    if use.sum() < AVERAGED_BARS:
        return []
    inside = np.abs(u.open[1:] - middle)[use] <= 0.02 * body[use]
    if inside.mean() < 0.9:
        return []
    text = "bars open in the middle of the one before: heikin-ashi candles, whose prices were never traded"
    return issue("heikin-ashi", "error", u.rows[1:2], text)


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """(first, last) of each run of True."""
    return runs_of(np.flatnonzero(flags))


def runs_of(at: np.ndarray) -> list[tuple[int, int]]:
    """(first, last) of each run of consecutive numbers in ascending `at`."""
    if not at.size:
        return []
    cut = np.flatnonzero(np.diff(at) > 1)
    starts = at[np.concatenate([[0], cut + 1])]
    ends = at[np.concatenate([cut, [at.size - 1]])]
    return [(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]
