"""Data quality checks of settlements: order, doubles, gaps, rates that no market has, and rates that another source has not.

Called by checks.py's readers for files of funding; the bars' checks are checks.py. Nothing is repaired here.
"""

import numpy as np
import polars as pl

from engine.clock import DAY_MS, HOUR_MS, utc
from engine.data.gaps import INTERVALS_MS, LONGEST_MS, hole_spans
from engine.data.issues import DataIssue, issue
from engine.data.patterns import runs

MEDIAN_MAX = 0.002  # of |rate| over 8 hours; recorded medians are 0.0001 at most, in percent they would be 0.002 and more
RATE_MAX = 0.05
AHEAD_MS = 60_000  # two clocks may differ by so much
SAME_RATE = 1e-6  # a hundredth of a basis point: sources round differently


def check_funding(frame: pl.DataFrame, now_ms: int | None = None) -> list[DataIssue]:
    """Settlements (ts, rate): order, duplicates, gaps, missing and absurd rates, and those after `now_ms`."""
    if not frame.height:
        return [DataIssue("empty", "error", (), "the file has no rows")]
    ts = frame["ts"].to_numpy()
    rate = frame["rate"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    found = issue("unsorted", "error", np.flatnonzero(np.diff(ts) < 0) + 1, "time goes back")
    found += issue("nan", "error", np.flatnonzero(~np.isfinite(rate)), "rate is empty or not a number")
    if now_ms is not None:
        found += issue("unfinished", "error", np.flatnonzero(ts > now_ms + AHEAD_MS), "a settlement that has not been yet")
    minute = (ts + 30_000) // 60_000 * 60_000
    order = np.argsort(minute, kind="stable")
    twin = np.flatnonzero(np.diff(minute[order]) == 0)
    same = rate[order[twin]] == rate[order[twin + 1]]
    found += issue("duplicate", "warning", order[twin[same] + 1], f"{int(same.sum())} duplicate settlements with one rate")
    found += issue("duplicate", "error", order[twin[~same] + 1], f"{int((~same).sum())} settlements carry two different rates")
    holes = hole_spans(np.unique(minute))
    spans = ", ".join(f"{utc(a)} .. {utc(b)}" for a, b in holes[:3])
    after = [int(np.flatnonzero(minute == b)[0]) for _, b in holes]
    found += issue("gap", "error", after, f"{len(holes)} gap{'s' if len(holes) > 1 else ''}, no rate between {spans}")
    found += _sizes(np.unique(minute), rate)
    for first, last in runs(np.concatenate([[False], (np.diff(rate) == 0) & (rate[1:] == 0)])):
        if last - first > 30 * DAY_MS // LONGEST_MS:
            found += issue("stale", "warning", [first, last], "a rate of 0 for over a month")
    return found


def compare_funding(frame: pl.DataFrame, other: pl.DataFrame) -> list[DataIssue]:
    """Settlements against another source of the same instrument: at the same minute both have the same rate."""
    minute = ((pl.col("ts") + 30_000) // 60_000).alias("minute")
    mine = frame.with_row_index("row").with_columns(minute)
    both = mine.join(other.with_columns(minute).unique("minute"), on="minute", suffix="_other", maintain_order="left")
    if not both.height:
        return [DataIssue("overlap", "error", (), "the two files have no settlement in common")]
    rate, theirs = both["rate"].to_numpy(), both["rate_other"].to_numpy()
    differ = ~(np.abs(rate - theirs) <= SAME_RATE)
    if not differ.any():
        return []
    with np.errstate(invalid="ignore", divide="ignore"):
        times = np.nanmedian(np.where(theirs != 0, rate / theirs, np.nan)[differ])
    why = f"usually {times:.3g} times the other's" if differ.mean() > 0.5 and not 0.5 < times < 2 else "another coin or venue?"
    text = f"{int(differ.sum())} of {both.height} common settlements carry another rate, {why}"
    return issue("rate", "error", both["row"].to_numpy()[differ], text)


def against_hours(ts: np.ndarray, hours: int) -> str:
    """What settlements (UTC ms, ascending, whole minutes) say against one every `hours` hours; "" when they agree.

    A hole is no contradiction: only steps that venues have count.
    """
    steps = np.diff(ts)
    other = np.flatnonzero(np.isin(steps, INTERVALS_MS) & (steps != hours * HOUR_MS))
    if other.size:
        apart = " and ".join(f"{step // HOUR_MS:g} h" for step in np.unique(steps[other]))
        return f"settlements are {apart} apart at {other.size:,} of {steps.size:,} steps, first after {utc(int(ts[other[0]]))}"
    late = np.flatnonzero(ts % (hours * HOUR_MS))
    if late.size:
        return f"{late.size:,} of {ts.size:,} settlements are not at a multiple of {hours} h, the first {utc(int(ts[late[0]]))}"
    return ""


def _sizes(times: np.ndarray, rate: np.ndarray) -> list[DataIssue]:
    """Rates above what any market pays, and a usual rate above what any market has: percent for a fraction."""
    size = np.abs(rate[np.isfinite(rate)])
    step = float(np.median(np.diff(times))) if times.size > 1 else float(LONGEST_MS)
    usual = float(np.median(size)) * (8 * HOUR_MS / max(step, HOUR_MS)) if size.size else 0.0
    if size.size >= 3 and usual > MEDIAN_MAX:
        text = f"the usual rate is {usual:.2%} for 8 hours, which no market has: percent for a fraction, or an absolute rate?"
        return issue("range", "error", [int(np.flatnonzero(np.isfinite(rate))[0])], text)
    return issue("range", "error", np.flatnonzero(np.abs(rate) > RATE_MAX), "rate above 5 %: percent for a fraction?")
