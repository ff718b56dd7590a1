"""What tests of the loop stand on: a home on a synthetic market, its bars, its loop before the first of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.home.home import Home, open_home
from engine.live.feed import Feed
from engine.live.loop import Loop
from tests.fakes.papers import WALL_MS, feed_of, furnished, loop_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the desk's journal."""
    return tmp_path / "desk.jsonl"


@pytest.fixture
def home(own_home: Path) -> Home:
    """A fresh home on a synthetic market."""
    furnished(own_home)
    return open_home(WALL_MS)


@pytest.fixture
def feed(home: Home) -> Feed:
    """Its bars."""
    return feed_of(home)


@pytest.fixture
def loop(home: Home, feed: Feed) -> Iterator[Loop]:
    """Its loop, before the first bar."""
    loop = loop_of(home, feed)
    yield loop
    loop.journal.close()


@pytest.fixture
def loops() -> Iterator[list[Loop]]:
    """Loops whose journals are closed at the end."""
    opened: list[Loop] = []
    yield opened
    for loop in opened:
        loop.journal.close()
