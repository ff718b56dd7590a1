"""Journals that have grown are packed: at a start (app/processes/opening.py) and by `nightdesk journal pack | unpack`. Those are
the desk's, the people's, and that of each maker on paper (`maker NAME`), which is left alone while its maker runs.

[retention] of desk.toml says how old a record is before it is packed, and how many megabytes make a part. Records are old by
their own time, which is desk time in the desk journal. What the database keeps of a part is there before any reader uses it.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlmodel import col, select

from engine.clock import DAY_MS
from engine.errors import Busy, DataError, DeskError
from engine.making.stored import FOLDER, JOURNAL, NAME
from engine.store import packing
from engine.store.anchors import JOURNALS, forget_parts, note_parts
from engine.store.db import read
from engine.store.opened import open_journal, parts_of, size_of
from engine.store.segments import digest_of
from engine.store.tables import SealedPart
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
    """Pack what is due of every journal, or with `all_of_it` whatever makes a whole part; what each takes then.

    Raises Busy for a desk that runs, JournalBroken where a chain does not verify, DataError of a disk; nothing is lost then. What
    is wrong with a maker's journal is raised once every other one is done.
    """
    entry = home.desk.retention
    if not entry.pack_days and not all_of_it:
        return
    yield from _each(home, lambda name, path: _packed(home, name, path, now_ms, all_of_it=all_of_it, most=most, step=step))


def _packed(home: "Home", name: str, path: Path, now_ms: int, *, all_of_it: bool, most: int | None, step: Step) -> JournalSize:
    """One journal packed."""
    entry = home.desk.retention
    with open_journal(path) as file:
        until = size_of(path) if all_of_it else first_after(file, now_ms - int(entry.pack_days * DAY_MS))
    part_bytes, found = int(entry.pack_megabytes * 1_000_000), 0
    if until - (parts[-1].end if (parts := parts_of(path)) else 0) >= part_bytes:
        _room(path, path.stat().st_size)

        def note(sealed: list[Any]) -> None:
            note_parts(home.engine, name, [_known_by(name, one) for one in sealed], now_ms)

        found = len(packing.pack(path, until, part_bytes, most=most, note=note, step=step))
    return _size(name, path, found)


def _known_by(name: str, sealed: Any) -> Any:
    """A part under the name that the database keeps: that of its file, of a maker's with the maker's before it."""
    if name in JOURNALS:
        return sealed
    return sealed._replace(segment=sealed.segment._replace(path=Path(f"{name} {sealed.segment.path.name}")))


def another_part(home: "Home", name: str) -> str:
    """The first packed part of a journal that is not the one that was packed, by the digest in the database; "" where all are."""
    path = dict(_paths(home)).get(name, Path())
    with read(home.engine) as session:
        rows = session.exec(select(SealedPart).where(col(SealedPart.journal) == name)).all()
        noted = {row.name.removeprefix(f"{name} "): row.digest for row in rows}
    found = (part.path for part in parts_of(path) if part.path.name in noted)
    return next((part.name for part in found if digest_of(part) != noted[part.name]), "")


def unpack_home(home: "Home", step: Step = lambda _: None) -> Iterator[JournalSize]:
    """Make every journal a plain file again. Raises like `pack_home`."""
    yield from _each(home, lambda name, path: _unpacked(home, name, path, step))


def _unpacked(home: "Home", name: str, path: Path, step: Step) -> JournalSize:
    """One journal as a plain file."""
    if parts_of(path):
        _room(path, size_of(path))
    return _size(name, path, len(packing.unpack(path, note=lambda: forget_parts(home.engine, name), step=step)))


def _each(home: "Home", done: Callable[[str, Path], JournalSize]) -> Iterator[JournalSize]:
    """What each journal comes to. A maker that runs is passed over; a fault of a maker's journal holds up no other one."""
    fault: DeskError | None = None
    for name, path in _paths(home):
        try:
            yield done(name, path)
        except DeskError as error:
            if name in JOURNALS:
                raise
            fault = fault or (None if isinstance(error, Busy) else error)
    if fault is not None:
        raise fault


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
    """The journals that the home has: its own first, then its makers'."""
    paths = [(name, home.journal / f"{name}.jsonl") for name in JOURNALS]
    makers = [path for path in sorted((home.path / FOLDER).glob(f"*/{JOURNAL}")) if NAME.fullmatch(path.parent.name)]
    paths += [(f"maker {path.parent.name}", path) for path in makers]
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
