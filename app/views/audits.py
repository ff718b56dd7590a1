"""The last audit as lines of the page. Called by app/api/audits.py; from what was kept, nothing is asked anew."""

from pathlib import Path
from typing import Any

from engine.watch.audit_status import last_audit

LINES_MAX = 5_000
FIELDS = ("sleeve", "name", "dimension", "question", "state", "why", "evidence")


def last_lines(home: Path) -> dict[str, Any]:
    """{wall_ms, verdict, items}, what fails first; `wall_ms` None where no audit was made."""
    last = last_audit(home)
    items = [{key: line[key] for key in FIELDS} for line in last.get("points", ())[:LINES_MAX]]
    return {"wall_ms": last.get("wall_ms"), "verdict": str(last.get("verdict", "")), "items": items}
