"""Two venues' bars of one instrument, compared at each close: prices or volumes that disagree name the feed.

Called by feed_live.py. What counts as apart is what data/compare_sources.py says of two sources of two venues, over their last
bars; a last close that alone is far off counts too. The one that is named moved further from its own close before.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

from engine.data.compare_sources import compare_sources
from engine.live.closing import ColumnBars, frame_of

COMPARED_BARS = 60
FORGIVEN = ("gap", "overlap", "market")  # missing bars have their own note; two venues never have equal bars


def pairs_of(columns: Mapping[str, tuple[str, str]]) -> list[tuple[str, str]]:
    """Columns, each with its (venue, what it is of) -> pairs of one instrument and timeframe at two venues."""
    return [(a, b) for a, b in combinations(columns, 2) if columns[a][0] != columns[b][0] and columns[a][1] == columns[b][1]]


def parted(one: ColumnBars, other: ColumnBars, close_ms: int) -> str:
    """Why two columns disagree at a close, beginning with the one that is named; empty while they agree or one lacks its bar."""
    open_ms = close_ms - one.step_ms
    if open_ms not in one.known or open_ms not in other.known:
        return ""
    mine, theirs = (frame_of({t: bars.known[t] for t in sorted(bars.known)[-COMPARED_BARS:]}) for bars in (one, other))
    last = mine.height - 1
    found = compare_sources(mine, theirs, same_market=False, steps_ms=(one.step_ms, other.step_ms))
    wrong = [f for f in found if f.rule not in FORGIVEN and (f.severity == "error" or f.rule == "unit" or last in f.rows)]
    if not wrong:
        return ""
    named = max((one, other), key=lambda bars: _moved(bars, open_ms))
    beside = other if named is one else one
    return f"{named.column} against {beside.column}: {'; '.join(_short(f.text) for f in wrong)}"


def _moved(bars: ColumnBars, open_ms: int) -> float:
    """How far the last close is from the close before it, as a log."""
    before: Sequence[int] = [t for t in bars.known if t < open_ms]
    return abs(math.log(bars.known[open_ms][3] / bars.known[max(before)][3])) if before else 0.0


def _short(text: str) -> str:
    """A finding without its row numbers."""
    return text.partition(" (row")[0]
