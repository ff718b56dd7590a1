"""What the fetches of outside series gave, kept for the watch: a declared series that counts no longer is an alert.

Written by app/market_data/outside_fetch.py, read by engine.watch.observer. A file of the home, derived: without it nothing is
claimed. An alert says what is missing and since when; it stops nothing: what reads the series sees it as missing.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.clock import utc
from engine.watch.observation import DeskObservation, Finding

FILE = "data/outside.json"
BYTES_MAX = 1_000_000
SHOWN_MAX = 20  # series that have an alert of their own
SILENT_MS = 3 * 3_600_000  # no answer at all, from the first question on
ACTION = "nightdesk data sources lists what counts and why not; nightdesk data fetch NAME asks again"


def read_status(home: Path) -> dict[str, dict[str, Any]]:
    """What the last questions gave, by series; empty where nothing can be read: it is made anew."""
    try:
        with (home / FILE).open("rb") as file:
            feeds = json.loads(file.read(BYTES_MAX))["feeds"]
        return {str(key): dict(value) for key, value in feeds.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def outside_series(desk: DeskObservation) -> Iterator[Finding]:
    """A declared series whose last value is too old, with the reason; two sources that disagree."""
    for key, status in sorted(desk.outside.items())[:SHOWN_MAX]:
        if not status.get("scheduled"):
            continue
        too_old, error = status.get("too_old_ms"), status.get("error")
        since = int(status.get("failed_since_ms") or status["asked_ms"])
        late = desk.now_ms > too_old if isinstance(too_old, int) else desk.now_ms > since + SILENT_MS
        if late:
            last = status.get("last_ms")
            why = str(error) if error else f"its source answers, and its last row is of {utc(last)}"
            what = f"{key} counts no longer, what reads it sees it as missing: {why}"
            began = too_old if isinstance(too_old, int) else since
            yield Finding(f"outside:{key}", "outside", "warn", what, key, began, ACTION, {"last_ms": last})
        for text in list(status.get("compared", ()))[:1]:
            what = f"Two sources disagree, and neither was changed: {text}"
            yield Finding(f"outside:{key}:apart", "outside", "note", what, key, int(status["asked_ms"]), ACTION)
