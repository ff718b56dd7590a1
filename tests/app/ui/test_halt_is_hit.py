"""HALT can be clicked: in a real browser, on every tab and width, dark and light, scrolled or not, nothing stands over it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.ui import tokens
from tests.app.ui.browsers import WAIT_MS, Place, answers, started
from tests.app.ui.fake_api import Fake, serving
from tests.app.ui.fake_shapes import alert, answer, turn
from tests.fakes.waiting import until

WIDTHS = (390, 768, 1280, 1920)
TABS = {"Desk": "desk", "Sleeves": "sleeves", "Runs": "runs", "Proposals": "proposals", "Chat": "chat"}
MISSED = """() => { const button = document.querySelector('[class*="st-key-halt_open"] button');
  if (!button) return ['no button'];
  const { left, top, width, height } = button.getBoundingClientRect();
  if (left < 0 || top < 0 || left + width > innerWidth || top + height > innerHeight) return ['outside the window'];
  return [[.5, .5], [.06, .12], [.94, .12], [.06, .88], [.94, .88]].flatMap(([x, y]) => {
    const hit = document.elementFromPoint(left + x * width, top + y * height);
    return button.contains(hit) ? [] : [`at ${x}, ${y}: ${hit && (hit.dataset.testid || hit.tagName)}`]; }); }"""
SCROLL = (
    """(by) => { const main = document.querySelector('[data-testid="stMain"]'); main.scrollTo(0, by); return main.scrollTop; }"""
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Any]:
    """The page of a desk with alerts and lines of what is wrong, in a browser."""
    fake = Fake()
    fake.alerts = [alert(f"al-{n}") for n in range(3)]
    fake.desk["worker"] |= {"running": False, "phase": "not running"}
    long = "\n\n".join(["The verdict comes first.", *(f"Line {n} of what follows it." for n in range(60))])
    fake.turns = {f"u-{n}": turn(f"u-{n}", "done", f"question {n}", answer(long)) for n in (1, 2)}
    place = Place(Path(tmp_path_factory.mktemp("hit")) / "home")
    place.home.mkdir()
    with serving(fake) as url, started(place, "ui", "--api", url):
        until(lambda: answers(place.ui), "the page never listened")
        made = chromium.new_context().new_page()
        made.set_default_timeout(WAIT_MS)
        made.goto(f"{place.page}?tab=desk")
        made.locator("[class*='st-key-halt_open'] button").wait_for()
        yield made
        made.context.close()


@pytest.mark.slow
def test_nothing_stands_over_halt(page: Any) -> None:
    """Middle and corners of the button are the button's own; one click opens the form."""
    for name, tab in TABS.items():
        if f"tab={tab}" not in page.url:
            page.locator(".st-key-nav button", has_text=name).click()
        page.wait_for_url(f"**tab={tab}*")
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
        missed = {}
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme="dark" if width in (390, 1280) else "light")
            missed[width, "top"] = page.evaluate(MISSED)
            page.evaluate(SCROLL, 700)
            page.emulate_media(color_scheme="light" if width in (390, 1280) else "dark")
            missed[width, "scrolled"] = page.evaluate(MISSED)
            page.evaluate(SCROLL, 0)
        assert {where: found for where, found in missed.items() if found} == {}, tab
    page.locator("[class*='st-key-halt_open'] button").click()
    page.get_by_label("Why").wait_for()
    colour = page.locator(".st-key-halt_now button").evaluate("(button) => getComputedStyle(button).backgroundColor")
    assert colour in {"rgb({}, {}, {})".format(*bytes.fromhex(one[1:])) for one in tokens.TOKENS["halt"]}, (
        "its form has not the page's colours"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_an_answer_longer_than_the_window_opens_at_its_verdict(page: Any, width: int, height: int) -> None:
    """The newest one's first line is on top, below the head; from there a person scrolls, and stays where that led."""
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{page.url.partition('?')[0]}?tab=chat&role=developer&thread=t-1")
    verdict = page.locator("[class*='st-key-verdict_u-2']")
    page.wait_for_function(
        """() => { const found = document.querySelector('[class*="st-key-verdict_u-2"]');
        return found && found.getBoundingClientRect().top > 40 && found.getBoundingClientRect().top < 200; }"""
    )
    assert verdict.is_visible()
    page.mouse.move(width / 2, height / 2)
    page.mouse.wheel(0, 500)
    page.wait_for_function("""() => document.querySelector('[class*="st-key-verdict_u-2"]').getBoundingClientRect().top < 0""")


@pytest.mark.slow
def test_the_keyboard_is_put_into_what_it_opens(page: Any) -> None:
    """Enter on HALT, then words: and not every link of the page first. A pointer keeps its place: a phone shows no keyboard."""
    page.goto(f"{page.url.split('?')[0]}?tab=desk")
    button, why = page.locator("[class*='st-key-halt_open'] button"), page.get_by_label("Why")
    button.click()
    why.wait_for()
    page.wait_for_timeout(600)
    assert not why.evaluate("(field) => field === document.activeElement")
    page.keyboard.press("Escape")
    why.wait_for(state="detached")
    button.focus()
    page.keyboard.press("Enter")
    why.wait_for()
    page.wait_for_function("() => document.activeElement.getAttribute('aria-label') === 'Why'")
    page.keyboard.press("Tab")
    assert "Halt now" in page.evaluate("() => document.activeElement.innerText")
