"""`nightdesk backup FILE`: one consistent copy of a home, also while its desk runs. Called by app/cli/upkeep.py.

Database and journals are taken at one instant: the people journal's lock and the database's write lock are held for milliseconds
while the ends of the journals are noted and a read of the database begins. What is copied later is what there was then: a journal
up to its last whole group, the database as that read sees it. So no copy has a decision that its journal lacks, nor the reverse.
Keys are not in a home; sessions and login links are, and are left out.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from app import VERSION
from app.home.home import Home
from app.upkeep import archive, contents, rows
from engine.errors import BadInput, Busy, DataError
from engine.store.chain import end_of
from engine.store.db import REVISION, write_rows
from engine.store.locks import lock_shared
from engine.store.opened import descriptors_of
from engine.watch.last_upkeep import keep_backup

Step = Callable[[str], None]


def make_backup(home: Home, file: Path, now_ms: int, step: Step = lambda _: None) -> dict[str, Any]:
    """Write the backup of a home to `file`, whole or not at all; what is in it.

    `step` is called with the name of each step before it begins. Raises BadInput where `file` exists or cannot be written, Busy
    while another backup is written there, DataError for a full disk or a database that fails.
    """
    file = file.expanduser().absolute()
    if os.path.lexists(file):
        raise BadInput(f"{file} exists already", "name a new file")
    if home.path.resolve() in file.parent.resolve().parents or home.path.resolve() == file.parent.resolve():
        what = f"{file} is in the home {home.path}: it would be lost with it, and be in the next backup"
        raise BadInput(what, "name a file outside of it, on another disk")
    draft, copy = file.with_name(f".{file.name}.partial"), file.with_name(f".{file.name}.partial-db")
    step("draft")
    with _draft(draft) as out:
        try:
            about = _write(home, out, copy, now_ms, step)
            step("to disk")
            out.flush()
            os.fsync(out.fileno())
            step("name")
            os.link(draft, file)  # never over a file that came meanwhile
        except FileExistsError as error:
            raise BadInput(f"{file} exists already", "name a new file") from error
        except OSError as error:
            archive.remove(file)
            what = f"{file} cannot be written: {error.strerror or error}"
            raise DataError(what, "free disk space or name another place; no half file is left") from error
        finally:
            archive.remove(copy)
            archive.remove(draft)
    _sync(file.parent)
    found = about | {"file": str(file), "bytes": file.stat().st_size}
    keep_backup(home.path, found)
    return found


@contextmanager
def _draft(path: Path) -> Iterator[BinaryIO]:
    """The draft, open and locked; what a backup that was killed has left there is overwritten."""
    try:
        out = path.open("ab")
    except OSError as error:
        what = f"{path.parent} cannot be written: {error.strerror}"
        raise BadInput(what, "name a file in a folder that exists and can be written") from error
    with out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"another backup is being written to {path.parent}", "wait until it ends") from None
        out.truncate(0)
        yield out


def _write(home: Home, out: BinaryIO, copy: Path, now_ms: int, step: Step) -> dict[str, Any]:
    """Everything into the draft."""
    with ExitStack() as stack:
        step("instant")
        journals, copied_to = _instant(home, stack)
        step("database")
        copied_to(copy)
        with archive.written(out) as writer:
            for name, (descriptor, size) in journals.items():
                step(name)
                writer.add(f"journal/{name}", descriptor, size)
            for part in contents.parts(home.path):
                step(part.name)
                writer.add(part.name, part.descriptor, part.size)
            step("database into it")
            with copy.open("rb") as file:
                writer.add(contents.DATABASE, file.fileno(), os.fstat(file.fileno()).st_size)
            step("manifest")
            about = _about(home, now_ms)
            writer.close(about)
            return about | {"files": len(writer.files), "size": sum(one.size for one in writer.files.values())}


def _about(home: Home, now_ms: int) -> dict[str, Any]:
    data = home.settings.data
    where = {"home": str(home.path), "data": str(data) if data else "", "mode": home.desk.mode}
    of_program = {"program": VERSION, "revision": REVISION}
    left = {"left_out": contents.strangers(home.path), "links": contents.links(home.path)}
    return {"home_id": home.id, "made_ms": now_ms, **of_program, **where, **left}


def _instant(home: Home, stack: ExitStack) -> tuple[dict[str, tuple[int, int]], Callable[[Path], None]]:
    """The journals open, with the byte where each ends, and what copies the database as it is at that moment into a file."""
    opened: dict[str, int] = {}
    for path in sorted(home.journal.glob("*.jsonl*")):
        with suppress(FileNotFoundError):
            for file, descriptor in _files_of(path):
                opened[file.name] = descriptor
                stack.callback(os.close, descriptor)
    with _nobody_writes(home, opened.get("people.jsonl")):
        # people first: the desk's records name heads of people, which cannot move now, and people's name earlier ones of the desk
        order = sorted(opened, key=lambda name: (not name.startswith("people"), name))
        ends = {name: _end(opened[name], home.journal / name) for name in order}
        if any(name.endswith(".jsonl") and not os.fstat(opened[name]).st_nlink for name in opened):
            raise Busy("a journal was packed or unpacked while the backup began", "run it again")
        copied_to = _begun(home, stack) if home.engine.dialect.name == "sqlite" else rows.begun(home.engine, stack)
    return {name: (opened[name], ends[name]) for name in ends}, copied_to


def _files_of(path: Path) -> list[tuple[Path, int]]:
    """A journal's plain file with its packed parts, as they belong together; or another file, by itself. All open."""
    if path.suffix == ".jsonl":
        return descriptors_of(path)
    return [] if path.suffix == ".zst" else [(path, os.open(path, os.O_RDONLY))]


