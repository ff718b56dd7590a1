"""A home without jobs for the tests of the queue: each file opens one of its own (`opened`) and shares it."""

import pytest
from sqlmodel import delete

from app.home.home import Home
from engine.store.db import write
from engine.store.tables import Job


@pytest.fixture
def home(opened: Home) -> Home:
    """The same without any job."""
    with write(opened.engine) as session:
        session.exec(delete(Job))
    return opened
