"""Times as people write them, against the standard library's calendar: every form, every boundary, nothing guessed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import utc
from engine.errors import BadInput
from tools.common.time_words import ahead, instant, window

DESK = datetime(2025, 3, 4, 5, 15, tzinfo=UTC)
DESK_MS = int(DESK.timestamp() * 1000)
DAY_MS = 86_400_000
NOON_MS = DESK_MS + DAY_MS + 7 * 3_600_000 + 900_000  # Wednesday 2025-03-05 12:30
moments = st.integers(0, 7_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))


def ms(moment: datetime) -> int:
    """UTC milliseconds by the standard library."""
    return int(moment.timestamp()) * 1000


@given(moments)
def test_every_written_form_is_its_instant(moment: datetime) -> None:
    """Second, minute, day, month and year, with T or a space, with or without Z: what is left out is its start."""
    minute, day = moment.replace(second=0), moment.replace(hour=0, minute=0, second=0)
    for text, meant in (
        (f"{moment:%Y-%m-%dT%H:%M:%S}", moment),
        (f"{moment:%Y-%m-%d %H:%M:%S}", moment),
        (f"{moment:%Y-%m-%dT%H:%M:%SZ}", moment),
        (f" {minute:%Y-%m-%dt%H:%Mz}".strip(), minute),
        (f"{minute:%Y-%m-%d %H:%MZ}", minute),
        (f"{day:%Y-%m-%d}", day),
        (f"{day:%Y-%m}", day.replace(day=1)),
        (f"{day:%Y}", day.replace(day=1, month=1)),
    ):
        assert instant(text, None) == ms(meant), text


@given(st.integers(0, 9999), st.sampled_from([("m", 60), ("h", 3_600), ("d", 86_400), ("w", 7 * 86_400)]))
def test_a_span_counts_back_from_the_desk(count: int, unit: tuple[str, int]) -> None:
    """`24h`, `24 hours`, `last 24h`: from the desk's time, whatever the machine's clock shows."""
    name, seconds = unit
    whole = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[name]
    meant = (
        ms(DESK - timedelta(seconds=count * seconds)) if count * seconds < 60_000_000_000 else DESK_MS - count * seconds * 1000
    )
    for text in (f"{count}{name}", f"{count} {name}", f"{count} {whole}", f"last {count} {whole}", f"the last {count}{name}"):
        assert instant(text, DESK_MS) == meant, text


@given(st.integers(0, 4_000_000_000_000))
def test_today_and_yesterday_begin_at_midnight(desk_ms: int) -> None:
    """In UTC, on the desk's day; one millisecond before midnight is still the day before."""
    midnight = ms(datetime.fromtimestamp(desk_ms // 1000, UTC).replace(hour=0, minute=0, second=0))
    assert instant("today", desk_ms) == midnight
    assert instant(" Yesterday ", desk_ms) == midnight - DAY_MS


@pytest.mark.parametrize("text", ["today", "yesterday", "24h", "last 7 days"])
def test_a_desk_that_has_not_run_has_no_yesterday(text: str) -> None:
    """Said, not guessed from the machine's clock."""
    with pytest.raises(BadInput, match="has not processed a bar"):
        instant(text, None)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "soon", "2025-13", "2025-02-29", "2025-02-30T10:00", "2025-3-4x", "25:00", "2025-03-04T24:00", "10:00"),
        *("-24h", "24 h ago", "h", "24y", "12345d", "1e3d", "1.5h", "½d", "2025-03-04T05:15+02:00", "March 2025", "tomorrow"),
        *(
            "99999999999",
            "999999999999999",
            "-1700000000000",
            "1700000000000.5",
            "2025-03-04T05:15:00.5",
            "3 dours",
            "3 weekdays",
            "3 miles",
            "3 horses",
        ),
    ],
)
def test_what_is_not_a_time_is_not_taken_for_one(text: str) -> None:
    """No month thirteen, no zone that would be dropped, no fraction, no day that the calendar lacks: one line with an example."""
    with pytest.raises(BadInput, match="not a valid time") as told:
        instant(text, DESK_MS)
    assert "2025-03-04" in told.value.hint


def test_milliseconds_are_taken_as_they_are() -> None:
    """Twelve to fourteen digits are an instant, as every answer of ours prints it in its data."""
    assert instant("1741065300000", None) == DESK_MS
    assert instant("100000000000", None) == 100_000_000_000


def test_a_leap_day_is_a_day() -> None:
    """The 29th of February exists in 2024 and in 2000, not in 1900."""
    assert instant("2024-02-29", None) == ms(datetime(2024, 2, 29, tzinfo=UTC))
    assert instant("2000-02-29", None) == ms(datetime(2000, 2, 29, tzinfo=UTC))
    with pytest.raises(BadInput):
        instant("1900-02-29", None)


def test_a_window_without_an_end_contains_the_desks_last_bar() -> None:
    """Its end is exclusive, so it is one past the desk's time; a named end is itself outside."""
    assert window("24h", None, DESK_MS, "yesterday") == (DESK_MS - DAY_MS, DESK_MS + 1)
    assert window(None, None, DESK_MS, "yesterday") == (ms(datetime(2025, 3, 3, tzinfo=UTC)), DESK_MS + 1)
    assert window("2025", "2026", None, "yesterday") == (instant("2025", None), instant("2026", None))


@pytest.mark.parametrize(
    ("since", "until"), [("2025-03-04", "2025-03-04"), ("2025-03-05", "2025-03-04"), ("1h", "2h"), ("2026", None)]
)
def test_a_window_that_ends_where_it_begins_is_refused(since: str, until: str | None) -> None:
    """Empty or reversed: the answer names both ends, so that the writer sees which one is off."""
    with pytest.raises(BadInput, match="empty or reversed") as told:
        window(since, until, DESK_MS, "yesterday")
    assert " to " in told.value.what


def test_a_window_up_to_now_needs_a_desk_that_ran() -> None:
    """With a start of its own and no end there is nothing to reach up to."""
    with pytest.raises(BadInput, match="has not processed a bar"):
        window("2025-03-04", None, None, "yesterday")


@pytest.mark.parametrize(
    ("text", "end"),
    [("24h", "2025-03-06 12:30Z"), ("for two days", "2025-03-07 12:30Z"), ("until tomorrow", "2025-03-06 00:00Z"),
     ("until monday 06:00z", "2025-03-10 06:00Z"), ("wednesday 12:00", "2025-03-12 12:00Z"),
     ("wednesday 13:00", "2025-03-05 13:00Z"),
     ("until 06:00Z", "2025-03-06 06:00Z"), ("14:00", "2025-03-05 14:00Z"), ("until the end of the week", "2025-03-10 00:00Z"),
     ("until 2025-03-07T05:15", "2025-03-07 05:15Z"), ("until further notice", "-"), ("", "-"), ("tonight", "2025-03-06 00:00Z")],
)  # fmt: skip
def test_an_end_lies_ahead_of_the_desk(text: str, end: str) -> None:
    """A length, a day, a clock or a date, counted on from Wednesday 2025-03-05 12:30."""
    assert utc(ahead(text, NOON_MS)) == end


@pytest.mark.parametrize("text", ["2025-03-05", "yesterday", "100d", "99:99", "soon", "0h"])
def test_an_end_that_is_no_end_is_refused(text: str) -> None:
    """Past, too far away or unreadable: one clear line."""
    with pytest.raises(BadInput):
        ahead(text, NOON_MS)
