"""Parses times as people write them into UTC milliseconds of desk time. Called by the tools that take a window or an end.

`2025`, `2025-03`, `2025-03-04`, `2025-03-04T05:15`, `today`, `yesterday`, `24h`, `7d`, or milliseconds. An end names
the first moment that is outside: all of 2025 is start 2025, end 2026. `ahead` reads what lies before the desk: `24h`,
`for two days`, `tomorrow`, `monday 06:00Z`.
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


def window_text(low_ms: int, high_ms: int) -> str:
    """A window as facts carry it: `2025-03-04 00:00Z to 2025-03-05 00:00Z`."""
    return f"{utc(low_ms)} to {utc(high_ms)}"


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


_AHEAD_MAX_MS = 90 * DAY_MS
_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_COUNTS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10, "twelve": 12}
_FOR = re.compile(rf"(\d{{1,4}}|{'|'.join(_COUNTS)}) ?(m|h|d|w)(?:in(?:ute)?s?|(?:ou)?rs?|ays?|eeks?)?")
_NEXT = re.compile(rf"(?:(today|tonight|tomorrow|{'|'.join(_DAY_NAMES)}))?(?:,? ?(?:at )?(\d{{1,2}}):(\d\d) ?(?:z|utc)?)?")


def ahead(text: str | None, desk_ms: int | None) -> int | None:
    """The instant that a length (`24h`) or an end (`until monday 06:00Z`) names, counted on from desk time; None for no end.

    Raises BadInput for what is unreadable, not after desk time, or more than 90 days away.
    """
    bare = re.sub(r"^(?:until|till|for)? ?(?:the next )?", "", (text or "").strip().lower())
    if bare in ("", "further notice"):
        return None
    if desk_ms is None:
        raise BadInput("the desk has not processed a bar yet, and an end counts from desk time", "start it with: nightdesk up")
    end = _counted_on(bare, desk_ms)
    if not desk_ms < end <= desk_ms + _AHEAD_MAX_MS:
        raise BadInput(f"{text!r} is {utc(end)}, and desk time is {utc(desk_ms)}", "an end is after desk time, at most 90 days")
    return end


def _counted_on(bare: str, desk_ms: int) -> int:
    """A length from desk time on, the next such day or clock, or an instant as `instant` reads it."""
    if span := _FOR.fullmatch(bare):
        return desk_ms + (_COUNTS.get(span[1]) or int(span[1])) * _SPAN_MS[span[2]]
    day, named = desk_ms - desk_ms % DAY_MS, _NEXT.fullmatch(bare)
    if ends := re.fullmatch(r"the end of the (day|week)", bare):
        return day + (1 if ends[1] == "day" else 7 - _weekday(day)) * DAY_MS
    if named is None:
        return instant(bare, desk_ms)
    clock_ms = int(named[2] or 0) * HOUR_MS + int(named[3] or 0) * MINUTE_MS
    if int(named[2] or 0) > 23 or int(named[3] or 0) > 59:
        raise BadInput(f"{bare!r} is not a time of day", "write 06:00")
    if named[1] in _DAY_NAMES:
        days = (_DAY_NAMES.index(named[1]) - _weekday(day)) % 7
        return day + days * DAY_MS + clock_ms + (7 * DAY_MS if days == 0 and day + clock_ms <= desk_ms else 0)
    if named[1] == "tomorrow" or (named[2] is None) or (named[1] is None and day + clock_ms <= desk_ms):
        return day + DAY_MS + clock_ms
    return day + clock_ms


def _weekday(day_ms: int) -> int:
    """0 for a Monday; the first of January 1970 was a Thursday."""
    return (day_ms // DAY_MS + 3) % 7
