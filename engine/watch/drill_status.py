"""The last drill of this desk, kept for its audit: of which version and limits it was, and which guards never fired.

Written by app/jobs/drill_job.py, read by app/audit. A file of the home, derived: without it no guard counts as drilled.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.watch import derived

FILE = "cache/drill.json"
STATES = ("fired", "never_fired", "out_of_reach", "off")
KEPT = ("kind", "name", "where", "by")


def keep_drill(home: Path, report: Mapping[str, Any], limits: str, now_ms: int) -> None:
    """Keep a report of engine.drill; `limits`: digest of the hard limits that it was under. A full disk keeps the one before."""
    kept = {state: [{key: str(one[key])[:200] for key in KEPT} for one in report[state]] for state in STATES}
    body = {"wall_ms": now_ms, "version": report["version"], "limits": limits, **kept}
    with suppress(OSError):
        derived.keep(home / FILE, body)


def last_drill(home: Path) -> Mapping[str, Any]:
    """The drill that was kept last; empty without one, or where it cannot be read."""
    return derived.kept(home / FILE)
