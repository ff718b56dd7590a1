"""Presses every control of a view in Chromium, one after the other, and says what each did wrong. Used by test_every_button.py.

A control is wrong when it makes a traceback, the page's own word for a fault, or an error in the browser, and when nothing on
the page is different afterwards.
"""

from collections.abc import Collection
from typing import Any

CONTROLS = (
    "[data-testid=stMain] button:visible:not([disabled]), [data-testid=stMain] summary:visible, "
    "[data-testid=stMain] [role=radio]:visible, [data-testid=stMain] label[data-baseweb=checkbox]:visible"
)
IDLE = "() => document.querySelector('[data-testid=stApp]')?.getAttribute('data-test-script-state') !== 'running'"
SEEN = """() => {  // the address, then all text and every state, inside our own components, too
  const said = [location.href];
  const walk = (root) => {
    for (const node of root.querySelectorAll('*')) {
      if (node.shadowRoot) walk(node.shadowRoot);
      if (node.tagName === 'CANVAS') said.push(node.toDataURL().length);
      const states = ['aria-expanded', 'aria-checked', 'aria-pressed', 'aria-selected', 'aria-sort', 'open', 'kind', 'class'];
      for (const name of states) if (node.hasAttribute(name)) said.push(node.getAttribute(name));
      if (!node.children.length && node.tagName !== 'STYLE') said.push(node.textContent);
    }
  };
  walk(document.body);
  return said.join(String.fromCharCode(10));
}"""
FAULTS = """() => [...document.querySelectorAll('[data-testid=stException]')].map(e => e.innerText.slice(0, 200)).concat(
  /internal error|could not be drawn|Traceback/.test(document.body.innerText) ? ['the page says that it is broken'] : [])"""
NAMES = """found => found.map(
  e => (e.ariaLabel || e.innerText || e.title || e.dataset.testid).split(/\\s+/).join(' ').trim().slice(0, 60))"""
SETTLE_MS = 700
LEFT = ("HALT", "Log out", "Halt now", "Release")  # pressed by test_page_flow.py and test_halt_is_hit.py
CHANGES = ("Acknowledge", "Approve", "Reject", "Confirm", "Dismiss", "Remove", "Roll back", "Run the backtest", "Pull two years")
CHANGES += ("Begin the runbook", "Step done", "Not done", "Check now", "End the runbook")  # test_runbook_flow.py


def settle(page: Any) -> None:
    """Wait until the page is drawn."""
    page.wait_for_timeout(SETTLE_MS)
    page.wait_for_function(IDLE)


def press_all(page: Any, address: str, before: Collection[str] = (), most: int = 80) -> tuple[list[str], list[str]]:
    """(what was pressed, what was wrong) of the view at this address; what decides something is left to its own tests.

    `before`: names pressed in another view, the head's. A control that another one uncovers is pressed, too; each name once.
    """
    errors: list[str] = []
    saved: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)[:200]))
    page.on("download", lambda file: saved.append(file.suggested_filename))
    open_at(page, address)
    pressed: list[str] = []
    wrong = [f"{address}: {fault}" for fault in page.evaluate(FAULTS)]
    while len(pressed) < most:
        names = page.locator(CONTROLS).evaluate_all(NAMES)
        number = next((n for n, name in enumerate(names) if name not in (*pressed, *before) and _is_tried(name)), None)
        if number is None:
            break
        control, name = page.locator(CONTROLS).nth(number), names[number]
        pressed.append(name)
        saved.clear()
        seen = page.evaluate(SEEN)
        chosen = "true" in (control.get_attribute("aria-checked"), control.get_attribute("aria-pressed"))
        chosen = chosen or control.get_attribute("kind") == "segmented_controlActive"
        control.click()
        settle(page)
        wrong += [f"{address}, {name}: {fault}" for fault in [*page.evaluate(FAULTS), *errors]]
        errors.clear()
        if not chosen and not saved and page.evaluate(SEEN) == seen:
            wrong.append(f"{address}, {name}: nothing changed")
        if page.url != seen.split("\n", 1)[0]:
            open_at(page, address)
        elif page.locator("[data-testid=stPopoverBody]").count():
            page.keyboard.press("Escape")
    return pressed, wrong


def _is_tried(name: str) -> bool:
    return not any(word in name for word in (*LEFT, *CHANGES))


def open_at(page: Any, address: str) -> None:
    """The view, drawn."""
    page.goto(address)
    page.locator(".st-key-head").wait_for()
    page.wait_for_timeout(1_500)
    settle(page)
