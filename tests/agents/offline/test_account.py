"""Every word of a sentence is used or asked about, and the answer says how it was read."""

import pytest

from agents.offline.read_back import PlannedCall, read_as
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("show the trades of btc by candlestick", "candlestick"),
        ("why is the equity at 30000", "30000"),
        ("is btc paused unless it rains", "unless"),
        ("what was the slippage except on sol", "except"),
        ("list my runs from today", "from today"),
        ("who made the deepest drawdown", "who"),
    ],
)
def test_a_word_that_nothing_uses_is_asked_back_about(words: Words, question: str, word: str) -> None:
    """It could change what is asked: nothing is called, or the answer says first that it is wider; either names it."""
    desk = Desk("advisor", words)
    answer = desk.ask(question)
    assert desk.called == [] or answer.startswith("**Wider than you asked")
    assert word in answer


def test_without_it_asks_the_rest_and_says_what_was_left_out(words: Words) -> None:
    """The word that was asked back about is dropped by a word of the person's, not before."""
    desk = Desk("operator", words)
    desk.ask("is btc paused unless it rains")
    answer = desk.ask("ok, without it")
    assert desk.called == [("pauses", {"sleeve": "btc-trend"})]
    assert 'I did not use: "unless it rains"' in answer


@pytest.mark.parametrize(
    ("question", "tool"),
    [("cannot sleep. is anything wrong?", "health"), ("my coffee is cold, what alerts are open?", "alerts")],
)
def test_a_clause_that_says_nothing_of_the_desk_changes_nothing(words: Words, question: str, tool: str) -> None:
    """The question beside it is answered."""
    desk = Desk("operator", words)
    desk.ask(question)
    assert [name for name, _ in desk.called] == [tool]


def test_a_pronoun_that_nothing_is_bound_to_is_asked_about(words: Words) -> None:
    """Yesterday's events are no answer to when a drawdown happened."""
    desk = Desk("advisor", words)
    desk.ask("what is our deepest drawdown")
    answer = desk.ask("when did it happen")
    assert desk.called == [] or "performance" in desk.called[0]
    assert "journal_search" not in answer


def test_what_nobody_named_is_said(words: Words) -> None:
    """The whole desk and its whole life are defaults that a person must see; what is kept of the question before as well."""
    desk = Desk("advisor", words)
    assert "*Read as: round trips of the whole desk, since the start, shorts only.*" in desk.ask("hit rate of shorts")
    answer = desk.ask("only november")
    assert "*Read as: round trips of the whole desk, from 2025-11-01 up to 2025-12-01, shorts only (as before: short).*" in answer


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("trips", {"sleeve": "btc-trend", "by": "exit"}, "round trips of btc-trend, since the start, by exit"),
        ("trips", {"subject": "r-1"}, "round trips of run r-1, since the start"),
        ("journal_search", {}, "events of the whole desk, since yesterday"),
        ("pnl", {"unit": "week"}, "P&L of the whole desk, by week, the last 12"),
        ("define", {"word": "sharpe"}, "meaning of sharpe"),
        ("propose_pause", {"sleeve": "a", "ends": "until 08:00"}, "proposal of a pause of a, until 08:00"),
        ("health", {}, ""),
    ],
)
def test_a_call_in_words(name: str, args: dict[str, object], text: str) -> None:
    """Subject, window, filters; nothing where there is one reading only."""
    assert read_as([PlannedCall(name, args)]) == text
