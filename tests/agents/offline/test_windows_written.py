"""Windows as people write them, multiplied out of parts, beside an oracle that searches a calendar and reads no sentence."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from dateutil.relativedelta import relativedelta

from agents.offline.dates import TimeSpan, ahead_of, periods, read_span
from agents.offline.words import Words, tidy

DESKS = (datetime(2025, 12, 2, tzinfo=UTC), datetime(2025, 12, 2, 9, 30, tzinfo=UTC))
WORDS = Words(symbols=("BTC-USDT",))
HOURS = ["twelve", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"]
NUMBERS = {2: "two", 5: "five", 11: "eleven", 18: "eighteen", 24: "twenty four", 45: "forty-five", 90: "ninety"}
UNITS = {
    "minutes": ("minutes", "mins", "min"),
    "hours": ("hours", "hrs", "h"),
    "days": ("days", "d"),
    "weeks": ("weeks", "wks", "w"),
    "months": ("months", "mo", "mths"),
    "years": ("years", "yrs", "y"),
}


def _span(text: str, desk: datetime) -> TimeSpan:
    return read_span(tidy(text, WORDS), int(desk.timestamp() * 1000))[0]


def _said(when: datetime | None) -> str | None:
    return None if when is None else when.strftime("%Y-%m-%d" if (when.hour, when.minute) == (0, 0) else "%Y-%m-%dT%H:%M")


@pytest.mark.parametrize("desk", DESKS)
@pytest.mark.parametrize("unit", UNITS)
def test_a_length_counts_back_from_now(unit: str, desk: datetime) -> None:
    """By word or digit, its unit short or long, glued or apart: 7 numbers, 2 or 3 units, 6 frames."""
    for n, short in product(NUMBERS, UNITS[unit]):
        start = _said(desk - relativedelta(**{unit: n}))  # type: ignore[arg-type]  # a keyword of that name
        forms = [
            f"p&l of the last {n} {short}",
            f"over the past {n}{short}",
            f"last {NUMBERS[n]} {short if len(short) > 1 else unit} pls",
            f"trailing {n} {short}",
        ]
        apart = short if len(short) == 1 else f" {short}"
        alone = [] if (n, unit) in ((2, "hours"), (5, "minutes")) else [f"{n}{short}", f"and {n}{apart}?"]
        for text in (*forms, *alone):
            span = _span(text, desk)
            assert (span.start, span.end, span.to_now) == (start, None, True), text


def _searched(desk: datetime, hours: tuple[int, int], halves: tuple[str | None, str | None]) -> tuple[datetime, datetime]:
    """The latest two moments that are over by now, the shortest time apart, whose hours and halves of the day are these."""
    moments = [desk.replace(minute=0) - timedelta(hours=n) for n in range(72)]
    fits = [
        [m for m in moments if m.hour % 12 == hour % 12 and half in (None, "am" if m.hour < 12 else "pm")]
        for hour, half in zip(hours, halves, strict=True)
    ]
    pairs = [(end - start, end, start) for start in fits[0] for end in fits[1] if start < end]
    shortest = min(gap for gap, *_ in pairs)
    _, end, start = max(pair for pair in pairs if pair[0] == shortest)
    return start, end


@pytest.mark.parametrize("desk", DESKS)
@pytest.mark.parametrize("first", range(1, 13))
def test_two_clocks_are_the_last_time_both_struck(first: int, desk: datetime) -> None:
    """An hour without its half of the day is as near to the other as it can be: `betw 11 and 2 am` begins at 23:00."""
    for second, mark in product(range(1, 13), ("am", "pm")):
        if second % 12 == first % 12:
            continue
        other = {"am": "pm", "pm": "am"}[mark]
        cases = {
            f"what happened between {first} and {second} {mark}": (None, mark),
            f"betw {first} and {second}{mark} what was going on": (None, mark),
            f"{first}-{second}{mark}": (None, mark),
            f"from about {HOURS[first % 12]} until around {HOURS[second % 12]} {mark}": (None, mark),
            f"events from {first} {mark} till {second}": (mark, None),
            f"from {first}{mark} to {second}{other}": (mark, other),
        }
        for text, halves in cases.items():
            start, end = _searched(desk, (first, second), halves)
            span = _span(text, desk)
            assert (span.start, span.end) == (_said(start), _said(end)), text


@pytest.mark.parametrize("desk", DESKS)
def test_a_night_is_the_one_before_the_desks_midnight(desk: datetime) -> None:
    """`ten last night` is in the evening, `seven this morning` after it; what is not over ends now."""
    evening = desk.replace(hour=0, minute=0) - timedelta(days=1)
    for begin, end in product(range(6, 12), range(1, 10)):
        start, stop = evening.replace(hour=begin + 12), evening + timedelta(days=1, hours=end)
        for text in (
            f"what happened from about {HOURS[begin]} last night until {HOURS[end]} this morning",
            f"from {begin}pm last night to {end}am this morning",
            f"since {begin} last night till {end} in the morning",
        ):
            span = _span(text, desk)
            assert span.start == _said(start), text
            assert (span.end, span.to_now) == ((None, True) if stop > desk else (_said(stop), False)), text


@pytest.mark.parametrize("month", range(1, 13))
def test_a_part_of_a_month_is_its_days(month: int) -> None:
    """Weeks count from the first of the month, the last one back from its end."""
    desk, year = DESKS[0], 2025 if month < 12 else 2024
    name = datetime(2024, month, 1, tzinfo=UTC).strftime("%B").lower()
    days = monthrange(year, month)[1]
    after = (datetime(year, month, 1, tzinfo=UTC) + timedelta(days=days)).strftime("%Y-%m-%d")
    for part, first, last in (
        ("first week", 1, 8),
        ("second week", 8, 15),
        ("first half", 1, 16),
        ("second half", 16, None),
        ("last week", days - 6, None),
        ("last 10 days", days - 9, None),
    ):
        span = _span(f"how was the {part} of {name} {year}", desk)
        assert (span.start, span.end) == (f"{year}-{month:02d}-{first:02d}", f"{year}-{month:02d}-{last:02d}" if last else after)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("p&l of the week before last", "2025-11-17", "2025-11-24"),
        ("month before last", "2025-10-01", "2025-11-01"),
        ("the past fortnight", "2025-11-18", None),
        ("the past hour and a half", "2025-12-01T22:30", None),
        ("last half an hour", "2025-12-01T23:30", None),
        ("last 6m", "2025-06-02", None),
        ("last 90m", "2025-12-01T22:30", None),
        ("2 weeks before 10 november", "2025-10-27", "2025-11-10"),
        ("3 days after 10 nov", "2025-11-11", "2025-11-14"),
        ("yesterday evening", "2025-12-01T18:00", "2025-12-02"),
        ("from half past nine until quarter to eleven", "2025-12-01T09:30", "2025-12-01T10:45"),
        ("between 10pm and midnight", "2025-12-01T22:00", "2025-12-02"),
        ("from 22:00 on 10 nov to 03:00 on 11 nov", "2025-11-10T22:00", "2025-11-11T03:00"),
        ("week to date", "2025-12-01", None),
    ],
)
def test_other_forms(text: str, start: str, end: str | None) -> None:
    """At the desk's midnight."""
    span = _span(text, DESKS[0])
    assert (span.start, span.end) == (start, end)


