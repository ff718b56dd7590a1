"""Times in a question. Called by slots.py: a tidy question and the desk's time in, a Span out, the words marked as used.

All is UTC and counts from desk time. An end is exclusive. A year, a quarter, a month or a day named as the end of a window is
meant whole (`from 24 to 30 november`); `until`, `up to` and a date typed as 2025-11-30 are ends as the commands take them.
"""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from dateutil.relativedelta import relativedelta

from agents.offline.date_points import EXACT, NUMBER_WORDS, POINT, Point, exists, midnight, minus, points_in, text_of, written
from agents.offline.words import PATTERNS, says


class TimeSpan(NamedTuple):
    """A window of time as text that a tool reads (`2025-01-01`, `2025-03-04T05:15`), or one instant."""

    start: str | None = None
    end: str | None = None
    at: str | None = None
    to_now: bool = False  # counted back from desk time, or a period that is not over: it ends now
    ahead: str = ""  # `30 days`, `weekend`: the window before one that stands above


NO_SPAN = TimeSpan()


_BACK, _AHEAD, _COUNTED = (re.compile(written(name)) for name in ("back", "ahead", "counted"))


_CALENDAR = re.compile(r"\b(?:last|previous)\s+(?:month|year|quarter)$|^(?:for\s+)?(?:last|previous)\s+week$")


def read_span(text: str, desk_ms: int | None) -> tuple[TimeSpan, list[tuple[int, int]]]:
    """The window or instant a tidy question names, and the places it used. An empty Span when it names none."""
    desk = None if desk_ms is None else datetime.fromtimestamp(desk_ms / 1000, UTC)
    for counted in _COUNTED.finditer(text) if desk is not None else ():  # `the 30 days before 1 november`
        if (point := next((p for p in points_in(text, desk) if p.start == counted.end()), None)) is not None:
            return _counted_from(counted, point), [(counted.start(), point.stop)]
    back = _BACK.search(text)
    whole = back is not None and _CALENDAR.search(back[0]) and not (back[0].endswith("week") and says("dates.of_week", text))
    if back and desk is not None and not whole:
        return _back(back, text, desk)
    if not back and (ahead := _AHEAD.search(text)):
        return TimeSpan(ahead=f"{ahead['n'] or 1} {ahead['unit']}"), [ahead.span()]
    impossible = [found.span("iso") for found in POINT.finditer(text) if found["iso"] and not exists(found)]
    if impossible:  # 2025-02-31: handed on as typed, the tool says what is wrong with it
        return TimeSpan(start=text[slice(*impossible[0])]), impossible
    points = list(points_in(text, desk))
    if not points:
        size = (back["unit"] or back["unit2"])[0] if back else ""
        return (TimeSpan(start=f"{back['n'] or back['n2'] or 1}{size}"), [back.span()]) if back else (TimeSpan(), [])
    return _meant(text, points, desk)


_OF = r"(?:(?:in|for|the|over|that of)\s+)*"
_AGAINST = re.compile(
    r"(?:\s+(?:go|do|look|perform|fare|went|any better|better|worse))?\s*,?\s*"
    rf"(?:vs\.?|versus|against|compared? to|compared? with|than|or|(?:and )?then)\s+(?:from )?{_OF}"
)
_BESIDE = re.compile(rf"\s*,?\s*(?:(?:any |so |very )?different(?:ly)? )?(?:to|with|from|and|than)\s+{_OF}")
_COMPARES = re.compile(
    r"\b(?:compar\w*|differ\w*|side by side|beside|next to|(?:which|what) (?:year|quarter|month|half)|better|worse)\b"
)


def _joins(text: str, between: str) -> bool:
    """Whether what is between two periods sets one against the other."""
    return bool(_AGAINST.fullmatch(between) or (_COMPARES.search(text) and _BESIDE.fullmatch(between)))


def periods(text: str, desk_ms: int | None) -> tuple[list[TimeSpan], list[tuple[int, int]]]:
    """Periods that a sentence sets beside each other (`2023 vs 2024 vs 2025`), and where they stand; none otherwise."""
    desk = None if desk_ms is None else datetime.fromtimestamp(desk_ms / 1000, UTC)
    points = list(points_in(text, desk))
    before = says("dates.one_before", text) if len(points) == 1 else None
    if before and _joins(text, text[points[0].stop : before.start()]):  # `last week with the week before`
        a, days = points[0], {"day": 1, "week": 7}.get(before[1])
        days = (a.last - a.first).days if before[1] == "one" else days
        first = a.first - timedelta(days=days) if days else a.first - relativedelta(**{f"{before[1]}s": 1})
        return [TimeSpan(text_of(x), text_of(y)) for x, y in ((a.first, a.last), (first, a.first))], [(a.start, before.end())]
    if len(points) < 2 or {p.size for p in points} & set(EXACT):
        return [], []
    of_two = len(points) == 4 and not _joins(text, text[points[0].stop : points[1].start])
    groups = [points[:2], points[2:]] if of_two else [[p] for p in points]  # `january to june, then july to november`
    between = [text[a[-1].stop : b[0].start] for a, b in pairwise(groups)]
    window = re.search(r"\b(?:from|between)\s+$", text[: points[0].start]) and PATTERNS["dates.between"].fullmatch(between[0])
    if window or not _joins(text, between[-1]) or not all(_joins(text, one) or not one.strip(" ,") for one in between):
        return [], []
    each = [
        TimeSpan(text_of(g[0].first), text_of(g[0].last)) if len(g) == 1 and g[0].size != "since" else _meant(text, g, desk)[0]
        for g in groups
    ]
    return each, [(_preposition(text, g[0].start), g[-1].stop) for g in groups]


