"""Packing a journal: its oldest whole parts are sealed in zstd, and the plain file goes on behind them; and the way back.

Called by app/upkeep/journals.py, at a start and by `nightdesk journal pack | unpack`. Nothing is packed that does not verify, and
no part is used that did not read back the same. Until one rename puts the shorter plain file in the place of the longer one,
everything is in the longer one: a kill before it leaves parts that nobody reads and the next packing removes; a kill behind it
leaves a packed journal. Unpacking is the same with the long file coming, and removes the parts last.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

from engine.errors import Busy, DataError, JournalBroken
from engine.store.chain import EMPTY, START, UNORDERED_KIND, Head, end_of, event_of, prefix_of
from engine.store.journal import fault_of, find
from engine.store.locks import lock_alone, lock_shared
from engine.store.opened import parts_of
from engine.store.segments import (
    FRAME,
    FRAME_MAX,
    FramePiece,
    PackedPart,
    Sealed,
    digest_of,
    last_frame,
    name_of,
    segments_beside,
    seq_of,
    texts_of,
    write_segment,
)

PIECE = 1 << 20
NEVER_MS = -(1 << 62)
FULL = "free disk space, then try again; the journal reads as it did"
Step = Callable[[str], None]


def _nothing(_: object) -> None:
    return


def pack(
    path: Path,
    until: int,
    part_bytes: int,
    *,
    most: int | None = None,
    note: Callable[[list[Sealed]], None] = _nothing,
    step: Step = _nothing,
) -> list[PackedPart]:
    """Seal whole parts of `part_bytes` plain bytes each, of what ends before byte `until` of the journal; at most `most` of them.

    The last group always stays plain. `note` gets the parts before any reader uses them. Raises Busy while the journal has a
    writer (of the desk) or is packed, JournalBroken where it does not verify, DataError of a disk; then it is as it was.
    """
    with _alone(path), _disk(path):
        before = parts_of(path)
        _clear(path, before)
        made: list[Sealed] = []
        try:
            with path.open("rb") as tail:
                base, end = _extent(path, tail, before)
                head, last_ms = _reached(path, before)
                while len(made) != most and base + part_bytes <= min(until, end):
                    tail.seek(base - (before[-1].end if before else 0))
                    sealed, last_ms = _seal(path, _groups(path, tail, head), (base, head, last_ms), (part_bytes, end), step)
                    if sealed is None:
                        break
                    made.append(sealed)
                    base, head = sealed.segment.end, sealed.head
                if made:
                    step("note")
                    note(made)
                    start = base - (before[-1].end if before else 0)
                    _replace(path, tail, _nothing, start, head, step)
        except BaseException:
            with suppress(OSError, JournalBroken):
                _clear(path, parts_of(path))
            raise
        return [one.segment for one in made]


def unpack(path: Path, *, note: Callable[[], None] = lambda: None, step: Step = _nothing) -> list[PackedPart]:
    """Make a packed journal plain again; the parts that were. `note` is called once the plain file is whole and in its place.

    Raises Busy, PartBroken, JournalBroken and DataError like `pack`; then the journal reads as it did.
    """
    with _alone(path), _disk(path):
        parts = parts_of(path)
        if parts:
            with path.open("rb") as tail:
                _extent(path, tail, parts)
                _replace(path, tail, lambda out: _write_parts(parts, out), 0, EMPTY, step)
            step("note")
            note()
        step("remove")
        _clear(path, ())
        _sync(path.parent)
        return list(parts)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Neither the writer of a desk journal nor another packing runs."""
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            lock_alone(lock, path)
        except Busy:
            raise Busy(
                f"{path.name} is being written or packed", "stop the desk first: it packs what is due at its start"
            ) from None
        yield
    finally:
        os.close(lock)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """A disk that fails is one line, and leaves no draft."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path.name} cannot be packed or unpacked: {error.strerror or error}", FULL) from error
    finally:
        for draft in _drafts(path):
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def _drafts(path: Path) -> tuple[Path, Path]:
    """Where a part and a plain file are written before they get their names."""
    return path.with_name(f"{path.stem}.part-draft"), path.with_name(f"{path.stem}.plain-draft")


def _clear(path: Path, used: tuple[PackedPart, ...]) -> None:
    """Remove parts that nobody reads: of a packing that was killed, or of a journal that is plain again.

    Raises JournalBroken for one whose records the journal has not: an older plain file was put in the place of a newer one.
    """
    unread = [part for part in segments_beside(path) if part not in used]
    for part in unread:
        event = find(path, f"{prefix_of(path)}{part.last}")
        if event is None or event.hash != last_frame(part)[0].head.hash:
            what = f"{part.path.name} has records that {path.name} has not: one of them is of another time or journal"
            raise JournalBroken(what, "put away what does not belong there; nothing was removed")
    for part in unread:
        part.path.unlink(missing_ok=True)


def _extent(path: Path, tail: BinaryIO, before: tuple[PackedPart, ...]) -> tuple[int, int]:
    """Bytes of the journal between which the whole groups of its plain file lie. Raises Busy where a desk's is being written."""
    if path.stem != "people":
        lock_alone(tail.fileno(), path)
    base = before[-1].end if before else 0
    return base, base + end_of(tail.fileno(), os.fstat(tail.fileno()).st_size, path).end


