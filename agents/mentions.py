"""Ids and times of a text, and the ids that a thread has seen. Called by agents/atoms.py, records.py and grounding.py.

A time is read as its minutes of the day, however it is written; a date as its day.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from tools.common.contract import Fact

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


class KnownMentions(NamedTuple):
    """Every id that the thread has seen."""

    ids: frozenset[str]
    whole: str  # the ids in one text, for a hash that is part of one
    handles: frozenset[str]
    said: str  # what was seen, in lower case: for what is repeated from it


def known_mentions(facts: Iterable[Fact], texts: Iterable[str], names: Iterable[str]) -> KnownMentions:
    """What `texts` (results, questions, arguments, the stamp), facts and names hold."""
    read, listed = list(texts), list(facts)
    ids = {fact.evidence.id.lower() for fact in listed} | {name.lower() for name in names}
    ids |= {found.lower() for text in read for found in ID.findall(text)}
    handles = frozenset(fact.ref.partition(".")[0].lower() for fact in listed)
    return KnownMentions(frozenset(ids), "\n".join(sorted(ids)), handles, "\n".join(read).lower())


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
