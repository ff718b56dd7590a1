"""The halt latch, in the database *and* in the file HALT of the home: either one means halted, and so does one that
cannot be read. Set by people (command line, page, chat) and by guardrails; read by the worker at every bar; released
by app.people.approvals alone.

`set` never needs the database and waits for nobody, `read` never takes an unreadable latch for an open one. The file has one
JSON line per halt; the table has a row for each, latched while `released_ms` is null. A release first renames the file: a halt
that had it open sees that and writes a new one. This module imports no database library until it is given an engine: the page
may write the file itself.
"""

import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.errors import DataError, Refused

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlmodel import Session

FILE = "HALT"
RELEASING = "HALT.releasing"  # what a release has taken; until it has come to its end this file halts as the other does
SPARE = "HALT.spare"  # empty lines, in which a halt is written that finds the disk full; it halts nothing by itself
SPARE_BYTES = 1 << 14  # room for the longest reason and a name
OF_A_DESK = ("desk.toml", "home.json", "journal", "desk.db")  # any of these: whatever else was lost, the desk is here
WORKER = "worker"  # by whom the desk halts itself when it must not go on before a person has looked
NO_REASON = "no reason given"  # of a halt in a hurry; the next one's reason is shown in its place
FILE_READ_MAX = 1 << 20  # bytes of the file in which a reason is looked for
REASON_MAX = 1_000  # characters; what is longer is cut, the halt stands


class Latch(NamedTuple):
    """The halt as read. `unreadable` names what could not be read, which alone means halted."""

    halted: bool
    reason: str = ""
    by: str = ""
    since_ms: int | None = None  # wall time
    where: tuple[str, ...] = ()  # file, database
    unreadable: str = ""
    file_sha256: str = ""  # exactly what was read: a release clears nothing newer
    row: int = 0


def set(home: Path, reason: str, by: Mapping[str, Any], now_ms: int, engine: "Engine | None" = None) -> Latch:
    """Latch the halt, file first; durable when this returns. Idempotent.

    `by` is an actor ({"name": ...}). Raises DataError only when neither file nor database could be written.
    """
    failed = []
    reason = reason_of(reason)
    line = json.dumps({"reason": reason, "by": dict(by), "since_ms": now_ms}, sort_keys=True) + "\n"
    try:
        _append(home / FILE, line.encode("ascii"))
    except OSError as error:
        if not _spared(home, line.encode("ascii")) and not os.path.lexists(home / FILE):
            failed.append(f"file: {error.strerror}")
    if engine is not None:
        try:
            set_row(engine, reason, by, now_ms)
        except Exception as error:  # noqa: BLE001 - a halt is set whatever the database does
            failed.append(f"database: {type(error).__name__}")
    if len(failed) == (1 if engine is None else 2):
        raise DataError(f"the halt could NOT be latched ({'; '.join(failed)})", "stop the worker by hand, now")
    return read(home, engine)


def has_desk(home: Path) -> bool:
    """Whether the folder is a desk's: a halt of another one stops nothing. What cannot be looked at counts as one."""
    try:
        return any((home / name).exists() for name in OF_A_DESK)
    except OSError:
        return True


def reason_of(words: str) -> str:
    """A reason as it is kept: cut, never empty, and without the characters that a database or a journal cannot hold."""
    return words.encode("utf-8", "replace").decode().replace("\0", "?").strip()[:REASON_MAX] or NO_REASON


def read(home: Path, engine: "Engine | None" = None) -> Latch:
    """Whether the desk is halted, and why. Never raises: what cannot be read is a halt."""
    in_file = _read_file(home)
    in_rows = _read_rows(engine) if engine is not None else Latch(False)
    found = [latch for latch in (in_file, in_rows) if latch.halted]
    if not found:
        return Latch(False)
    dated = [latch for latch in found if latch.since_ms is not None]
    first = min(dated, key=lambda latch: latch.since_ms or 0) if dated else found[0]
    return first._replace(
        where=tuple(name for latch in found for name in latch.where),
        unreadable="; ".join(latch.unreadable for latch in found if latch.unreadable),
        file_sha256=in_file.file_sha256,
        row=in_rows.row,
    )