def _reached(path: Path, before: tuple[PackedPart, ...]) -> tuple[Head, int]:
    """The head before the plain file, and the last time in order up to there."""
    if not before:
        return EMPTY, NEVER_MS
    index, text = last_frame(before[-1])
    events = [event_of(line) for line in text.splitlines()]
    times = [event.t_event_ms for event in events if event is not None and event.kind != UNORDERED_KIND]
    head = index.head
    return Head(head.seq, f"{prefix_of(path)}{head.seq}", head.hash), times[-1] if times else index.frames[-1].ms


class _Group(NamedTuple):
    """A whole group: its text, the number of its first record, its first and last time in order, and the head it makes."""

    text: bytes
    seq: int
    first_ms: int | None
    last_ms: int | None
    head: Head


def _groups(path: Path, file: BinaryIO, before: Head) -> Iterator[_Group]:
    """The groups of an open file behind `before`. Raises JournalBroken at a record that cannot follow."""
    lines, times, seq = list[bytes](), list[int](), before.seq + 1
    for line in file:
        if not line.endswith(b"\n"):
            return
        fault, event = fault_of(line[:-1], before, prefix_of(path))
        if fault:
            raise JournalBroken(f"{path} record {before.seq + 1}: {fault}", "`nightdesk journal verify`; nothing was packed")
        before = Head(event.seq, event.id, event.hash)
        lines.append(line)
        times += [event.t_event_ms] if event.kind != UNORDERED_KIND else []
        if event.left == 0:
            yield _Group(b"".join(lines), seq, times[0] if times else None, times[-1] if times else None, before)
            lines, times, seq = [], [], before.seq + 1


class _Pieces:
    """Groups gathered into frames, until a part has its bytes; then what it ends with."""

    def __init__(self, groups: Iterator[_Group], begin: tuple[int, Head, int], part_bytes: int) -> None:
        self.groups, self.part_bytes = groups, part_bytes
        self.end, self.head, self.last_ms = begin
        self.taken = 0

    def __iter__(self) -> Iterator[FramePiece]:
        texts, size, seq, ms = list[bytes](), 0, 0, None
        for group in self.groups:
            if len(group.text) > FRAME_MAX - FRAME:
                break
            texts.append(group.text)
            size, seq, ms = size + len(group.text), seq or group.seq, group.first_ms if ms is None else ms
            self.taken, self.head = self.taken + len(group.text), group.head
            whole = self.taken >= self.part_bytes
            if size >= FRAME or whole:
                yield FramePiece(seq, self.last_ms if ms is None else ms, b"".join(texts))
                texts, size, seq, ms = [], 0, 0, None
            self.last_ms = self.last_ms if group.last_ms is None else group.last_ms
            if whole:
                return


