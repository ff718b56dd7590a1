"""An office of its own for each test."""

from pathlib import Path

import pytest

from agents.offline.words import Words
from engine.store.db import migrate, open_db
from tests.fakes.offices import FakeOffice, small_words


@pytest.fixture
def words() -> Words:
    """A small vocabulary."""
    return small_words()


@pytest.fixture
def office(tmp_path: Path, words: Words) -> FakeOffice:
    """A migrated database, a stocked memory, the offline model."""
    engine = open_db(f"sqlite:///{tmp_path / 'desk.db'}")
    migrate(engine)
    return FakeOffice(tmp_path / "home", engine, words)
