"""Two venues' bars of one instrument, compared at each close: prices or volumes that disagree name the feed.

Called by feed_live.py. What counts as apart is what data/compare_sources.py says of two sources of two venues, over their last
bars; a last close that alone is far off counts too, and a last volume. The one that is named moved further from its bar before.
"""

import math
from collections.abc import Mapping
from itertools import combinations
from statistics import median

from engine.data.compare_sources import compare_sources
from engine.live.closing import ColumnBars, frame_of

COMPARED_BARS, LEAST_BARS = 60, 20
CLOSE, VOLUME = 3, 4  # of Prices
LEAP = 50.0  # times the usual ratio of volumes: of 105,211 recorded bars of BTC at two venues, two are beyond it
FORGIVEN = ("gap", "overlap", "market")  # missing bars have their own note; two venues never have equal bars


def pairs_of(columns: Mapping[str, tuple[str, str]]) -> list[tuple[str, str]]:
    """Columns, each with its (venue, what it is of) -> pairs of one instrument and timeframe at two venues."""
    return [(a, b) for a, b in combinations(columns, 2) if columns[a][0] != columns[b][0] and columns[a][1] == columns[b][1]]


def parted(one: ColumnBars, other: ColumnBars, close_ms: int) -> str:
    """Why two columns disagree at a close, beginning with the one that is named; empty while they agree or one lacks its bar."""
    open_ms = close_ms - one.step_ms
    if open_ms not in one.known or open_ms not in other.known:
        return ""
    if leap := _leapt(one, other, open_ms):
        return leap
    named, beside = (one, other) if _moved(one, open_ms, CLOSE) >= _moved(other, open_ms, CLOSE) else (other, one)
    mine, theirs = (frame_of({t: bars.known[t] for t in sorted(bars.known)[-COMPARED_BARS:]}) for bars in (named, beside))
    last = mine.height - 1
    found = compare_sources(mine, theirs, same_market=False, steps_ms=(one.step_ms, other.step_ms))
    wrong = [f for f in found if f.rule not in FORGIVEN and (f.severity == "error" or f.rule == "unit" or last in f.rows)]
    return f"{named.column} against {beside.column}: {'; '.join(_short(f.text) for f in wrong)}" if wrong else ""


def _leapt(one: ColumnBars, other: ColumnBars, open_ms: int) -> str:
    """Why the volume of the last bar is in another unit than those before, which a comparison of all of them cannot say yet."""
    times = [t for t in sorted(one.known.keys() & other.known.keys())[-COMPARED_BARS:] if t <= open_ms]
    ratios = {
        t: one.known[t][VOLUME] / other.known[t][VOLUME] for t in times if one.known[t][VOLUME] * other.known[t][VOLUME] > 0
    }
    now = ratios.pop(open_ms, 0.0)
    usual = median(ratios.values()) if len(ratios) >= LEAST_BARS else 0.0
    if not usual * now or 1 / LEAP < now / usual < LEAP:
        return ""
    if _moved(one, open_ms, VOLUME) < _moved(other, open_ms, VOLUME):
        one, other, now, usual = other, one, 1 / now, 1 / usual
    said = f"volume is {now:.3g} times the other's, and was {usual:.3g} times it in the {len(ratios)} bars before"
    return f"{one.column} against {other.column}: {said}: another unit?"


def _moved(bars: ColumnBars, open_ms: int, value: int) -> float:
    """How far a value of the last bar is from the bar before it, as a log."""
    before = max((t for t in bars.known if t < open_ms), default=open_ms)
    now, then = bars.known[open_ms][value], bars.known[before][value]
    return abs(math.log(now / then)) if now > 0 and then > 0 else 0.0


def _short(text: str) -> str:
    """A finding without its row numbers."""
    return text.partition(" (row")[0]
