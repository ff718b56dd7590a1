"""The page in a real browser on a whole running desk (`nightdesk up`): what a person does in an evening, step by step.

One desk on a short synthetic market for all of them, so they run in the order they stand in. Skipped where there is no
Chromium. No request may leave the machine, in any step.
"""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from engine.control import halt
from engine.watch.heartbeat import heartbeat_of
from tests.app.ui.browsers import CHROMIUM, Place, browser, started
from tests.fakes.papers import furnished
from tests.fakes.waiting import until

pytestmark = pytest.mark.long
COMPARE = "Backtest trend on BTC-USDT 15m, and compare a 2 ATR with a 3 ATR stop"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """`nightdesk up` with worker, API and page."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    made = Place(furnished(tmp_path_factory.mktemp("flow") / "home", 45))
    with started(made, "up", "--bars-per-second", "4"):
        until(lambda: heartbeat_of(made.home).get("phase") == "running", "the worker never ran")
        until(made.listens, "API or page never listened")
        yield made


@pytest.fixture
def page(desk: Place, chromium: Any) -> Iterator[Any]:
    """A browser of vera's; whatever it asks for stays on this machine."""
    made, asked = browser(desk, chromium)
    yield made
    made.context.close()
    assert not asked, f"the page asked elsewhere: {asked}"


def ask(page: Any, desk: Place, role: str, text: str) -> None:
    """Ask a role in a new thread and wait for the whole answer."""
    page.goto(f"{desk.page}?tab=chat&role={role}")
    page.get_by_text("no real order leaves this desk").wait_for()
    page.get_by_test_id("stChatInputTextArea").fill(text)
    page.keyboard.press("Enter")
    page.get_by_text("OFFLINE model ·").last.wait_for()


def test_the_first_panel_says_what_is_real(page: Any, desk: Place) -> None:
    """Paper, synthetic, desk time, offline, worker; one button for data, and nothing was fetched."""
    page.goto(f"{desk.page}?tab=chat")
    for words in (
        "PAPER",
        "SYNTHETIC bars",
        "worker",
        "OFFLINE planner",
        "Pull two years of BTC, ETH and SOL 15m bars",
    ):
        page.get_by_text(words).first.wait_for()
    assert not list((desk.home / "data").glob("*.parquet"))


def test_a_comparison_with_table_curves_and_links_outlives_a_reload(page: Any, desk: Place, chromium: Any) -> None:
    """The thread is in the address: a reload and a second browser find the same answer; a number leads to its run."""
    ask(page, desk, "developer", COMPARE)
    page.locator("td", has_text="cannot be told apart").or_(page.locator("td", has_text="verdict")).first.wait_for()
    page.locator("svg.chart").first.wait_for()
    assert "thread=" in page.url
    page.reload()
    page.locator("svg.chart").first.wait_for()
    other, asked = browser(desk, chromium)
    other.goto(page.url)
    other.get_by_text(COMPARE).first.wait_for()
    target = other.locator("td a").first.get_attribute("href")
    assert target.startswith("?tab=runs&run=r-")
    other.evaluate("window.sameDocument = true")
    other.locator("td a").first.click()
    other.get_by_text("Return, drawdown below").wait_for()
    assert other.evaluate("window.sameDocument")
    assert "thread=" in other.url
    assert "role=developer" in other.url
    other.context.close()
    assert not asked


def test_a_question_of_another_role_is_carried_there(page: Any, desk: Place) -> None:
    """Two clicks, and the developer answers it; no command beside the button that does the same."""
    ask(page, desk, "operator", "Backtest trend on ETH-USDT 15m")
    assert page.get_by_text("nightdesk chat").count() == 0
    page.get_by_role("button", name="Ask the developer").click()
    page.get_by_role("button", name="Ask the developer").click()
    page.get_by_text("OFFLINE model ·").last.wait_for()
    assert "role=developer" in page.url


