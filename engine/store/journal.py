"""The two journals of a home: append-only JSON lines in a hash chain (engine.store.chain), and every way to read them.

desk.jsonl has one writer, the worker, for as long as it runs; people.jsonl is written by any process, with a file lock per group.
Read by fold, tools, the command line. `append` turns a group of events into one write and one fdatasync. What a crash left
behind the last whole group is cut off at the next opening and kept, bytes unchanged, in a file beside it.
"""

import errno
import fcntl
import os
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

from engine.errors import JournalBroken
from engine.store import chain
from engine.store.chain import EMPTY, Event, Head, Tail, encode_body, end_of, event_of, hash_fits, line_of, prefix_of, quoted
from engine.store.locks import lock_alone, lock_shared
from engine.store.opened import around_seq, ends_with_parts, open_journal, parts_of, size_of
from engine.store.partner import Partner
from engine.store.segments import PartBroken

# Two runs that trade alike may differ in these: how an order lived, not what it did.
UNHASHED_KINDS = (
    *("snapshot", "incident", "intent", "sent", "order", "amend", "health", "reconcile", "adopt", "cursor", "lapse"),
    *("probe", "gate", "attach", "shadow"),
)
HEAD_BYTES = 120  # within which a line names its kind
_SEQ = re.compile(rb'\{"seq":(\d{1,18}),')
_PARTNER = {"desk": "people.jsonl", "people": "desk.jsonl"}


class Journal:
    """The writer of one journal file; creates it with its folder when missing.

    `set_aside` lists the files that unfinished bytes were moved to. Raises Busy when desk.jsonl has another writer, JournalBroken
    when its end is damaged.
    """

    def __init__(self, path: Path, writer: str) -> None:
        self.path, self.writer, self.set_aside = path, writer, list[Path]()
        self._shared = path.stem == "people"
        self._prefix = prefix_of(path)
        self._partner = Partner(path.with_name(_PARTNER[path.stem]), not self._shared) if path.stem in _PARTNER else None
        self._stopped = ""
        self._mutex = threading.Lock()
        self._file = self._alone = -1
        self._end, self.head = 0, EMPTY
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            parts_of(path)  # a journal of which a packed part is missing gets no record more
            if not self._shared:
                self._alone = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
                lock_alone(self._alone, path)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            if not self._shared:
                lock_alone(self._file, path)  # the journal itself too: whoever deletes the lock file lets no second writer in
            with self._turn():
                self._find_head()
        except OSError as error:
            self.close()
            raise JournalBroken(f"{path} cannot be opened: {error.strerror}", "check its folder's permissions") from error
        except BaseException:
            self.close()
            raise

    def append(self, events: Sequence[Event], sync: bool = True) -> list[Head]:
        """Record a group of events, whole or not at all; returns the head each one makes (its seq, id and hash).

        With `sync` it is on the disk when this returns; without, it is after the next group with `sync`, or `sync()`. Raises
        DataError for a body that is not valid JSON (nothing is written), JournalBroken when the disk fails: the journal then
        accepts nothing more, and the process must stop.
        """
        if not events:
            return []
        with self._mutex, self._turn():
            status = os.fstat(self._file)
            if status.st_nlink == 0:
                self._stopped = "it was removed or replaced"
                raise JournalBroken(f"{self.path} was removed under its writer", "stop; put the file back from a copy")
            if self._shared or status.st_size != self._end:
                self._find_head()
            data, heads = self._lines(events)
            self._write(data, sync)
            self._end += len(data)
            self.head = heads[-1]
            chain.keep_end(self.path, data, Tail(self.head, self._end), self._end)
            return heads

    def sync(self) -> None:
        """Bring everything appended so far to the disk."""
        with self._mutex, self._turn():
            self._write(b"", True)

    def id_ahead(self, n: int) -> str:
        """The id that event `n` (from 0) of the next group will get; certain in the desk journal only."""
        return f"{self._prefix}{self.head.seq + 1 + n}"

    def close(self) -> None:
        """Close the file and release the writer's lock."""
        for descriptor in (self._file, self._alone):
            if descriptor >= 0:
                os.close(descriptor)
        if self._partner:
            self._partner.close()
        self._file = self._alone = -1
        self._stopped = "it was closed"

    def __del__(self) -> None:
        """A writer that nobody has any more gives back its files, and with them the lock."""
        if hasattr(self, "_alone"):  # else it ended before it opened anything
            self.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Lock the file against other processes, if it is shared."""
        if self._stopped:
            raise JournalBroken(f"{self.path} accepts no more records: {self._stopped}", "stop and start again")
        if self._shared:
            self._lock_current()
        try:
            yield
        except OSError as error:
            raise JournalBroken(f"{self.path} cannot be read: {error.strerror}", "check the disk, then start again") from error
        finally:
            if self._shared:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _lock_current(self) -> None:
        """Lock the file that has the journal's name: a packing has put another in its place, which goes on where this one was."""
        lock_shared(self._file, self.path)
        while os.fstat(self._file).st_nlink == 0 and self.path.exists():
            if self.head.seq and getattr(find(self.path, self.head.id), "hash", "") != self.head.hash:
                return  # another journal: `append` refuses
            fresh = os.open(self.path, os.O_RDWR | os.O_APPEND)
            os.close(self._file)
            self._file, self._end = fresh, 0
            lock_shared(self._file, self.path)

    def _find_head(self) -> None:
        """Find the head in the file; move unfinished bytes behind it aside."""
        size = os.fstat(self._file).st_size
        if size == self._end:
            return
        if not self._shared and self._end:
            self._stopped = "another process has changed it"
            raise JournalBroken(f"{self.path} was changed under its writer", "stop; `nightdesk journal verify`")
        found = end_of(self._file, size, self.path)
        if found.head.seq == 0 and (parts := parts_of(self.path)):
            raise ends_with_parts(self.path, parts)
        self.head, self._end = found
        if self._end < size:
            self.set_aside.append(_set_aside(self._file, self._end, size, self.path))

    def _lines(self, events: Sequence[Event]) -> tuple[bytes, list[Head]]:
        """The group as bytes, and its heads."""
        other = self._partner.head(self._shared) if self._partner else ""
        before, last = self.head, len(events) - 1
        lines, heads = [], []
        for n, event in enumerate(events):
            cause = event.cause_id
            caused = event._replace(cause_id=self.id_ahead(int(cause[1:]))) if cause.startswith("@") else event
            line, before = line_of(caused, before, self._prefix, self.writer, last - n, other if n == 0 else "")
            lines.append(line)
            heads.append(before)
        return b"".join(lines), heads

    def _write(self, data: bytes, sync: bool) -> None:
        """One write, one fdatasync. A disk that fails once is not retried: its content is unknown."""
        try:
            if data and os.write(self._file, data) < len(data):
                raise OSError(errno.ENOSPC, "only a part could be written")
            if sync:
                os.fdatasync(self._file)
        except OSError as error:
            self._stopped = f"the disk failed ({error.strerror})"
            with suppress(OSError):
                os.ftruncate(self._file, self._end)
            what = f"{self.path} cannot be written: {error.strerror}; the last record is {self.head.id or 'none'}"
            raise JournalBroken(what, "free or check the disk, then start again") from error


