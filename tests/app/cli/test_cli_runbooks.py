"""`nightdesk runbooks`: a person works through a runbook at the terminal; each answer says what to type next."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli import desk, runbooks
from app.home.home import Home, open_home
from engine.errors import BadInput, Refused
from engine.store.journal import read

KEYS = {"id", "runbook", "title", "about", "state", "by", "begun_ms", "begun_event", "current", "steps", "ended_ms", "ended_why"}


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk that has not begun."""
    return open_home()


def invoke(*words: str) -> Any:
    """What the command does."""
    app = typer.Typer()
    runbooks.register(app)
    desk.register(app)
    return CliRunner().invoke(app, list(words))


def as_json(*words: str) -> Any:
    """The same with --json: one object on stdout."""
    done = invoke(*words, "--json")
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout)


def test_a_runbook_is_worked_through_at_the_terminal(home: Home) -> None:
    """Begin, next, done, refused, end; status names it while it is open."""
    assert "No checklist is open" in invoke("runbooks", "list").stdout
    begun = invoke("runbooks", "begin", "disk-low", "--as", "ann").stdout
    assert "cl-1  disk-low: step 1 of 3; begun" in begun
    assert 'Done: nightdesk runbooks done 1 --of cl-1 --evidence "what you saw" --as NAME' in begun
    assert "disk-free: YES" in invoke("runbooks", "done", "1", "--evidence", "runs take 900 MB", "--as", "ann").stdout
    value = as_json("runbooks", "next", "--as", "bob")
    assert set(value) >= KEYS
    assert (value["current"], value["steps"][0]["state"], value["steps"][0]["words"]) == (2, "done", "runs take 900 MB")
    assert as_json("status")["checklists"] == ["cl-1 (disk-low): step 2 of 3, begun by ann"]
    assert "Runbook cl-1 (disk-low): step 2 of 3, begun by ann; see nightdesk runbooks next" in invoke("status").stdout
    assert as_json("runbooks", "done", "2", "--as", "bob")["steps"][1]["readings"][0]["says"] == "yes"
    told = invoke("runbooks", "next", "--of", "1", "--as", "bob").stdout
    assert "worker-runs: NO, no worker is running" in told
    assert "Done:" not in told
    assert isinstance(invoke("runbooks", "done", "3", "--as", "bob").exception, Refused)
    shown = invoke("runbooks", "show", "cl-1").stdout
    assert "done `du -sh` of the home" in shown
    assert "by ann at " in shown
    over = invoke("runbooks", "refuse", "3", "--reason", "the desk stays down \x1b[31m", "--as", "bob").stdout
    assert over.startswith("cl-1  disk-low: FINISHED")
    assert as_json("status")["checklists"] == []
    assert as_json("runbooks", "list")["items"] == []
    assert "\x1b" not in invoke("runbooks", "show", "cl-1").stdout
    assert [item["id"] for item in as_json("runbooks", "list", "--all")["items"]] == ["cl-1"]


def test_a_page_is_shown_with_its_checks_and_reads_only(home: Home) -> None:
    """Which step has which check, in words; nothing is written, and an unknown page is one line."""
    shown = invoke("runbooks", "show", "worker-down").stdout
    assert "check gate-open: the account's gate is open" in shown
    assert "a person looks" in shown
    value = as_json("runbooks", "show", "halted")
    assert value["steps"][4]["checks"]["gate-open"] == "the account's gate is open"
    for name in ("nothing", "cl-9", "../x"):
        assert isinstance(invoke("runbooks", "show", name).exception, BadInput)
    assert list(read(home.people_journal)) == []


def test_an_end_has_a_reason_and_a_step_its_number(home: Home) -> None:
    """What is missing is said; of several that are open none is guessed."""
    assert isinstance(invoke("runbooks", "next", "--as", "ann").exception, BadInput)
    invoke("runbooks", "begin", "halted", "--as", "ann")
    assert invoke("runbooks", "done", "--as", "ann").exit_code == 2
    assert isinstance(invoke("runbooks", "end", "--reason", " ", "--as", "ann").exception, BadInput)
    invoke("runbooks", "begin", "parity", "--as", "ann")
    assert "2 checklists are open" in str(invoke("runbooks", "next", "--as", "ann").exception)
    ended = as_json("runbooks", "end", "--of", "cl-2", "--reason", "a drill", "--as", "ann")
    assert (ended["state"], ended["ended_by"]["name"], ended["current"]) == ("ended", "ann", None)
