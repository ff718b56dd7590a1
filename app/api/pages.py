"""Pages of a journal from its end, and the desk's equity sampled from its marks: bounded work on a journal of any size.

Called by app.api.journal and app.api.desk. A line starts with its kind and time, so unwanted lines are not parsed; a page ends
after READ_MAX bytes even if it found little, and returns where to continue.
"""

import os
import re
from collections.abc import Collection, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from engine.errors import BadInput
from engine.store.chain import Event, event_of
from engine.store.opened import open_journal
from engine.watch.window import first_after, first_mark, mark_at

_HEAD = re.compile(rb'\{"seq":(\d+),"id":"[^"]*","kind":"([^"]*)","schema":\d+,"t_event_ms":(-?\d+),')
BLOCK = 1 << 18
READ_MAX = 16 << 20  # bytes read for one page
CURVE_KEPT = 4000  # marks kept in memory: the past does not change
Figures = tuple[int, float | None, float | None, float | None]
_MARKS: dict[tuple[str, str, int], Figures] = {}


class EventFilter(NamedTuple):
    """The filter of a page. Times are event times (desk time in the desk journal), both ends inclusive."""

    kinds: Collection[str] = ()  # none: all
    sleeve: str = ""
    text: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    limit: int = 50


class JournalPage(NamedTuple):
    """Events, newest first, and the byte before which the next page begins (None: no further page)."""

    events: list[Event]
    before: int | None


def page(path: Path, wanted: EventFilter, before: int | None = None) -> JournalPage:
    """The newest events that end at or before byte `before` (None: the end of the journal). Torn groups are skipped."""
    try:
        file = open_journal(path)
    except FileNotFoundError:
        return JournalPage([], None)
    kinds = {kind.encode() for kind in wanted.kinds}
    found: list[Event] = []
    with file:
        size = file.seek(0, os.SEEK_END)
        start = end = min(size, size if before is None else before)
        complete = before is not None  # the last line of a complete group has `left` 0
        for at, line in lines_before(file, start):
            end = at
            head = _HEAD.match(line)
            if not complete:
                complete = head is not None and b',"left":0,' in line.partition(b',"body":')[0]
                if not complete:
                    continue
            if head is None:
                continue
            when = int(head[3])
            if wanted.since_ms is not None and when < wanted.since_ms and head[2] != b"incident":
                return JournalPage(found, None)
            if (not kinds or head[2] in kinds) and (wanted.until_ms is None or when <= wanted.until_ms):
                event = event_of(line)
                if event is not None and _fits(event, wanted):
                    found.append(event)
            if len(found) >= wanted.limit or start - at > READ_MAX:
                break
    return JournalPage(found, end if end > 0 else None)


def cursor_of(text: str) -> int | None:
    """The byte of a cursor; BadInput for an invalid one."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise BadInput(f"{text[:40]!r} is not a valid cursor", "use `next` of the previous page")
    return int(text)


def start_of(path: Path, until_ms: int | None) -> int | None:
    """The start byte for events up to an instant, found by bisection, so old pages cost as much as new ones."""
    if until_ms is None or not path.exists():
        return None
    with open_journal(path) as file:
        return first_after(file, until_ms)


def _fits(event: Event, wanted: EventFilter) -> bool:
    if wanted.sleeve and event.body.get("sleeve") != wanted.sleeve:
        return False
    return not wanted.text or wanted.text.lower() in f"{event.id} {event.kind} {event.body}".lower()


def lines_before(file: BinaryIO, end: int) -> Iterator[tuple[int, bytes]]:
    """Complete lines that end at or before byte `end`, last first: (start byte, text without newline)."""
    tail, at = b"", end  # tail: a line that starts in an earlier block
    while at > 0:
        start = max(0, at - BLOCK)
        file.seek(start)
        parts = (file.read(at - start) + tail).split(b"\n")
        parts.pop()  # after the last newline: nothing, or a line being written
        here, lines = start, []
        for part in parts:
            lines.append((here, part))
            here += len(part) + 1
        tail = lines.pop(0)[1] + b"\n" if start and lines else b""
        yield from reversed(lines)
        at = start


def curve_of(path: Path, points: int, since_ms: int = 0, sleeve: str = "") -> dict[str, list[Any]]:
    """{"close_ms", "equity", "strategy", "drawdown_frac"} of about `points` marks, evenly over desk time, including the last; of
    the desk, or of one sleeve.

    `strategy` is the equity without what was made in incident windows. The drawdown is the account's, from the highest equity so
    far (of a sleeve: at these marks); a release does not make it smaller.
    """
    last, first = mark_at(path), first_mark(path)
    if last is None or first is None:
        return {"close_ms": [], "equity": [], "strategy": [], "drawdown_frac": []}
    low, high = max(first.t_event_ms, since_ms), last.t_event_ms
    step = max((high - low) // (points - 1), 1)
    step = -(-step // 60_000) * 60_000  # whole minutes: the same instants recur and are cached
    times = list(range(-(-low // step) * step, high, step))[-points:]
    found = {mark[0]: mark for mark in (_mark(path, t, sleeve) for t in times) if mark is not None and mark[0] >= low}
    found[last.t_event_ms] = _figures(last, sleeve)
    rows = [found[when] for when in sorted(found)]
    highest = accumulate((row[2] or 0.0 for row in rows), max)
    drawdown = [None if e is None or not p else 1 - e / p for (_, e, _, _), p in zip(rows, highest, strict=True)]
    columns: dict[str, list[Any]] = {"close_ms": [r[0] for r in rows], "equity": [r[1] for r in rows]}
    return columns | {"strategy": [r[3] for r in rows], "drawdown_frac": drawdown}


def _mark(path: Path, at_ms: int, sleeve: str) -> Figures | None:
    """The figures of the last mark at or before a past instant (cached)."""
    key = (str(path), sleeve, at_ms)
    if key not in _MARKS:
        mark = mark_at(path, at_ms)
        if mark is None:
            return None
        if len(_MARKS) >= CURVE_KEPT:
            _MARKS.clear()
        _MARKS[key] = _figures(mark, sleeve)
    return _MARKS[key]


def _figures(mark: Event, sleeve: str) -> Figures:
    """Time, equity, highest equity, and the equity without what was made in incident windows."""
    body = (mark.body.get("sleeves") or {}).get(sleeve, {}) if sleeve else mark.body
    equity = body.get("equity")
    own = None if equity is None else equity - (body.get("incident") or 0.0)
    return mark.t_event_ms, equity, equity if sleeve else body.get("high_water", body.get("peak")), own
