"""The hours of a person on call as people.toml writes them: `22:00-06:00` of their own clock. Called by identity.py, app.notify.

Turns text into minutes of a day, and names the first thing that is wrong with a person's
"""

import re
from zoneinfo import ZoneInfo

from engine.watch.rota import ROTA_MAX

SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
WAY = re.compile(r"slack|telegram|discord|webhook:[a-z0-9][a-z0-9-]{0,59}")
ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,60}")


def span_of(text: str) -> tuple[int, int] | None:
    """Minutes of a day (from, to), None for an empty text. Raises ValueError for anything else, and for a span of no length."""
    if not text:
        return None
    found = SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is not a span of hours like 22:00-06:00")
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if start == end:
        raise ValueError(f"{text} has no length; leave it out for all hours")
    return start, end


def fault_of(on_call: int, reach: str, shift: str, quiet: str, timezone: str) -> str:
    """What is wrong with a person's entry about being on call, in a line; empty where nothing is."""
    if not 0 <= on_call <= ROTA_MAX:
        return f"on_call = {on_call} is out of range: 1 to {ROTA_MAX}, or 0 for not on call"
    if on_call and not WAY.fullmatch(reach):
        return f"reach = {reach[:60]!r} is not a way: slack, telegram, discord or webhook:NAME"
    if timezone:
        try:
            if not ZONE.fullmatch(timezone):
                raise ValueError(timezone)
            ZoneInfo(timezone)
        except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            return f"timezone = {timezone[:60]!r} is unknown; use a name like Europe/Berlin"
    try:
        span_of(shift)
        span_of(quiet)
    except ValueError as error:
        return str(error)
    return ""
