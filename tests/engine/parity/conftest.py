"""What tests of parity share: a copy of a desk that has lived ten days."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.home.home import Home
from tests.fakes.parity_desks import copied, opened


@pytest.fixture
def home(own_home: Path) -> Iterator[Home]:
    """A home of its own for each test."""
    with opened(copied(own_home)) as home:
        yield home
