"""A drafted strategy: a note by a tool, a file by a named person alone, never what was not shown or does not pass."""

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli import strategies
from app.home.home import Home, open_home
from app.people import drafts
from app.people.identity import add_person, identify
from app.people.sessions import Denied
from engine.errors import BadInput, Refused
from engine.store.journal import read
from engine.strategies.new_file import TEMPLATE
from memory.note import render
from memory.shelf import INBOX, Shelf
from tests.fakes.papers import WALL_MS, furnished

CODE = TEMPLATE.format(name="calm", title="Calm")
NOTE = "n-1-1-draft-calm"
PASSED = [{"check": "leaks", "passed": True, "text": ""}, {"check": "backtest", "passed": True, "text": ""}]


def noted(home: Home, code: str = CODE) -> None:
    """The draft's page in the inbox, as the tool leaves it."""
    from memory.note import Note

    text = f"Draft of the strategy calm: x\n\n```python\n{code.rstrip()}\n```"
    shelf = Shelf(home.memory)
    page = render(Note(NOTE, "draft calm", text, (), "developer", "t", "ann", 1, None))
    found = shelf.read(f"{INBOX}/{NOTE}")
    shelf.add(f"{INBOX}/{NOTE}", page) if found is None else shelf.replace(found, page)


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk that adopts drafts, with one in its inbox."""
    furnished(own_home)
    open_home(WALL_MS)
    toml = own_home / "desk.toml"
    toml.write_text(toml.read_text() + "\n[strategies]\nadopt = true\n")
    home = open_home(WALL_MS)
    noted(home)
    return home


def actor(home: Home) -> Any:
    """Ann."""
    return identify(home.path, "ann", "cli")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("import os", "imports os"),
        ("from subprocess import run", "imports subprocess"),
        ("from . import trend", "imports None"),
        ("from engine.control.apply import approve", "imports engine.control.apply"),
        ("x = open('/etc/passwd')", "uses open"),
        ("x = eval('1')", "uses eval"),
        ("x = __builtins__", "uses __builtins__"),
        ("x = ().__class__", "uses .__class__"),
        ("x = np.load('f')", "uses .load"),
        ("x = (", "is not Python"),
        ("#" * 20_001, "at most 20,000"),
    ],
)
def test_code_that_does_more_than_a_strategy_may_is_refused_unrun(home: Home, line: str, fault: str) -> None:
    """By its syntax, before any process sees it."""
    noted(home, f"{CODE}\n{line}\n")
    with pytest.raises(Refused, match=fault):
        drafts.draft_of(home, NOTE)


def test_a_name_that_exists_is_refused(home: Home) -> None:
    """A shipped strategy, a file of the person's own, and no name at all."""
    noted(home, TEMPLATE.format(name="trend", title="Trend"))
    with pytest.raises(Refused, match="a strategy trend exists"):
        drafts.draft_of(home, NOTE)
    noted(home)
    (home.strategies / "calm.py").write_text("mine")
    with pytest.raises(Refused, match="a strategy calm exists"):
        drafts.draft_of(home, NOTE)
    noted(home, CODE.replace('NAME = "calm"', "NAME = 3"))
    with pytest.raises(Refused, match="is invalid"):
        drafts.draft_of(home, NOTE)
    with pytest.raises(BadInput, match="unknown note"):
        drafts.draft_of(home, "n-9")


def test_what_changed_since_it_was_shown_or_failed_is_not_written(home: Home) -> None:
    """The hash of what was read decides; so does every check, and that there were any."""
    shown = drafts.draft_of(home, NOTE)
    for checks in ([], [PASSED[0] | {"passed": False}, PASSED[1]]):
        with pytest.raises(Refused, match="did not pass"):
            drafts.adopt(home, shown, checks, actor(home), WALL_MS)
    noted(home, CODE.replace("1.0", "2.0"))
    with pytest.raises(Refused, match="changed since it was shown"):
        drafts.adopt(home, shown, PASSED, actor(home), WALL_MS)
    assert not (home.strategies / "calm.py").exists()


def test_it_is_off_by_default_and_takes_an_approver(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was shown."""
    shown = drafts.draft_of(home, NOTE)
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(home.path, "ann"))
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(home.path, "vic", role="operator"))
    with pytest.raises(Denied, match="code: it takes an approver"):
        drafts.adopt(home, shown, PASSED, identify(home.path, "vic", "cli"), WALL_MS)
    (home.path / "people.toml").unlink()
    (home.path / ".people-registered").unlink()
    toml = home.path / "desk.toml"
    toml.write_text(toml.read_text().replace("\nadopt = true", "\nadopt = false"))
    off = open_home(WALL_MS)
    with pytest.raises(Refused, match="adopts no drafts"):
        drafts.adopt(off, shown, PASSED, actor(off), WALL_MS)


@pytest.mark.slow
def test_the_command_shows_checks_and_writes_what_was_shown(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Diff, both checks really run, the file equal to the note's code, journaled with who."""
    app = typer.Typer()
    strategies.register(app)
    words = ["strategies", "adopt", NOTE, "--as", "ann"]
    run = CliRunner().invoke(app, words, input="n\n", catch_exceptions=False)
    assert "--- " in run.output
    assert "leaks: passed" in run.output, run.output
    assert "backtest: passed" in run.output
    assert not (home.strategies / "calm.py").exists()
    shown = drafts.draft_of(home, NOTE)
    with pytest.raises(Refused, match="changed since it was shown"):
        CliRunner().invoke(app, [*words, "--sha256", "0" * 64], catch_exceptions=False)
    monkeypatch.setattr(drafts, "_checked", lambda what, *_: {"check": what, "passed": True, "text": ""})  # as it did above
    CliRunner().invoke(app, [*words, "--sha256", shown.sha256], catch_exceptions=False)
    assert (home.strategies / "calm.py").read_text() == shown.code
    (event,) = [event for event in read(home.people_journal) if event.kind == "adopt_strategy"]
    assert (event.body["strategy"], event.body["actor"]["name"]) == ("calm", "ann")


def test_a_draft_that_looks_ahead_does_not_pass(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check is the desk's own, on the home's data."""
    ahead = CODE.replace("direction = np.where(", "spread = np.roll(spread, -3)\n    direction = np.where(", 1)
    assert ahead != CODE
    noted(home, ahead)
    really = drafts._checked
    monkeypatch.setattr(drafts, "_checked", lambda what, *more: really(what, *more) if what == "leaks" else {})
    leaks = drafts.checks_of(home, drafts.draft_of(home, NOTE), "BTC-USDT")[0]
    assert (leaks["check"], leaks["passed"]) == ("leaks", False)
