"""Values out of files that a home keeps for its page: what has another type is none. Called by upkeep.py and app.notify."""

from collections.abc import Mapping
from typing import Any


def rows_in(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list out of a file."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def natural(value: object) -> int | None:
    """A count or a time out of a file; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
