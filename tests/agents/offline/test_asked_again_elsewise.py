"""Classes of first questions that several people asked: each by wordings that are in no set."""

import pytest

from agents.offline.choose import likely, refined
from agents.offline.slots import read_slots
from agents.offline.words import Words, says


def _asked(text: str, words: Words) -> str:
    slots = read_slots(text, words)
    return refined(likely(slots)[0], slots, None).label.ask


@pytest.mark.parametrize("text", ["trend on BTC since june, refit every month", "walk forward eth-trend with monthly retraining"])
def test_how_often_it_is_refitted_is_how_long_each_window_trades(text: str, words: Words) -> None:
    """A refit once a month is a test window of a month: it is never dropped."""
    assert read_slots(text, words, searching=True).folds == {"test": "30d"}


@pytest.mark.parametrize("text", ["reversion BTC 1h since march", "trend eth 15m from june"])
def test_the_size_of_a_bar_before_since_is_no_length(text: str, words: Words) -> None:
    """`1h since march` is bars of an hour from march on, not the hour after it began."""
    slots = read_slots(text, words)
    assert slots.timeframe in ("1h", "15m")
    assert slots.span.end is None


@pytest.mark.parametrize(
    ("text", "ask"),
    [
        ("did the entries of sol slip, was any order filled far worse than it should", "journal_search fill"),
        ("who filed it, and what speaks against the pending change", "proposals"),
        ("is bybit down at the moment", "health"),
        ("have we ever tried a tighter stop on eth", "trials"),
        ("i took over from anna, what is up", "health handover"),
        ("what risk per trade does each sleeve take", "sleeves settings"),
        ("do the quick trades earn more than those held over 3 hours", "trips"),
        ("show the last four losing trades", "trips"),
        ("why did telegram stay quiet", "way notify"),
    ],
)
def test_what_is_asked_is_read(text: str, ask: str, words: Words) -> None:
    """The tool that has it, whatever else the sentence names."""
    assert _asked(text, words) == ask


@pytest.mark.parametrize(
    "text", ["show the last six stop-outs", "our latest three winners", "the latest 2 trips closed by the trail"]
)
def test_the_last_of_a_kind_are_listed(text: str, words: Words) -> None:
    """Not the worst ones, nor the last fills."""
    slots = read_slots(text, words)
    assert says("choose.by_exit", slots.text)
    assert slots.count
