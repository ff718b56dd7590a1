"""Data quality checks of one file of bars, marks or settlements: what is wrong, in which rows, error or warning.

Called by `nightdesk data check` and `import` on frames as the file has them (files.py reads them, nothing sorted or
dropped), and by align.py before anything is simulated. A *warning* is what markets and venues really do: a crash, a
short outage, a changed tick. An *error* is what they never do: time that repeats, a high below the close, gaps at
a regular stride, a price that leaves and comes back between two trades. Nothing is repaired here.

What a single file cannot show (another market's prices throughout, volume in contracts, a bar frozen while it formed)
needs a second source: compare_sources.py.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from engine.clock import DAY_MS, utc
from engine.data.funding_checks import check_funding
from engine.data.gaps import off_grid, other_timeframe, regular_gaps
from engine.data.issues import DataIssue, Severity, errors, issue
from engine.data.patterns import PatternBars, patterns, runs, runs_of

__all__ = ["DataIssue", "check", "check_funding", "check_series", "errors", "refusals"]

SELDOM = ("taker_buy_volume", "quote_volume")  # columns that few files have
OUTAGE_MS = 3 * DAY_MS  # the longest recorded outage of a large venue is 34 hours (Binance spot, 2018-02-08)
DEAD_MS = DAY_MS  # no trade for a whole day is more than a short outage
WINDOW = 97  # bars around a bar that define what is usual there
JUMP = 8.0  # usual bar ranges between a close and the next open; recorded markets stay under 3 outside listing days
UNJOINED = 0.25  # median of the same over a file; recorded ones have 0.02 at most
WICK = 10.0  # usual bar ranges from the body to the extreme
QUIET = (2.0, 4.0)  # times the usual volume; recorded wicks of 10 ranges had 2.6 times and more, of 50 ranges 5.4
JOINT_USUAL = 20.0  # times the 90 % quantile of breaks; recorded files have 24 at most, but one that was rounded
TURNOVER_DAY = 2e12  # quote units a day; the whole crypto market trades less


def check(frame: pl.DataFrame, timeframe_ms: int, now_ms: int | None = None, empty_ms: Sequence[int] = ()) -> list[DataIssue]:
    """Everything wrong with bars as the file holds them: ts (Int64 ms), open, high, low, close and, if there, volume.

    `now_ms` detects a bar that has not closed yet; at `empty_ms` the file itself says that nothing traded. Issues come in the
    order of the rules, errors and warnings mixed.
    """
    if not frame.height:
        return [DataIssue("empty", "error", (), "the file has no rows")]
    found, bars, rows = _basic_issues(frame, timeframe_ms, empty_ms)
    if bars.height < 3:
        return found
    usual = _Context(bars, rows, timeframe_ms)
    found += [*_spikes(usual), *_wicks(usual), *_moves(usual), *_joints(usual)]
    found += [*_volume(usual), *_stale(usual), *_last(usual, now_ms)]
    seen = PatternBars(rows, usual.ts, usual.open, usual.high, usual.low, usual.close, usual.volume, timeframe_ms)
    return found + patterns(seen)


def refusals(frame: pl.DataFrame, timeframe_ms: int) -> list[DataIssue]:
    """The errors that make bars unfit for simulation: cheap to find, and beyond dispute.

    A long gap is not among them: its bars are missing, and nothing trades there. Implausible values (spikes, splices, units)
    are found by check(), which data/loading.py runs once over a range.
    """
    return [f for f in errors(_basic_issues(frame, timeframe_ms)[0]) if f.rule != "gap"]


def _basic_issues(
    frame: pl.DataFrame, timeframe_ms: int, empty_ms: Sequence[int] = ()
) -> tuple[list[DataIssue], pl.DataFrame, np.ndarray]:
    """The indisputable issues; the readable bars in time order, and their rows in the file."""
    found = check_series(frame, timeframe_ms, empty_ms)
    rows = _sorted_rows(frame)
    f = frame if _ascending(frame) else frame[rows]
    ok = _finite(f)
    found += _values(f, rows, ok)
    return found, f.filter(pl.Series(ok)) if not ok.all() else f, rows[ok]


def check_series(frame: pl.DataFrame, timeframe_ms: int, empty_ms: Sequence[int] = ()) -> list[DataIssue]:
    """Time and completeness of any series on a grid: order, duplicates, grid, gaps, empty values."""
    ts = frame["ts"].to_numpy()
    steps = np.diff(ts)
    found = issue("unsorted", "error", np.flatnonzero(steps < 0) + 1, "time goes back")
    order = np.argsort(ts, kind="stable")
    again = np.flatnonzero(np.diff(ts[order]) == 0) + 1
    found += issue("duplicate", "error", np.sort(order[again]), f"{again.size} duplicate times")
    if other := other_timeframe(ts, timeframe_ms):
        return found + issue("timeframe", "error", [0], other)
    off = ts % timeframe_ms != 0
    found += issue("shifted", "error", np.flatnonzero(off), off_grid(ts, timeframe_ms))
    if not off.all():
        empty = np.setdiff1d(np.asarray(empty_ms, dtype=np.int64), ts) if len(empty_ms) else np.empty(0, dtype=np.int64)
        found += _gaps(np.unique(np.append(ts[~off], empty)), ts, timeframe_ms)
        found += _quiet_hours(empty, ts, timeframe_ms)
    empty = _empty_rows(frame)
    if empty.size:
        rows = "1 row holds" if empty.size == 1 else f"{empty.size:,} rows hold"
        text = f"{rows} a time and nothing else (no trade?): --drop-empty leaves them out, counted as missing"
        found += issue("nan", "error", empty, text)
    for name in frame.columns:
        if frame.schema[name].is_numeric() and name != "ts":
            bad = ~np.isfinite(_numbers(frame[name]))
            bad[empty] = False
            severity: Severity = "warning" if name in SELDOM else "error"  # a bar without one is complete
            found += issue("nan", severity, np.flatnonzero(bad), f"{name} is empty or not a number")
    return found


def _quiet_hours(empty: np.ndarray, ts: np.ndarray, timeframe_ms: int) -> list[DataIssue]:
    """Missing bars of which the file says that nothing traded: no pager lost them, but days of them are an error."""
    if not empty.size:
        return []
    quiet = runs_of(empty // timeframe_ms)
    longest = max(b - a + 1 for a, b in quiet)
    text = f"{empty.size} bars missing in {len(quiet)} gaps without a trade, the longest {longest} bars"
    severity: Severity = "error" if longest * timeframe_ms > OUTAGE_MS else "warning"
    return issue("gap", severity, np.unique(_where(ts, empty)), text)


def _empty_rows(frame: pl.DataFrame) -> np.ndarray:
    """Rows of bars that hold a time and no number at all."""
    names = [n for n in ("open", "high", "low", "close", "volume") if n in frame.columns]
    if len(names) < 4:
        return np.empty(0, dtype=np.int64)
    missing = np.ones(frame.height, dtype=bool)
    for name in names:
        missing &= np.isnan(_numbers(frame[name]))
    return np.flatnonzero(missing)


def _numbers(column: pl.Series) -> np.ndarray:
    """A column as numbers, NaN where it is empty."""
    return (column if column.dtype == pl.Float64 else column.cast(pl.Float64)).to_numpy()


def _gaps(clock: np.ndarray, ts: np.ndarray, timeframe_ms: int) -> list[DataIssue]:
    """Missing bars: at a regular stride an error however short, long ones an error, the rest a short outage."""
    steps = np.diff(clock)
    at = np.flatnonzero(steps > timeframe_ms)
    if not at.size:
        return []
    missing = steps[at] // timeframe_ms - 1
    rows = _where(ts, clock[at + 1])
    text = f"{int(missing.sum())} bars missing in {at.size} gap{'s' if at.size > 1 else ''}"
    regular = regular_gaps(at + 1, (clock[at] - clock[0]) // timeframe_ms)
    if regular:
        return issue("stride", "error", rows, f"{text} at a regular stride, {regular}: a paging error")
    long = steps[at] > OUTAGE_MS
    first = int(at[np.argmax(steps[at])])
    span = f"the longest {utc(int(clock[first] + timeframe_ms))} .. {utc(int(clock[first + 1]))}"
    share = missing.sum() / (clock.size + missing.sum())
    found = issue("gap", "error", rows[long], f"{text}, {span}: no outage lasts that long")
    if not found and share > 0.02 and at.size > 3:
        return issue("gap", "error", rows, f"{text}, {share:.1%} of the range")
    return found or issue("gap", "warning", rows, f"{text}, {span}")


def _finite(f: pl.DataFrame) -> np.ndarray:
    """Rows whose prices are positive numbers (and volume a number, where there is one)."""
    ok = np.ones(f.height, dtype=bool)
    for name in ("open", "high", "low", "close"):
        value = _numbers(f[name])
        ok &= np.isfinite(value) & (value > 0)
    if "volume" in f.columns:
        ok &= np.isfinite(_numbers(f["volume"]))
    return ok


def _values(f: pl.DataFrame, rows: np.ndarray, ok: np.ndarray) -> list[DataIssue]:
    """Impossible numbers inside a bar."""
    o, h, lo, c = (_numbers(f[n]) for n in ("open", "high", "low", "close"))
    positive = np.zeros(f.height, dtype=bool)
    for value in (o, h, lo, c):
        positive |= value <= 0
    found = issue("price", "error", rows[positive], "a price is zero or negative")
    found += issue("range", "error", rows[ok & (h < lo)], "high is below low")
    for name, value in (("open", o), ("close", c)):
        out = ok & (h >= lo) & ((value > h) | (value < lo))
        found += issue("range", "error", rows[out], f"{name} is outside high and low")
    if "volume" in f.columns:
        volume = _numbers(f["volume"])
        found += issue("volume", "error", rows[volume < 0], "volume is negative")
    return found


class _Context:
    """Bars in time order with what is usual around each: its row, log prices, typical range and volume."""

    def __init__(self, f: pl.DataFrame, rows: np.ndarray, timeframe_ms: int) -> None:
        self.rows, self.timeframe_ms = rows, timeframe_ms
        self.ts = f["ts"].to_numpy()
        self.open, self.high, self.low, self.close = (_numbers(f[n]) for n in ("open", "high", "low", "close"))
        self.volume = _numbers(f["volume"]) if "volume" in f.columns else None
        spread = (self.high - self.low) / self.close
        local = pl.Series(spread).rolling_median(WINDOW, min_samples=1, center=True).to_numpy()
        # the floor at half the file's median keeps a quiet hour from making every tick an outlier
        self.range = np.maximum(local, max(float(np.median(spread)) / 2, 1e-6))
        self.rel_volume = np.ones(self.ts.size)
        if self.volume is not None:
            middle = pl.Series(self.volume).rolling_median(WINDOW, min_samples=1, center=True).to_numpy()
            self.thin = middle < 0.02 * float(np.median(self.volume))  # the first days of a listing
            self.rel_volume = self.volume / np.maximum(middle, 1e-12)
        else:
            self.thin = np.zeros(self.ts.size, dtype=bool)
        self.joined = np.diff(self.ts) == timeframe_ms  # bar i and bar i + 1 are neighbours
        self.jump = np.log(self.open[1:] / self.close[:-1])
        self.jump_ranges = np.where(self.joined, np.abs(self.jump) / self.range[1:], 0.0)

    def traded(self, first: int, last: int) -> bool:
        """Whether every bar of first..last traded, in a liquid market; without volume it is assumed."""
        a, b = max(first, 0), min(last + 1, self.ts.size)
        return not self.thin[a:b].any() and (self.volume is None or bool((self.volume[a:b] > 0).all()))


def _spikes(u: _Context) -> list[DataIssue]:
    """A price that leaves and comes back with no trade in between is a bad tick; one that stays is another market.

    In a continuous market a bar opens where the last one closed, in a crash too. A break of that, many usual ranges wide,
    which the price undoes within a few bars, never happened; one it does not undo is a level shift.
    """
    spiked: set[int] = set()
    shifted: list[int] = []
    for i in np.flatnonzero((u.jump_ranges > JUMP) & (np.abs(u.jump) > 0.004)).tolist():
        if not u.traded(i - 2, i + 3):
            continue
        back = _came_back(u, i)
        spiked.update(back)
        if not back:
            shifted.append(i + 1)
    shifted = [i for i in shifted if i not in spiked and i - 1 not in spiked]
    found = issue("spike", "error", u.rows[sorted(spiked)], "the price jumps away and back between two trades")
    text = "the price jumps to another level from one bar to the next: another market's bars, or missing bars"
    factor = [i for i in shifted if abs(u.jump[i - 1]) > np.log(2)]
    found += issue("jump", "error", u.rows[factor], "the price doubles or halves between two bars: another unit or coin")
    return found + issue("jump", "warning", u.rows[[i for i in shifted if i not in factor]], text)


def _came_back(u: _Context, i: int) -> range:
    """Bars between the break after bar i and the price's way back (up to five bars either way); empty if none."""
    size = 0.35 * abs(u.jump[i])
    here, there = np.log(u.close[i]), np.log(u.open[i + 1])
    for s in range(i, max(i - 5, 0), -1):  # bars s..i were away, bar i + 1 opens where bar s - 1 closed
        if abs(np.log(u.close[s - 1]) - there) < size or (s == i and abs(np.log(u.open[s]) - there) < size):
            return range(s, i + 1)
    for s in range(i + 1, min(i + 6, u.ts.size)):  # bars i + 1..s are away, bar s closes where bar i did
        if abs(np.log(u.close[s]) - here) < size or (s + 1 < u.ts.size and abs(np.log(u.open[s + 1]) - here) < size):
            return range(i + 1, s + 1)
    return range(0)


