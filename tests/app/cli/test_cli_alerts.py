"""`nightdesk alerts`: list, acknowledge under a proven name, tie a Slack account to a person; hostile text does nothing."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.alerts import register
from app.home.home import Home, open_home
from app.people.identity import add_person, by_slack
from engine.errors import BadInput, Refused
from engine.store.journal import read
from engine.watch.alert_rows import AlertPolicy, apply_findings
from engine.watch.observation import Finding

NOW = 1_760_000_000_000


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk with one page and one note open."""
    found = open_home(NOW)
    hostile = "no bars \x1b[31m\u202e of <b>BTC</b>"
    findings = [
        Finding("bars", "bars", "page", hostile, "BTC", NOW, "look"),
        Finding("n", "proposal", "note", "old", "x", NOW, "ask"),
    ]
    apply_findings(found.engine, findings, frozenset(), NOW, AlertPolicy(), ["slack"])
    return found


def invoke(*words: str) -> Any:
    """What the command does."""
    import typer

    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["alerts", *words])


def test_list_tells_what_and_what_to_do_with_every_character_harmless(home: Home) -> None:
    """Text and JSON; control characters are spelled out."""
    text = invoke("list").stdout
    assert "al-1" in text
    assert "do: look (docs/runbooks/bars-stale.md)" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    items = json.loads(invoke("list", "--state", "open", "--json").stdout)["items"]
    assert {item["id"]: item["deliveries"][0]["state"] for item in items} == {"al-1": "waiting", "al-2": "waiting"}
    assert isinstance(invoke("list", "--state", "odd").exception, BadInput)


def test_acknowledging_is_under_a_name_and_journaled(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Believed while nobody is listed; afterwards the name needs its token."""
    assert invoke("ack", "al-1", "--as", "ann").exit_code == 0
    assert "acknowledged by ann" in invoke("list").stdout
    assert [e.body["actor"]["name"] for e in read(home.people_journal, {"ack"})] == ["ann"]
    token = add_person(home.path, "bob")
    assert isinstance(invoke("ack", "al-2", "--as", "bob").exception, Refused)
    monkeypatch.setenv("NIGHTDESK_TOKEN", token)
    assert invoke("ack", "al-2", "--as", "bob").exit_code == 0


def test_a_slack_account_is_tied_by_its_person_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs that person's token."""
    token = add_person(home.path, "ann")
    words = ("slack", "ann", "--team", "T0DESK", "--user", "U0ANN")
    assert isinstance(invoke(*words).exception, Refused)
    monkeypatch.setenv("NIGHTDESK_TOKEN", token)
    assert invoke(*words).exit_code == 0
    assert by_slack(home.path, "T0DESK", "U0ANN") is not None
    assert os.stat(home.path / "people.toml").st_mode & 0o077 == 0
