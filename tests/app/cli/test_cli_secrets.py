"""Keys in the environment, and keys that people paste where they do not belong: no output, file, row or journal holds one."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from app.cli import main
from app.home.home import open_home

OWN = {
    "OPENAI_API_KEY": "sk-env-0a1B2c3D4e5F6g7H8i9J",
    "SLACK_BOT_TOKEN": "xoxb-env-1111111111-2222222222",
    "SLACK_APP_TOKEN": "xapp-env-3333333333-4444444444",
    "SLACK_SIGNING_SECRET": "signing-env-5555555555",
    "BINANCE_SECRET": "binance-env-6666666666",
    "AWS_SECRET_ACCESS_KEY": "aws-env-7777777777",
}
PASTED = (
    "sk-pasted-Zz9Yy8Xx7Ww6Vv5Uu4",
    "xoxb-pasted-1234567890-abc",
    "xapp-1-PASTED0000-9876543210",
    "ghp_" + "Pa5teD0ken" * 3,
    "Zq3TfR7xWm1LsK9vBn5YcD2hGj8PaU4eXo6i",
    "22582BD0CFF14C41EDBF1AB98506286D",
)


class Desk(NamedTuple):
    """A home, and a way to type commands in it that keeps all they said."""

    home: Path
    said: list[str]
    type_it: Callable[..., int]


@pytest.fixture(scope="module")
def commands() -> typer.Typer:
    """The whole command line, put together once."""
    whole = typer.Typer(name="nightdesk", pretty_exceptions_enable=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "app", whole)
        main.load_groups()
    return whole


@pytest.fixture
def desk(own_home: Path, commands: typer.Typer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A new desk in an environment full of keys, answered by the offline model."""
    for name, value in OWN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NIGHTDESK_MODEL", "offline")
    open_home().engine.dispose()
    monkeypatch.setattr(main, "app", commands)
    monkeypatch.setattr(main, "load_groups", lambda: None)
    said: list[str] = []

    def type_it(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["nightdesk", *words])
        with pytest.raises(SystemExit) as left:
            main.run()
        found = capsys.readouterr()
        said.extend((found.out, found.err))
        return int(left.value.code or 0)

    return Desk(own_home, said, type_it)


def holding(home: Path, secret: str) -> list[str]:
    """The files of a home that hold the secret: database, journals, memory, logs."""
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_no_command_shows_or_stores_a_key_of_its_environment(desk: Desk) -> None:
    """Whatever is looked at, asked, halted or broken: the keys stay where they are."""
    for command in (
        "status --json",
        "doctor --json",
        "tool --json",
        "tool health --json",
        "tool desk",
        "journal verify --json",
        "journal tail --people --json",
        "proposals list --json",
        "alerts list --json",
        "notes list --json",
        "runs list --json",
        "data list --json",
        "backtest nope --symbol BTC-USDT --json",
        "nonsense",
    ):
        desk.type_it(*command.split())
    assert desk.type_it("chat", "is anything wrong?", "--role", "operator", "--json") == 0
    assert desk.type_it("halt", "--reason", "test", "--as", "ann", "--json") == 0
    for name, secret in OWN.items():
        assert not [text for text in desk.said if secret in text], name
        assert holding(desk.home, secret) == [], name


@pytest.mark.parametrize("secret", PASTED, ids=lambda secret: secret[:6])
def test_a_pasted_key_stays_nowhere(desk: Desk, secret: str) -> None:
    """In a question, a note and its topic, a reason for a change, an argument of any tool: masked before it is kept."""
    desk.type_it("chat", f"my key is {secret} is anything wrong", "--role", "operator", "--json")
    desk.type_it("tool", "memory", "--role", "operator")
    note = ("tool", "note", "--role", "operator", "--arg", "evidence=p-1", "--arg")
    assert desk.type_it(*note, "topic=keys", "--arg", f"text=the key is {secret} for now") == 0
    assert desk.type_it(*note, f"topic={secret}", "--arg", "text=of the venue") == 0
    pause = ("tool", "propose_pause", "--role", "operator", "--arg", "sleeve=btc-trend", "--arg")
    assert desk.type_it(*pause, f"rationale=it uses {secret}, so pause") == 0
    desk.type_it("tool", "calc", "--arg", f"expression={secret} * 2")
    desk.type_it("tool", "memory", "--arg", f"query={secret}")
    desk.type_it("tool", "runbook", "--arg", f"about={secret}")
    for command in ("notes list --json", "proposals show prop-1", "proposals list --json", "journal tail --people --json"):
        assert desk.type_it(*command.split()) == 0
    assert holding(desk.home, secret) == []
    for text in desk.said[-8:]:  # what is read back later; what a person just typed may be in its own error
        assert secret not in text
