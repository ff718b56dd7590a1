"""A made-up API that the page is pointed at."""

from collections.abc import Iterator

import pytest

from tests.app.ui.fake_api import Fake, serving


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """A made-up API that the page is pointed at."""
    made = Fake()
    with serving(made) as url:
        monkeypatch.setenv("NIGHTDESK_API_URL", url)
        yield made
