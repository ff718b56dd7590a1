"""The format of a sealed part of a journal: frames of zstd, and behind them what each begins with. Used by opened.py, packing.py.

A part is a file beside its journal, `desk.jsonl.FIRST-LAST.FROM-TO.zst`: numbers of its first and last record, and between which
bytes of the plain journal it was. So a listing of the folder is the whole layout. Each frame is some groups of about 1 MiB with a
digest; the index lies in a skippable frame at the end, so that `zstd -dc` of a part gives the lines as they were written.
"""

import json
import os
import re
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from hashlib import file_digest, sha256
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, NamedTuple

from engine.errors import JournalBroken
from engine.store.chain import START, Head

FORMAT = 1
FRAME = 1 << 20  # bytes of whole groups after which a frame ends
FRAME_MAX = 256 << 20  # bytes of a frame that a reader takes; a larger group stays plain
INDEX_MAX = 8 << 20  # bytes
LEVEL = 3
SKIPPABLE = 0x184D2A5E  # a frame that every zstd leaves out
MAGIC = b"NDPART01"
KEPT = 256  # indexes that a process keeps
TEXTS_MAX = 8 << 20  # bytes of unpacked frames that a process keeps: a view asks for hundreds of lines, some to a frame
_NAME = re.compile(r"(\d{12,18})-(\d{12,18})\.(\d{1,18})-(\d{1,18})\.zst")
_SEQ = re.compile(rb'\{"seq":(\d{1,18}),')
ADVICE = "restore the journal from a backup; `nightdesk journal verify` shows what is left"


class PartBroken(JournalBroken):
    """A part of a journal that is missing or damaged; `seq`: the first record that cannot be read."""

    def __init__(self, what: str, seq: int) -> None:
        super().__init__(what, ADVICE)
        self.seq = seq


class PackedPart(NamedTuple):
    """A sealed part, as its name says: numbers of its records, and the bytes of the plain journal that it has."""

    path: Path
    first: int
    last: int
    start: int
    end: int

    def broken(self, why: str, seq: int = 0) -> PartBroken:
        """The error of this part; `seq`: where, by default its first record."""
        return PartBroken(f"{self.path}: {why}", seq or self.first)


class Frame(NamedTuple):
    """Where a frame begins: number and desk time (UTC ms) of its first record, byte of the plain journal, byte in the file; and
    the SHA-256 of what it takes there."""

    seq: int
    ms: int
    start: int
    packed: int
    digest: str


class PartIndex(NamedTuple):
    """What a part says of itself: its frames, where the last one ends in the file, the hash before it, and the head it makes."""

    frames: tuple[Frame, ...]
    packed_end: int
    prev: str
    head: Head


class FramePiece(NamedTuple):
    """Whole groups that become one frame."""

    seq: int
    ms: int
    text: bytes


class Sealed(NamedTuple):
    """A part that is on the disk: what the database keeps of it."""

    segment: PackedPart
    head: Head
    digest: str  # digest_of its file


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def name_of(journal: Path, first: int, last: int, start: int, end: int) -> Path:
    """The file of a part."""
    return journal.with_name(f"{journal.name}.{first:012d}-{last:012d}.{start}-{end}.zst")


def segments_beside(journal: Path) -> list[PackedPart]:
    """Every part that lies beside a journal, by number; those that a packing left unfinished and nobody reads, too."""
    found, prefix = [], f"{journal.name}."
    try:
        names = os.listdir(journal.parent)
    except FileNotFoundError:
        return []
    for name in names:
        if name.startswith(prefix) and (match := _NAME.fullmatch(name, len(prefix))):
            found.append(PackedPart(journal.with_name(name), *map(int, match.groups())))
    return sorted(found, key=lambda part: (part.first, part.last))


def seq_of(line: bytes) -> int | None:
    """The number of a record by the first bytes of its line; None for what is not a record."""
    found = _SEQ.match(line)
    return int(found[1]) if found else None


# ---- written once --------------------------------------------------------------------------------------------------------


def write_segment(out: BinaryIO, pieces: Iterable[FramePiece], start: int, prev: str, head: Callable[[], Head]) -> bytes:
    """Write the frames and the index of a part that begins at byte `start` behind the hash `prev`; SHA-256 of the plain text.

    `head` is asked for once all pieces are written. The file is not synced. Raises OSError.
    """
    import zstandard

    packer, digest = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True), sha256()
    frames, at, packed = [], start, 0
    for piece in pieces:
        digest.update(piece.text)
        data = packer.compress(piece.text)
        frames.append((piece.seq, piece.ms, at, packed, sha256(data).hexdigest()))
        at, packed = at + len(piece.text), packed + out.write(data)
    value = {"format": FORMAT, "prev": prev, "head": list(head()), "end": at, "packed_end": packed, "frames": frames}
    text = json.dumps(value, separators=(",", ":")).encode("ascii")
    out.write(_skipped(text))
    return digest.digest()


def _skipped(text: bytes) -> bytes:
    """The skippable frame with this index: behind it its SHA-256, its length and MAGIC."""
    content = text + sha256(text).digest() + struct.pack("<I", len(text)) + MAGIC
    return struct.pack("<II", SKIPPABLE, len(content)) + content


# ---- read by number, time or byte ------------------------------------------------------------------------------------------

_INDEXES: dict[Path, tuple[tuple[int, int, int], PartIndex]] = {}


def index_of(segment: PackedPart, descriptor: int) -> PartIndex:
    """The index of an open part; kept while the file does not change. Raises PartBroken where it does not fit the name."""
    status = os.fstat(descriptor)
    stamp = status.st_ino, status.st_size, status.st_mtime_ns
    kept = _INDEXES.get(segment.path)
    if kept is not None and kept[0] == stamp:
        return kept[1]
    index = _read_index(segment, descriptor, status.st_size)
    _INDEXES.pop(segment.path, None)
    _INDEXES[segment.path] = stamp, index
    for path in list(_INDEXES)[:-KEPT]:
        _INDEXES.pop(path, None)
    return index