def _set_aside(descriptor: int, start: int, size: int, path: Path) -> Path:
    """Copy the bytes from `start` on into a new file beside the journal, durably, before cutting them off."""
    n = 0
    while (aside := path.with_name(f"{path.name}.unfinished-{start}-{n}")).exists():
        n += 1
    with aside.open("xb") as file:
        file.write(os.pread(descriptor, size - start, start))
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    os.ftruncate(descriptor, start)
    os.fsync(descriptor)
    return aside


def read(path: Path, kinds: Collection[str] | None = None, after: int = 0) -> Iterator[Event]:
    """The events behind record number `after`, oldest first, of `kinds` or all; none for a missing file.

    An incomplete group (being written, or cut by a crash) is left out. Raises JournalBroken at a line that is not a record.
    """
    group: list[Event] = []
    for number, line in _lines_of(path, after):
        event = event_of(line)
        if event is None:
            where = f"line {number}" if after == 0 else f"line {number} behind record {after}"
            raise JournalBroken(f"{path} {where} is not a journal record", "`nightdesk journal verify`")
        group.append(event)
        if event.left == 0:
            yield from (e for e in group if e.seq > after and (kinds is None or e.kind in kinds))
            group.clear()


def tail(path: Path, n: int, kinds: Collection[str] | None = None) -> list[Event]:
    """Of the last `n` events those of `kinds` (None: all), oldest first; reads the file from its end."""
    if n <= 0 or not path.exists():
        return []
    block = 1 << 16
    with open_journal(path) as file:
        size = file.seek(0, os.SEEK_END)
        while True:
            file.seek(max(0, size - block))
            lines = file.read(size).split(b"\n")[:-1]
            if block >= size or len(lines) > n:
                break
            block *= 4
    wanted = None if kinds is None else [f'"kind":{quoted(kind)},"schema":'.encode("ascii") for kind in kinds]
    worth = (line for line in lines[-n:] if wanted is None or any(word in line[:HEAD_BYTES] for word in wanted))
    return [event for line in worth if (event := event_of(line)) is not None]


def find(path: Path, id_: str) -> Event | None:
    """The record with that id (`d-12`, `p-3`); None when this journal has no such record."""
    number = id_.removeprefix(prefix_of(path))
    if number == id_ or not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    start = f'{{"seq":{int(number)},'.encode("ascii")
    line = next((line for _, line in _lines_of(path, int(number) - 1)), b"")
    return event_of(line) if line.startswith(start) else None


