"""What earlier questions were read as is kept between turns, and a thread answers the same with and without it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from agents.offline import kept_readings, understand
from agents.offline.kept_readings import SeenFacts, keep, kept
from agents.offline.steps import PastTurn
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk

ASKED = (
    "backtest trend on btc for 2025",
    "and with a 3 ATR stop",
    "compare 2 and 4 ATR stops for btc-trend",
    "propose the second one",
    "what happened since yesterday?",
    "why",
)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process."""
    monkeypatch.setattr(kept_readings, "_KEPT", {})


@pytest.fixture
def sentences(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every sentence that was read anew."""
    found: list[str] = []
    part_of = understand.part_of

    def noted(text: str, *more: Any) -> Any:
        found.append(text)
        return part_of(text, *more)

    monkeypatch.setattr(understand, "part_of", noted)
    return found


def test_a_thread_answers_the_same_whether_its_turns_are_kept_or_read_again(words: Words) -> None:
    """The same calls with the same arguments, and the same words, at every question."""
    one, other = Desk("developer", words), Desk("developer", words)
    other.stored = False
    for text in ASKED:
        assert one.ask(text) == other.ask(text)
        assert one.called == other.called


def test_an_earlier_question_is_read_once(words: Words, sentences: list[str]) -> None:
    """Each turn reads its own question alone; a thread that is not stored reads all again."""
    desk = Desk("developer", words)
    for text in ASKED[:3]:
        desk.ask(text)
        assert set(sentences) == {text}
        sentences.clear()
    desk.past[:] = [turn._replace(id="") for turn in desk.past]
    desk.ask("why")
    assert len(set(sentences)) > 1


def test_with_another_vocabulary_it_is_read_again(words: Words, sentences: list[str]) -> None:
    """A sleeve that is named since may be what was asked about."""
    desk = Desk("developer", words)
    desk.ask(ASKED[0])
    desk.words = replace(words)
    sentences.clear()
    desk.ask(ASKED[1])
    assert ASKED[0] in sentences


@pytest.mark.parametrize(
    ("facts", "good"),
    [({"r1.net": 5, "r9.net": 1}, True), ({"r1.net": 6}, False), ({}, False), ({"r1.net": 5, "r1.fees": 2}, False)],
)
def test_a_fact_that_it_looked_for_is_the_same_one(words: Words, facts: Mapping[str, Any], good: bool) -> None:
    """Facts that are new are no matter; one that differs, is gone, or was missing and is there now, is."""
    seen = SeenFacts({"r1.net": 5})
    assert (seen["r1.net"], seen.get("r1.fees")) == (5, None)
    keep([], "why", words, None, kept_readings.KeptReading(understand.understand("why", words)[-1], seen.seen))
    assert (kept([], "why", words, None, facts) is not None) == good


def test_the_oldest_give_way(words: Words, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process keeps so many and no more."""
    monkeypatch.setattr(kept_readings, "KEPT_MAX", 3)
    found = kept_readings.KeptReading(understand.understand("why", words)[-1], {})
    for n in range(9):
        keep([PastTurn("x", (), f"u-{n}")], "why", words, None, found)
    assert len(kept_readings._KEPT) == 3
    assert kept([PastTurn("x", (), "u-8")], "why", words, None, {}) is found