def test_a_tightening_is_approved_in_chat_and_adopted(page: Any, desk: Place) -> None:
    """Proposed by the operator, approved by vera in chat; the card ticks to adopted when the worker has journaled it."""
    ask(page, desk, "operator", "Reduce the leverage of btc-trend to 2")
    page.get_by_text("TIGHTENS").first.wait_for()
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("applied, version 2 by vera").wait_for()
    page.get_by_role("button", name="Open the card").click()
    page.get_by_text("Adopted").first.wait_for()
    listed = desk.command("proposals", "list")["items"]
    assert [(p["state"], p["decided_by"]["name"]) for p in listed] == [("applied", "vera")]


def test_a_loosening_is_decided_on_the_proposals_page(page: Any, desk: Place) -> None:
    """No Approve in chat; on its page LOOSENS, worst case, evidence side by side, a second click; then a rollback."""
    ask(page, desk, "developer", "Propose stop_atr 3 for the ETH trend sleeve")
    page.get_by_text("LOOSENS").first.wait_for()
    assert page.get_by_role("button", name="Approve", exact=True).count() == 0
    page.get_by_role("button", name="Decide on the proposals page").click()
    for words in ("worst case", "left to decide", "base", "changed"):
        page.get_by_text(words).first.wait_for()
    page.locator("svg.chart").first.wait_for()
    page.get_by_role("button", name="Approve as vera").click()
    page.get_by_role("button", name="I understand; approve").click()
    page.get_by_text("Adopted").first.wait_for()
    page.goto(f"{desk.page}?tab=proposals")
    page.locator(".st-key-back_2 button").first.click()
    page.get_by_role("button", name="Roll back", exact=True).click()
    page.get_by_text("equals version 2").wait_for()


def test_a_proposal_whose_page_is_closed_is_made_and_found(page: Any, desk: Place, chromium: Any) -> None:
    """The browser goes away while its evidence runs: the card comes though nobody sends it."""
    page.goto(f"{desk.page}?tab=sleeves&sleeve=btc-trend")
    page.get_by_role("button", name="Tighten").click()
    page.get_by_text("Half the leverage allowed").click()
    page.get_by_label("Why").last.fill("left alone")
    page.get_by_role("button", name="Propose it").click()
    page.get_by_text("You may leave this page").wait_for()
    page.goto("about:blank")
    until(lambda: desk.command("proposals", "list", "--state", "pending")["items"], "no card came")
    other, asked = browser(desk, chromium)
    other.goto(f"{desk.page}?tab=proposals")
    other.get_by_text("left alone").first.wait_for()
    other.context.close()
    assert not asked


def test_the_desk_tab_shows_the_desk(page: Any, desk: Place) -> None:
    """Curves, guardrails, sleeves; the timeline leads to an event's story."""
    page.goto(f"{desk.page}?tab=desk")
    page.locator("svg.chart").nth(1).wait_for()
    for words in ("Guardrails", "Open positions"):
        page.locator("h2", has_text=words).wait_for()  # a folded limit has the same words
    page.locator("td", has_text="sol-reversion").first.wait_for()
    page.goto(f"{desk.page}?tab=desk&view=journal")
    page.locator("[class*='st-key-panel_journal_'] a").first.click()
    page.get_by_text("written by worker").first.wait_for()
    assert "event=d-" in page.url


def test_an_order_of_the_list_has_a_page_and_the_operator_explains_it(page: Any, desk: Place) -> None:
    """From the sleeve to its orders, to one of them, to an answer: each click leaves the view that refreshes itself."""
    page.goto(f"{desk.page}?tab=sleeves&sleeve=btc-trend")
    page.get_by_role("button", name="Its orders").click()
    page.get_by_text("Orders of btc-trend alone: show all").wait_for()
    page.locator(".st-key-panel_orders a").first.click()
    page.get_by_role("button", name="Ask the operator about it").click()
    page.get_by_text("explain d-").first.wait_for()
    page.get_by_text("OFFLINE model ·").last.wait_for()
    assert "role=operator" in page.url


def test_a_running_turn_and_the_thread_outlive_the_api(page: Any, desk: Place) -> None:
    """The API is killed in mid-turn: once it is back the thread is there, its turn closed with a plain answer."""
    page.goto(f"{desk.page}?tab=chat&role=developer")
    page.get_by_text("no real order leaves this desk").wait_for()
    page.get_by_test_id("stChatInputTextArea").fill("Backtest reversion on SOL-USDT 15m with stop_atr 1.7")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Cancel").wait_for()
    address = page.url
    os.kill(desk.processes("app.api")[0], signal.SIGKILL)
    page.goto(address)  # before or after it is back: the page waits for it
    page.get_by_text("Backtest reversion on SOL-USDT").first.wait_for()
    page.get_by_text("OFFLINE model").last.wait_for()
    assert page.get_by_role("button", name="Cancel").count() == 0


