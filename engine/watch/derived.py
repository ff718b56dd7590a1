"""Derived files of a home: one JSON object each, there whole or not at all; without one nothing is claimed.

Called by whatever keeps the last look at something: audits, drifts, drills, parity, silences, backups, notes of the monitor.
"""

import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

SCHEMA = 1
BYTES_MAX = 4_000_000


def keep(path: Path, body: Mapping[str, Any]) -> None:
    """Write `body` with the schema's number in the place of what was kept. Raises OSError; then that stays."""
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid():x}-{threading.get_ident():x}.draft")
    draft.write_text(json.dumps({"schema": SCHEMA, **body}, allow_nan=False), encoding="utf-8")
    draft.replace(path)


def kept(path: Path) -> dict[str, Any]:
    """What was kept last; empty without it, or where it cannot be read."""
    with suppress(OSError, ValueError, RecursionError), path.open("rb") as file:
        found = json.loads(file.read(BYTES_MAX))
        if isinstance(found, dict) and found.get("schema") == SCHEMA:
            return found
    return {}
