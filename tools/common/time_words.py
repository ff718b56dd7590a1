"""Parses times as people write them into UTC milliseconds of desk time. Called by the tools that take a window.

`2025`, `2025-03`, `2025-03-04`, `2025-03-04T05:15`, `today`, `yesterday`, `24h`, `7d`, or milliseconds. An end names
the first moment that is outside: all of 2025 is start 2025, end 2026.
"""

import re
from datetime import UTC, datetime

from engine.clock import DAY_MS, HOUR_MS, MINUTE_MS, utc
from engine.errors import BadInput

NEVER_RAN = "the desk has not processed a bar yet; start it with: nightdesk up"
_SPAN_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_FORMATS = ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")


def instant(text: str, desk_ms: int | None) -> int:
    """The instant that `text` names, in UTC ms. Words and spans count back from `desk_ms`; BadInput when unreadable."""
    bare = text.strip().lower()
    if re.fullmatch(r"\d{12,14}", bare):
        return int(bare)
    span = re.fullmatch(r"(?:last |the last )?(\d{1,4}) ?(?:(m)(?:inutes?)?|(h)(?:ours?)?|(d)(?:ays?)?|(w)(?:eeks?)?)", bare)
    if span or bare in ("today", "yesterday"):
        if desk_ms is None:
            raise BadInput(f"{text!r} is relative to desk time, and the desk has not processed a bar yet")
        day = desk_ms - desk_ms % DAY_MS
        if span:
            return desk_ms - int(span[1]) * _SPAN_MS[str(span[span.lastindex or 0])]
        return day if bare == "today" else day - DAY_MS
    written = bare.removesuffix("z").replace("t", "T")
    for form in _FORMATS:
        try:
            return int(datetime.strptime(written, form).replace(tzinfo=UTC).timestamp() * 1000)
        except ValueError:
            continue
    raise BadInput(f"{text!r} is not a valid time", "write 2025-03-04, 2025-03-04T05:15, yesterday or 24h (UTC)")


def window(since: str | None, until: str | None, desk_ms: int | None, default: str) -> tuple[int, int]:
    """[from, to) in UTC ms: `since` (or `default`) up to `until` (or the desk's, inclusive). BadInput: reversed."""
    start = instant(since or default, desk_ms)
    if until:
        end = instant(until, desk_ms)
    elif desk_ms is None:
        raise BadInput("the desk has not processed a bar yet", "start it with: nightdesk up")
    else:
        end = desk_ms + 1
    if end <= start:
        raise BadInput(f"the window is empty or reversed: {utc(start)} to {utc(end)}")
    return start, end
