"""What tests of the memory read and write."""

from pathlib import Path

import pytest

from memory.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A stocked shelf."""
    made = Shelf(tmp_path / "memory")
    made.stock()
    return made
