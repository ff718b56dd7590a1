"""Ids, minutes and dates in an answer that stand in no fact, result or question of the thread. Called by agents/grounding.py.

An id is looked up as it stands, or by its noun and number (`proposal 3`); a time by its minute, however it is written; a date by
its day, or the day after it, since spans end before a day; a month, a year, a weekday by those of the days seen. `An hour ago` is
never known.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
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
    r"(?i)(?<![\w-])(?:(?:[a-z]{1,2}|run|job|turn|note|page|prop|alert|event|order|trade|fill"
    r"|ord)-(?=[a-z-]{0,40}\d)[0-9a-z]{1,64}(?:-[0-9a-z]{1,64}){0,8}"
    r"|(?=[0-9a-f]{0,64}[a-f])(?=[0-9a-f]{0,64}\d)(?!\d{1,9}e\d{1,9}\b)[0-9a-f]{6,64})(?![\w-])"
)
_OURS = re.compile(r"(?i)(?:prop|al|job|run|alert|event|order|fill|page|turn|note|[drpo])-")  # what code gives ids to
_HANDLE = re.compile(r"(?i)(?<![\w.{-])([a-z])(\d{1,3})(?![\w%]|\.\d)")
_KINDS = {
    "proposal": "prop",
    "card": "prop",
    "alert": "al",
    "event": "d",
    "fill": "d",
    "order": "o",
    "job": "job",
    "run": "r",
    "ticket": "t",
}
_NUMBERED = re.compile(
    rf"(?i)(?<![\w-])({'|'.join(_KINDS)})s?\s(?:no\.?\s|number\s|nr\.?\s|id\s|#\s?)?(\d{{1,9}}(?:\s?(?:to|and|or|,|&"
    rf"|-)\s?\d{{1,9}}\b(?![.%]))*)"
    r"(?![\w%:-]|[.,]\d|\s(?:%|bps\b|usdt?\b|atr\b|x\b|btc\b|eth\b|sol\b"
    r"|[a-z]{2,}s\b(?<!\bis)(?<!\bwas)(?<!\bhas)(?<!waits)(?<!loosens)))"
)
_HOURS = ("twelve", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven")
_HOUR = rf"(?:{'|'.join(_HOURS)}|\d{{1,2}})"
_PARTS = {"half": 30, "a quarter": 15, "quarter": 15, "five": 5, "ten": 10, "twenty": 20, "twenty-five": 25}
_CLOCK = re.compile(
    r"(?i)(?<![\d:.])(\d{1,2})(?:[:h]|\.(?=\d\d\s?(?:[ap]\.?m\b|z\b"
    r"|utc\b)))([0-5]\d)(?::[0-5]\d(?:\.\d{1,6})?)?(?:\s?([ap])\.?m\b|\s?(?:z|utc)\b)?(?!\d|:\d)"
)
_JOINED_CLOCK = re.compile(r"(?i)(?<![\w.,:-])([01]\d|2[0-3])([0-5]\d)\s?(?:z|utc|hrs|hours utc)\b")
_BARE_HOUR = re.compile(
    r"(?i)(?<![\d:.])(\d{1,2})\s?(?:([ap])\.?m\b|o'?clock\b|h\b(?=[,.;!?\s]*$)|(?:z|utc)\b)"
    r"|(?<=\bthis morning at )(\d{1,2})\b(?!:)"
)
_SAID_HOUR = re.compile(
    rf"(?i)\b({'|'.join(sorted(_PARTS, key=len, reverse=True))})\s(?:minutes\s)?(past|to|after)\s({_HOUR})\b(?!:)"
    rf"|\b({'|'.join(_HOURS)})\so'?clock\b|\b(noon|midday)\b"
    rf"|\b(?:at|by) (?!one\b)({'|'.join(_HOURS)})\b(?=\W*$| (?:in the|sharp|utc|z\b|am\b|pm\b))"
)
_ISO = re.compile(r"(?<![\d-])(\d{4})([-/])(\d{2})\2(\d{2})(?!\d)")
_NUMERIC_DAY = re.compile(r"(?<![\d./-])(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?![\d/-])")
_DAY_MONTH = re.compile(rf"(?i)\b(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?({_MONTH})\b(?:,?\s+(\d{{4}})\b)?")
_MONTH_DAY = re.compile(rf"(?i)\b({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?!\s*[:%])(?:,?\s+(\d{{4}})\b)?")
_ONLY_DAY = re.compile(r"(?i)\b(?:on|since|until) the (\d{1,2})(?:st|nd|rd|th)\b(?! of\b)")
_ONLY_MONTH = re.compile(
    rf"(?i)\b(?:(?:in|since|until|by|from|to|through|of|during|late|early|mid"
    rf"|last)[ -])({_MONTH})\b(?!\s\d{{1,2}}\b)(?:,?\s+(\d{{4}})\b)?"
)
_ONLY_YEAR = re.compile(
    r"(?i)\b(?:in|for|of|since|during|until|from|to|through|year|calendar|covers?|early|late|mid|over|back to|spans?)\s+((?:19"
    r"|20)\d{2})\b(?![.,:/-]\d)(?!\s*(?:trades?|bars?|round|usdt?|%))"
)
_QUARTER = re.compile(r"(?i)\bq([1-4])\b(?:\s(?:of\s)?(\d{4})\b)?")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAY = re.compile(rf"(?i)(?<!next )\b({'|'.join(_WEEKDAYS)})\b")
_AGO = re.compile(
    r"(?i)\b(?:(?:about|some|around|over|roughly|nearly)\s)?(?:\d{1,6}|an?|half an|[a-z]+(?:-[a-z]+)?)\s(?:seconds?|minutes?"
    r"|mins?|hours?|days?|weeks?|fortnights?|months?|years?)\s"
    r"(?:ago|earlier)\b"
)
_VAGUE = re.compile(r"(?i)^a (?:minute|second) ago|^(?:few|couple|some) ")
_EVENT_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})[T ]\d{2}:\d{2}")
_YEAR_MONTH = re.compile(r"(?<![\d-])(\d{4})-(\d{2})(?![\d-]*\d)")


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
    months: frozenset[tuple[int, int]] = frozenset()
    weekdays: frozenset[int] = frozenset()  # of the days on which something happened at a known time
    ends: frozenset[date] = frozenset()  # days named without a time, with which a span may end
    said: str = ""  # what was seen, in lower case: for what is repeated from it


def known_mentions(facts: Iterable[Fact], texts: Iterable[str], names: Iterable[str]) -> KnownMentions:
    """What `texts` (results, questions, arguments, the stamp), facts and names hold."""
    ids, handles, minutes, days = set[str](), set[str](), set[int](), set[date]()
    months, lived, read = set[tuple[int, int]](), set[date](), list(texts)
    for fact in facts:
        ids.add(fact.evidence.id.lower())
        handles.add(fact.ref.partition(".")[0].lower())
        if fact.unit == "ms" and isinstance(fact.value, int | float) and abs(fact.value) < 4e12:
            when = datetime.fromtimestamp(fact.value / 1000, UTC)
            minutes.add(when.hour * 60 + when.minute)
            days.add(when.date())
            lived |= {when.date()} if when.hour or when.minute else set()
    for text in read:
        ids |= {found.lower() for found in ID.findall(text)}
        minutes |= {minute for _, _, of_day in minutes_of(text) for minute in of_day}
        months |= {(int(year), int(month)) for year, month in _YEAR_MONTH.findall(text)}
        lived |= {day for y, m, d in _EVENT_DAY.findall(text) if isinstance(day := _day(y, int(m), d), date)}
        days |= {day for _, _, day in days_of(text) if isinstance(day, date)}
    ids |= {name.lower() for name in names}
    months |= {(day.year, day.month) for day in days}
    of_week = frozenset(day.weekday() for day in lived)
    seen = "\n".join(read).lower()
    return KnownMentions(
        frozenset(ids),
        "\n".join(sorted(ids)),
        frozenset(handles),
        frozenset(minutes),
        frozenset(days),
        frozenset(months),
        of_week,
        frozenset(days - lived),
        seen,
    )


def unknown_mentions(line: str, known: KnownMentions) -> list[Mention]:
    """The ids, minutes and dates of a line that the thread has not seen, in order, never one inside another."""
    found = [Mention(m.start(), m.end(), m[0], WHY_ID) for m in ID.finditer(line) if not _is_known_id(m[0].lower(), known)]
    letters = {handle[0] for handle in known.handles if handle}
    for m in _HANDLE.finditer(line):
        if m[1] in letters and m[0] not in known.handles and f"{m[1]}-{m[2]}" not in known.ids:
            found.append(Mention(m.start(), m.end(), m[0], WHY_ID))
    found += [
        Mention(m.start(), m.end(), m[0], WHY_ID)
        for m in _NUMBERED.finditer(line)
        if m[0].lower() not in known.said and not _is_known_number(m, known)
    ]
    found += [Mention(a, b, line[a:b], WHY_TIME) for a, b, of_day in minutes_of(line) if not of_day & known.minutes]
    found += [Mention(m.start(), m.end(), m[0], WHY_TIME) for m in _unknown_times(line, known)]
    found += [Mention(a, b, line[a:b], WHY_TIME) for a, b, day in days_of(line) if not _is_known_day(day, known)]
    kept: list[Mention] = []
    for mention in sorted(found):
        if not kept or mention.start >= kept[-1].end:
            kept.append(mention)
    return kept


def unknown_ids(text: str, known: KnownMentions) -> list[str]:
    """The ids of a text that the thread has not seen, as typed."""
    found = [m[0] for m in ID.finditer(text) if _OURS.match(m[0]) and not _is_known_id(m[0].lower(), known)]
    found += [m[0] for m in _NUMBERED.finditer(text) if m[0].lower() not in known.said and not _is_known_number(m, known)]
    return list(dict.fromkeys(found))


def _is_known_id(text: str, known: KnownMentions) -> bool:
    return text in known.ids or ("-" not in text and text in known.whole)


def _is_known_number(found: re.Match[str], known: KnownMentions) -> bool:
    """`proposal 3` is prop-3; a run may be named by its place."""
    prefix = _KINDS[found[1].lower()]
    numbers = re.findall(r"\d+", found[2])
    return all(f"{prefix}-{n}" in known.ids or (prefix == "r" and f"r{n}" in known.handles) for n in numbers)


def _unknown_times(line: str, known: KnownMentions) -> Iterator[re.Match[str]]:
    """What is said of months, years, weekdays and times gone by that the thread has not seen, in these words or others."""
    yield from (found for found in _doubtful_times(line, known) if found[0].lower() not in known.said)


def _doubtful_times(line: str, known: KnownMentions) -> Iterator[re.Match[str]]:
    years = {year for year, _ in known.months}
    for found in _ONLY_MONTH.finditer(line):
        month, year = _month(found[1]), int(found[2]) if found[2] else None
        if found[1][0].isupper() and not any(m == month and year in (None, y) for y, m in known.months):
            yield found
    for found in _QUARTER.finditer(line):
        if not any((m - 1) // 3 + 1 == int(found[1]) and found[2] in (None, str(y)) for y, m in known.months):
            yield found
    yield from (found for found in _ONLY_YEAR.finditer(line) if int(found[1]) not in years)
    yield from (found for found in _WEEKDAY.finditer(line) if _WEEKDAYS.index(found[1].lower()) not in known.weekdays)
    yield from (found for found in _ONLY_DAY.finditer(line) if int(found[1]) not in {day.day for day in known.days})
    yield from (found for found in _AGO.finditer(line) if not _VAGUE.search(found[0]))


def minutes_of(text: str) -> Iterator[tuple[int, int, set[int]]]:
    """(from, to, minutes of the day that may be meant) of each time of day."""
    for found in _CLOCK.finditer(text):
        hour, half = int(found[1]), (found[3] or "").lower()
        if hour < 24 or not half:
            yield found.start(), found.end(), {_hour(hour, half) * 60 + int(found[2])}
    for found in _JOINED_CLOCK.finditer(text):
        yield found.start(), found.end(), {int(found[1]) * 60 + int(found[2])}
    for found in _BARE_HOUR.finditer(text):
        if not _CLOCK.match(text, found.start()) and not text[: found.start()].endswith(":"):
            hour, half = int(found[1] or found[3]), (found[2] or "").lower()
            yield found.start(), found.end(), {_hour(hour, half) * 60} if half else {hour * 60, (hour + 12) % 24 * 60}
    for found in _SAID_HOUR.finditer(text):
        yield found.start(), found.end(), _said_minutes(found)


@lru_cache(maxsize=256)
def times_in(text: str) -> tuple[frozenset[int], ...]:
    """The times of day that a text names, each as the minutes that may be meant: of the morning, of the evening."""
    return tuple(frozenset(of_day) for _, _, of_day in minutes_of(text))


def spans_in(line: str) -> list[tuple[int, int]]:
    """Where a line names times and dates: digits and number words inside them are no further claims."""
    found = [(a, b) for a, b, _ in (*minutes_of(line), *days_of(line))]
    of_words = (_AGO, _ONLY_DAY, _ONLY_MONTH, _ONLY_YEAR, _QUARTER)
    return found + [one.span() for pattern in of_words for one in pattern.finditer(line)]


def _said_minutes(found: re.Match[str]) -> set[int]:
    """`quarter past five`, `nine o'clock`, `noon`: of the morning or of the evening."""
    if found[5]:
        return {720}
    word = (found[3] or found[4] or found[6]).lower()
    hour = _HOURS.index(word) if word in _HOURS else int(word)
    shift = 0 if not found[1] else _PARTS[found[1].lower()] * (-1 if found[2].lower() == "to" else 1)
    return {(hour % 12 * 60 + shift + half) % 1440 for half in (0, 720)}


def _hour(hour: int, half: str) -> int:
    """The hour of 24; `half` is a, p or nothing."""
    return hour if not half else hour % 12 + (12 if half == "p" else 0)


def days_of(text: str) -> Iterator[tuple[int, int, date | tuple[int, int] | tuple[date, ...] | None]]:
    """(from, to, day) of each date; (month, day) without a year; None for a date that no calendar has."""
    for found in _ISO.finditer(text):
        yield found.start(), found.end(), _day(found[1], int(found[3]), found[4])
    for found in _NUMERIC_DAY.finditer(text):
        yield found.start(), found.end(), _either_day(found)
    for found in _DAY_MONTH.finditer(text):
        yield found.start(), found.end(), _day(found[3], _month(found[2]), found[1])
    for found in _MONTH_DAY.finditer(text):
        if not _DAY_MONTH.search(text[max(0, found.start() - 12) : found.end()]):
            yield found.start(), found.end(), _day(found[3], _month(found[1]), found[2])


def _either_day(found: re.Match[str]) -> tuple[date, ...]:
    """2/12/2025: the day of either order."""
    days = (_day(found[4], int(found[m]), found[d]) for d, m in ((1, 3), (3, 1)))
    return tuple(day for day in days if isinstance(day, date))


def _month(word: str) -> int:
    return _MONTHS.index(word[:3].lower()) + 1


def _day(year: str | None, month: int, day: str) -> date | tuple[int, int] | None:
    if not year:
        return month, int(day)
    try:
        return date(int(year), month, int(day))
    except ValueError:
        return None


def _is_known_day(day: date | tuple[int, int] | tuple[date, ...] | None, known: KnownMentions) -> bool:
    """A day of the thread, or the one before a day on which a span ends."""
    if day is None:
        return False
    if isinstance(day, tuple) and (not day or isinstance(day[0], date)):
        return any(isinstance(one, date) and _is_known_day(one, known) for one in day)
    if isinstance(day, tuple):
        return any((k.month, k.day) == day for k in (*known.days, *map(_before, known.ends)))
    return day in known.days or (day < date.max and day + timedelta(days=1) in known.ends)


def _before(day: date) -> date:
    return day - timedelta(days=1) if day > date.min else day