def test_the_page_says_itself_that_its_server_is_gone(page: Any, desk: Place) -> None:
    """Nobody answers the browser: since when, of when the figures are, the commands; it goes when the server is back."""
    page.goto(f"{desk.page}?tab=desk")
    page.locator(".desk-time").wait_for()
    page.wait_for_function("document.querySelector('.desk-time').textContent.trim().endsWith('Z')")
    (pid,) = [one for one in desk.processes("streamlit") if one != os.getpid()]
    os.kill(pid, signal.SIGSTOP)
    try:
        note = page.locator(".gone")
        note.wait_for()
        assert "The page does not answer since" in note.inner_text()
        assert page.get_by_text("connected to the internet").locator("visible=true").count() == 0
        assert page.locator(".desk-time").inner_text().strip() in note.inner_text()
    finally:
        os.kill(pid, signal.SIGCONT)
    note.wait_for(state="detached")


def test_halt_and_release(page: Any, desk: Place) -> None:
    """A reason, the banner on every tab, latched for the command line too; released with a reason."""
    page.get_by_role("button", name="HALT").click()
    page.get_by_label("Why").fill("fills look wrong")
    page.get_by_role("button", name="Halt now").click()
    page.get_by_text("fills look wrong").first.wait_for()
    assert desk.command("status")["halt"]["halted"]
    page.goto(f"{desk.page}?tab=desk")
    page.locator(".st-key-halted").get_by_text("HALTED by vera").wait_for()
    until(lambda: heartbeat_of(desk.home).get("halted"), "the worker did not follow the halt")
    page.get_by_role("button", name="Release", exact=True).click()
    page.get_by_label("Why it is safe again").fill("checked by hand")
    page.locator(".st-key-release_now button").click()
    page.locator(".st-key-halted").get_by_text("HALTED by vera").wait_for(state="detached")
    assert not desk.command("status")["halt"]["halted"]


def test_a_halt_goes_through_while_the_api_hangs_and_other_tabs_see_it(page: Any, desk: Place) -> None:
    """The API takes connections and answers nobody: the click latches the file; a second tab shows it once the API is back."""
    tab = page.context.new_page()
    tab.goto(f"{desk.page}?tab=desk")
    tab.get_by_text("PAPER").first.wait_for()
    page.goto(f"{desk.page}?tab=desk")
    page.get_by_text("Guardrails").first.wait_for()
    pid = desk.processes("app.api")[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        page.get_by_role("button", name="HALT").click()
        page.get_by_label("Why").fill("nothing answers")
        page.get_by_role("button", name="Halt now").click()
        until(lambda: halt.read(desk.home).halted, "the halt was not latched")
        assert halt.read(desk.home).reason == "nothing answers"
        page.get_by_text("HALTED by file").first.wait_for()
    finally:
        os.kill(pid, signal.SIGCONT)
    tab.get_by_text("nothing answers").first.wait_for()
    tab.get_by_role("button", name="Release", exact=True).click()
    tab.get_by_label("Why it is safe again").fill("it answers")
    tab.locator(".st-key-release_now button").click()
    page.get_by_text("HALTED by").first.wait_for(state="detached")


def test_a_session_that_ends_says_so_and_a_new_link_goes_on(page: Any, desk: Place) -> None:
    """In mid-view, without a click: what happened and the command that helps; the next link opens the desk again."""
    page.goto(f"{desk.page}?tab=desk")
    page.get_by_text("Guardrails").first.wait_for()
    for held in (desk.home / "sessions").iterdir():
        held.unlink()
    page.get_by_text("this session has ended").first.wait_for()
    page.reload()
    page.get_by_text("You are not logged in").wait_for()
    assert page.get_by_text("btc-trend").count() == 0
    page.goto(desk.command("login", "--as", "vera")["url"])
    page.locator(".st-key-head").wait_for()
