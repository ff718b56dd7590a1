"""A made-up API that the page is pointed at, and Debian's browser."""

import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import local_script_runner

from tests.app.ui.browsers import CHROMIUM
from tests.app.ui.fake_api import Fake, serving


@pytest.fixture(scope="session", autouse=True)
def scanned_once() -> Iterator[None]:
    """What the installed packages bring for Streamlit is read once, as in a server: here each drawn page would read them all."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="session", autouse=True)
def awaited() -> Iterator[None]:
    """A drawn page is waited for by its thread's end: Streamlit looks every millisecond, which slows what it waits for."""
    look = local_script_runner.require_widgets_deltas

    def ended(runner: Any, timeout: float = 3) -> None:
        begun = time.monotonic()
        runner._script_thread.join(timeout)
        look(runner, max(timeout - (time.monotonic() - begun), 0.05))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(local_script_runner, "require_widgets_deltas", ended)
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
