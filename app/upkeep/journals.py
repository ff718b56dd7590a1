"""Journals that have grown are packed: at a start (app/processes/opening.py) and by `nightdesk journal pack | unpack`.

[retention] of desk.toml says how old a record is before it is packed, and how many megabytes make a part. Records are old by
their own time, which is desk time in the desk journal. What the database keeps of a part is there before any reader uses it.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.clock import DAY_MS
from engine.errors import DataError, DeskError
from engine.store import packing
from engine.store.anchors import JOURNALS, forget_parts, note_parts
from engine.store.opened import open_journal, parts_of, size_of
from engine.watch.window import first_after

if TYPE_CHECKING:
    from app.home.home import Home

ROOM = 64 << 20  # bytes that are left free: a desk that runs on the same disk still journals
AT_START = 4  # parts that a start packs of each journal: seconds, not minutes
PLAIN_MAX = 1 << 30  # bytes of a plain file beyond which a start leaves the packing to the command
Step = Callable[[str], None]


class JournalSize(NamedTuple):
    """A journal of a home: how many parts were packed or unpacked now, and what it takes in bytes, plain and on the disk."""

    journal: str
    parts: int
    plain_bytes: int
    disk_bytes: int


def pack_home(
    home: "Home", now_ms: int, *, all_of_it: bool = False, most: int | None = None, step: Step = lambda _: None
) -> Iterator[JournalSize]:
    """Pack what is due of both journals, or with `all_of_it` whatever makes a whole part; what each takes then.

    Raises Busy for a desk that runs, JournalBroken where a chain does not verify, DataError of a disk; nothing is lost then.
    """
    entry = home.desk.retention
    if not entry.pack_days and not all_of_it:
        return
    for name, path in _paths(home):
        with open_journal(path) as file:
            until = size_of(path) if all_of_it else first_after(file, now_ms - int(entry.pack_days * DAY_MS))
        part_bytes = int(entry.pack_megabytes * 1_000_000)
        found = 0
        if until - (parts[-1].end if (parts := parts_of(path)) else 0) >= part_bytes:
            _room(path, path.stat().st_size)

            def note(sealed: list[Any], name: str = name) -> None:
                note_parts(home.engine, name, sealed, now_ms)

            found = len(packing.pack(path, until, part_bytes, most=most, note=note, step=step))
        yield _size(name, path, found)


def unpack_home(home: "Home", step: Step = lambda _: None) -> Iterator[JournalSize]:
    """Make both journals plain files again. Raises like `pack_home`."""
    for name, path in _paths(home):
        if parts_of(path):
            _room(path, size_of(path))

        def forget(name: str = name) -> None:
            forget_parts(home.engine, name)

        yield _size(name, path, len(packing.unpack(path, note=forget, step=step)))


def pack_due(home: "Home", now_ms: int, log: Any) -> None:
    """What a start packs, in a few seconds. Whatever prevents it is noted, and never keeps a desk from starting."""
    try:
        large = [name for name, path in _paths(home) if path.stat().st_size > PLAIN_MAX]
        if large and home.desk.retention.pack_days:
            log.warning("journal not packed", why=f"{', '.join(large)}: so much takes minutes; stop, `nightdesk journal pack`")
            return
        for size in pack_home(home, now_ms, most=AT_START):
            if size.parts:
                log.note("journal packed", **size._asdict())
    except (DeskError, OSError) as error:
        log.warning("journal not packed", why=str(error)[:400])


def _paths(home: "Home") -> Iterator[tuple[str, Path]]:
    """The journals that the home has."""
    paths = ((name, home.journal / f"{name}.jsonl") for name in JOURNALS)
    return ((name, path) for name, path in paths if path.exists() and path.stat().st_size)


def _size(name: str, path: Path, parts: int) -> JournalSize:
    files = [path, *(part.path for part in parts_of(path))]
    return JournalSize(name, parts, size_of(path), sum(file.stat().st_size for file in files))


def _room(path: Path, size: int) -> None:
    """Raises DataError where a copy of `size` bytes would fill the disk."""
    free = shutil.disk_usage(path.parent).free
    if free - size < ROOM:
        what = f"{path.name} needs {(size + ROOM) / 1e6:,.0f} MB free while it is packed or unpacked, and has {free / 1e6:,.0f}"
        raise DataError(what, "free disk space, then try again; the journal is as it was")