def _wicks(u: _Context) -> list[DataIssue]:
    """An extreme far outside the body: with volume it is a crash or a squeeze, without it a bad tick."""
    top, bottom = np.maximum(u.open, u.close), np.minimum(u.open, u.close)
    reach = np.maximum(u.high / top - 1, bottom / u.low - 1)
    far = (reach / u.range > WICK) & (reach > 0.01)
    quiet = far & (u.rel_volume < np.clip(reach / u.range / 8, *QUIET)) & ~u.thin
    if u.volume is None:
        return issue("wick", "warning", u.rows[far], "a wick far outside the usual range")
    found = issue("spike", "error", u.rows[quiet], "a wick far outside the usual range without the volume to match")
    return found + issue("wick", "warning", u.rows[far & ~quiet], "a wick far outside the usual range, heavily traded")


def _moves(u: _Context) -> list[DataIssue]:
    """Moves far beyond the usual: real crashes and squeezes, worth a look."""
    body = np.abs(u.close / u.open - 1)
    big = (body / u.range > 15) & (body > 0.03)
    return issue("crash", "warning", u.rows[big], "a move of over 15 usual ranges in one bar")


def _joints(u: _Context) -> list[DataIssue]:
    """Small breaks between a close and the next open, unusual for this file: frozen or revised bars, outages, splices.

    Where the price grid changes at the very bar of a break, two markets have been joined (error). A grid that changes
    without a break is a venue's new tick (warning).
    """
    size = np.where(u.joined, np.abs(u.jump), 0.0)
    if u.joined.sum() >= 100 and np.median(u.jump_ranges[u.joined]) > UNJOINED:
        text = "bars do not open where the one before closed: columns swapped, or rows of several markets"
        return issue("joint", "error", u.rows[:1], text)
    usual = float(np.quantile(size, 0.995)) if size.size > 400 else float(np.quantile(size, 0.9))
    usual = min(usual, JOINT_USUAL * float(np.quantile(size, 0.9)) + 1e-9)  # many breaks do not make breaks usual
    breaks = np.flatnonzero((u.jump_ranges > 0.05) & (size > 4 * usual)) + 1
    found: list[DataIssue] = []
    spliced: set[int] = set()
    for i, was, now in _grid_changes(u):
        near = breaks[np.abs(breaks - i) <= 1]
        if near.size:
            spliced.add(int(near[0]))
            text = f"the price breaks and its grid changes from {was:g} to {now:g}: bars of another market joined on"
            found += issue("splice", "error", u.rows[near[:1]], text)
        else:
            found += issue("tick", "warning", u.rows[[i]], f"the price grid changes from {was:g} to {now:g}")
    clear = (u.jump_ranges > 0.25) | ((u.jump_ranges > 0.08) & (size > 10 * usual))
    rest = [i for i in breaks.tolist() if i > 1 and clear[i - 1] and u.jump_ranges[i - 1] <= JUMP and i not in spliced]
    text = "a bar does not open where the last one closed: frozen while forming, revised, or after an outage (--against)"
    return found + issue("joint", "warning", u.rows[rest], text)


