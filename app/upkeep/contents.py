"""What of a home goes into a backup, and as far as where. Called by backup.py; the names of a backup's own parts are here too.

A home holds what cannot be made again (configuration, journals, memory, runs, models, recordings), what can (caches, logs), and
secrets (sessions, login links). Only what is named here is copied: a file that someone laid into the home is named, and left out.
What should be copied and cannot be read ends the backup: one without it would be found out when it is needed.
"""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from app.home.files import LINK, OPEN_LOCK, UNFINISHED
from app.people import identity
from engine.control import halt
from engine.control.desk_setup import FEED_FILE
from engine.control.started import STARTED_FILE
from engine.errors import DataError
from engine.making.stored import FOLDER as MAKERS
from engine.making.stored import JOURNAL
from engine.store.opened import descriptors_of
from engine.watch import canaries, heartbeat

DATABASE = "desk.db"
OF_PACKING = (".zst", "-draft", ".lock")  # of a maker's journal: its parts come with it
MANIFEST = "manifest.json"
FILES = ("desk.toml", "home.json", FEED_FILE, identity.FILE, identity.REGISTERED, halt.FILE, halt.RELEASING)
FOLDERS = ("memory", "strategies", "runs", "models", "data", "recordings", "level2", "making", "turns", "reports")
# what can be made again, what says how this machine runs, and what opens the desk to whoever has it
LEFT = (
    *("logs", "cache", "checks", "training", "sessions", LINK, STARTED_FILE, heartbeat.FILE, OPEN_LOCK, UNFINISHED),
    *(canaries.STATUS, canaries.ERRORS, halt.SPARE),
)


class HomeFile(NamedTuple):
    """An opened file of the home, and how many of its bytes are copied."""

    name: str  # relative to the home, with slashes
    descriptor: int
    size: int


def parts(home: Path) -> Iterator[HomeFile]:
    """Every file of the home but database and journals, each open while it is yielded and as long as it was then.

    Drafts (a dot in front) are left out: whoever writes one renames it when it is whole. A file removed meanwhile is gone. Raises
    DataError for one that cannot be read, and for a setting that is a link.
    """
    for name in FILES:
        if (home / name).is_symlink():
            what = f"{home / name} is a link, and a backup follows none"
            raise DataError(what, "put the file itself there: without it the restored desk would be another")
        yield from _opened(home, home / name)
    for folder in FOLDERS:
        for at, folders, files in os.walk(home / folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if name == JOURNAL and folder == MAKERS:
                    yield from _journal(home, Path(at) / name)
                elif not name.startswith(".") and not (folder == MAKERS and name.endswith(OF_PACKING)):
                    yield from _opened(home, Path(at) / name)


def strangers(home: Path) -> list[str]:
    """Names in the home that no backup copies and that the desk does not know."""
    ours = {*FILES, *FOLDERS, *LEFT, "journal"}
    return sorted(name for name in os.listdir(home) if name not in ours and not name.startswith((DATABASE, ".")))


def links(home: Path) -> list[str]:
    """Links below the folders that are copied: they lead out of the home, or may by tomorrow, and are not followed."""
    found = [
        (Path(at) / name).relative_to(home).as_posix()
        for folder in FOLDERS
        for at, folders, files in os.walk(home / folder)
        for name in (*folders, *files)
        if not name.startswith(".") and os.path.islink(Path(at) / name)
    ]
    return sorted(found)


def _journal(home: Path, path: Path) -> Iterator[HomeFile]:
    """A maker's journal with its packed parts, as they belong together whatever is packed meanwhile."""
    found = descriptors_of(path)
    try:
        for file, descriptor in found:
            yield HomeFile(file.relative_to(home).as_posix(), descriptor, os.fstat(descriptor).st_size)
    finally:
        for _, descriptor in found:
            os.close(descriptor)


def _opened(home: Path, path: Path) -> Iterator[HomeFile]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):  # not there, gone meanwhile; a link, which `links` names
            return
        what = f"{path} cannot be read: {error.strerror}"
        raise DataError(what, "make it readable, or take it out of the home; no backup was made") from error
    try:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode):
            yield HomeFile(path.relative_to(home).as_posix(), descriptor, found.st_size)
    finally:
        os.close(descriptor)