def _seal(
    path: Path, groups: Iterator[_Group], begin: tuple[int, Head, int], limits: tuple[int, int], step: Step
) -> tuple[Sealed | None, int]:
    """One part on the disk that reads back the same, under its own name; None where the groups end before it has its bytes, or
    with it. And the last time in order.

    `begin`: byte, head and time before it; `limits`: its bytes, and the journal's last whole byte.
    """
    draft, (base, before, _) = _drafts(path)[0], begin
    pieces = _Pieces(groups, begin, limits[0])
    step("part")
    with draft.open("wb") as out:
        os.fchmod(out.fileno(), path.stat().st_mode & 0o777)
        digest = write_segment(out, pieces, base, before.hash, lambda: pieces.head)
        if pieces.taken < limits[0] or base + pieces.taken >= limits[1]:
            return None, pieces.last_ms
        step("part to disk")
        out.flush()
        os.fsync(out.fileno())
    head, end = pieces.head, base + pieces.taken
    segment = PackedPart(name_of(path, before.seq + 1, head.seq, base, end), before.seq + 1, head.seq, base, end)
    step("part read back")
    again, packed = sha256(), digest_of(draft)
    for text in texts_of(segment._replace(path=draft)):
        again.update(text)
    if again.digest() != digest:
        raise DataError(f"{draft} reads back differently", "check the disk; the journal reads as it did")
    step("part named")
    draft.rename(segment.path)
    _sync(path.parent)
    return Sealed(segment, head, packed), pieces.last_ms


def _write_parts(parts: tuple[PackedPart, ...], out: BinaryIO) -> None:
    """The parts as they were before they were packed."""
    before = START
    for part in parts:
        index, _ = last_frame(part)
        if index.prev != before:
            raise part.broken("it does not follow the part before it")
        for text in texts_of(part):
            out.write(text)
        before = index.head.hash


def _replace(path: Path, tail: BinaryIO, fill: Callable[[BinaryIO], None], start: int, before: Head, step: Step) -> None:
    """Put in the place of the plain file one with what `fill` writes and its own bytes from `start` on, which follow `before`.

    Whole groups never change, so most is copied without the lock that writers of the people journal take a turn with.
    """
    draft, descriptor = _drafts(path)[1], tail.fileno()
    step("plain")
    with draft.open("wb") as out:
        os.fchmod(out.fileno(), os.fstat(descriptor).st_mode & 0o777)
        fill(out)
        whole = end_of(descriptor, os.fstat(descriptor).st_size, path).end
        _copy(descriptor, start, whole, out)
        out.flush()
        os.fsync(out.fileno())
        step("plain locked")
        if path.stem == "people":
            lock_shared(descriptor, path)
        try:
            _copy(descriptor, whole, os.fstat(descriptor).st_size, out)
            out.flush()
            os.fsync(out.fileno())
            if _first(draft) != before.seq + 1:
                raise DataError(f"{draft} does not begin with record {before.seq + 1}", "the journal reads as it did")
            if not os.path.samestat(os.fstat(descriptor), path.stat()):
                raise DataError(f"{path} was replaced while it was packed", "it is as that left it; try again")
            step("plain named")
            draft.replace(path)
        finally:
            if path.stem == "people":
                fcntl.flock(descriptor, fcntl.LOCK_UN)
    step("plain to disk")
    _sync(path.parent)


def _first(path: Path) -> int | None:
    """The number of a file's first record."""
    with path.open("rb") as file:
        return seq_of(file.read(32))


def _copy(descriptor: int, start: int, end: int, out: BinaryIO) -> None:
    """Bytes of an open file, to the end of another."""
    while start < end:
        data = os.pread(descriptor, min(PIECE, end - start), start)
        if not data:
            raise OSError(5, "the journal became shorter")
        out.write(data)
        start += len(data)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
