"""The page with a real model in a real browser: `nightdesk up` pointed at a scripted model on loopback (model_plays.py).

What a person sees of a model: who it is before it is asked, sentences and tools as they come, a retry, a fall to the offline
model, struck numbers, links, the cost. Skipped where there is no Chromium.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from engine.watch.heartbeat import heartbeat_of
from tests.app.ui.browsers import CHROMIUM, Place, browser, started
from tests.fakes.model_plays import Play
from tests.fakes.model_server import ModelServer
from tests.fakes.papers import furnished
from tests.fakes.waiting import until

pytestmark = pytest.mark.long
KEY = "sk-canary-7d1c"
PRICED = '\n[models.night]\nbase_url = "{url}"\nmodel = "night-model"\nkey_env = "OPENAI_API_KEY"\n{prices}'
PRICES = "input_per_million = 2.0\noutput_per_million = 8.0\n"


@pytest.fixture(scope="module", params=[PRICES, ""], ids=["priced", "no-price"])
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, bool, ModelServer]]:
    """(a desk that answers with the model, whether its price is configured, the model)."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with ModelServer(Play(0.3), key=KEY) as server:
        place = Place(furnished(tmp_path_factory.mktemp("model") / "home", 45), OPENAI_API_KEY=KEY)
        place.command("status")  # desk.toml is written at the first start
        toml = place.home / "desk.toml"
        toml.write_text(toml.read_text() + PRICED.format(url=server.url, prices=request.param))
        with started(place, "up", "--bars-per-second", "4"):
            until(lambda: heartbeat_of(place.home).get("phase") == "running", "the worker never ran")
            until(place.listens, "API or page never listened")
            yield place, bool(request.param), server


@pytest.fixture
def page(desk: tuple[Place, bool, ModelServer], chromium: Any) -> Iterator[Any]:
    """A browser of vera's; whatever it asks for stays on this machine."""
    made, asked = browser(desk[0], chromium)
    yield made
    made.context.close()
    assert not asked, f"the page asked elsewhere: {asked}"


def ask(page: Any, place: Place, role: str, text: str) -> Any:
    """Ask in a new thread; the place where the answer will stand."""
    page.goto(f"{place.page}?tab=chat&role={role}")
    page.get_by_text("no real order leaves this desk").wait_for()
    page.get_by_test_id("stChatInputTextArea").fill(text)
    page.keyboard.press("Enter")
    answer = page.get_by_test_id("stChatMessage").nth(1)
    answer.wait_for()
    return answer


def test_before_the_first_call_it_says_who_is_asked_and_what_is_sent(page: Any, desk: tuple[Place, bool, ModelServer]) -> None:
    """Host, model, what leaves and what does not; nothing was sent to say so."""
    before = len(desk[2].posts)
    page.goto(f"{desk[0].page}?tab=chat&role=operator")
    panel = page.locator(".st-key-first_panel")
    for words in ("Model night-model at 127.0.0.1:", "Sent to it: your question", "No venue key"):
        panel.get_by_text(words).first.wait_for()
    page.get_by_text("model night-model").first.wait_for()
    assert len(desk[2].posts) == before


def test_sentences_come_before_the_answer_and_numbers_lead_to_what_they_stand_on(
    page: Any, desk: tuple[Place, bool, ModelServer]
) -> None:
    """The first checked sentence stands there while the turn runs; then the answer with its cost; a number opens its event."""
    place, priced, _ = desk
    answer = ask(page, place, "operator", "tell me of the desk")
    running = page.get_by_test_id("stChatMessage").filter(has=page.get_by_role("button", name="Cancel"))
    running.filter(has_text="The desk stands at").wait_for()  # both at once: it is not the answer yet
    answer.get_by_text("model call").wait_for()
    cost = answer.get_by_text("model night-model · 2 model calls").inner_text()
    assert re.search(r"[\d,]+ tokens · \d\.\d{4} USD" if priced else r"[\d,]+ tokens · price unknown", cost), cost
    marked = " ".join(answer.locator("span[style*=color]").all_inner_texts())
    assert "41.7\u202f%" in marked  # nothing of this thread says what it made since spring: the model's own word, in grey
    assert "The desk stands at" not in marked
    target = answer.locator("p a").first.get_attribute("href")
    assert re.fullmatch(r"\?tab=desk&view=journal&event=d-\d+", target)
    page.goto(place.page + target)
    page.get_by_text("written by worker").wait_for()


def test_a_backtest_of_the_model_shows_its_step_its_curve_and_links_to_the_run(
    page: Any, desk: tuple[Place, bool, ModelServer]
) -> None:
    """The tool as it runs, then figures that lead to the run; the sentence that nobody computed is grey, with its legend."""
    answer = ask(page, desk[0], "developer", "backtest it")
    answer.get_by_text("How this was computed").click()
    answer.get_by_text("backtest").first.wait_for()
    answer.locator("svg.chart").first.wait_for()
    assert "3.14" in " ".join(answer.locator("span[style*=color]").all_inner_texts())
    answer.get_by_text("Grey: the model's own words").first.wait_for()
    page.goto(desk[0].page + answer.locator("p a").first.get_attribute("href"))
    page.get_by_text("Return, drawdown below").wait_for()


def test_a_busy_model_is_told_while_it_is_waited_for(page: Any, desk: tuple[Place, bool, ModelServer]) -> None:
    """429 with Retry-After: the line stands there during the wait, and is gone from the answer."""
    answer = ask(page, desk[0], "operator", "a busy model")
    answer.get_by_text("retrying in 8.0 s").wait_for()
    answer.get_by_text("3 model calls").wait_for()
    assert answer.get_by_text("retrying in").count() == 0
    assert answer.get_by_text("The desk stands at").count() == 1


def test_a_lost_model_falls_to_the_offline_one_with_a_notice(page: Any, desk: tuple[Place, bool, ModelServer]) -> None:
    """Why, that it starts and proposes nothing, and an answer all the same; the key is in none of it."""
    answer = ask(page, desk[0], "operator", "the model is lost: which proposals wait?")
    notice = answer.locator("blockquote")
    notice.wait_for()
    assert "failed (503)" in notice.inner_text()
    assert "in this turn it only reads" in notice.inner_text()
    answer.get_by_text("OFFLINE model · 3 model calls").wait_for()
    assert "canary" not in page.content()
