"""The one way to open a journal for reading, packed or plain: its plain bytes from the first record on, as one file.

Called by whatever reads journals. Turns a path into a file that reads, seeks and counts bytes as the plain journal did: sealed
parts (engine.store.segments) first, then the plain file, which is written to. A byte means the same before and after a packing,
so what remembers bytes needs to know of none. A plain journal is opened as the file that it is.

The plain file is opened first: its first record says which parts lie before it, and these are there before it is. A part that is
gone because somebody unpacked meanwhile is found again in the new plain file, at the same byte.
"""

import io
import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from engine.store.chain import EMPTY, Head, end_of
from engine.store.segments import Frame, PackedPart, PartBroken, index_of, kept_text, segments_beside, seq_of

BUFFER = 1 << 16
TRIES = 20  # how often a layout that changes while it is read is read anew
FIRST = 64  # bytes that name a record's number


class _Layout(NamedTuple):
    """The plain file, open, and the parts before it; `base`: the byte at which it begins."""

    tail: BinaryIO
    parts: tuple[PackedPart, ...]

    @property
    def base(self) -> int:
        return self.parts[-1].end if self.parts else 0


def open_journal(path: Path, buffering: int = BUFFER) -> BinaryIO:
    """A journal open for reading. Raises FileNotFoundError without one, PartBroken where a part of it is missing."""
    layout = _layout(path, buffering)
    return PackedReader(_Packed(path, layout), buffering) if layout.parts else layout.tail


def size_of(path: Path) -> int:
    """Bytes of a journal as if it were plain; 0 without one. Raises PartBroken where a part of it is missing."""
    try:
        file = open_journal(path)
    except FileNotFoundError:
        return 0
    with file:
        return file.seek(0, os.SEEK_END)


def head_of(path: Path, *, sync: bool = False) -> Head:
    """A journal's head, from its end; EMPTY without one. With `sync` it is on the disk then: what names it survives a power cut.

    Raises JournalBroken where its end is damaged or a part of it is missing.
    """
    try:
        layout = _layout(path, BUFFER)
    except FileNotFoundError:
        return EMPTY
    with layout.tail as tail:
        head = end_of(tail.fileno(), os.fstat(tail.fileno()).st_size, path).head
        if head.seq == 0 and layout.parts:
            raise ends_with_parts(path, layout.parts)
        if sync:
            os.fdatasync(tail.fileno())
        return head


def ends_with_parts(path: Path, parts: Sequence[PackedPart]) -> PartBroken:
    """The error of a plain file that has no whole record, although its journal went on behind its packed parts."""
    last = parts[-1].last
    return PartBroken(f"{path} holds no whole record behind its packed part, which ends with record {last}", last + 1)


def parts_of(path: Path) -> tuple[PackedPart, ...]:
    """The sealed parts before the plain file; none for a plain journal or none at all. Raises PartBroken."""
    try:
        layout = _layout(path, BUFFER)
    except FileNotFoundError:
        return ()
    layout.tail.close()
    return layout.parts


def descriptors_of(path: Path) -> list[tuple[Path, int]]:
    """Every file of a journal, open, as they belong together: the plain one first. Raises FileNotFoundError, PartBroken."""
    for left in reversed(range(TRIES)):
        layout, found = _layout(path, BUFFER), list[tuple[Path, int]]()
        with layout.tail as tail:
            try:
                for part in layout.parts:
                    found.append((part.path, os.open(part.path, os.O_RDONLY)))
                return [(path, os.dup(tail.fileno())), *found]
            except FileNotFoundError as error:
                for _, descriptor in found:
                    os.close(descriptor)
                if not left:
                    raise PartBroken(f"{path}: {error.filename} is missing", layout.parts[0].first) from error
    raise AssertionError("unreachable")


def _layout(path: Path, buffering: int) -> _Layout:
    for left in reversed(range(TRIES)):
        try:
            tail = path.open("rb", buffering=buffering)
        except FileNotFoundError:
            if parts := segments_beside(path):
                raise PartBroken(f"{path} is missing, and its packed parts are there", parts[-1].last + 1) from None
            raise
        try:
            number = seq_of(os.pread(tail.fileno(), FIRST, 0))
            if number == 1:
                return _Layout(tail, ())
            parts = segments_beside(path)
            missing = _missing(parts := [part for part in parts if number is None or part.last < number], number)
            if parts and not missing:
                return _Layout(tail, tuple(parts))
            if not left or os.path.samestat(os.fstat(tail.fileno()), os.stat(path)):
                if missing:
                    raise PartBroken(f"{path}: {_where(missing, number)}", missing)
                return _Layout(tail, ())  # new, or begins with what is no record
            tail.close()
        except BaseException:
            tail.close()
            raise
    raise AssertionError("unreachable")


def _missing(parts: list[PackedPart], number: int | None) -> int:
    """The first record that neither the parts nor a plain file that begins with record `number` have; 0: none.

    A plain file without a readable record at its start is a journal without parts, or one whose plain file is damaged.
    """
    due, at = 1, 0
    for part in parts:
        if (part.first, part.start) != (due, at) or part.last < part.first or part.end <= part.start:
            return due
        due, at = part.last + 1, part.end
    if number is None:
        return due if parts else 0
    return 0 if number == due else due


def _where(missing: int, number: int | None) -> str:
    if number is None:
        return f"it does not begin with record {missing}, which follows its packed parts"
    if missing == 1:
        return "its first record is missing: it was cut at its front, or its packed parts are not beside it"
    return f"the packed part with record {missing} is missing, or is not what follows the one before it"


