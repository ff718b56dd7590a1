"""Shapes of what looks at the desk by itself (app/api/upkeep.py), for fake_api.py: nothing was looked at yet."""

from typing import Any

KINDS = ("journals", "database", "runs", "recordings", "requests to models", "logs", "caches")


def no_look() -> dict[str, Any]:
    """Silences before the first look."""
    return {"wall_ms": None, "counts": {"silent": 0, "cannot_tell": 0, "as_expected": 0}, "items": []}


def no_monitor() -> dict[str, Any]:
    """A monitor that is off."""
    found = {"every_minutes": 0, "after_alerts": True, "tokens_day": 200_000, "to": ["slack"], "last_ms": None, "why": None}
    return found | {"items": []}


def no_upkeep() -> dict[str, Any]:
    """Neither a backup nor a look of retention."""
    items = [{"kind": kind, "days": 0.0, "files": None, "bytes": None} for kind in KINDS]
    return {"backup": None, "looked_ms": None, "removed": None, "freed": None, "log_megabytes": 20.0, "items": items}
