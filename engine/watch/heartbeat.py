"""The worker's heartbeat: its own status, written once a second. Standard library alone.

Written by app.processes.worker; read by the supervisor, health, the observer, desk views and metrics.
"""

import json
from pathlib import Path
from typing import Any

FILE = "worker.json"  # in the home


def heartbeat_of(home: Path) -> dict[str, Any]:
    """The heartbeat of a home's worker; empty when missing or unreadable."""
    try:
        body = json.loads((home / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}
