"""What a live feed receives, written as it comes: rows of JSON in compressed files of one hour, and how much of it there is.

Called by app/market_data/recorder.py; read, and packed once its day is over, by engine.data.recorded.
`FOLDER/okx/2026-03-02/14.jsonl.gz`, a row `{"t": UTC ms, "what": ws | rest | bar | note, "body": ...}`. A file is a chain of gzip
members, each synced: any gzip reads it, and an end that a crash tore off is cut away at the next start. Memory is bounded by
BUFFER_BYTES; rows without room are counted.
"""

import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from engine.clock import DAY_MS, utc

BUFFER_BYTES = 4 << 20  # not yet written
ROW_BYTES = 1 << 20  # a longer body (a list of all instruments) is cut
MEMBER_BYTES, MEMBER_MS = 128 << 10, 5_000  # a member is written when it is due by size or by time
CHUNK = 1 << 16
GZIP = 16 + zlib.MAX_WBITS


class RecordingSize(NamedTuple):
    """How much was recorded since the start; `bytes_per_day` is null before anything was written."""

    rows: int
    lost_rows: int  # the disk was full or too slow
    received_bytes: int
    written_bytes: int
    bytes_per_day: int | None
    first_ms: int | None
    last_ms: int | None


class Recording:
    """One venue's recording. `keep` never raises and never waits for the disk; `flush` writes what is due."""

    def __init__(self, folder: Path, venue: str, now_ms: Callable[[], int]) -> None:
        self.folder, self._now = folder / venue, now_ms
        self.broken = ""  # why the last write failed
        self._rows: list[tuple[int, bytes]] = []
        self._waiting = self._first_waiting_ms = 0
        self._checked: Path | None = None  # the file whose end is known to be whole
        self._count = self._lost = self._received = self._written = self._first_ms = self._last_ms = 0

    def keep(self, what: str, body: Any) -> None:
        """Take a row; its time is now."""
        now = self._now()
        text = json.dumps({"t": now, "what": what, "body": body}, separators=(",", ":"), default=str)
        if len(text) > ROW_BYTES:
            cut = body | {"body": f"{len(text)} characters"} if isinstance(body, dict) else f"{len(text)} characters"
            text = json.dumps({"t": now, "what": what, "body": cut, "cut": True}, separators=(",", ":"), default=str)[:ROW_BYTES]
        row = text.encode() + b"\n"
        self._received += len(row)
        if self._waiting + len(row) > BUFFER_BYTES:
            self._lost += 1
            return
        self._first_waiting_ms = self._first_waiting_ms or now
        self._rows.append((now, row))
        self._waiting += len(row)

    def flush(self, *, force: bool = False) -> None:
        """Write what is due; a disk that cannot be written is told in `broken`, and tried again."""
        due = self._waiting >= MEMBER_BYTES or self._now() - self._first_waiting_ms >= MEMBER_MS
        if not self._rows or not (due or force):
            return
        try:
            while self._rows:
                hour = self._rows[0][0] // 3_600_000
                count = next((n for n, (t, _) in enumerate(self._rows) if t // 3_600_000 != hour), len(self._rows))
                self._write(self._rows[:count])
                self._waiting -= sum(len(row) for _, row in self._rows[:count])
                del self._rows[:count]
            self.broken, self._first_waiting_ms = "", 0
        except OSError as error:
            self.broken = f"{self.folder} cannot be written: {error.strerror or error}"

    def size(self) -> RecordingSize:
        """How much there is."""
        span = self._last_ms - self._first_ms
        rate = self._written * DAY_MS // span if span else None
        times = (self._first_ms, self._last_ms) if self._count else (None, None)
        return RecordingSize(self._count, self._lost, self._received, self._written, rate, *times)

    def _write(self, rows: list[tuple[int, bytes]]) -> None:
        """One member at the end of its hour's file: all of it, or the file as it was."""
        path = path_of(self.folder, rows[0][0])
        member = gzip.compress(b"".join(row for _, row in rows), mtime=0)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path != self._checked:
            cut_torn(path)
            self._checked = path
        with path.open("ab") as file:
            before = file.tell()
            try:
                file.write(member)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(path, before)
                raise
        self._count, self._written = self._count + len(rows), self._written + len(member)
        self._first_ms, self._last_ms = self._first_ms or rows[0][0], rows[-1][0]


def path_of(folder: Path, t_ms: int) -> Path:
    """The file of an hour."""
    day, _, rest = utc(t_ms).partition(" ")
    return folder / day / f"{rest[:2]}.jsonl.gz"


def cut_torn(path: Path) -> int:
    """Cut away an unfinished member at the end; how many bytes that were."""
    if not path.exists():
        return 0
    size, good = path.stat().st_size, _complete_bytes(path)
    if good < size:
        os.truncate(path, good)
    return size - good


def _complete_bytes(path: Path) -> int:
    """Where the last complete member ends."""
    good = at = 0
    inner = zlib.decompressobj(GZIP)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            while chunk:
                try:
                    inner.decompress(chunk, CHUNK)
                    while inner.unconsumed_tail and not inner.eof:  # at a member's end zlib keeps what is behind it there, too
                        inner.decompress(inner.unconsumed_tail, CHUNK)
                except zlib.error:
                    return good
                at += len(chunk) - len(inner.unused_data)
                chunk = inner.unused_data
                if inner.eof:
                    good, inner = at, zlib.decompressobj(GZIP)
    return good


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of one file, up to an unfinished end. Raises OSError."""
    with path.open("rb") as raw, gzip.GzipFile(fileobj=_Upto(raw, _complete_bytes(path))) as file:  # type: ignore[call-overload]  # reads are enough
        yield from file


class _Upto:
    """The first bytes of a file as a file."""

    def __init__(self, file: Any, left: int) -> None:
        self._file, self._left = file, left

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        wanted = self._left if size < 0 else min(size, self._left)
        found: bytes = self._file.read(wanted)
        self._left -= len(found)
        return found
