"""The published month through the real commands: +42.43 in all, +113.00 of it while a fill pipeline was broken, so that the
strategies lost 70.57. The same three figures wherever the desk shows money; the window's page, its lesson, the identity.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from app.api.pages import curve_of
from app.cli import handing, main
from app.home.home import Home, open_home
from engine.clock import DAY_MS
from engine.live.loop import Loop
from engine.watch import attribution
from engine.watch.attribution import pnl_of_window
from engine.watch.identity import broken, identity, identity_json, refresh
from engine.watch.incidents import lessons_of, windows_of
from engine.watch.periods import lately, periods
from engine.watch.unclosed import unclosed
from engine.watch.window import mark_at
from memory.shelf import Shelf
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of, reconfigured

SLEEVES = ("btc-trend", "eth-trend", "sol-reversion")
WHOLE, INCIDENT, STRATEGY = 42.43, 113.00, -70.57
DAY = 96
LESSON = "ask the venue for fills by REST when an order says filled and no fill comes"


def ran(*words: str) -> Any:
    """The command's result; its errors are raised."""
    return CliRunner().invoke(main.app, list(words), catch_exceptions=False)


def json_of(*words: str) -> dict[str, Any]:
    """Its JSON."""
    found: dict[str, Any] = json.loads(ran(*words, "--json").stdout)
    return found


def paid(loop: Loop, cash: float, n: int) -> None:
    """A result of one sleeve, by the way that cash comes into a ledger without a market."""
    bill = {"bill": f"b{n}", "sleeve": SLEEVES[0], "mark": 100.0, "rate": 0.0, "cash_flow": cash, "t_ms": loop.book.close_ms}
    loop.take("funding", bill)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The desk of that month: four days of sleeves that people have paused, three results, one incident window."""
    main.load_groups()
    path = tmp_path_factory.mktemp("month") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(path))
        patch.delenv("NIGHTDESK_DATA", raising=False)
        path.mkdir()
        furnished(path)
        home = open_home(WALL_MS)
        for name in SLEEVES:
            reconfigured(home, name, paused=True)
        loop = loop_of(home, feed_of(home))
        patch.setattr(handing.time, "sleep", lambda _: loop.poll_controls())
        advanced(loop, DAY)
        paid(loop, -31.27, 1)
        advanced(loop, DAY)
        ran("incidents", "open", "--cause", "orders say filled, no fill comes", "--as", "ann")
        paid(loop, 113.0, 2)
        advanced(loop, DAY)
        words = ("--cause", "the private stream lost its fill channel", "--lesson", LESSON)
        ran("incidents", "close", "w1", *words, "--as", "ann", "--yes")
        paid(loop, -39.30, 3)
        advanced(loop, DAY // 2)
        loop.journal.close()
        yield home


@pytest.fixture
def month(lived: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The same, as the home that commands find."""
    monkeypatch.setenv("NIGHTDESK_HOME", str(lived.path))
    return lived


def test_the_ledger_of_incidents(month: Home) -> None:
    """The list has the three figures, the window its own fields."""
    parts = json_of("incidents", "list")["pnl"]
    assert [round(parts[name], 2) for name in ("whole", "incident", "strategy")] == [WHOLE, INCIDENT, STRATEGY]
    shown = json_of("incidents", "show", "w1")
    assert {"opened_ms", "closed_ms", "cause", "pnl", "orders"} <= shown.keys()
    assert (round(shown["pnl"], 2), shown["orders"], shown["lesson"]) == (INCIDENT, [], LESSON)
    assert shown["closed_ms"] - shown["opened_ms"] == DAY_MS


def test_the_money_adds_up(month: Home) -> None:
    """cash + strategy + incident + manual + fees + funding = equity; with the sums of whole days kept, too."""
    found = json_of("status")["identity"]
    terms = ("cash", "strategy", "incident", "manual", "fees", "funding")
    assert [found[name] for name in terms] == [30_000.0, 0.0, INCIDENT, 0.0, 0.0, STRATEGY]
    assert (found["equity"], found["holds"]) == (30_000.0 + WHOLE, True)
    before = identity(month.path)
    refresh(month.path)
    assert (month.path / "cache" / "identity.json").exists()
    assert identity(month.path) == before


