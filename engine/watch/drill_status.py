"""The last drill of this desk, kept for its audit: of which version and limits it was, and which guards never fired.

Written by app/jobs/drill_job.py, read by app/audit. A file of the home, derived: without it no guard counts as drilled.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

FILE = "cache/drill.json"
SCHEMA = 1
BYTES_MAX = 1_000_000
STATES = ("fired", "never_fired", "out_of_reach", "off")
KEPT = ("kind", "name", "where", "by")


def keep_drill(home: Path, report: Mapping[str, Any], limits: str, now_ms: int) -> None:
    """Keep a report of engine.drill; `limits`: digest of the hard limits that it was under. A full disk keeps the one before."""
    kept = {state: [{key: str(one[key])[:200] for key in KEPT} for one in report[state]] for state in STATES}
    body = {"schema": SCHEMA, "wall_ms": now_ms, "version": report["version"], "limits": limits, **kept}
    path = home / FILE
    draft = path.with_name(f"{path.name}.{now_ms:x}.draft")
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        draft.write_text(json.dumps(body, allow_nan=False), encoding="utf-8")
        draft.replace(path)


def last_drill(home: Path) -> Mapping[str, Any]:
    """The drill that was kept last; empty without one, or where it cannot be read."""
    with suppress(OSError, ValueError, RecursionError), (home / FILE).open("rb") as file:
        found = json.loads(file.read(BYTES_MAX))
        if isinstance(found, dict) and found.get("schema") == SCHEMA:
            return found
    return {}
