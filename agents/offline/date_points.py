"""Times that a text names: days, months, clocks, nights, weekends, each with its place. Called by dates.py.

All is UTC and counts from desk time; the end of what is named is exclusive.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from dateutil.relativedelta import relativedelta

from agents.offline.words import LISTS

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NUMBER_WORDS = {"a": 1, "few": 3}  # the others are digits by now


def written(name: str) -> str:
    """A pattern of words.toml with the names of months, days, numbers and units in it."""
    more = {"MONTH": LISTS["dates"]["month"], "UNIT": LISTS["dates"]["unit"], "DAYS": "|".join(DAYS), "N": "|".join(NUMBER_WORDS)}
    return re.sub(r"\{([A-Z]+)\}", lambda found: more[found[1]], LISTS["dates"][name])


class Point(NamedTuple):
    """A named time and where it stands in the text: [first, last) with the size of what was named."""

    start: int
    stop: int
    first: datetime
    last: datetime
    size: str  # minute | clock (of any day) | placed (a clock of a day that is said) | day | since | month | year
    said_year: bool


POINT = re.compile(written("point"), re.VERBOSE)
EXACT = ("minute", "clock", "placed")


def minus(desk: datetime, number: int, unit: str) -> datetime:
    """A time so many units earlier: `mo` months, `m` minutes, else by the first letter; the year 1970 where there is none."""
    name = {"y": "years", "q": "months", "mo": "months", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    size = name["mo" if unit == "mo" else unit[0]]
    try:
        earlier: datetime = desk - relativedelta(**{size: number * 3 if unit[0] == "q" else number})
    except (OverflowError, ValueError):
        return datetime(1970, 1, 1, tzinfo=UTC)
    return earlier


def exists(found: re.Match[str]) -> bool:
    """Whether a typed date is in the calendar."""
    return not found["d"] or int(found["d"]) <= monthrange(int(found["y"]), int(found["m"]))[1]


def points_in(text: str, desk: datetime | None) -> Iterator[Point]:
    """The times that a text names, in their order; those that count from desk time only where there is one."""
    for found in POINT.finditer(text):
        try:
            point = _point(found, desk)
        except ValueError:  # 31 February: not a date
            continue
        if point:
            yield point


def _point(found: re.Match[str], desk: datetime | None) -> Point | None:
    """One named time; None when it counts from a desk time that does not exist yet."""
    held = {name: text for name, text in found.groupdict().items() if text}
    year = next((int(text) for name, text in held.items() if re.fullmatch(r"y\d?", name)), None)
    month = next((text for name, text in held.items() if re.fullmatch(r"m\d+", name)), None)
    if desk is None:
        if year is None:
            return None
        desk = first_of(year)
    if found["time"]:
        return _clock_point(found, desk)
    if found["rel"]:
        return _relative(found, " ".join(found["word"].split()), desk)
    if found["dom"]:
        return _day_of_month(found, desk)
    if found["q"] or found["half"]:
        return _part_of_year(found, year, desk)
    if found["in_month"]:
        return _part_of_month(found, year, MONTHS.index(str(month)[:3]) + 1, desk)
    number = int(found["m"]) if found["m"] else MONTHS.index(month[:3]) + 1 if month else 0
    day, clock = (held.get(name) or held.get(f"{name}2") or held.get(f"{name}3") for name in ("d", "clock"))
    return _calendar(found, year, number, int(day) if day else 0, clock, desk)


def _calendar(found: re.Match[str], year: int | None, month: int, day: int, clock: str | None, desk: datetime) -> Point:
    said = year is not None
    if year is None:
        year = desk.year if (month, day or 1) <= (desk.month, desk.day) else desk.year - 1
    if not month:
        return Point(*found.span(), first_of(year), first_of(year + 1), "year", said)
    if not day:
        return Point(*found.span(), first_of(year, month), next_month(first_of(year, month)), "month", said)
    first = first_of(year, month, day)
    if clock:
        hour, minute = map(int, clock.split(":"))
        first = first.replace(hour=hour, minute=minute)
        return Point(*found.span(), first, first, "minute", said)
    return Point(*found.span(), first, first + timedelta(days=1), "day", said)


def _part_of_year(found: re.Match[str], year: int | None, desk: datetime) -> Point:
    size = 3 if found["q"] else 6
    word = found["qw"] or found["hw"]
    number = ("first", "second", "third", "fourth").index(word) if word else int(found["qn"] or found["hn"]) - 1
    first = first_of(year or desk.year, size * number + 1)
    return Point(*found.span(), first, next_month(first, size), "month", year is not None)


def _part_of_month(found: re.Match[str], year: int | None, month: int, desk: datetime) -> Point:
    """`the first week of november`, `second half of june`, `the last 10 days of may`."""
    first = first_of(year or (desk.year if month <= desk.month else desk.year - 1), month)
    end, which = next_month(first), ("first", "second", "third", "fourth").index(found["pw"]) if found["pw"] != "last" else -1
    if found["pu"] == "half":
        middle = first + timedelta(days=15)
        span = (middle, end) if which else (first, middle)
    elif found["pu"] == "third":
        days = [first, first + timedelta(days=10), first + timedelta(days=20), end]
        span = (days[which % 3], days[which % 3 + 1])
    else:
        size = timedelta(days=7 if found["pu"] == "week" else int(found["pu"].split()[0]))
        span = (end - size, end) if which < 0 else (first + which * size, min(first + (which + 1) * size, end))
    return Point(*found.span(), *span, "day", True)


def _day_of_month(found: re.Match[str], desk: datetime) -> Point:
    """`the 20th`: the last one before desk time."""
    first = first_of(desk.year, desk.month, int(found["d4"]))
    first = first if first <= desk else first - relativedelta(months=1)
    return Point(*found.span(), first, first + timedelta(days=1), "day", True)


def _clock_point(found: re.Match[str], desk: datetime) -> Point:
    """A clock without a date: the last time it struck before desk time."""
    at = desk.replace(hour=int(found["clock4"]), minute=int(found["minute"]), second=0, microsecond=0)
    at = at if at < desk else at - timedelta(days=1)
    return Point(*found.span(), at, at, "clock", True)


def _relative(found: re.Match[str], word: str, desk: datetime) -> Point | None:
    if word == "now":
        return None
    night, one = midnight(desk), timedelta(days=1)
    today = midnight(desk - timedelta(microseconds=1))  # at 00:00 the day that ended
    day_of = {"today": today, "this morning": today, "yesterday": night - one, "the day before yesterday": night - 2 * one}
    day, _, name = word.rpartition(" ")
    if name in DAYS:
        day_of[word] = night - timedelta(days=(night.weekday() - DAYS.index(name)) % 7 or 7)  # at 00:00 also the day that ended
    if word in day_of:
        return Point(*found.span(), day_of[word], day_of[word] + one, "day", True)
    if name in _PARTS and day in ("yesterday", "this"):
        first, last = (day_of["yesterday" if day == "yesterday" else "today"] + timedelta(hours=hour) for hour in _PARTS[name])
        return Point(*found.span(), first, last, "part", True)
    if word.endswith("before last"):  # the week, the month before the last one
        former = _period(f"last {word.removeprefix('the ').split()[0]}", today, desk)
        return former._replace(
            start=found.start(), stop=found.end(), first=minus(former.first, 1, word.removeprefix("the ")[:2]), last=former.first
        )
    if word.endswith("night"):  # last night, overnight, tonight
        return Point(*found.span(), night - timedelta(hours=6), desk, "since", True)
    if name == "weekend":  # the one that ended last, or that runs
        saturday = today - timedelta(days=(today.weekday() - 5) % 7)
        return Point(*found.span(), saturday, saturday + 2 * one, "day", True)
    return _period(word, today, desk)._replace(start=found.start(), stop=found.end())


_PARTS = {"morning": (0, 12), "afternoon": (12, 18), "evening": (18, 24), "night": (18, 30)}


def midnight(when: datetime) -> datetime:
    """The midnight that a day begins with."""
    return when.replace(hour=0, minute=0, second=0, microsecond=0)


def _period(word: str, today: datetime, desk: datetime) -> Point:
    """`this month`, `last year`, `ytd`; where it is in the text is the caller's."""
    back = word.startswith(("last", "previous"))
    if "week" in word:
        first = today - timedelta(days=today.weekday())
        week = (first - timedelta(days=7), first, "day") if back else (first, desk, "since")
        return Point(0, 0, *week, True)
    months = 12 if "year" in word or word == "ytd" else 3 if "quarter" in word else 1
    first = first_of(today.year, (today.month - 1) // months * months + 1)
    period = (next_month(first, -months), first, "month") if back else (first, desk, "since")
    return Point(0, 0, *period, True)


def first_of(year: int, month: int = 1, day: int = 1) -> datetime:
    """A day at 00:00Z."""
    return datetime(year, month, day, tzinfo=UTC)


def next_month(first: datetime, months: int = 1) -> datetime:
    """The first of a later month."""
    later: datetime = first + relativedelta(months=months)
    return later


def text_of(when: datetime) -> str:
    """A time as the tools read it: `2025-01-01`, `2025-03-04T05:15`."""
    return when.strftime("%Y-%m-%d" if when.hour == when.minute == 0 else "%Y-%m-%dT%H:%M")


def time_of(text: str | None) -> datetime | None:
    """A time of a span; None where it is open."""
    for form in ("%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        try:
            return datetime.strptime(text or "", form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
