"""`nightdesk people`: an admin adds, gives roles, removes; each act is journaled; a viewer's commands are refused."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli import (
    adopt,
    alerts,
    canary,
    cash,
    halt,
    handing,
    incidents,
    live,
    making,
    memory,
    notes,
    people,
    proposals,
    reconcile,
    runbooks,
    runs,
    strategies,
    watches,
)
from app.home.home import Home, open_home
from app.people.authority import ACTS, COMMANDS, DECIDE
from app.people.identity import add_person, identify, read_people, two_people
from app.people.sessions import Denied
from engine.errors import BadInput, DeskError, Refused
from engine.store.journal import read
from tests.fakes.slack_desks import proposed

GROUPS = (
    adopt,
    alerts,
    canary,
    cash,
    halt,
    incidents,
    live,
    making,
    memory,
    notes,
    people,
    proposals,
    reconcile,
    runbooks,
    runs,
    strategies,
    watches,
)
# a command line for each act that not everyone may do
LINES = {
    "adopt": ("adopt", "d1", "--keep", "--as", "vic", "--reason", "x", "--yes"),
    "cash in": ("cash", "in", "5", "--reason", "x", "--as", "vic"),
    "cash out": ("cash", "out", "5", "--reason", "x", "--as", "vic"),
    "alerts ack": ("alerts", "ack", "al-1", "--as", "vic"),
    "canary full": ("canary", "full", "prop-1", "--as", "vic"),
    "incidents close": ("incidents", "close", "w1", "--cause", "x", "--lesson", "x", "--as", "vic"),
    "incidents open": ("incidents", "open", "--cause", "x", "--as", "vic"),
    "live consent": ("live", "consent", "--as", "vic", "--yes"),
    "live stage": ("live", "stage", "btc-trend", "paper_live", "--as", "vic"),
    "live test": ("live", "test", "main", "--as", "vic", "--yes"),
    "making adopt": ("making", "adopt", "m1", "--inventory", "0", "--as", "vic"),
    "making promote": ("making", "promote", "m1", "paper", "--as", "vic"),
    "memory promote": ("memory", "promote", "n", "--to", "desk", "--as", "vic"),
    "memory restore": ("memory", "restore", "desk", "1", "--as", "vic", "--yes"),
    "notes drop": ("notes", "drop", "n", "--as", "vic"),
    "notes promote": ("notes", "promote", "n", "--to", "desk", "--as", "vic"),
    "people on-call": ("people", "on-call", "vic", "--quiet", "always", "--as", "vic"),
    "people add": ("people", "add", "zoe", "--as", "vic"),
    "people remove": ("people", "remove", "ann", "--as", "vic"),
    "people role": ("people", "role", "vic", "admin", "--as", "vic"),
    "people two-people": ("people", "two-people", "on", "--as", "vic"),
    "proposals approve": ("proposals", "approve", "prop-1", "--as", "vic"),
    "proposals reject": ("proposals", "reject", "prop-1", "--as", "vic"),
    "proposals rollback": ("proposals", "rollback", "1", "--as", "vic"),
    "reconcile": ("reconcile", "--wait", "d1", "--reason", "x", "--as", "vic"),
    "release": ("release", "--reason", "x", "--as", "vic"),
    "runbooks begin": ("runbooks", "begin", "worker-down", "--as", "vic"),
    "runbooks done": ("runbooks", "done", "1", "--as", "vic"),
    "runbooks end": ("runbooks", "end", "--reason", "x", "--as", "vic"),
    "runbooks next": ("runbooks", "next", "--as", "vic"),
    "runbooks refuse": ("runbooks", "refuse", "1", "--reason", "x", "--as", "vic"),
    "runs name": ("runs", "name", "r-20261120-0a1b2c3d", "x", "--as", "vic"),
    "strategies adopt": ("strategies", "adopt", "n", "--as", "vic"),
    "watches add": ("watches", "add", "price", "BTC-USDT", "below", "1", "--as", "vic"),
    "watches confirm": ("watches", "confirm", "w-1", "--as", "vic"),
    "watches remove": ("watches", "remove", "w-1", "--as", "vic"),
}
BEFORE_THE_ROLE = {
    "adopt",
    "canary full",
    "incidents close",
    "incidents open",
    "live consent",
    "live test",
    "proposals rollback",
    "watches add",
}


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk that has not begun."""
    return open_home()


@cache
def commands() -> typer.Typer:
    """All of them, put together once."""
    app = typer.Typer()
    for group in GROUPS:
        group.register(app)
    return app


def invoke(*words: str, typed: str = "") -> Any:
    """What the command does."""
    return CliRunner().invoke(commands(), list(words), input=typed)