def _back(found: re.Match[str], text: str, desk: datetime) -> tuple[TimeSpan, list[tuple[int, int]]]:
    """A window that counts back from desk time; `3 days ago` is an instant's day, `since 3 days ago` a start."""
    words = found["n"] or found["n2"] or "1"
    number = int(words) if words.isdigit() else NUMBER_WORDS[words]
    unit = (found["unit"] or found["unit2"])[:2]
    start = minus(desk, number, unit)
    if found["n2"] and not re.search(r"\b(since|from|after)\s*$", text[: found.start()]):
        day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        return TimeSpan(text_of(day), text_of(day + timedelta(days=1))), [found.span()]
    return TimeSpan(text_of(start.replace(second=0, microsecond=0)), to_now=found["n2"] is None), [found.span()]


def _counted_from(found: re.Match[str], point: Point) -> TimeSpan:
    """So long before a time that is named, or after it."""
    number = int(found["n"]) if (found["n"] or "").isdigit() else NUMBER_WORDS.get(found["n"] or "a", 1)
    if found["way"] in ("after", "from", "following", "since"):
        first = point.last if found["way"] == "after" and point.size != "minute" else point.first
        return TimeSpan(text_of(first), text_of(first + (first - minus(first, number, found["unit"][:2]))))
    return TimeSpan(text_of(minus(point.first, number, found["unit"][:2])), text_of(point.first))


def ahead_of(span: TimeSpan, above: TimeSpan, desk_ms: int | None) -> TimeSpan | None:
    """The window that a span names as before another one; None where that has no begin."""
    first = above.start or above.at
    if first is None or desk_ms is None:
        return None
    start = datetime.fromisoformat(first).replace(tzinfo=UTC)
    number, unit = span.ahead.split(" ")
    if unit == "weekend":
        saturday = start - timedelta(days=(start.weekday() - 5) % 7 or 7)
        return TimeSpan(text_of(saturday), text_of(saturday + timedelta(days=2)))
    return TimeSpan(text_of(minus(start, int(number), unit[:2])), text_of(start))


# --------------------------------------------------------------------------- what is meant


def _meant(text: str, points: list[Point], desk: datetime | None) -> tuple[TimeSpan, list[tuple[int, int]]]:
    """Two joined points are a window; a point after `since` a start; an instant where a clock is named; else whole."""
    points = _placed(text, _on_named_day(text, [_of_week(text, p) for p in points]), desk)
    clocks = [p for p in points if p.size in ("clock", "placed")]
    if clocks and any(p.size == "since" for p in points):  # `overnight, from 23:00 to 07:00`: the clocks say it
        used = [(point.start, point.stop) for point in points if point.size == "since"]
        span, more = _meant(text, clocks, desk)
        return span, used + more
    points = _months_in_a_row(text, points)
    point = points[0]
    # a second period is not used
    used = [(_preposition(text, p.start), p.stop) for p in points if clocks or p[2:4] == point[2:4]]
    for a, b in pairwise(points):
        joined = PATTERNS["dates.between"].fullmatch(text[a.stop : b.start])
        if joined:
            return _window(text, a, b, joined[0], desk), [*(used if clocks else ()), (_preposition(text, a.start), b.stop)]
    before = text[: point.start]
    if point.size == "since" or re.search(
        r"\b(?:since|after|starting|starting from|from|start)\s+(?:the\s+)?(?:start\s+of\s+)?$", before
    ):
        if point.size in ("clock", "placed"):
            return TimeSpan(text_of(point.first)), used
        later = next((p for p in points[1:] if re.search(r"\b(until|till|to|through|before)\s*$", text[: p.start])), None)
        now = point.size == "since" and later is None
        used += [(_preposition(text, later.start), later.stop)] if later else []
        return TimeSpan(text_of(point.first), _end(text, later) if later else None, to_now=now), used
    if re.search(r"\b(?:until|till|before|up to|through|by)\s+(?:the\s+)?$", before):
        return TimeSpan(None, _end(text, point)), used
    if point.size in EXACT:
        return TimeSpan(at=text_of(point.first)), used
    return TimeSpan(text_of(point.first), text_of(point.last)), used


def _months_in_a_row(text: str, points: list[Point]) -> list[Point]:
    """`october november`, `oct nov dec 2024`: months that follow each other are one; the year said last is that of all."""
    joined: list[Point] = []
    for point in reversed(points):
        after = joined[-1] if joined and joined[-1].size == point.size == "month" else None
        if after is not None and re.fullmatch(r"[\s,]*(?:and )?", text[point.stop : after.start]):
            years = after.first.year - point.first.year if after.said_year and not point.said_year else 0
            first = point.first + relativedelta(years=years)
            if point.last + relativedelta(years=years) == after.first:
                joined[-1] = after._replace(start=point.start, first=first)
                continue
        joined.append(point)
    return joined[::-1]