def _decimals(u: _Context) -> np.ndarray:
    """Decimals the four prices of each bar need, 0..7."""
    need = np.zeros(u.ts.size, dtype=np.int64)
    for price in (u.open, u.high, u.low, u.close):
        for d in range(7):
            scaled = price * 10.0**d
            need = np.where(
                (np.abs(scaled - np.rint(scaled)) > 1e-4 * np.maximum(1, scaled * 1e-6)), np.maximum(need, d + 1), need
            )
    return need


def _grid_changes(u: _Context) -> Iterator[tuple[int, float, float]]:
    """(bar, old tick, new tick) where prices that never needed a decimal begin to need it in most bars, or the reverse."""
    span = 48
    need = _decimals(u)
    for d in range(int(need.min(initial=7)), int(need.max(initial=0))) if need.size > 2 * span else ():
        finer = pl.Series((need > d).astype(np.float64))
        before = finer.rolling_mean(span).shift(1).to_numpy()[span:-span]
        after = finer.reverse().rolling_mean(span).reverse().to_numpy()[span:-span]
        up, down = (before < 1e-9) & (after > 0.6), (after < 1e-9) & (before > 0.6)
        for first, last in runs_of(np.flatnonzero(up | down)):
            best = first + int(np.argmax(np.abs(after - before)[first : last + 1]))
            was, now = (10.0**-d, 10.0 ** -(d + 1)) if up[best] else (10.0 ** -(d + 1), 10.0**-d)
            yield best + span, was, now


