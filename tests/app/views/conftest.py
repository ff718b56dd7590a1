"""A synthetic desk that has traded for three days, shared by the tests of what is shown of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.home.home import open_home
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of

BARS = 300


@pytest.fixture(scope="session")
def lived(tmp_path_factory: Any) -> Iterator[Any]:
    """A desk three days into a synthetic market that goes on for weeks; its journal is only read."""
    folder = tmp_path_factory.mktemp("desk") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(folder))
        patch.delenv("NIGHTDESK_DATA", raising=False)
        furnished(folder)
        home = open_home(WALL_MS)
    loop = advanced(loop_of(home, feed_of(home)), BARS)
    loop.journal.sync()
    yield home
    loop.journal.close()