def release(home: Path, engine: "Engine", seen: Latch, by: Mapping[str, Any], reason: str, now_ms: int) -> Latch:
    """Release the halt that was `seen`, in the database and then the file; returns what is latched now.

    Called by app.people.approvals alone. A halt set after `seen` was read stays; broken off anywhere, the desk stays halted.
    Raises Refused when the file is not a halt file of Nightdesk.
    """
    with _one_release_at_a_time(home):
        taken = _take_file(home, seen)
        _release_rows(engine, seen, by, reason, now_ms)
        if taken:
            (home / RELEASING).unlink()
            _sync_folder(home)
            keep_spare(home)
    return read(home, engine)


def marks(home: Path) -> tuple[tuple[int, ...], ...]:
    """The identity of the latch's files, () for one that is not there: cheap to ask whether anything changed."""
    return tuple(_mark(home / name) for name in (FILE, RELEASING))


def _mark(path: Path) -> tuple[int, ...]:
    try:
        found = path.lstat()
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _append(path: Path, line: bytes) -> None:
    """Append a line to the file, durably. If a release takes the file meanwhile, a new one is written."""
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            data = b"\n" + line if _is_torn(path) else line
            if os.write(descriptor, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
            if _leads_to(path, descriptor):
                return _sync_folder(path.parent)
        finally:
            os.close(descriptor)


def keep_spare(home: Path) -> None:
    """Take room for a halt's line while there is some; where there is none, a halt still halts, without its reason."""
    path, draft = home / SPARE, home / f".{SPARE}"
    if os.path.lexists(path):
        return
    try:
        draft.write_bytes(b"\n" * SPARE_BYTES)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _spared(home: Path, line: bytes) -> bool:
    """Write a line, behind what the latch's file has, into the spare file, which takes no new room, and put that in its place;
    False where that cannot be done.
    """
    with suppress(OSError):
        descriptor = os.open(home / SPARE, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            before = (home / FILE).read_bytes() if os.path.lexists(home / FILE) else b""
            data = _joined(before.rstrip(b"\n") + b"\n" if before.endswith(b"\n") else before, line)
            if len(data) > os.fstat(descriptor).st_size:
                return False
            os.pwrite(descriptor, data, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        (home / SPARE).replace(home / FILE)
        _sync_folder(home)
        return True
    return False


def _is_torn(path: Path) -> bool:
    """Whether the file's last line has no end, as a full disk leaves it; what is appended to it could not be read."""
    try:
        data = path.read_bytes()
    except OSError:
        return False
    return bool(data) and not data.endswith(b"\n")


def _leads_to(path: Path, descriptor: int) -> bool:
    """Whether the path still names the open file."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


@contextmanager
def _one_release_at_a_time(home: Path) -> Iterator[None]:
    """Releases wait for each other, and for nothing else; the system gives the lock back when a process ends."""
    descriptor = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _take_file(home: Path, seen: Latch) -> bool:
    """Rename the file of the halt that was `seen`, so that a later halt makes a new one; False when there is no file.

    Looked at before, to leave a halt that was not seen where it is, and after: what a halt writes into the file from then on
    it writes again into a new one. Raises Refused for a halt that was not seen.
    """
    path, taken = home / FILE, home / RELEASING
    for found in (path, taken):
        if os.path.lexists(found) and not stat.S_ISREG(found.lstat().st_mode):
            raise Refused(f"{found} is not a file that Nightdesk wrote", "find out what it is and remove it by hand")
    data = _latch_bytes(home)
    if data is None:
        return False
    again = Refused("the desk was halted again meanwhile", "check `nightdesk status`, then release again")
    if sha256(data).hexdigest() != seen.file_sha256:
        raise again
    if os.path.lexists(path):
        before = taken.read_bytes() if taken.exists() else b""  # of a release that broke off
        path.replace(taken)
        if sha256(_joined(before, taken.read_bytes())).hexdigest() != seen.file_sha256:
            if before:
                _append(taken, before)
            raise again
    return True


def _sync_folder(folder: Path) -> None:
    """Make the file's name as durable as its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _latch_bytes(home: Path) -> bytes | None:
    """What the latch's files hold, the older one first; None when neither is there.

    A release renames the one into the other: a file that is in neither place is looked for in the first place again.
    """
    path, taken = home / FILE, home / RELEASING
    if not any(os.path.lexists(place) for place in (path, taken, path)):
        return None
    data = b""
    for place in (taken, path):
        try:
            data = _joined(data, place.read_bytes())
        except FileNotFoundError:  # there is none, or it was renamed meanwhile
            if place.is_symlink():
                raise
    return data


def _joined(older: bytes, newer: bytes) -> bytes:
    """The lines of both; a torn last line of the older ones swallows none of the newer."""
    return older + b"\n" + newer if older and newer and not older.endswith(b"\n") else older + newer


def _read_file(home: Path) -> Latch:
    """The file's half of the latch."""
    path = home / FILE
    try:
        if not home.is_dir():
            raise OSError(2, f"no folder {home}")
        data = _latch_bytes(home)
    except OSError as error:
        unreadable = f"the file {path} cannot be read: {error.strerror}"
        return Latch(True, unreadable, where=("file",), unreadable=unreadable)
    if data is None:
        return Latch(False)
    seen, found = sha256(data).hexdigest(), list[Latch]()
    for line in data[:FILE_READ_MAX].splitlines():
        with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            entry = json.loads(line)
            name = str(entry["by"].get("name", "unknown"))
            found.append(Latch(True, str(entry["reason"])[:REASON_MAX], name, int(entry["since_ms"]), ("file",), "", seen))
            if NO_REASON not in found[-1].reason:
                break
    if found:  # the first halt; its reason may have followed
        return found[0]._replace(reason=found[-1].reason)
    reason = f"the file {path} exists, with no readable reason"
    return Latch(True, reason, "", None, ("file",), "", seen)


def _read_rows(engine: "Engine") -> Latch:
    """The database's half of the latch."""
    try:
        from engine.store import db

        with db.read_rows(engine) as found:
            rows = found.execute(_open_rows()).all()
        if not rows:
            return Latch(False)
        name = str(json.loads(rows[0].set_by).get("name", "unknown"))
        reason = next((row.reason for row in rows if NO_REASON not in row.reason), rows[0].reason)
        return Latch(True, reason, name, rows[0].set_ms, ("database",), "", "", rows[-1].id or 0)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the database, it is not a permission to trade
        unreadable = f"the halt latch in the database cannot be read ({type(error).__name__})"
        return Latch(True, unreadable, where=("database",), unreadable=unreadable)


@cache
def _open_rows() -> Any:
    """The statement for the halts that are not released: every bar and every turn asks, so it is built once."""
    from sqlmodel import col, select

    from engine.store.tables import Halt

    columns = select(Halt.id, Halt.reason, Halt.set_by, Halt.set_ms).where(col(Halt.released_ms).is_(None))
    return columns.order_by(col(Halt.id))


def set_row(engine: "Engine", reason: str, by: Mapping[str, Any], now_ms: int) -> None:
    """The database's half alone, for a caller that has written the file already; raises what the database raises.

    Pending proposals become stale: they were made for a running desk.
    """
    from engine.store import db
    from engine.store.tables import Halt

    reason = reason_of(reason)
    with db.write(engine) as session:
        db.take_turn(session)
        session.add(Halt(reason=reason, set_by=_text(by), set_ms=now_ms))
        _make_stale(session, reason, now_ms)


def _release_rows(engine: "Engine", seen: Latch, by: Mapping[str, Any], reason: str, now_ms: int) -> None:
    """Close every open row that was seen; a halt recorded only in the file gets its row now, closed."""
    from sqlmodel import col, update

    from engine.store import db
    from engine.store.tables import Halt

    closed: dict[str, Any] = {"released_ms": now_ms, "released_by": _text(by), "release_reason": reason}
    with db.write(engine) as session:
        db.take_turn(session)
        rows = update(Halt).where(col(Halt.released_ms).is_(None), col(Halt.id) <= seen.row)
        if session.exec(rows.values(**closed)).rowcount == 0:
            began = now_ms if seen.since_ms is None else seen.since_ms
            session.add(Halt(reason=seen.reason, set_by=_text({"name": seen.by}), set_ms=began, **closed))
            _make_stale(session, seen.reason, now_ms)


def _make_stale(session: "Session", reason: str, now_ms: int) -> None:
    """Make every pending proposal stale: none outlives the start of a halt."""
    from engine.control.pending import leave_pending

    leave_pending(session, state="stale", state_reason=f"a halt began: {reason}", decided_ms=now_ms)


def _text(by: Mapping[str, Any]) -> str:
    return json.dumps(dict(by), sort_keys=True)
