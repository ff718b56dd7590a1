"""A question about one setting of a sleeve, or about its own equity, is answered with that; a value after it is for it."""

import pytest

from agents.offline.slots import read_slots
from agents.offline.steps import CallResult, PastTurn
from agents.offline.understand import ThreadSoFar, part_of, understand
from agents.offline.words import Words

SETTINGS = [
    ("what is fast_bars of btc-trend", ("fast_bars",)),
    ("How many bars has the fast average of btc-trend?", ("fast_bars",)),
    ("Which stop distance in ATR does btc-trend use now?", ("stop_atr",)),
    ("How wide is the stop of eth-trend?", ("stop_atr",)),
    ("What is the target of btc-trend, in ATR?", ("target_atr",)),
    ("What leverage is eth-trend allowed at most?", ("leverage_max",)),
]


@pytest.mark.parametrize(("question", "keys"), SETTINGS, ids=[question for question, _ in SETTINGS])
def test_a_setting_is_named_by_its_key_or_by_its_words(question: str, keys: tuple[str, ...], words: Words) -> None:
    """Read as settings of that sleeve, whatever the likeliest reading is, and nothing of the name is left out."""
    part = part_of(question, ThreadSoFar(words))
    assert (part.ask, part.slots.keys, part.lost, part.left) == ("sleeves settings", keys, (), ())


@pytest.mark.parametrize(
    "question",
    [
        "where is the stop of btc-trend",
        "how often was the stop of btc-trend hit",
        "did the target of eth-trend fire at most twice",
        "how wide were the stops of btc-trend that lost",
        "what changed on btc-trend in atr",
    ],
)
def test_a_level_or_what_happened_is_no_setting(question: str, words: Words) -> None:
    """The same words are about prices and events there."""
    assert read_slots(question, words).keys == ()


@pytest.mark.parametrize("question", ["what does stop_atr of btc-trend mean", "how sensitive is btc-trend to stop_atr? try 1, 2"])
def test_a_meaning_or_other_values_are_no_setting(question: str, words: Words) -> None:
    """A key is named, and its value is not what is asked for."""
    assert part_of(question, ThreadSoFar(words)).ask != "sleeves settings"


@pytest.mark.parametrize("question", ["What is the equity of btc-trend?", "How much cash does eth-trend have?"])
def test_a_sleeves_own_equity_is_not_the_desks(question: str, words: Words) -> None:
    """It was read as off topic, or answered with the whole desk's."""
    part = part_of(question, ThreadSoFar(words))
    assert part.chosen is not None
    assert part.chosen.entry.tool.name == "sleeves"
    assert part.slots.sleeves == (question.rsplit(maxsplit=1)[-1].strip("?") if "equity" in question else "eth-trend",)


def after(question: str) -> list[PastTurn]:
    """A thread in which it was answered."""
    return [PastTurn(question, (CallResult("sleeves", {"sleeve": "btc-trend"}, "ok", "", None, {}, ()),))]


def test_what_stands_before_an_order_that_is_spelled_out_is_left_out_by_name(words: Words) -> None:
    """`That worries me. Cut its leverage limit to 1.5.`: filed, and the first half named."""
    (part,) = understand("That worries me. Cut its leverage limit to 1.5.", words, after("How is btc-trend doing?"))
    assert part.chosen is not None
    assert part.chosen.entry.proposes
    assert (part.slots.common, part.left) == ({"leverage_max": 1.5}, ("That worries me",))