def journal_hash(path: Path) -> str:
    """SHA-256 over the journal's content: equal bars, configuration and seed give equal hashes.

    Covers canonical JSON of [kind, schema, t_event_ms, body] per record, in order: decisions, fills, funding, breakers, halts,
    marks, configurations and bars. Not UNHASHED_KINDS, and not the home's id in the start.
    """
    digest = sha256()
    for event in read(path):
        if event.kind not in UNHASHED_KINDS:
            body = event.body
            if event.kind == "config" and "home_id" in body.get("start", ()):
                body = {**body, "start": {key: value for key, value in body["start"].items() if key != "home_id"}}
            digest.update(encode_body([event.kind, event.schema, event.t_event_ms, body]).encode("ascii") + b"\n")
    return digest.hexdigest()


class HeadClaim(NamedTuple):
    """A witness recorded this hash for record `seq` of a journal: the database, the other journal, a handover."""

    seq: int
    hash: str
    by: str


class VerifyReport(NamedTuple):
    """The result of verifying: `ok`, or the first faulty line and why."""

    ok: bool
    rows: int
    head: Head
    line: int  # of the first fault, from 1; 0: none
    reason: str
    unfinished_bytes: int  # behind the last whole group: being written now, or left by a crash
    set_aside: tuple[str, ...]  # files that earlier crashes left
    end_bytes: int = 0  # where the last whole group ends in the file


def verify(path: Path, claims: Iterable[HeadClaim] = (), start: Tail = Tail(EMPTY, 0)) -> VerifyReport:
    """Verify the chain from `start` on (by default all of it), then against the claims; never raises for what a file contains.

    A caller with a later `start` is responsible for what is before it, claims included (engine.store.anchors).
    """
    seen: dict[int, list[HeadClaim]] = {}
    for claim in claims:
        seen.setdefault(claim.seq, []).append(claim)
    aside = tuple(sorted(p.name for p in path.parent.glob(f"{path.name}.unfinished-*")))
    before = whole = start.head
    done = whole_bytes = start.end
    try:
        for number, line in _lines_of(path, at=start.end):
            fault, event = fault_of(line, before, prefix_of(path))
            contradicting = [c for c in seen.pop(before.seq + 1, ()) if c.hash != event.hash]
            if fault or contradicting:
                reason = fault or f"{contradicting[0].by} recorded another {event.id}: the journal was rewritten"
                return VerifyReport(False, whole.seq, whole, start.head.seq + number, reason, 0, aside, whole_bytes)
            before, done = Head(event.seq, event.id, event.hash), done + len(line) + 1
            if event.left == 0:
                whole, whole_bytes = before, done
        unfinished = size_of(path) - whole_bytes
    except PartBroken as broken:
        return VerifyReport(False, whole.seq, whole, broken.seq, broken.what, 0, aside, whole_bytes)
    lost = max(seen, default=0)
    if lost > whole.seq:
        reason = f"{lost - whole.seq} records are missing at the end: {seen[lost][0].by} recorded {prefix_of(path)}{lost}"
        return VerifyReport(False, whole.seq, whole, whole.seq + 1, reason, unfinished, aside, whole_bytes)
    return VerifyReport(True, whole.seq, whole, 0, "", unfinished, aside, whole_bytes)


def fault_of(line: bytes, before: Head, prefix: str) -> tuple[str, Event]:
    """Why the line cannot follow `before` ("" when it can), and its event."""
    event = event_of(line)
    if event is None:
        return "it is not a journal record", Event("", 0, {})
    if not hash_fits(line):
        return "its hash does not fit its text: it was changed", event
    if event.prev != before.hash:
        return f"it does not follow {before.id or 'the start'}: records were removed, added or reordered", event
    if event.seq != before.seq + 1 or event.id != f"{prefix}{event.seq}":
        return f"it is numbered {event.id!r} after {before.id or 'the start'}", event
    return "", event


def claims_in(path: Path, after: int = 0) -> Iterator[HeadClaim]:
    """The other journal's heads that this one recorded, in its records behind number `after`."""
    last = ""
    for event in read(path, after=after):
        if event.other and event.other != last:
            last = event.other
            number, _, digest = last.partition("-")[2].partition(":")
            if number.isascii() and number.isdigit():
                yield HeadClaim(int(number), digest, event.id)


def _lines_of(path: Path, after: int = 0, at: int = 0) -> Iterator[tuple[int, bytes]]:
    """Number (from 1) and text of every finished line behind record `after`, or from byte `at` on."""
    try:
        file = open_journal(path)
    except FileNotFoundError:
        return
    with file:
        file.seek(_start_behind(file, after) if after > 0 else at)
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                yield number, line[:-1]


def _start_behind(file: BinaryIO, after: int) -> int:
    """The byte at which the first record behind number `after` starts, by binary search: a year's journal has millions.

    At a line that is not a record the search returns 0: reading from the front then reports what is broken.
    """
    first, high = around_seq(file, after)
    low = first
    while low < high:
        middle = (low + high) // 2
        file.seek(max(middle - 1, first))
        if middle > first:
            file.readline()
        at = file.tell()
        head = _SEQ.match(file.read(32)) if at < high else None
        if head is not None and int(head[1]) <= after:
            low = at + 1
            continue
        if head is None and at < high:
            return 0
        high = middle
    if low == first:
        return first
    file.seek(low - 1)
    file.readline()
    return file.tell()
