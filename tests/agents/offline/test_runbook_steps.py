"""Questions about a runbook that people work through: the planner looks, names the command, and begins or decides nothing."""

from typing import Any

import pytest

from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk
from tools.catalog import TOOLS
from tools.common.contract import Effect


def called(words: Words, *texts: str, **answers: Any) -> list[tuple[str, Any]]:
    """What the last of these questions calls."""
    desk = Desk("operator", words, **answers)
    for text in texts:
        desk.ask(text)
    return desk.called


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("where are we in the runbook?", {}),
        ("what is the next step?", {}),
        ("what's the next step in the runbook", {}),
        ("how far are we in the checklist", {}),
        ("what about cl-2", {"about": "cl-2"}),
        ("begin the runbook for al-3", {"about": "al-3"}),
        ("start the runbook for w1", {"about": "w1"}),
        ("start the runbook for a dead worker", {"about": "dead worker"}),
    ],
)
def test_where_people_are_is_looked_up(words: Words, text: str, args: dict[str, Any]) -> None:
    """One READ; of an alert, an incident, a checklist or a page by its words."""
    assert called(words, text) == [("checklist", args)]
    assert TOOLS["checklist"].effect is Effect.READ


def test_the_checks_of_a_page_are_listed(words: Words) -> None:
    """By its words, or of the checklist that is open."""
    assert called(words, "which checks does the runbook for a dead worker have?") == [("runbook_steps", {"about": "dead worker"})]
    assert called(words, "which steps of the runbook have a check?") == [("runbook_steps", {})]


@pytest.mark.parametrize(
    "text",
    [
        "what do I do about stale bars?",
        "show the runbook for a dead worker",
        "is there a checklist for when the exchange and we disagree",
        "checklist after a daily loss trip",
        "give me the checklist for a dead feed",
        "steps for a missing protective order",
    ],
)
def test_what_to_do_is_still_the_page_itself(words: Words, text: str) -> None:
    """A question about a page is no question about where people are in it."""
    assert called(words, text)[-1][0] == "runbook"
