"""What a home's last start used: data folder, database and ports, so that a second terminal needs NIGHTDESK_HOME alone.

`nightdesk init` and `up` write it (app/processes/started.py). Whoever looks for one of these asks the environment first, then
this, then desk.toml. Standard library alone: the supervisor reads it too.
"""

import json
from pathlib import Path

STARTED_FILE = "started.json"


def started_of(home: Path) -> dict[str, str]:
    """What the last start used: data, database_url, NIGHTDESK_API_PORT, NIGHTDESK_UI_PORT, those that were set."""
    return words_of(home / STARTED_FILE)


def words_of(path: Path) -> dict[str, str]:
    """A flat JSON object of words; empty when the file is missing or is something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
