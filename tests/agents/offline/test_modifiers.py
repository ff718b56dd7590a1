"""A word that changes the meaning changes the answer, or is refused by name: never left out in silence."""

import pytest

from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk

BASES = {
    "advisor": (
        "what was our net p&l in november",
        "hit rate of btc",
        "how much do costs eat since monday",
        "sharpe of the desk",
    ),
    "developer": ("backtest trend on btc for 2025", "list the latest runs"),
    "operator": ("how many refusals this week", "what happened since yesterday"),
}
MODIFIERS = (
    "without sol",
    "except btc",
    "excluding the weekends",
    "not counting shorts",
    "below 120",
    "since the last change",
    "in basis points",
    "that were never filled",
    "ignoring the stops",
    "unless it was a monday",
)


@pytest.mark.parametrize("modifier", MODIFIERS)
def test_a_modifier_changes_the_calls_or_is_named(words: Words, modifier: str) -> None:
    """Of each base: other calls than without it, or an answer that names it."""
    silent = []
    for role, bases in BASES.items():
        for base in bases:
            plain, other = Desk(role, words), Desk(role, words)  # type: ignore[arg-type]
            plain.ask(base)
            answer = other.ask(f"{base} {modifier}")
            named = any(
                word in answer
                for word in modifier.split()
                if len(word) > 2 and word not in ("the", "was", "were", "that", "last", "not")
            )
            if other.called == plain.called and not named:
                silent.append(base)
    assert silent == []


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("hit rate without the shorts", {"side": "long"}),
        ("which trades did not lose", {"outcome": "winners"}),
        ("which coin made most", {"by": "symbol"}),
    ],
)
def test_what_is_left_out_or_a_part_is_split_from_the_rest(words: Words, text: str, args: dict[str, object]) -> None:
    """By the split that sets it apart: never the figures of what was to be left out."""
    desk = Desk("advisor", words)
    desk.ask(text)
    ((name, given),) = desk.called
    assert name == "trips"
    assert args.items() <= given.items()
    assert "exit" not in given
    assert "sleeve" not in given


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("which rule has never refused anything", "never"),
        ("trades that never hit the stop, how did they end", "never hit the stop"),
        ("p&l without eth", "without eth"),
        ("p&l since the last change", "since the last change"),
        ("hit rate of btc if everybody sleeps", "if everybody sleeps"),
        ("how exposed are we per trade", "per trade"),
        ("how exposed are we at night", "at night"),
    ],
)
def test_what_no_tool_narrows_to_is_named(words: Words, text: str, lost: str) -> None:
    """A question back and no call, or an answer that says first that it is wider."""
    desk = Desk("advisor", words)
    answer = desk.ask(text)
    assert desk.called == [] or answer.startswith("**Wider than you asked")
    assert lost in answer


def test_withdraw_it_is_of_the_proposal(words: Words) -> None:
    """After a pause was proposed: how a person turns it down, by its id; no funds, no second proposal."""
    from tests.agents.offline.test_dialogues import ok

    desk = Desk("operator", words, propose_pause=ok("propose_pause", evidence=["prop-2"]))
    desk.ask("pause eth-trend")
    for text in ("withdraw it", "forget it", "take it back"):
        answer = desk.ask(text)
        assert desk.called == []
        assert "nightdesk proposals reject prop-2 --as NAME" in answer, text
