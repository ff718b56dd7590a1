"""What a person in a hurry types: the way out in the first line, and no tool in between."""

import pytest

from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk
from tools.common.contract import Role


@pytest.mark.parametrize(
    "text",
    [
        "halt",
        "halt!",
        "halt for 10 minutes",
        "please halt everything",
        "go flat",
        "flatten everything now",
        "oh no, halt now",
        "im scared, kill it",
        "wtf. stop everything please",
    ],
)
@pytest.mark.parametrize("role", ["developer", "operator", "advisor"])
def test_who_wants_to_halt_is_told_how(words: Words, role: Role, text: str) -> None:
    """At 3 a.m. the bare word is enough: the way to halt, and no search."""
    desk = Desk(role, words)
    assert "/halt REASON" in desk.ask(text)
    assert desk.called == []


@pytest.mark.parametrize("text", ["close everything now", "close it", "exit all positions pls", "get us out", "sell all"])
def test_who_wants_out_reads_the_way_to_go_flat(words: Words, text: str) -> None:
    """No role closes a position; what a person in a hurry reads is how to, and nothing about alerts."""
    desk = Desk("operator", words)
    answer = desk.ask(text)
    assert "To go flat now: `/halt REASON`" in answer
    assert desk.called == []


def test_the_hour_of_a_bad_night_is_no_window(words: Words) -> None:
    """`3am` before a question of now says when it is asked, not of when."""
    desk = Desk("operator", words)
    desk.ask("3am, phone buzzed, do i need to get up")
    assert [name for name, _ in desk.called] == ["health", "proposals", "desk"]