def _be(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("NIGHTDESK_TOKEN", token.strip().splitlines()[-1])


def test_a_list_of_people_is_kept_by_its_admin(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """First, roles, two people, removal; every act with who did it."""
    assert "Nobody is registered" in invoke("people", "list").stdout
    assert isinstance(invoke("people", "add", "ann", "--role", "viewer").exception, Refused)
    made = invoke("people", "add", "ann")
    assert read_people(home.path)["ann"].role == "admin"
    _be(monkeypatch, made.stdout)
    bobs = invoke("people", "add", "bob", "--role", "operator", "--as", "ann").stdout
    assert invoke("people", "role", "bob", "approver", "--as", "ann").stdout.startswith("bob is approver now (was operator)")
    assert isinstance(invoke("people", "role", "bob", "king", "--as", "ann").exception, BadInput)
    assert isinstance(invoke("people", "remove", "ann", "--as", "ann").exception, Refused)
    assert invoke("people", "two-people", "on", "--as", "ann").exit_code == 0
    assert two_people(home.path)
    assert invoke("people", "link-telegram", "ann", "--user", "1001").exit_code == 0
    value = json.loads(invoke("people", "list", "--json").stdout)
    assert [(item["name"], item["role"], item["telegram"]) for item in value["items"]] == [
        ("ann", "admin", "1001"),
        ("bob", "approver", None),
    ]
    assert "loosen" in value["roles"]["approver"]
    assert "loosen" not in value["roles"]["operator"]
    _be(monkeypatch, bobs)
    assert isinstance(invoke("people", "role", "bob", "admin", "--as", "bob").exception, Denied)
    renewed = invoke("people", "add", "bob")  # their own token, and no other role by it
    assert renewed.exit_code == 0
    _be(monkeypatch, renewed.stdout)
    assert isinstance(invoke("people", "add", "bob", "--role", "admin").exception, Denied)
    assert read_people(home.path)["bob"].role == "approver"
    assert two_people(home.path)
    acts = [(e.body["act"], e.body["who"], e.body["actor"]["name"]) for e in read(home.people_journal, {"person"})]
    assert acts == [
        ("add", "ann", "ann"),
        ("add", "bob", "ann"),
        ("role", "bob", "ann"),
        ("two people", "", "ann"),
        ("link telegram", "ann", "ann"),
        ("token", "bob", "bob"),
    ]
    shown = invoke("people", "show", "ann").stdout
    assert "may     people" in shown
    assert "act role, before operator, now approver, who bob" in shown
    assert "scrypt" not in shown + json.dumps(value)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("words", [("people",), ("people", "list")])
def test_people_alone_is_the_list(words: tuple[str, ...]) -> None:
    """Who may do what and who did, without another word; a command of the group stays itself."""
    done = invoke(*words)
    assert (done.exit_code, "Nobody is registered" in done.output, "approver: all of that" in done.output) == (0, True, True)
    assert "two_people" in json.loads(invoke(*words, "--json").stdout)


def test_each_command_has_a_line_here() -> None:
    """Every command of an act that a viewer may not do."""
    guarded = {name for name, act in COMMANDS.items() if act == DECIDE or ACTS[act].least != "viewer"}
    assert guarded == set(LINES)


@pytest.mark.parametrize("name", sorted(LINES))
def test_a_viewers_command_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Nothing but the refusal is journaled, and no passphrase is asked for first. A command that stops earlier, at what is not
    there, decides nothing either."""
    add_person(home.path, "ann")
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(home.path, "vic", "open sesame"))
    proposed(home)
    found = invoke(*LINES[name], typed="open sesame\n")
    if name == "adopt":  # of a desk without differences it lists that there are none
        assert found.exit_code == 0
    else:
        assert isinstance(found.exception, DeskError), (found.output, found.exception)
    assert "passphrase:" not in found.output
    if name not in BEFORE_THE_ROLE:
        assert isinstance(found.exception, Denied), found.exception
    kinds = {event.kind for event in read(home.people_journal)} if home.people_journal.exists() else set()
    assert kinds <= {"denied"}
    assert read_people(home.path).keys() == {"ann", "vic"}
    assert read_people(home.path)["vic"].role == "viewer"


def test_a_passphrase_is_not_asked_of_a_role_that_may_not(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever types it where it cannot count has shown it for nothing."""
    add_person(home.path, "ann")
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(home.path, "vic", "open sesame"))
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: pytest.fail("it was asked for"))
    with pytest.raises(Denied, match="vic is a viewer and may not open and close incident windows"):
        handing.passphrase(home, identify(home.path, "vic", "cli"), "window", "incident")