def _preposition(text: str, start: int) -> int:
    """Where a named time begins with the word before it: `until the end of june`."""
    before = re.search(
        r"(?:(?:since|from|until|till|before|by|up to|through|after)\s+)(?:the\s+)?(?:(?:start|end)\s+of\s+)?$", text[:start]
    )
    return before.start() if before else start


def _of_week(text: str, point: Point) -> Point:
    """`the week of the 10th`, `the weekend of 22 november`: all of it."""
    found = re.search(r"\b(week|weekend) (?:of|around|from) (?:the )?$", text[: point.start]) if point.size == "day" else None
    if found is None:
        return point
    monday = point.first - timedelta(days=point.first.weekday())
    first = monday + timedelta(days=5) if found[1] == "weekend" else monday
    return point._replace(start=found.start(), first=first, last=monday + timedelta(days=7))


def _on_named_day(text: str, points: list[Point]) -> list[Point]:
    """Two clocks that are joined are of the day beside them, or of two days that are joined: `21 november, 10:00 to 12:00`."""
    clocks, days = ([p for p in points if p.size == size] for size in ("clock", "day"))
    if len(clocks) != 2 or not days or not _are_joined(text, *clocks):
        return points
    days = [days[-1]] * 2 if len(days) != 2 or not _are_joined(text, *days) else days
    at = [day.first.replace(hour=p.first.hour, minute=p.first.minute) for p, day in zip(clocks, days, strict=True)]
    placed = [p._replace(first=first, last=first, size="placed") for p, first in zip(clocks, at, strict=True)]
    return [*placed, *(p for p in points if p.size == "day")]


def _are_joined(text: str, a: Point, b: Point) -> bool:
    return PATTERNS["dates.between"].fullmatch(text[a.stop : b.start]) is not None


def _placed(text: str, points: list[Point], desk: datetime | None) -> list[Point]:
    """A clock and the day or the night beside it are one instant: `yesterday at 14:15`, `14:15 on 12 Nov`, `23:00 last night`."""
    done: list[Point] = []
    for point in points:
        other = done[-1] if done and "clock" in {done[-1].size, point.size} else None
        if other is None or not re.fullmatch(r"[\s,]*(?:at|on|of|about|around|near)?[\s,]*", text[other.stop : point.start]):
            done.append(point)
            continue
        day, clock = sorted((other, point), key=lambda p: p.size == "clock")
        night = text[: day.stop].endswith("night")
        if not (day.size == "day" or night) or desk is None:
            done.append(point)
            continue
        first = midnight(desk) - timedelta(days=clock.first.hour >= 12) if night else day.first
        at = first.replace(hour=clock.first.hour, minute=clock.first.minute)
        at = at - timedelta(days=1) if night and at >= desk else at
        size = "minute" if day.size != "since" and re.search(r"\d", text[day.start : day.stop]) else "placed"
        done[-1] = Point(other.start, point.stop, at, at, size, True)
    return done


def _window(text: str, a: Point, b: Point, joined: str, desk: datetime | None) -> TimeSpan:
    if not a.said_year and b.said_year and a.first.year != b.first.year:  # January to March 2025
        shift = b.first.year - a.first.year
        a = a._replace(first=a.first.replace(year=a.first.year + shift))
    if a.size in EXACT and b.size in EXACT and desk is not None:
        return _between_clocks(a, b, desk)
    to_it = re.search(r"until|till?|up to", joined) or (text[b.start : b.stop][:1].isdigit() and "-" in text[b.start : b.stop])
    spared = b.size == "day" and to_it and not re.search(r"through|thru", joined) and "inclusive" not in text
    whole = b.size in ("day", "month", "year") and not spared
    return TimeSpan(text_of(a.first), text_of(b.last if whole else b.first))


def _between_clocks(a: Point, b: Point, desk: datetime) -> TimeSpan:
    """From one clock to another: one without a day is the next, or the last, beside the one that has it; of two without, the last
    time that both struck. What is not over yet ends now."""
    day, first, end = timedelta(days=1), a.first, b.first
    if a.size == "clock":
        end = end + day if b.size == "clock" and end + day <= desk else end
        first = end.replace(hour=first.hour, minute=first.minute)
        first = first if first < end else first - day
    elif b.size == "clock":
        end = first.replace(hour=end.hour, minute=end.minute)
    if b.size != "minute" and end <= first:
        end += day * ((first - end).days + 1)
    open_end = b.size != "minute" and first < desk < end
    return TimeSpan(text_of(first), None if open_end else text_of(end), to_now=open_end)


def _end(text: str, point: Point) -> str:
    whole = re.search(r"\b(?:through|end\s+of)\s+(?:the\s+)?$", text[: point.start]) or "inclusive" in text
    return text_of(point.last if whole else point.first)
