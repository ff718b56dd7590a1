"""The last backup of a home, and what everything in it took when retention last looked. Files of the home, derived.

Written by backup.py and retention.py, read by app/views/upkeep.py for the page and by the tool `upkeep`: nothing is measured
while either waits. A home out of a backup has neither; where a backup is now, and whether it is still there, is not asked: its
disk may be away.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.watch import derived

BACKUP, LOOK = "cache/backup.json", "cache/retention.json"
# kind -> what of a home belongs to it; each file is in one kind
KINDS: Mapping[str, str] = {
    "journals": "journal",
    "database": "desk.db*",
    "memory": "memory",
    "runs": "runs",
    "models": "models",
    "data": "data",
    "recordings": "recordings",
    "level 2": "level2",
    "makers": "making",
    "reports": "reports",
    "requests to models": "turns",
    "logs": "logs",
    "caches": "cache",
}


def keep_backup(home: Path, found: Mapping[str, Any]) -> None:
    """Keep what make_backup says of a file that is whole: where, when, how large. A home that cannot be written keeps nothing."""
    _keep(home / BACKUP, {key: found[key] for key in ("file", "made_ms", "files", "bytes")})


def keep_look(home: Path, now_ms: int, freed: Iterable[int]) -> None:
    """Keep what each kind takes now, and the bytes of each file or folder that this look removed."""
    taken = [{"kind": kind, "files": len(sizes := list(_sizes(home, name))), "bytes": sum(sizes)} for kind, name in KINDS.items()]
    removed = list(freed)
    _keep(home / LOOK, {"wall_ms": now_ms, "removed": len(removed), "freed": sum(removed), "taken": taken})


def last_upkeep(home: Path) -> dict[str, Any]:
    """{"backup", "look"} as they were kept; each None where nothing was, or it cannot be read."""
    return {"backup": derived.kept(home / BACKUP) or None, "look": derived.kept(home / LOOK) or None}


def _sizes(home: Path, name: str) -> Iterator[int]:
    """Bytes of each file of a kind; links are not followed."""
    for path in home.glob(name):
        found = (Path(at) / file for at, _, files in os.walk(path) for file in files) if path.is_dir() else iter([path])
        for file in found:
            with suppress(OSError):  # gone meanwhile
                yield file.lstat().st_size


def _keep(path: Path, body: Mapping[str, Any]) -> None:
    with suppress(OSError):
        derived.keep(path, body)
