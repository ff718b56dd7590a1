"""The command: whose tools, in whose name, and what it refuses before it serves anybody."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from app.cli import mcp
from app.home.home import open_home
from app.mcp import stdio
from app.people.identity import add_person, os_user
from engine.errors import BadInput, Busy, Refused

GIVEN = {"compute": False, "propose": False, "person": "", "http": False, "port": None}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the command would have served: (role, effects, person)."""
    served: list[Any] = []
    monkeypatch.setattr(stdio, "serve", lambda desk, person: served.append((desk.role, [*desk.effects], person)))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return served


def test_reading_is_the_default(own_home: Path, started: list[Any]) -> None:
    """The flags add what they say."""
    open_home()
    mcp.run("advisor", **GIVEN)
    mcp.run("developer", **GIVEN | {"compute": True})
    mcp.run("operator", **GIVEN | {"propose": True})
    effects = [["READ"], ["READ", "COMPUTE"], ["READ", "PROPOSE"]]
    assert started == [(role, e, os_user()) for role, e in zip(("advisor", "developer", "operator"), effects, strict=True)]


def test_a_name_is_proven_once_people_have_tokens(own_home: Path, started: list[Any]) -> None:
    """Without the person's token nothing is served in that name."""
    open_home()
    token = add_person(own_home, "mara")
    with pytest.raises(Refused, match="mara was not recognised"):
        mcp.run("advisor", **GIVEN | {"person": "mara"})
    os.environ["NIGHTDESK_TOKEN"] = token
    mcp.run("advisor", **GIVEN | {"person": "mara"})
    assert [person for _, _, person in started] == ["mara"]


def test_keys_do_not_stay_in_the_process(own_home: Path, started: list[Any]) -> None:
    """Neither a model's key nor a token is left for what runs in it or is started by it."""
    open_home()
    keys = dict.fromkeys(("OPENAI_API_KEY", "NIGHTDESK_TOKEN", "BINANCE_SECRET"), "x")
    os.environ.update(keys)
    mcp.run("advisor", **GIVEN)
    assert started
    assert not set(keys) & set(os.environ)
    assert os.environ["NIGHTDESK_HOME"] == str(own_home)


def test_what_cannot_be_served_is_said(own_home: Path, started: list[Any]) -> None:
    """No desk, an unknown role, a port without HTTP, a port in use: one error, and no home is made."""
    with pytest.raises(BadInput, match="no desk exists"):
        mcp.run("advisor", **GIVEN)
    assert not own_home.exists()
    open_home()
    with pytest.raises(BadInput, match="unknown role"):
        mcp.run("boss", **GIVEN)
    with pytest.raises(BadInput, match="--port"):
        mcp.run("advisor", **GIVEN | {"port": 8422})
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(Busy, match="in use"):
        mcp.run("advisor", **GIVEN | {"http": True, "port": other.getsockname()[1]})
    assert not started