def _read_index(segment: PackedPart, descriptor: int, size: int) -> PartIndex:
    """The same from the file."""
    ending = len(MAGIC) + 4
    last = os.pread(descriptor, ending, max(0, size - ending))
    length = struct.unpack("<I", last[:4])[0] if len(last) == ending and last.endswith(MAGIC) else INDEX_MAX + 1
    begin = size - len(_skipped(b"")) - length
    if length > INDEX_MAX or begin < 0:
        raise segment.broken("it has no index at its end: it was cut off, or it is not a part of a journal")
    frame = os.pread(descriptor, size - begin, begin)
    text = frame[8 : 8 + length]
    try:
        if frame != _skipped(text):
            raise ValueError("another digest")
        index = _index(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise segment.broken("its index cannot be read: it was changed") from error
    frames = index[0].frames
    if not _fits(segment, *index) or index[0].packed_end != begin or frames[0].packed:
        raise segment.broken("its index does not fit its name or its size: it was changed, or put in the place of another")
    return index[0]


def _index(found: Any) -> tuple[PartIndex, int]:
    """The index and the byte at which the part ends, by their types alone."""
    if found["format"] != FORMAT:
        raise ValueError("another format")
    frames = tuple(_frame(*frame) for frame in found["frames"])
    seq, id_, digest = found["head"]
    index = PartIndex(frames, _integer(found["packed_end"]), str(found["prev"]), Head(_integer(seq), str(id_), str(digest)))
    return index, _integer(found["end"])


def _frame(seq: object, ms: object, start: object, packed: object, digest: object) -> Frame:
    return Frame(_integer(seq), _integer(ms), _integer(start), _integer(packed), str(digest))


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("no whole number")
    return value


def _fits(segment: PackedPart, index: PartIndex, end: int) -> bool:
    """Whether the index is of the part with this name, and its frames follow each other."""
    frames, head = index.frames, index.head
    if not frames or (head.seq, end, len(index.prev), len(head.hash)) != (segment.last, segment.end, len(START), len(START)):
        return False
    ends = [*frames[1:], Frame(segment.last + 1, 0, segment.end, index.packed_end, "")]
    first = frames[0].seq, frames[0].start
    follows = all(
        a.seq < b.seq and a.start < b.start <= a.start + FRAME_MAX and a.packed < b.packed
        for a, b in zip(frames, ends, strict=True)
    )
    return first == (segment.first, segment.start) and follows


_TEXTS: OrderedDict[tuple[Path, int, int, int, int], bytes] = OrderedDict()  # the latest last
_TEXTS_LOCK = Lock()


def kept_text(segment: PackedPart, descriptor: int, index: PartIndex, number: int) -> bytes:
    """As frame_text, from what this process has unpacked lately; a file that was written to since is unpacked again."""
    status = os.fstat(descriptor)
    key = segment.path, status.st_ino, status.st_size, status.st_ctime_ns, number  # no utime sets a ctime
    with _TEXTS_LOCK:
        text = _TEXTS.pop(key, None)
    if text is None:
        text = frame_text(segment, descriptor, index, number)
    if len(text) > TEXTS_MAX // 2:  # a group of its own size: it would push out all others
        return text
    with _TEXTS_LOCK:
        _TEXTS[key] = text
        while sum(map(len, _TEXTS.values())) > TEXTS_MAX:
            _TEXTS.popitem(last=False)
    return text


def frame_text(segment: PackedPart, descriptor: int, index: PartIndex, number: int) -> bytes:
    """The plain bytes of frame `number` (from 0). Raises PartBroken, with its first record, where they were changed."""
    import zstandard

    frame = index.frames[number]
    later = index.frames[number + 1] if number + 1 < len(index.frames) else None
    end, packed_end = (later.start, later.packed) if later else (segment.end, index.packed_end)
    packed, size = os.pread(descriptor, packed_end - frame.packed, frame.packed), end - frame.start
    if sha256(packed).hexdigest() != frame.digest:
        raise segment.broken(f"the frame of record {frame.seq} was changed: its digest is another", frame.seq)
    try:
        if zstandard.get_frame_parameters(packed).content_size != size:  # before anything of that size is made
            raise segment.broken(f"the frame of record {frame.seq} has another size than its index says", frame.seq)
        text = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    except zstandard.ZstdError as error:
        raise segment.broken(
            f"the frame of record {frame.seq} cannot be unpacked: it was changed ({error})", frame.seq
        ) from error
    if len(text) != size or seq_of(text[:32]) != frame.seq or not text.endswith(b"\n"):
        raise segment.broken(f"the frame of record {frame.seq} has other records than its index says", frame.seq)
    return text


def last_frame(segment: PackedPart) -> tuple[PartIndex, bytes]:
    """The index of a part, and the plain bytes of its last frame. Raises PartBroken and OSError."""
    descriptor = os.open(segment.path, os.O_RDONLY)
    try:
        index = index_of(segment, descriptor)
        return index, frame_text(segment, descriptor, index, len(index.frames) - 1)
    finally:
        os.close(descriptor)


def texts_of(segment: PackedPart) -> Iterator[bytes]:
    """The plain bytes of a part, frame by frame. Raises PartBroken and OSError."""
    descriptor = os.open(segment.path, os.O_RDONLY)
    try:
        index = index_of(segment, descriptor)
        for number in range(len(index.frames)):
            yield frame_text(segment, descriptor, index, number)
    finally:
        os.close(descriptor)