def test_money_that_is_in_no_term_is_a_page(month: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A settlement that the events do not have: status says so first, and the watch pages."""
    (month.path / "cache" / "identity.json").unlink(missing_ok=True)
    flows = attribution.between_marks
    monkeypatch.setattr(attribution, "between_marks", lambda *ends: (f for f in flows(*ends) if round(f.cash, 2) != -31.27))
    found = identity_json(identity(month.path))
    assert found is not None
    assert (found["gap"], found["holds"]) == (-31.27, False)
    (finding,) = broken(SimpleNamespace(identity=found, now_ms=WALL_MS))  # type: ignore[arg-type]
    assert (finding.severity, "-31.27" in finding.what) == ("page", True)
    assert "THE MONEY DOES NOT ADD UP: -31.27" in ran("status").output


def test_a_window_whose_money_went_to_a_strategy_is_a_page(month: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum holds, but the fold's incidents and those of the events differ."""
    (month.path / "cache" / "identity.json").unlink(missing_ok=True)
    monkeypatch.setattr("engine.watch.pnl_segments.windows_of", lambda _path: [])
    found = identity_json(identity(month.path))
    assert found is not None
    assert (found["gap"], found["apart"], found["holds"]) == (0.0, INCIDENT, False)
    (finding,) = broken(SimpleNamespace(identity=found, now_ms=WALL_MS))  # type: ignore[arg-type]
    assert "incident windows" in finding.what


def test_headline_chart_and_attribution_keep_it_apart(month: Home) -> None:
    """Since the start, by day, in the curve and by source: the strategies' figures hold nothing of the window."""
    since = lately(month.path)["start"]
    assert (since.net, since.incident, since.strategy) == (WHOLE, INCIDENT, STRATEGY)
    days = periods(month.path, "day")
    assert round(sum(day.strategy or 0.0 for day in days), 2) == STRATEGY
    curve = curve_of(month.desk_journal, 50)
    assert round(curve["equity"][-1] - 30_000.0, 2) == WHOLE
    assert round(curve["strategy"][-1] - 30_000.0, 2) == STRATEGY
    mark = mark_at(month.desk_journal)
    assert mark is not None
    span = pnl_of_window(month.path, 0, mark.t_event_ms)
    assert span is not None
    desk = span.attribution.desk
    assert (desk.change, desk.incident, desk.funding, desk.unexplained) == (4243, 11300, -7057, 0)
    said = ran("tool", "attribution", "--role", "advisor").output
    assert "113.00" in said
    assert "-70.57" in said


def test_the_page_is_code_s_and_a_person_s(month: Home) -> None:
    """Timeline, exposure, people and lesson come from the journal; what a person adds stays when code writes again."""
    from app.views.incident_pages import write_pages

    shelf = Shelf(month.path / "memory")
    page = shelf.read("incidents/w1")
    assert page is not None
    for words in (
        "the private stream lost its fill channel",
        "+113.00 USDT",
        LESSON,
        "ann: incident window opened",
        "ann: incident window closed",
        "flat",
    ):
        assert words in page.text
    shelf.replace(page, page.text + "\nSeen first in the morning's handover.\n")
    assert write_pages(month.path) == ["incidents/w1"]
    again = shelf.read("incidents/w1")
    assert again is not None
    assert "Seen first in the morning's handover." in again.text
    assert again.text.count("# Incident w1") == 1


def test_a_lesson_is_a_check_of_the_runbook(month: Home) -> None:
    """With who said it and of which window."""
    (lesson,) = lessons_of(month.desk_journal)
    assert (lesson.text, lesson.by, lesson.pages) == (LESSON, "ann", ("incident",))
    assert LESSON in ran("tool", "runbook", "--role", "operator", "--arg", "about=incident").output
    (step,) = (one for one in json_of("runbooks", "show", "incident")["steps"] if one["origin"])
    assert (step["text"], step["checks"], step["origin"].startswith("lesson of incident w1, ")) == (LESSON, {}, True)
    assert "7 steps, 2 by a check, 1 of this desk's incidents" in ran("runbooks", "list").output


def test_a_window_that_nobody_closes_is_asked_about_each_day(month: Home) -> None:
    """Not on its first day; then each day under a name of its own."""
    (window,) = windows_of(month.desk_journal)

    def names(days: float) -> list[str]:
        now_ms = window.opened_wall_ms + round(days * DAY_MS)
        return [finding.fingerprint for finding in unclosed(SimpleNamespace(now_ms=now_ms, windows=(window,)))]  # type: ignore[arg-type]

    assert (names(0.9), names(1.1), names(2.5)) == ([], ["unclosed:w1:1"], ["unclosed:w1:2"])


def test_a_window_is_not_closed_without_a_lesson(month: Home) -> None:
    """The command asks for it."""
    result = CliRunner().invoke(main.app, ["incidents", "close", "w1", "--cause", "x", "--as", "ann", "--yes"])
    assert result.exit_code == 2


def test_the_journal_of_the_month_folds_to_the_same_parts(month: Home) -> None:
    """From the beginning, without a snapshot's help."""
    from engine.book.incident_money import parted
    from engine.book.replay import fold

    book = fold(Path(month.desk_journal))
    assert book is not None
    assert [round(value, 2) for value in parted(book)] == [WHOLE, INCIDENT, STRATEGY]
