"""A window of the desk journal by desk time, without reading the rest of it. Called by watch and tools/.

Desk time never goes back in desk.jsonl (incidents aside), so the first line after an instant is found by halving the file. A
bar that closes at an instant belongs to the window that ends there: windows are (after, up to], and "yesterday" has its 96 bars.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from engine.store.chain import Event, event_of

_HEAD = re.compile(rb'\{"seq":\d+,"id":"[^"]*","kind":"([^"]*)","schema":\d+,"t_event_ms":(-?\d+),')
_LEFT = re.compile(rb',"left":(\d+),"other":')  # the first of a line is its own: a quote inside a text is escaped
BLOCK = 1 << 16
FAR_MS = 1 << 62  # later than any bar
SEQ = len(b'{"seq":')
FREE = b"incident"  # its time is not the bar's


class Line(NamedTuple):
    """A line of the journal of which only the head was read. `text` has no newline."""

    kind: str
    t_event_ms: int
    seq: int
    text: bytes

    def event(self) -> Event | None:
        """The event it is; None when it is no journal line."""
        return event_of(self.text)


def journal_of(home: Path) -> Path:
    """The desk journal of a home."""
    return home / "journal" / "desk.jsonl"


def between(
    path: Path,
    after_ms: int,
    up_to_ms: int,
    kinds: Collection[str] | None = None,
) -> Iterator[Event]:
    """Events with after_ms < t_event_ms <= up_to_ms, in order, of `kinds` (None: all); none without a journal.

    A group that a crash cut short is left out, as everywhere.
    """
    for line in lines(path, after_ms, up_to_ms, kinds):
        event = line.event()
        if event is not None:
            yield event


def lines(
    path: Path,
    after_ms: int,
    up_to_ms: int,
    kinds: Collection[str] | None = None,
    worth: Callable[[bytes, bytes], bool] | None = None,
) -> Iterator[Line]:
    """The same as `between`, not parsed yet: parsing is most of the work, and a line's text may tell that it is not needed.

    `worth` says of a (kind, line) whether to hand it out at all.
    """
    wanted = None if kinds is None else {kind.encode() for kind in kinds}
    try:
        file = path.open("rb", buffering=BLOCK)
    except FileNotFoundError:
        return
    with file:
        file.seek(first_after(file, after_ms))
        group: list[Line] = []
        due = 0  # the number of the record that ends the group
        for line in file:
            head = _HEAD.match(line)
            if head is None or not line.endswith(b"\n"):
                return
            kind, t_event_ms = head[1], int(head[2])
            if t_event_ms > up_to_ms and kind != FREE:
                return
            seq = 0
            if (wanted is None or kind in wanted) and after_ms < t_event_ms <= up_to_ms and (worth is None or worth(kind, line)):
                seq, left = _seq(line), _LEFT.search(line, head.end())
                if left is not None:
                    group.append(Line(kind.decode("ascii"), t_event_ms, seq, line[:-1]))
                    due = seq + int(left[1])
            if group and (seq or _seq(line)) >= due:
                yield from group
                group = []


def _seq(line: bytes) -> int:
    """The number of a record."""
    return int(line[SEQ : line.index(b",", SEQ)])


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
