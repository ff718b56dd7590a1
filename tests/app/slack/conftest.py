"""A local Slack, a desk that is connected to it, and the connection."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.home.home import Home
from app.slack.sink import Slack
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