def _begun(home: Home, stack: ExitStack) -> Callable[[Path], None]:
    """A read of SQLite that has begun."""
    database = stack.enter_context(closing(_connected(home)))
    database.execute("BEGIN")
    database.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on it sees nothing newer
    return lambda copy: _copy_database(database, copy)


@contextmanager
def _nobody_writes(home: Home, people: int | None) -> Iterator[None]:
    """No decision is made meanwhile: the people journal and the database belong to this process. The worker trades on."""
    if people is not None:
        lock_shared(people, home.people_journal)
    try:
        with write_rows(home.engine, durable=False):
            yield
    finally:
        if people is not None:
            fcntl.flock(people, fcntl.LOCK_UN)


def _end(descriptor: int, path: Path) -> int:
    """How many bytes of a journal its whole groups take; all of a file that a crash set aside."""
    size = os.fstat(descriptor).st_size
    return end_of(descriptor, size, path).end if path.suffix == ".jsonl" else size


def _connected(home: Home) -> sqlite3.Connection:
    path = Path(home.engine.url.database or "").absolute()
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)


def _copy_database(source: sqlite3.Connection, copy: Path) -> None:
    """SQLite's own online backup, in one step of the read that has begun, into one file without a write-ahead log."""
    archive.remove(copy)
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as target:
            copy.chmod(0o600)
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise DataError(f"the database cannot be copied to {copy.parent}: {error}", "free disk space, then try again") from error
    finally:
        for ending in ("-wal", "-shm", "-journal"):
            archive.remove(Path(f"{copy}{ending}"))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lines_of(found: Mapping[str, Any]) -> str:
    """What a person reads of a backup that was made."""
    lines = [f"{found['file']}: {found['files']} files, {found['size']:,} bytes in {found['bytes']:,}; home {found['home_id']}."]
    if found["left_out"]:
        lines.append(f"Not in it, because the desk does not know them: {', '.join(found['left_out'][:20])}.")
    if found["links"]:
        lines.append(f"Not in it, because a backup follows no link: {', '.join(found['links'][:20])}.")
    if found["data"]:
        lines.append(f"Recorded data is outside the home and not in it: {found['data']}.")
    return "\n".join([*lines, "Keys are in no backup. On the other machine: NIGHTDESK_HOME=... nightdesk restore FILE"])