def _volume(u: _Context) -> list[DataIssue]:
    """Runs without trading, prices that move without any, and a volume that is not in base units."""
    if u.volume is None:
        return []
    none = u.volume == 0
    dry = runs(none)
    rows = [int(u.rows[a]) for a, b in dry]
    dead = [int(u.rows[a]) for a, b in dry if u.ts[b] - u.ts[a] + u.timeframe_ms > DEAD_MS]
    longest = max((b - a + 1 for a, b in dry), default=0)
    text = f"{int(none.sum())} bars without volume in {len(dry)} runs, the longest {longest} bars"
    found = issue("zero-volume", "error", dead, f"{text}: no market goes without a trade for over a day")
    if not dead:
        found += issue("zero-volume", "warning", rows, text)
    moved = none & (u.high > u.low)
    found += issue("volume", "error", u.rows[moved], "the price moves in bars without volume")
    a_day = float(np.median(u.volume * u.close)) * DAY_MS / u.timeframe_ms
    if a_day > TURNOVER_DAY:
        text = f"volume times price comes to {a_day:.2g} a day, more than the whole market: volume is not in base units"
        found += issue("unit", "error", [u.rows[0]], text)
    return found


def _stale(u: _Context) -> list[DataIssue]:
    """The same bar repeated, volume included: a feed that repeats its last answer."""
    if u.volume is None:
        return []
    same = np.ones(u.ts.size - 1, dtype=bool)
    for column in (u.open, u.high, u.low, u.close, u.volume):
        same &= column[1:] == column[:-1]
    same &= (u.high[1:] > u.low[1:]) & (u.volume[1:] > 0)
    again = runs(np.concatenate([[False], same]))
    long = [r for a, b in again if b - a >= 1 for r in range(a, b + 1)]
    short = [a for a, b in again if b == a]
    found = issue("stale", "error", u.rows[long], "the same bar repeats: the feed was frozen")
    return found + issue("stale", "warning", u.rows[short], "a bar equals the one before it, volume included")


def _last(u: _Context, now_ms: int | None) -> list[DataIssue]:
    """A last bar that has not closed, or looks as if it had not."""
    last = u.ts.size - 1
    if now_ms is not None and u.ts[last] + u.timeframe_ms > now_ms:
        late = np.flatnonzero(u.ts + u.timeframe_ms > now_ms)
        return issue("unfinished", "error", u.rows[late], "a bar that has not closed yet")
    if u.volume is None or last < 20 or u.rel_volume[last] >= 0.05:
        return []
    text = f"the last bar has {u.rel_volume[last]:.1%} of the usual volume: it may be unfinished"
    return issue("unfinished", "warning", [u.rows[last]], text)


def _ascending(frame: pl.DataFrame) -> bool:
    """Do times ascend without doubles?"""
    return bool((np.diff(frame["ts"].to_numpy()) > 0).all())


def _sorted_rows(frame: pl.DataFrame) -> np.ndarray:
    """Row numbers in time order, the first row of each time."""
    return np.unique(frame["ts"].to_numpy(), return_index=True)[1]


def _where(ts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Row of the first occurrence of each wanted time, or of the next one there is."""
    values, first = np.unique(ts, return_index=True)
    return first[np.minimum(np.searchsorted(values, wanted), values.size - 1)]