@pytest.mark.parametrize(
    "text", ["a stop of 2 to 3 atr", "from 2 to 5 trades a day", "is one day enough", "leverage 3x", "stop at 3"]
)
def test_what_is_no_window_is_none(text: str) -> None:
    """Numbers of a setting, counts, a multiple."""
    assert _span(text, DESKS[0]) == TimeSpan()


@pytest.mark.parametrize("unit", ["days", "weeks", "months", "hours"])
def test_the_window_before_that_ends_where_the_one_above_begins(unit: str) -> None:
    """As long as the sentence says, not as long as the one above."""
    above = TimeSpan("2025-10-15", "2025-11-01")
    begin = datetime(2025, 10, 15, tzinfo=UTC)
    for n, text in product((2, 7, 30), ("the {} {} before that", "same for the {} {} before", "and the {}{} prior to that?")):
        span = _span(text.format(n, unit), DESKS[0])
        found = ahead_of(span, above, int(DESKS[0].timestamp() * 1000))
        assert found == TimeSpan(_said(begin - relativedelta(**{unit: n})), "2025-10-15"), text  # type: ignore[arg-type]


@pytest.mark.parametrize("desk", DESKS)
@pytest.mark.parametrize("month", ["november", "oct", "september", "sept"])
def test_a_part_of_a_month(month: str, desk: datetime) -> None:
    """Early, mid and late are its thirds of ten days, the last with what is left; `since mid` begins with the 15th."""
    first = datetime(2025, {"n": 11, "o": 10, "s": 9}[month[0]], 1, tzinfo=UTC)
    end = first + relativedelta(months=1)
    days = [first, first + timedelta(days=10), first + timedelta(days=20), end]
    for n, part in enumerate(("early", "mid", "late")):
        assert _span(f"what did we make in {part} {month}", desk)[:2] == (_said(days[n]), _said(days[n + 1]))
    assert _span(f"trades since mid {month}", desk)[:2] == (_said(first + timedelta(days=14)), None)


