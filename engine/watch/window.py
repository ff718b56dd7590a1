"""A window of the desk journal by desk time, without reading the rest of it. Called by watch and tools/.

Desk time never goes back in desk.jsonl (incidents aside), so the first line after an instant is found by halving the file. A
bar that closes at an instant belongs to the window that ends there: windows are (after, up to], and "yesterday" has its 96 bars.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from engine.store.chain import Event, event_of

_HEAD = re.compile(rb'\{"seq":\d+,"id":"[^"]*","kind":"([^"]*)","schema":\d+,"t_event_ms":(-?\d+),')
BLOCK = 1 << 16
FAR_MS = 1 << 62  # later than any bar
SEQ = len(b'{"seq":')
FREE = b"incident"  # its time is not the bar's


def journal_of(home: Path) -> Path:
    """The desk journal of a home."""
    return home / "journal" / "desk.jsonl"


def between(
    path: Path,
    after_ms: int,
    up_to_ms: int,
    kinds: Collection[str] | None = None,
    worth: Callable[[bytes, bytes], bool] | None = None,
) -> Iterator[Event]:
    """Events with after_ms < t_event_ms <= up_to_ms, in order, of `kinds` (None: all); none without a journal.

    `worth` says of a (kind, line) whether to parse it at all: parsing is most of the work. A group that a crash cut short is
    left out, as everywhere.
    """
    wanted = None if kinds is None else {kind.encode() for kind in kinds}
    try:
        file = path.open("rb", buffering=BLOCK)
    except FileNotFoundError:
        return
    with file:
        file.seek(first_after(file, after_ms))
        group: list[Event] = []
        due = 0  # the number of the record that ends the group
        for line in file:
            head = _HEAD.match(line)
            if head is None or not line.endswith(b"\n"):
                return
            if int(head[2]) > up_to_ms and head[1] != FREE:
                return
            if (wanted is None or head[1] in wanted) and (worth is None or worth(head[1], line)):
                event = event_of(line[:-1])
                if event is not None and after_ms < event.t_event_ms <= up_to_ms:
                    group.append(event)
                    due = event.seq + event.left
            if group and int(line[SEQ : line.index(b",", SEQ)]) >= due:
                yield from group
                group = []


def mark_at(path: Path, at_ms: int | None = None) -> Event | None:
    """The desk's last `mark` at or before an instant (None: the last one there is); None before the first."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    with file:
        end = file.seek(0, os.SEEK_END) if at_ms is None else first_after(file, at_ms)
        for line in _lines_before(file, end):
            head = _HEAD.match(line)
            if head is not None and head[1] == b"mark" and (event := event_of(line)) is not None and event.left == 0:
                return event
    return None


def first_mark(path: Path) -> Event | None:
    """The mark the desk began with; None before it began."""
    return next(between(path, -1, FAR_MS, {"mark"}), None)


def beginning(path: Path) -> Mapping[str, Any]:
    """What the desk's first configuration event says of its start: instruments, timeframe_ms, source ...; empty before."""
    first = next(between(path, -1, FAR_MS, {"config"}), None)
    return {} if first is None else dict(first.body.get("start") or {})


def desk_ms(home: Path) -> int | None:
    """Desk time of a home: the close of the last bar that was decided on, UTC ms; None when there was none."""
    mark = mark_at(journal_of(home))
    return None if mark is None else mark.t_event_ms


def first_after(file: BinaryIO, ms: int) -> int:
    """Byte at which the first line with a time later than `ms` starts; the file's end when there is none."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while low < high:
        middle = (low + high) // 2
        file.seek(max(middle - 1, 0))
        if middle:
            file.readline()
        at, head = file.tell(), None
        while at < high:
            line = file.readline()
            head = _HEAD.match(line)
            if head is None or head[1] != FREE:
                break
            at, head = file.tell(), None
        if head is not None and int(head[2]) <= ms:
            low = file.tell()
        else:
            high = middle
    return low


def _lines_before(file: BinaryIO, end: int) -> Iterator[bytes]:
    """Whole lines that end at or before byte `end`, last first, without their newline."""
    rest = b""
    while end > 0:
        start = max(0, end - BLOCK)
        file.seek(start)
        lines = (file.read(end - start) + rest).split(b"\n")
        rest = lines.pop(0) if start else b""
        yield from reversed([line for line in lines if line])
        end = start
