"""The report and the lives of sleeves by command line, on a hand-written month."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import main
from app.home.home import Home, open_home
from app.jobs.desk_reports import keep_due
from engine.clock import DAY_MS
from engine.errors import BadInput
from engine.store.chain import Event
from engine.store.journal import Journal
from engine.watch.window import journal_of
from memory.shelf import Shelf
from tests.engine.watch.test_desk_report import CONFIG, MAY, NOW, mark


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk that lived May 2026 and a day of June, and lost a dollar a day."""
    made = open_home()
    journal = Journal(journal_of(made.path), "worker")
    journal.append([Event("config", MAY, CONFIG), mark(MAY, {"btc": 100.0, "eth": 100.0}, 0.0)], sync=False)
    for day in range(1, 33):
        journal.append([mark(MAY + day * DAY_MS, {"btc": 100.0 - day, "eth": 100.0}, 0.0)], sync=False)
    journal.close()
    main.load_groups()
    return made


def json_of(*words: str) -> dict:
    """A command's JSON."""
    done = CliRunner().invoke(main.app, [*words, "--json"], catch_exceptions=False, standalone_mode=False)
    return json.loads(done.stdout)


def test_a_month_is_kept_as_page_markdown_and_json(home: Home) -> None:
    """With the goals of the memory; the same figures in the file as on stdout."""
    Shelf(home.path / "memory").add("goals", "- trade less\n")
    body = json_of("report", "month")
    assert [goal["text"] for goal in body["goals"]] == ["trade less"]
    kept = json.loads(Path(body["files"]["json"]).read_text())
    assert kept["metrics"] == body["metrics"]
    assert body["metrics"][0]["value"] == -31.0
    assert "trade less" in Path(body["files"]["html"]).read_text()
    assert Path(body["files"]["md"]).read_text().startswith("# The desk, 2026-05")


def test_what_is_due_is_made_once(home: Home) -> None:
    """The newest whole month and weeks, also those that ended while nothing ran; a second look makes none, and a page that a
    person read is not made again."""
    first = keep_due(home, NOW)
    assert [path.name for path in first] == [
        *(f"week-2026-05-{day:02}.html" for day in (4, 11, 18, 25)),
        "month-2026-05.html",
    ]
    assert json.loads(first[1].with_suffix(".json").read_text())["metrics"][0]["value"] == -7.0
    first[0].write_text("as it was read")
    assert keep_due(home, NOW) == []
    assert first[0].read_text() == "as it was read"


@pytest.mark.parametrize(
    "words", [("report", "year"), ("report", "month", "--of", "2020-01"), ("report", "week", "--html", "--md")]
)
def test_what_cannot_be_reported_is_refused(home: Home, words: tuple[str, ...]) -> None:
    """Another unit, a month before the desk, two forms at once."""
    with pytest.raises(BadInput):
        CliRunner().invoke(main.app, list(words), catch_exceptions=False, standalone_mode=False)


def test_lives_are_listed_and_an_unknown_sleeve_is_refused(home: Home) -> None:
    """Both sleeves with what they made; a name that never was."""
    items = json_of("strategies", "history")["items"]
    assert [(item["sleeve"], item["state"], item["stages"][0]["trips"]) for item in items] == [
        ("btc", "paper", 0),
        ("eth", "paper", 0),
    ]
    with pytest.raises(BadInput, match="never had"):
        CliRunner().invoke(main.app, ["strategies", "history", "doge"], catch_exceptions=False, standalone_mode=False)
