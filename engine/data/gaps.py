"""Gaps: whether those of a series are regular, and where settlements are missing; times on another grid than the file claims.

Called by checks.py and align.py. Outages are irregular; a pager that loses bars does so at a stride, counted in
rows (it asks for 1,000 bars and skips one) or on the clock (it fetches the first 1,000 of every 5,000 minutes).
"""

import numpy as np

from engine.clock import MINUTE_MS, timeframe_text

CLOSES_MS = 1000  # a close is written as 14:59, 14:59.999 or 15:00
LONGEST_MS = 8 * 3_600_000  # settlements are 8, 4, 2 or 1 hours apart (D4)
INTERVALS_MS = tuple(hours * 3_600_000 for hours in (1, 2, 4, 8))


def regular_gaps(rows: np.ndarray, clock: np.ndarray) -> str:
    """The regularity as text ("every 1000 rows"), or "" for irregular gaps.

    rows: number of rows before each gap; clock: bars of clock time from the first bar to the gap. Both int64, ascending.
    """
    for places, unit in ((rows, "rows"), (clock, "bars of time")):
        stride, times = _stride(np.asarray(places, dtype=np.int64))
        if stride:
            return f"every {stride} {unit}, {times} times"
    return ""


def _stride(places: np.ndarray) -> tuple[int, int]:
    """(most common distance between neighbours, how often), or (0, 0) when chance explains it.

    The start of the file counts as a place: two gaps after 1,000 and 2,000 rows are a stride. A few equal distances
    among many arise by chance when they are short, so those must be nearly all of them.
    """
    apart = np.diff(np.concatenate([[0], places]))
    apart = apart[apart > 0]
    if apart.size < 2:
        return 0, 0
    values, counts = np.unique(apart, return_counts=True)
    best = int(np.argmax(counts))
    stride, times = int(values[best]), int(counts[best])
    if stride >= 100:  # a stride that drifts by a bar
        times = int((np.abs(apart - stride) <= 1).sum())
    share = times / places.size
    if stride < 12:
        return (stride, times) if times >= 5 and share >= 0.8 else (0, 0)
    clear = times >= 4 or (times >= 3 and share >= 0.4) or (times >= 2 and places.size <= 4)
    return (stride, times) if clear else _hidden_stride(places)


def _hidden_stride(places: np.ndarray) -> tuple[int, int]:
    """A stride among other gaps that fall between its steps: a distance that far more pairs have than chance gives."""
    if not 5 <= places.size <= 60:
        return 0, 0
    first, second = np.triu_indices(places.size, 1)
    values, counts = np.unique(places[second] - places[first], return_counts=True)
    values, counts = values[values >= 12], counts[values >= 12]
    if not values.size:
        return 0, 0
    by_chance = first.size / max(int(places[-1] - places[0]), 1)  # pairs a distance, were the gaps anywhere
    best = int(np.argmax(counts))
    if counts[best] < 4 + by_chance + 6 * np.sqrt(by_chance):
        return 0, 0
    return int(values[best]), int(counts[best])


def hole_spans(ts: np.ndarray) -> list[tuple[int, int]]:
    """(last known, next known) pairs of settlement times between which one is missing. ts: int64 ms, ascending.

    A step of more than 8 hours, or of none of the intervals venues have, is always a hole; another one only when it is at least
    1.5 times the usual step before and after it, so a change of the funding interval (8 to 4 hours) is not a hole.
    """
    steps = np.diff(ts)
    impossible = (steps > LONGEST_MS) | ((steps > INTERVALS_MS[0]) & ~np.isin(steps, INTERVALS_MS))
    found = [(int(ts[i]), int(ts[i + 1])) for i in np.flatnonzero(impossible)]
    for i in np.flatnonzero(steps > (steps.min() if steps.size else 0)):  # most files have one interval: nothing to do
        before, after = steps[max(0, i - 3) : i], steps[i + 1 : i + 4]
        usual = [float(np.median(side)) for side in (before, after) if side.size]
        if not impossible[i] and usual and steps[i] >= 1.5 * max(usual):
            found.append((int(ts[i]), int(ts[i + 1])))
    return sorted(found)


def off_grid(ts: np.ndarray, timeframe_ms: int) -> str:
    """What to say of times that are not on the grid; those a second or less before it are of closes."""
    text, before = f"times are not on the {timeframe_text(timeframe_ms)} grid", -ts % timeframe_ms
    return f"{text}, but just before it: times of closes?" if ((before > 0) & (before <= CLOSES_MS)).all() else text


def other_timeframe(ts: np.ndarray, timeframe_ms: int) -> str:
    """What to say when most bars are another timeframe apart than the file claims; "" when they are not."""
    steps = np.abs(np.diff(ts))
    if steps.size < 3 or np.count_nonzero(steps == timeframe_ms) > 0.1 * steps.size:
        return ""
    steps = np.diff(np.unique(ts))
    values, counts = np.unique(steps, return_counts=True)
    if steps.size < 3 or counts.max() <= 0.9 * steps.size or values[np.argmax(counts)] == timeframe_ms:
        return ""
    step = int(values[np.argmax(counts)])
    if step % MINUTE_MS or (step > timeframe_ms and step % timeframe_ms):
        return ""
    return f"the file claims {timeframe_text(timeframe_ms)}, but its rows are {timeframe_text(step)} apart"
