"""A runbook in a real browser on a running desk: begun beside its alert, decided by clicks, gone on with after a restart."""

from pathlib import Path
from typing import Any

import pytest

from engine.watch.heartbeat import heartbeat_of
from tests.app.ui.browsers import CHROMIUM, Place, browser, started
from tests.fakes.papers import furnished
from tests.fakes.waiting import until

pytestmark = pytest.mark.long
SAW = "seen <img src=x onerror=alert(1)> at 03:12"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home with a small market; nothing runs."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    return Place(furnished(tmp_path / "home", 45))


def runs(place: Place) -> Any:
    """Wait until worker, API and page do."""
    until(lambda: heartbeat_of(place.home).get("phase") == "running", "the worker never ran")
    until(place.listens, "API or page never listened")


def level_alert(place: Place) -> str:
    """The id of the alert on the watched level; empty without one."""
    items = place.command("alerts", "list", "--state", "open")["items"]
    return next((str(item["id"]) for item in items if item["kind"] == "level"), "")


def current(place: Place) -> int | None:
    """The step that is next, by the command line."""
    found: int | None = place.command("runbooks", "show", "cl-1")["current"]
    return found


def test_a_runbook_is_begun_decided_and_gone_on_with_after_a_restart(place: Place, chromium: Any) -> None:
    """The alert's own page; a step without words is refused and said; another process and another start find the same step."""
    with started(place, "up", "--bars-per-second", "4"):
        runs(place)
        place.command("watches", "add", "price", "BTC-USDT", "above", "1", "--as", "vera")
        until(lambda: level_alert(place), "no alert opened")
        page, asked = browser(place, chromium)
        page.goto(f"{place.page}?tab=desk&view=alerts")
        page.locator(f".st-key-checklist_begin_{level_alert(place)} button").click()
        page.get_by_text("Step 1 of 3.").wait_for()
        page.get_by_role("button", name="Step done, as vera").first.click()
        page.get_by_text("what did you see?").first.wait_for()
        page.get_by_label("What you saw").first.fill(SAW)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Step done, as vera").first.click()
        page.get_by_text("Step 2 of 3.").wait_for()
        page.get_by_text("All steps").first.click()
        page.get_by_text("seen <img src=x onerror=alert(1)> at 03:12").first.wait_for()
        assert page.locator("img[src=x]").count() == 0
        page.context.close()
        assert not asked
        assert current(place) == 2
        assert place.command("runbooks", "refuse", "2", "--reason", "no need", "--as", "ann")["current"] == 3
    assert current(place) == 3  # nothing runs
    with started(place, "up", "--bars-per-second", "4"):
        runs(place)
        page, asked = browser(place, chromium)
        page.goto(f"{place.page}?tab=desk&view=alerts")
        page.get_by_text("Step 3 of 3.").wait_for()
        page.get_by_text("alert-over says no:").first.wait_for()
        assert page.get_by_role("button", name="Step done, as vera").first.is_disabled()
        place.command("watches", "remove", "w-1", "--as", "vera")
        page.get_by_text("alert-over says yes:").first.wait_for()
        page.get_by_role("button", name="Step done, as vera").first.click()
        until(lambda: current(place) is None, "the last step was not decided")
        page.context.close()
        assert not asked
    found = place.command("runbooks", "show", "cl-1")
    assert [(step["state"], step["by"]["name"]) for step in found["steps"]] == [
        ("done", "vera"),
        ("refused", "ann"),
        ("done", "vera"),
    ]
    assert found["steps"][2]["readings"][0]["says"] == "yes"
