"""Alerts as the supervisor's watch has found them, read from its table. Called by app.api.desk."""

import json
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from engine.store import db
from engine.store.tables import Alert

OPENED = ("numbers", "acked_by")  # columns of JSON text


def listed(engine: Any, limit: int, *, open_only: bool) -> list[dict[str, Any]]:
    """Alerts, the last opened first."""
    query = select(Alert).order_by(col(Alert.opened_ms).desc(), col(Alert.id).desc()).limit(limit)
    with db.read(engine) as session:
        rows = session.exec(query.where(Alert.state == "open") if open_only else query).all()
    return [{**row.model_dump(), **{k: json.loads(getattr(row, k) or "null") for k in OPENED}} for row in rows]


def silent(home: Path, _now_ms: int) -> str | None:
    """Why nothing may be told although something is wrong: nobody watches. None while the supervisor's watch runs."""
    from engine.watch.health import holder

    lock = home / "watch.lock"
    if lock.exists() and holder(lock) is None:
        return "nobody watches: the supervisor is not running (nightdesk up)"
    return None
