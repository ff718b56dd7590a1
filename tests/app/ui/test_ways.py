"""Commands of an answer on the page: where a button does the same, its name; every other command stays."""

import re
import tomllib
from pathlib import Path

import pytest

from agents.offline import ways as offline
from app.ui import ways
from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_shapes import answer, turn
from tests.app.ui.looking import page, texts_of

TEXTS = [way["text"] for way in tomllib.loads(Path(offline.__file__).with_name("ways.toml").read_text(encoding="utf-8"))["way"]]
DONE_BY_A_CLICK = re.compile(r"nightdesk (chat|halt|release|proposals|watches|alerts)\b|--role")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("role", ["developer", "operator", "advisor"])
def test_no_fixed_answer_prints_a_command_that_the_page_does_by_a_click(text: str, role: str) -> None:
    """Halt, release, decide, confirm, acknowledge, ask another role."""
    assert not DONE_BY_A_CLICK.search(ways.on_page(text, role).text)


def test_each_command_becomes_the_name_of_its_button() -> None:
    """A question to the same role stays a question; what no button does stays a command."""
    said = ways.on_page('ask there: `nightdesk chat --role advisor "where from"`. Or `nightdesk data check`.', "operator")
    assert said.text == "ask there: the button below. Or `nightdesk data check`."
    assert ways.on_page('look: `nightdesk chat --role operator "is it safe?"`', "operator").text == "look: `is it safe?`"
    decided = ways.on_page(
        "To reject it, a person types `nightdesk proposals reject prop-7 --as NAME`; nothing was done.", "operator"
    )
    assert decided.text == "To reject it, a person clicks **Approve** or **Reject** on its card; nothing was done."
    assert decided.proposals == ("prop-7",)
    watch = ways.on_page("A person confirms it on the page under its alerts, or with nightdesk watches confirm w-1.", "operator")
    assert watch.text == "A person confirms it under Alerts."
    assert [label for label, _ in watch.views] == ["Open the alerts"]


def test_a_refused_decision_has_its_card_and_a_watch_its_way(fake: Fake) -> None:
    """The buttons that the words name are there, and lead where they say."""
    text = "To approve it, a person types `nightdesk proposals approve prop-1 --as NAME`. Then `nightdesk watches confirm w-1`."
    fake.turns["u-1"] = turn("u-1", "done", "approve prop-1", answer(text))
    at = page(tab="chat", role="developer", thread="t-1")
    assert "nightdesk" not in texts_of(at)
    assert "approve_u-1_prop-1" in {button.key for button in at.button}
    at.button(key="view_u-1_0").click().run()
    assert dict(at.query_params)["view"] == "alerts"
