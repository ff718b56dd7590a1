"""`nightdesk restore FILE`: a backup becomes a home, on this machine or another. Called by app/cli/upkeep.py.

Everything is unpacked into a folder inside the home, checked there - digests, migrations, both chains against each other and
the database - and only then moved up, name by name. While that folder is there, no command opens the home, and the next restore
begins anew. A home that has anything is refused. A desk that traded an account comes back halted: the other one may still run.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Engine

from app.home import belonging
from app.home.files import OPEN_LOCK, UNFINISHED
from app.home.home import keep_private, locked
from app.home.settings import Settings, read_desk_toml, read_settings
from app.home.written import write_whole
from app.upkeep import archive, contents, rows
from engine.control import halt
from engine.errors import BadInput, DataError, DeskError, Refused
from engine.store.anchors import verify_home
from engine.store.db import REVISION, migrate, open_db

Step = Callable[[str], None]
ROOM = 64 << 20  # bytes that are left free: a desk that runs on the same disk still journals
AGAIN = "nothing is left of it; free disk space, then run it again"


def check_backup(file: Path) -> dict[str, Any]:
    """Read a backup whole and compare every digest; its manifest. Nothing is written. Raises BadInput."""
    found = archive.unpacked(file.expanduser(), lambda *_: archive.Nowhere())
    _revision_fits(found, file)
    return found


def restore(file: Path, actor: dict[str, Any], now_ms: int, step: Step = lambda _: None) -> dict[str, Any]:
    """Make the home that NIGHTDESK_HOME names out of a backup; what was restored.

    `step` is called with the name of each step before it begins. Raises Refused where the home has something, BadInput for a file
    that is no whole backup or is newer than this program, DataError for a full disk or a chain that does not verify.
    """
    settings = read_settings()
    home = settings.home
    target = open_db(settings.database_url) if settings.database_url else None
    if target is not None and target.dialect.name == "sqlite":
        raise BadInput(
            "NIGHTDESK_DATABASE_URL names a file; a backup's database goes into the home", "unset it, then run it again"
        )
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        keep_private(home)
        with locked(home / OPEN_LOCK):
            _clear(home)
            if target is not None:
                rows.fit_for(target)
            try:
                step("begin")
                (home / UNFINISHED).mkdir()
                found = _staged(settings, file.expanduser(), actor, now_ms, step)
                if target is not None:
                    step("rows")
                    _into(target, home / UNFINISHED, str(found["home_id"]))
                _move_up(home, step)
            except (OSError, DeskError):
                with suppress(OSError):  # what cannot be removed keeps the mark, and the next restore removes it
                    _clear(home)
                raise
    except OSError as error:
        raise DataError(f"{home} cannot be written: {error.strerror or error}", AGAIN) from error
    finally:
        if target is not None:
            target.dispose()
    return found | {"home": str(home)}


def _into(target: Engine, place: Path, home_id: str) -> None:
    """The checked rows go to PostgreSQL, and the home notes where; the file they came in is not needed any more."""
    note = {"home_id": home_id, "database": belonging.place_of(place, target)}
    write_whole(place / belonging.FILE, json.dumps(note, indent=1) + "\n")
    rows.fill(target, place / contents.DATABASE)
    (place / contents.DATABASE).unlink()


def _clear(home: Path) -> None:
    """Refuse a home that has something; take away what a restore that broke off has left."""
    names = sorted(name for name in os.listdir(home) if name != OPEN_LOCK)
    if UNFINISHED not in names:
        if names:
            what = f"{home} is not empty: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
            raise Refused(what, "set NIGHTDESK_HOME to a new folder; a restore never writes over a desk")
        return
    for name in [*(n for n in names if n != UNFINISHED), UNFINISHED]:  # the mark last: until then the home is nobody's
        path = home / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _staged(settings: Settings, file: Path, actor: dict[str, Any], now_ms: int, step: Step) -> dict[str, Any]:
    """Unpack and check; the manifest and what the checks have found."""
    place = settings.home / UNFINISHED

    def take(name: str, size: int) -> BinaryIO:
        step(name)
        if (free := shutil.disk_usage(place).free) - size < ROOM:
            room = f"{free / 1e6:,.0f} MB are free, {(size + ROOM) / 1e6:,.0f} needed: a desk journals on the same disk"
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {room}")
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return os.fdopen(descriptor, "wb")

    manifest = archive.unpacked(file, take)
    _revision_fits(manifest, file)
    step("identity")
    note = {"home_id": manifest["home_id"], "database": f"sqlite:{contents.DATABASE}"}
    write_whole(place / belonging.FILE, json.dumps(note, indent=1) + "\n")
    step("database")
    engine = open_db(f"sqlite:///{place / contents.DATABASE}")
    try:
        migrated = migrate(engine)
        step("chains")
        for name, report in verify_home(place / "journal", engine).items():
            if not report.ok:
                raise DataError(f"the {name} journal of {file} does not verify: {report.reason}", "take another backup")
        halted = _halted(place, actor, now_ms, engine)
    finally:
        engine.dispose()  # the last to close moves the write-ahead log into the file
    step("to disk")
    os.sync()
    return {key: manifest[key] for key in ("home_id", "made_ms", "program", "revision", "data", "mode")} | {
        "files": len(manifest["files"]),
        "migrated": migrated,
        "halted": halted,
    }


def _revision_fits(manifest: dict[str, Any], file: Path) -> None:
    """Raises BadInput for a backup that a newer program made."""
    if str(manifest.get("revision", "")) > REVISION:
        what = f"{file} was made by Nightdesk {manifest.get('program')} (revision {manifest.get('revision')}), which is newer"
        raise BadInput(f"{what} than this one ({REVISION})", "update Nightdesk, then restore")


def _halted(place: Path, actor: dict[str, Any], now_ms: int, engine: Any) -> bool:
    """Latch the halt of a desk that traded an account: two machines must not trade it, and only a person knows of the other."""
    if read_desk_toml(place / "desk.toml").mode == "paper":
        return False
    reason = "restored from a backup: stop the desk it was made of, reconcile, then release"
    halt.set(place, reason, actor, now_ms, engine)
    return True


def _move_up(home: Path, step: Step) -> None:
    """Everything out of the folder into the home, then the folder away: from that moment on it is a home."""
    place = home / UNFINISHED
    for name in sorted(os.listdir(place)):
        step(f"move {name}")
        (place / name).rename(home / name)
    _sync(home)
    step("done")
    place.rmdir()
    _sync(home)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
