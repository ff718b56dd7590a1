"""Every control of every view in a real browser on the demonstration desk: none breaks the page, each one changes something.

What decides (approve, acknowledge, halt, ...) is pressed by test_page_flow.py, whose steps look at what came of it.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.app.ui.browsers import CHROMIUM, browser
from tests.app.ui.demonstration import ShownDesk, demonstration
from tests.app.ui.pressing import open_at, press_all

pytestmark = pytest.mark.long
HEAD = ("Desk", "Sleeves", "Runs", "Proposals", "Chat", "Overview", "Account", "Journal", "Alerts", "Handover", "person")
SIZES = {"phone": (390, 844), "desktop": (1280, 900), "wide": (1920, 1080)}
CUT = """() => [...document.querySelectorAll('[data-testid=stMainBlockContainer] *')].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width > 0 && box.height > 0 && box.right > innerWidth + 1 && !e.closest('.scroll, .st-key-unseen, pre, table');
}).map(e => e.tagName + ' ' + (e.innerText || '').slice(0, 60))"""

SHOWN = "found => found.map(e => e.getBoundingClientRect().width > 0)"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShownDesk]:
    """The demonstration desk."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with demonstration(tmp_path_factory.mktemp("shown")) as desk:
        yield desk


def test_every_control_changes_something_and_breaks_nothing(shown: ShownDesk, chromium: Any) -> None:
    """All views, one control after the other; the head's once, one of a name that many views share in two of them."""
    page, asked = browser(shown, chromium)
    wrong: list[str] = []
    times: Counter[str] = Counter()
    for address in shown.views().values():
        before = [name for name, often in times.items() if often > 1 or name.startswith(HEAD)]
        pressed, found = press_all(page, f"{shown.page}{address}", before)
        times.update(pressed)
        wrong += found
    page.context.close()
    assert not wrong
    assert times.total() > 100  # else the page had nothing to press, and nothing was tried
    assert not asked


@pytest.mark.parametrize("size", SIZES)
def test_no_view_is_wider_than_its_screen(shown: ShownDesk, chromium: Any, size: str) -> None:
    """Nothing is cut at the right edge, on a phone, a laptop and a wide screen."""
    width, height = SIZES[size]
    phone = {"user_agent": "Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile Safari/537.36"} if width < 640 else {}
    page, _ = browser(shown, chromium, viewport={"width": width, "height": height}, **phone)
    found = {}
    for name, address in shown.views().items():
        open_at(page, f"{shown.page}{address}")
        if cut := page.evaluate(CUT):
            found[name] = cut[:3]
    icons = page.locator(".st-key-who_open [data-testid=stIconMaterial]").evaluate_all(SHOWN)
    page.context.close()
    assert not found
    assert True in icons  # a person who cannot see who they are cannot prove their name
