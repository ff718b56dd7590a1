"""A journal read in pages from its end, and the desk's equity sampled from its marks: bounded work on a journal of any size.

Called by app.api.journal and app.api.desk. A line's kind and time stand at its front, so what is not wanted is not parsed; a
page ends after READ_MAX bytes even when it found little, and says where to go on.
"""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from engine.errors import BadInput
from engine.store.chain import Event, event_of
from engine.watch.window import first_after, first_mark, mark_at

_HEAD = re.compile(rb'\{"seq":(\d+),"id":"[^"]*","kind":"([^"]*)","schema":\d+,"t_event_ms":(-?\d+),')
BLOCK = 1 << 18
READ_MAX = 16 << 20  # bytes looked at for one page
CURVE_KEPT = 4000  # marks kept in memory: the past does not change
_MARKS: dict[tuple[str, int], tuple[int, float | None, float | None]] = {}


class EventFilter(NamedTuple):
    """What a page should hold. Times are those of the events (desk time in the desk journal), both ends included."""

    kinds: Collection[str] = ()  # none: all
    sleeve: str = ""
    text: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    limit: int = 50


class JournalPage(NamedTuple):
    """Events, newest first, and the byte before which the next page begins (None: there is nothing further back)."""

    events: list[Event]
    before: int | None


def page(path: Path, wanted: EventFilter, before: int | None = None) -> JournalPage:
    """The newest events that end at or before byte `before` (None: the end of the journal). A torn group does not show."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return JournalPage([], None)
    kinds = {kind.encode() for kind in wanted.kinds}
    found: list[Event] = []
    with file:
        size = file.seek(0, os.SEEK_END)
        start = end = min(size, size if before is None else before)
        whole = before is not None  # a group that is being written ends in no line with `left` 0
        for at, line in lines_before(file, start):
            end = at
            head = _HEAD.match(line)
            if not whole:
                whole = head is not None and b',"left":0,' in line.partition(b',"body":')[0]
                if not whole:
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
    """The byte of a cursor; BadInput for a text that is none."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise BadInput(f"{text[:40]!r} is no cursor", "use `next` of the page before")
    return int(text)


def start_of(path: Path, until_ms: int | None) -> int | None:
    """Where to begin for events up to an instant: found by halving, so a page of last spring costs what today's costs."""
    if until_ms is None or not path.exists():
        return None
    with path.open("rb") as file:
        return first_after(file, until_ms)


def _fits(event: Event, wanted: EventFilter) -> bool:
    if wanted.sleeve and event.body.get("sleeve") != wanted.sleeve:
        return False
    return not wanted.text or wanted.text.lower() in f"{event.id} {event.kind} {event.body}".lower()


def lines_before(file: BinaryIO, end: int) -> Iterator[tuple[int, bytes]]:
    """Whole lines that end at or before byte `end`, last first: (the byte it starts at, text without its newline)."""
    tail, at = b"", end  # tail: a line whose beginning stands further in front
    while at > 0:
        start = max(0, at - BLOCK)
        file.seek(start)
        parts = (file.read(at - start) + tail).split(b"\n")
        parts.pop()  # behind the last newline: nothing, or a line that is being written
        here, lines = start, []
        for part in parts:
            lines.append((here, part))
            here += len(part) + 1
        tail = lines.pop(0)[1] + b"\n" if start and lines else b""
        yield from reversed(lines)
        at = start


def curve_of(path: Path, points: int, since_ms: int = 0) -> dict[str, list[Any]]:
    """{"close_ms", "equity", "drawdown_frac"} of about `points` marks, evenly over desk time, the last one included."""
    last, first = mark_at(path), first_mark(path)
    if last is None or first is None:
        return {"close_ms": [], "equity": [], "drawdown_frac": []}
    low, high = max(first.t_event_ms, since_ms), last.t_event_ms
    step = max((high - low) // (points - 1), 1)
    step = -(-step // 60_000) * 60_000  # whole minutes: the same instants come again, and are remembered
    times = list(range(-(-low // step) * step, high, step))[-points:]
    found = {mark[0]: mark for mark in (_mark(path, t) for t in times) if mark is not None and mark[0] >= low}
    found[last.t_event_ms] = _figures(last)
    rows = [found[when] for when in sorted(found)]
    drawdown = [None if e is None or not p else 1 - e / p for _, e, p in rows]
    return {"close_ms": [r[0] for r in rows], "equity": [r[1] for r in rows], "drawdown_frac": drawdown}


def _mark(path: Path, at_ms: int) -> tuple[int, float | None, float | None] | None:
    """Time, equity and peak of the last mark at or before an instant that has passed."""
    key = (str(path), at_ms)
    if key not in _MARKS:
        mark = mark_at(path, at_ms)
        if mark is None:
            return None
        if len(_MARKS) >= CURVE_KEPT:
            _MARKS.clear()
        _MARKS[key] = _figures(mark)
    return _MARKS[key]


def _figures(mark: Event) -> tuple[int, float | None, float | None]:
    return mark.t_event_ms, mark.body.get("equity"), mark.body.get("peak")
