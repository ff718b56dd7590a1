"""The last backup of a home, and what everything in it took when retention last looked. Files of the home, derived.

Written by backup.py and retention.py, read by app/views/upkeep.py for the page and by the tool `upkeep`: nothing is measured
while either waits. A home out of a backup has neither; where a backup is now, and whether it is still there, is not asked: its
disk may be away.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

BACKUP, LOOK = "cache/backup.json", "cache/retention.json"
SCHEMA = 1
BYTES_MAX = 100_000
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
    return {"backup": _kept(home / BACKUP), "look": _kept(home / LOOK)}


def _sizes(home: Path, name: str) -> Iterator[int]:
    """Bytes of each file of a kind; links are not followed."""
    for path in home.glob(name):
        found = (Path(at) / file for at, _, files in os.walk(path) for file in files) if path.is_dir() else iter([path])
        for file in found:
            with suppress(OSError):  # gone meanwhile
                yield file.lstat().st_size


def _keep(path: Path, body: Mapping[str, Any]) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid():x}.draft")
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        draft.write_text(json.dumps({"schema": SCHEMA, **body}, allow_nan=False), encoding="utf-8")
        draft.replace(path)


def _kept(path: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError, RecursionError), path.open("rb") as file:
        found = json.loads(file.read(BYTES_MAX))
        if isinstance(found, dict) and found.get("schema") == SCHEMA:
            return found
    return None
