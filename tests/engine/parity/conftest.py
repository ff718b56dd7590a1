"""What tests of parity share: ten days of a desk, lived once, and a copy for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.home.home import Home
from tests.fakes.parity_desks import copied, lived, opened


@pytest.fixture(scope="session")
def ten_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the desk that has lived them; nobody writes into it."""
    return lived(tmp_path_factory.mktemp("parity") / "home")


@pytest.fixture
def home(ten_days: Path, own_home: Path) -> Iterator[Home]:
    """A copy of it."""
    with opened(copied(ten_days, own_home)) as home:
        yield home
