"""Ids, minutes and dates in an answer that stand in no fact, result or question of the thread. Called by agents/grounding.py.

An id is looked up as it stands; a time by its minute; a date by its day, or the day after it, since spans end before a day.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from tools.common.contract import Fact

WHY_ID = "no fact, result or question of this thread has this id"
WHY_TIME = "no fact, result or question of this thread has this time"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
ID = re.compile(
    r"(?i)(?<![\w-])(?:(?:[a-z]{1,2}|run|job|turn|note|page|prop|alert|event|order|trade|fill|ord)-(?=[a-z-]{0,40}\d)[0-9a-z]{1,64}(?:-[0-9a-z]{1,64}){0,8}"
    r"|(?=[0-9a-f]{0,64}[a-f])(?=[0-9a-f]{0,64}\d)(?!\d{1,9}e\d{1,9}\b)[0-9a-f]{6,64})(?![\w-])"
)
_HANDLE = re.compile(r"(?i)(?<![\w.{-])([a-z])(\d{1,3})(?![\w%]|\.\d)")
_CLOCK = re.compile(r"(?i)(?<![\d:.])(\d{1,2}):([0-5]\d)(?::[0-5]\d(?:\.\d{1,6})?)?(?:\s?([ap])\.?m\b|\s?(?:z|utc)\b)?(?!\d|:\d)")
_BARE_HOUR = re.compile(r"(?i)(?<![\d:.])(\d{1,2})\s?([ap])\.?m\b")
_ISO = re.compile(r"(?<![\d-])(\d{4})-(\d{2})-(\d{2})(?!\d)")
_DAY_MONTH = re.compile(rf"(?i)\b(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?({_MONTH})\b(?:,?\s+(\d{{4}})\b)?")
_MONTH_DAY = re.compile(rf"(?i)\b({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?!\s*[:%])(?:,?\s+(\d{{4}})\b)?")


class Mention(NamedTuple):
    """One id or time of a line: where it stands, as typed, and why it is struck."""

    start: int
    end: int
    text: str
    why: str


class KnownMentions(NamedTuple):
    """Every id, minute and day that the thread has seen."""

    ids: frozenset[str]
    whole: str  # the ids in one text, for a hash that is part of one
    handles: frozenset[str]
    minutes: frozenset[int]
    days: frozenset[date]


def known_mentions(facts: Iterable[Fact], texts: Iterable[str], names: Iterable[str]) -> KnownMentions:
    """What `texts` (results, questions, arguments, the stamp), facts and names hold."""
    ids, handles, minutes, days = set[str](), set[str](), set[int](), set[date]()
    for fact in facts:
        ids.add(fact.evidence.id.lower())
        handles.add(fact.ref.partition(".")[0].lower())
        if fact.unit == "ms" and isinstance(fact.value, int | float) and abs(fact.value) < 4e12:
            when = datetime.fromtimestamp(fact.value / 1000, UTC)
            minutes.add(when.hour * 60 + when.minute)
            days.add(when.date())
    for text in texts:
        ids |= {found.lower() for found in ID.findall(text)}
        minutes |= {minute for _, _, minute in _minutes_of(text)}
        days |= {day for _, _, day in _days_of(text) if isinstance(day, date)}
    ids |= {name.lower() for name in names}
    return KnownMentions(frozenset(ids), "\n".join(sorted(ids)), frozenset(handles), frozenset(minutes), frozenset(days))


def unknown_mentions(line: str, known: KnownMentions) -> list[Mention]:
    """The ids, minutes and dates of a line that the thread has not seen, in order, never one inside another."""
    found = [Mention(m.start(), m.end(), m[0], WHY_ID) for m in ID.finditer(line) if not _is_known_id(m[0].lower(), known)]
    letters = {handle[0] for handle in known.handles if handle}
    for m in _HANDLE.finditer(line):
        if m[1] in letters and m[0] not in known.handles and f"{m[1]}-{m[2]}" not in known.ids:
            found.append(Mention(m.start(), m.end(), m[0], WHY_ID))
    found += [Mention(a, b, line[a:b], WHY_TIME) for a, b, minute in _minutes_of(line) if minute not in known.minutes]
    found += [Mention(a, b, line[a:b], WHY_TIME) for a, b, day in _days_of(line) if not _is_known_day(day, known)]
    kept: list[Mention] = []
    for mention in sorted(found):
        if not kept or mention.start >= kept[-1].end:
            kept.append(mention)
    return kept


def _is_known_id(text: str, known: KnownMentions) -> bool:
    return text in known.ids or ("-" not in text and text in known.whole)


def _minutes_of(text: str) -> Iterator[tuple[int, int, int]]:
    """(from, to, minute of the day) of each time of day."""
    for found in _CLOCK.finditer(text):
        hour, half = int(found[1]), (found[3] or "").lower()
        if hour < 24 or not half:
            yield found.start(), found.end(), (_hour(hour, half) * 60 + int(found[2]))
    for found in _BARE_HOUR.finditer(text):
        if not _CLOCK.match(text, found.start()) and not text[: found.start()].endswith(":"):
            yield found.start(), found.end(), _hour(int(found[1]), found[2].lower()) * 60


def _hour(hour: int, half: str) -> int:
    """The hour of 24; `half` is a, p or nothing."""
    return hour if not half else hour % 12 + (12 if half == "p" else 0)


def _days_of(text: str) -> Iterator[tuple[int, int, date | tuple[int, int] | None]]:
    """(from, to, day) of each date; (month, day) without a year; None for a date that no calendar has."""
    for found in _ISO.finditer(text):
        yield found.start(), found.end(), _day(found[1], int(found[2]), found[3])
    for found in _DAY_MONTH.finditer(text):
        yield found.start(), found.end(), _day(found[3], _month(found[2]), found[1])
    for found in _MONTH_DAY.finditer(text):
        if not _DAY_MONTH.search(text[max(0, found.start() - 12) : found.end()]):
            yield found.start(), found.end(), _day(found[3], _month(found[1]), found[2])


def _month(word: str) -> int:
    return _MONTHS.index(word[:3].lower()) + 1


def _day(year: str | None, month: int, day: str) -> date | tuple[int, int] | None:
    if not year:
        return month, int(day)
    try:
        return date(int(year), month, int(day))
    except ValueError:
        return None


def _is_known_day(day: date | tuple[int, int] | None, known: KnownMentions) -> bool:
    if day is None:
        return False
    if isinstance(day, tuple):
        return any((k.month, k.day) == day for known_day in known.days for k in (known_day, _before(known_day)))
    return day in known.days or (day < date.max and day + timedelta(days=1) in known.days)


def _before(day: date) -> date:
    return day - timedelta(days=1) if day > date.min else day
