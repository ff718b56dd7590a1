"""What a short sentence asks of the table that was shown last; a word that the table does not explain is none of its."""

import pytest

from agents.offline import table_answers
from agents.offline.slots import read_slots
from agents.offline.steps import CallResult, PastTurn, PlannedAnswer
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Evidence, Fact, Table

DAYS = Table(("day", "fees", "net"), (("2025-11-28", 4.0, -9.0), ("2025-11-29", 3.0, 12.0), ("2025-11-30", 2.0, 5.0)))
PAUSES = Table(("sleeve", "why", "since", "until", "by"), (("btc-trend", "loss streak breaker", "1 Dec", "2 Dec", "guardrail"),))
EXITS = Table(("exit", "trips", "net"), (("stop", "{k1.trips}", "{k1.net}"), ("target", "{k2.trips}", "{k2.net}")))
FACTS = {
    f"{handle}.{name}": Fact(f"{handle}.{name}", "", name, value, "usd", Evidence("desk", "journal"))
    for handle, name, value in (("k1", "trips", 3), ("k1", "net", -30.0), ("k2", "trips", 2), ("k2", "net", 10.0))
}


def above_of(table: Table, asked: str = "p&l by day", name: str = "pnl") -> list[PastTurn]:
    """A thread whose last answer was a table."""
    return [PastTurn(asked, (ok(name)._replace(table=table),))]


@pytest.mark.parametrize(
    ("text", "table", "found"),
    [
        ("which was the best", DAYS, "2025-11-29"),
        ("second best", DAYS, "2025-11-30"),
        ("the row with the highest fees", DAYS, "2025-11-28"),
        ("until when?", PAUSES, "until 2 Dec"),
        ("by whom", PAUSES, "by guardrail"),
        ("why", PAUSES, "why loss streak breaker"),
    ],
)
def test_a_row_or_a_column_is_read_from_the_table_above(words: Words, text: str, table: Table, found: str) -> None:
    """With no call at all, and the answer names the question that it is read from."""
    answer = table_answers.answer_of(read_slots(text, words), above_of(table), {}, words)
    assert isinstance(answer, PlannedAnswer)
    assert found in answer.text
    assert answer.read_as.startswith('the table above ("p&l by day")')


@pytest.mark.parametrize(
    "text",
    [
        "best day to buy btc",
        "would a wider stop be better",
        "which was not the best",
        "who was the best",
        "net of last week",
        "the best without fees",
        "is the best one luck",
        "tell my wife the best",
    ],
)
def test_a_word_that_the_table_does_not_explain_makes_it_another_question(words: Words, text: str) -> None:
    """A condition, a denial, a person, a window: read as a question of its own."""
    assert table_answers.answer_of(read_slots(text, words), above_of(DAYS), {}, words) is None


def test_a_turn_that_was_asked_back_is_passed_over(words: Words) -> None:
    """The table of the turn before is still what `until when` is about."""
    past = [*above_of(PAUSES, "entries paused or what", "pauses"), PastTurn("hm?", ())]
    answer = table_answers.answer_of(read_slots("until when", words), past, {}, words)
    assert isinstance(answer, PlannedAnswer)
    assert "entries paused or what" in answer.read_as


def test_the_trip_listed_is_explained_by_what_ended_it(words: Words) -> None:
    """`why?` after the worst trades: the fills of the first of them and the event that ended it, not where the P&L comes from."""
    trips = Table(
        ("trip", "sleeve", "side", "reason", "net", "entry_ms", "exit_ms"), (("t1", "eth-trend", "long", "stop", -9.0, 0.0, 9e6),)
    )
    fills = CallResult("journal_search", {}, "ok", "fills", None, {}, ("d-4", "d-9"))
    desk = Desk("advisor", words, trips=ok("trips")._replace(table=trips), journal_search=fills)
    desk.ask("the worst trade of eth")
    desk.ask("why did it lose?")
    assert [name for name, _ in desk.called] == ["journal_search", "explain_event"]
    assert desk.called[0][1]["sleeve"] == "eth-trend"
    assert desk.called[1][1] == {"event_id": "d-9"}


def test_its_figure_is_of_the_row_that_was_picked(words: Words) -> None:
    """`its fees` after `the second best` are those of that day."""
    past = [*above_of(DAYS), PastTurn("second best", ())]
    answer = table_answers.answer_of(read_slots("its fees", words), past, {}, words)
    assert isinstance(answer, PlannedAnswer)
    assert answer.text.startswith("2025-11-30: fees 2.0.")