@pytest.mark.parametrize("desk", DESKS)
@pytest.mark.parametrize("text", ["first half of november {} the second half", "the first {} second half of november"])
def test_halves_of_a_month_beside_each_other(text: str, desk: datetime) -> None:
    """However they are joined, and of which the month is said."""
    asked = [text.format(join) for join in ("vs", "against", "or")] + ["difference between the first and second half of november"]
    for one in asked:
        found, _ = periods(tidy(f"hit rate, {one}", WORDS), int(desk.timestamp() * 1000))
        assert [span[:2] for span in found] == [("2025-11-01", "2025-11-16"), ("2025-11-16", "2025-12-01")], one


@pytest.mark.parametrize("desk", DESKS)
@pytest.mark.parametrize("day", ["21 november", "nov 21", "the 21st", "2025-11-21"])
@pytest.mark.parametrize(("clocks", "start", "end"), [("06:00 to 13:00", "06:00", "13:00"), ("9am until 5pm", "09:00", "17:00")])
def test_clocks_of_a_day_before_or_after_them(day: str, clocks: str, start: str, end: str, desk: datetime) -> None:
    """The day stands first or last; neither clock is of another one."""
    for text in (f"what happened on {day} from {clocks}", f"what happened {clocks} on {day}", f"{day}, {clocks}"):
        assert _span(text, desk)[:2] == (f"2025-11-21T{start}", f"2025-11-21T{end}"), text


@pytest.mark.parametrize("desk", DESKS)
@pytest.mark.parametrize(
    "days", ["from the 20th to the 21st of november", "20 to 21 november", "between 20 november and 21 november"]
)
def test_clocks_of_two_days(days: str, desk: datetime) -> None:
    """The first clock is of the first day."""
    assert _span(f"the night {days}, 22:00 to 6:00", desk)[:2] == ("2025-11-20T22:00", "2025-11-21T06:00")


@pytest.mark.parametrize("desk", DESKS)
@pytest.mark.parametrize("day", ["the 12th", "12 november", "november 12"])
def test_the_week_of_a_day(day: str, desk: datetime) -> None:
    """Monday to Sunday, and its weekend."""
    assert _span(f"p&l in the week of {day}", desk)[:2] == ("2025-11-10", "2025-11-17")
    assert _span(f"p&l over the weekend of {day}", desk)[:2] == ("2025-11-15", "2025-11-17")
