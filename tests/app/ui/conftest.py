"""A made-up API that the page is pointed at, and Debian's browser."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from streamlit.components.v2 import manifest_scanner

from tests.app.ui.browsers import CHROMIUM
from tests.app.ui.fake_api import Fake, serving


@pytest.fixture(scope="session", autouse=True)
def scanned_once() -> Iterator[None]:
    """What the installed packages bring for Streamlit is read once, as in a server: here each drawn page would read them all."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's browser."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as p:
        made = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield made
        made.close()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """A made-up API that the page is pointed at."""
    made = Fake()
    with serving(made) as url:
        monkeypatch.setenv("NIGHTDESK_API_URL", url)
        yield made
