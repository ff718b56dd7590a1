"""Watches with what each stands at now, as JSON. Called by app/cli/watches.py and app/api/watches.py."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from engine.control.watches import listed, view
from engine.watch.levels import alerted, is_passed, watched
from engine.watch.window import journal_of, mark_at


def watch_list(home: Path, engine: Engine, now_ms: int, *, removed: bool = False) -> list[dict[str, Any]]:
    """Those in force and those that wait, newest first: `value` at desk time (null: not known), and whether it is `passed`."""
    rows = listed(engine, now_ms, removed=removed)
    mark = mark_at(journal_of(home))
    levels = {one.id: one for one in watched(journal_of(home), mark, rows, alerted(engine))}
    found = []
    for row in rows:
        level = levels.get(row.id)
        passed = row.state == "active" and level is not None and is_passed(level)
        found.append({**view(row), "value": level and level.value, "passed": passed, "desk_ms": mark and mark.t_event_ms})
    return found