class _Packed(io.RawIOBase):
    """Parts and plain file as one; holds one part and its last two frames."""

    def __init__(self, path: Path, layout: _Layout) -> None:
        self._path, self._layout, self._at = path, layout, 0
        self._part: tuple[PackedPart, int] | None = None
        self._texts: dict[int, bytes] = {}  # by the byte at which they begin

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def fileno(self) -> int:
        """Of the plain file, which is the end of the journal."""
        return self._layout.tail.fileno()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte of the journal."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence)
        if base is None:
            base = self._layout.base + os.fstat(self.fileno()).st_size
        if base + offset < 0:
            raise OSError(22, "a byte before the first")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """The next bytes, up to the end of a frame; 0 at the journal's end."""
        base = self._layout.base
        if self._at >= base:
            data = os.pread(self.fileno(), len(buffer), self._at - base)
        else:
            start, text = self._again(lambda: self._frame(self._at))
            data = text[self._at - start : self._at - start + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _again(self, read: Callable[[], Any]) -> Any:
        """What `read` gives, once more where the files changed under it."""
        for left in reversed(range(TRIES)):
            try:
                return read()
            except FileNotFoundError as error:
                if not left:
                    raise PartBroken(f"{self._path}: {error.filename} is missing", 1) from error
                fresh = _layout(self._path, BUFFER)
                self._drop()
                self._layout.tail.close()
                self._layout = fresh
        raise AssertionError("unreachable")

    def _frame(self, at: int) -> tuple[int, bytes]:
        """(where it begins, the text) of what has byte `at`; of the plain file where the parts are gone by now."""
        if at >= self._layout.base:
            return at, os.pread(self.fileno(), BUFFER, at - self._layout.base)
        part = self._layout.parts[bisect_right(self._layout.parts, at, key=lambda one: one.start) - 1]
        for start, text in self._texts.items():
            if start <= at < start + len(text):
                return start, text
        descriptor = self._opened(part)
        index = index_of(part, descriptor)
        number = bisect_right(index.frames, at, key=lambda frame: frame.start) - 1
        text = kept_text(part, descriptor, index, number)
        if len(self._texts) > 1:
            del self._texts[next(iter(self._texts))]
        self._texts[index.frames[number].start] = text
        return index.frames[number].start, text

    def _opened(self, part: PackedPart) -> int:
        if self._part is None or self._part[0] is not part:
            self._drop()
            self._part = part, os.open(part.path, os.O_RDONLY)
        return self._part[1]

    def _drop(self) -> None:
        if self._part is not None:
            os.close(self._part[1])
        self._part = None
        self._texts.clear()

    def around(self, fits: Callable[[Frame], bool], *, tail: bool) -> tuple[int, int]:
        """The bytes (from, to) of the last frame that `fits`, or of the plain file if its first record does (`tail`).

        What fits comes before what does not; (0, 0) where nothing does.
        """
        return self._again(lambda: self._around(fits, tail=tail))  # type: ignore[no-any-return]

    def _around(self, fits: Callable[[Frame], bool], *, tail: bool) -> tuple[int, int]:
        parts = self._layout.parts
        if tail or not parts:
            return self._layout.base, self._layout.base + os.fstat(self.fileno()).st_size
        low, high = 0, len(parts)
        while low < high:
            middle = (low + high) // 2
            first = index_of(parts[middle], self._opened(parts[middle])).frames[0]
            low, high = (middle + 1, high) if fits(first) else (low, middle)
        if not low:
            return 0, 0
        part = parts[low - 1]
        frames = index_of(part, self._opened(part)).frames
        count = bisect_right(frames, False, key=lambda frame: not fits(frame))
        return frames[count - 1].start, frames[count].start if count < len(frames) else part.end

    @property
    def tail_begin(self) -> tuple[int, int]:
        """Where the plain file begins: the number of its first record, and the byte."""
        return (self._layout.parts[-1].last + 1 if self._layout.parts else 1), self._layout.base

    def close(self) -> None:
        """Close all of it."""
        if not self.closed:
            self._drop()
            self._layout.tail.close()
        super().close()


class PackedReader(io.BufferedReader):
    """A packed journal, open."""

    def __init__(self, packed: _Packed, buffering: int) -> None:
        super().__init__(packed, max(buffering, 1))
        self.packed = packed


def around_seq(file: BinaryIO, after: int) -> tuple[int, int]:
    """The bytes (from, to) of an open journal between which the first record behind number `after` begins, if it has one."""
    if isinstance(file, PackedReader):
        return file.packed.around(lambda frame: frame.seq <= after + 1, tail=after + 1 >= file.packed.tail_begin[0])
    return 0, file.seek(0, os.SEEK_END)


def around_time(file: BinaryIO, ms: int, time_of: Callable[[bytes], int | None]) -> tuple[int, int]:
    """The same for the first record with a time later than `ms` (UTC ms), where times never go back.

    `time_of`: the time of a line, None for one whose time is of no order.
    """
    size = file.seek(0, os.SEEK_END)
    if not isinstance(file, PackedReader):
        return 0, size
    file.seek(file.packed.tail_begin[1])
    first = None
    while first is None and (line := file.readline()):
        first = time_of(line)
    return file.packed.around(lambda frame: frame.ms <= ms, tail=first is not None and first <= ms)
