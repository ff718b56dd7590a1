"""An incident window that nobody closes is asked about each day. Called by engine.watch.detectors."""

from collections.abc import Iterator

from engine.clock import DAY_MS, utc
from engine.watch.observation import DeskObservation, Finding

ACTION = "nightdesk incidents show {id}, then nightdesk incidents close {id} with its cause and its lesson"


def unclosed(desk: DeskObservation) -> Iterator[Finding]:
    """One finding a window and day of wall time, from its second day on: each day is an alert of its own."""
    for window in desk.windows:
        days = (desk.now_ms - window.opened_wall_ms) // DAY_MS
        if days < 1:
            continue
        what = f"Incident {window.id} is open for {days} day{'s' if days > 1 else ''}, since {utc(window.opened_ms)} of desk time"
        what += f": what was it? ({window.causes[0][:160]})"
        since = window.opened_wall_ms + days * DAY_MS
        numbers = {"days": days}
        place = ", ".join(window.sleeves)[:160] or "desk"
        action = ACTION.format(id=window.id)
        name = f"unclosed:{window.id}:{days}"
        yield Finding(name, "unclosed", "warn", what, place, since, action, numbers, window.opened_event)
