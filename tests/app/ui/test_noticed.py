"""What looks at the desk by itself, on the page: silences, the monitor's notes, the last backup, what is kept how long."""

import pytest

from app.ui import noticed
from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_shapes import NOW_MS
from tests.app.ui.looking import page, texts_of

DAY_MS = 86_400_000
STOPPED = (
    "btc-trend: trailing stop: it stopped: 0 in 41 round trips since 2026-01-02 00:00Z, 12 expected by the backtest (6 to 19)"
)


def alerts_view() -> str:
    """All the text of the view."""
    return texts_of(page(tab="desk", view="alerts"))


def test_before_any_look_each_panel_says_what_begins_it(fake: Fake) -> None:
    """No empty table, no zero that nobody counted; a missing backup is amber and says the command."""
    text = alerts_view()
    assert "No look yet: a running desk looks once an hour, nightdesk silences at once." in text
    assert "set every_minutes under [monitor] of desk.toml" in text
    assert "▲ No backup of this home is known." in text
    assert "nightdesk backup FILE.tar.zst" in text
    assert "0 B" not in text


def test_what_fell_silent_comes_first_and_what_cannot_be_judged_is_no_pass(fake: Fake) -> None:
    """The sleeve and the thing strong, the counts beside; the rest is counted, with why it cannot be judged."""
    unsaid = "eth-trend: entries: 0 in 3 closes ever; too little history"
    items = [("silent", STOPPED), ("cannot tell", unsaid)]
    fields = {"kind": "exit", "place": "btc-trend", "name": "trail", "why": ""}
    fake.silences = {
        "wall_ms": NOW_MS,
        "counts": {"silent": 1, "cannot_tell": 1, "as_expected": 7},
        "items": [{**fields, "state": state, "text": text} for state, text in items],
    }
    text = alerts_view()
    assert "<b>btc-trend, trailing stop:</b> it stopped: 0 in 41 round trips" in text
    assert "7 as expected, 1 cannot be judged yet, which is not a pass." in text
    assert "too little history" in text
    assert "Nothing that could be judged is silent" not in text


def test_more_silences_than_have_room_are_counted(fake: Fake) -> None:
    """Never cut without a word."""
    line = {"kind": "exit", "place": "a", "name": "trail", "why": "", "state": "silent", "text": STOPPED}
    fake.silences = {
        "wall_ms": NOW_MS,
        "counts": {"silent": 30, "cannot_tell": 0, "as_expected": 0},
        "items": [line] * 30,
    }
    text = alerts_view()
    assert text.count("0 in 41 round trips") == noticed.LISTED_MAX
    assert f"{30 - noticed.LISTED_MAX} more are silent." in text


def test_the_monitors_notes_are_shown_as_text_with_what_was_left_out(fake: Fake) -> None:
    """Newest first, three open and the others folded; what a model wrote has no effect on the page."""
    note = {"turn": "u-1", "at_ms": NOW_MS, "model": "gpt", "left_out": 2, "tokens": 900}
    texts = ["The ETH sleeve pauses. <img src=x onerror=alert(1)>", "two", "three", "four"]
    fake.monitor |= {"every_minutes": 30, "last_ms": NOW_MS, "why": "", "items": [note | {"text": text} for text in texts]}
    text = alerts_view()
    assert "a model&#x27;s notes, every 30 min, and after alerts" in text
    assert "&lt;img src=x onerror=alert(1)&gt; (gpt; 2 sentences left out, not proven)" in text
    assert "<img src=x" not in text
    assert [box.label for box in page(tab="desk", view="alerts").expander if "older" in box.label] == ["1 older note"]


def test_why_the_monitor_wrote_nothing_is_said(fake: Fake) -> None:
    """A look without a note is not silence."""
    fake.monitor |= {"every_minutes": 30, "last_ms": NOW_MS, "why": "no model is configured"}
    assert "no model is configured." in alerts_view()


@pytest.mark.parametrize(("days", "sign"), [(2, "● Last backup 2 d ago"), (9, "▲ Last backup 9 d ago")])
def test_a_backup_says_how_old_it_is_and_an_old_one_how_to_make_one(fake: Fake, days: int, sign: str) -> None:
    """Where it went and how large it was; amber after a week, with the command."""
    made = {"file": "/backups/desk.tar.zst", "made_ms": NOW_MS - days * DAY_MS, "files": 40, "bytes": 12_345_678}
    fake.upkeep |= {"backup": made}
    text = alerts_view()
    assert sign in text
    assert "12.3 MB in /backups/desk.tar.zst." in text
    assert ("nightdesk backup FILE.tar.zst" in text) == (days > 7)


def test_what_is_kept_how_long_is_a_table_of_what_there_is(fake: Fake) -> None:
    """Each kind with its age in words; a kind without a file is left out; what went at the last look is counted."""
    taken = {"journals": (2, 177e6, 0.0), "logs": (3, 5e6, 30.0), "runs": (9, 2e9, 0.0), "caches": (4, 1e6, 0.0)}
    items = [{"kind": kind, "files": n, "bytes": int(size), "days": days} for kind, (n, size, days) in taken.items()]
    none = {"kind": "recordings", "files": 0, "bytes": 0, "days": 0.0}
    fake.upkeep |= {"looked_ms": NOW_MS, "removed": 2, "freed": 3_000, "items": [*items, none]}
    text = alerts_view()
    assert "30 days, packed at 20 MB" in text
    assert "for ever" in text
    assert "made again when needed" in text
    assert "177.0 MB" in text
    assert "2 files and folders went, 3.0 kB" in text
    assert "recordings" not in text
