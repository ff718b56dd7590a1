"""A local Slack, a desk that is connected to it, and the connection."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.home.home import Home
from app.slack import socket_mode
from app.slack.sink import Slack
from app.slack.socket_mode import SocketConnection
from tests.fakes.slack_desks import connected, slack_home
from tests.fakes.slack_server import SlackServer


@pytest.fixture
def server() -> Iterator[SlackServer]:
    """Slack, locally."""
    with SlackServer() as slack:
        yield slack


@pytest.fixture
def home(own_home: Path, server: SlackServer) -> Home:
    """A desk that is connected to it."""
    return slack_home(own_home, server)


@pytest.fixture
def slack(home: Home, server: SlackServer) -> Slack:
    """Its connection."""
    return connected(home, server)


@pytest.fixture
def line(home: Home, slack: Slack, server: SlackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SocketConnection]:
    """Its open Socket Mode line; that Slack has hung up is noticed in a tenth of the time."""
    monkeypatch.setattr(socket_mode, "PING_S", 0.5)
    found = SocketConnection(home, slack)
    found.start()
    server.wait_line()
    yield found
    found.close()
