"""Questions of several parts, and what a table or a question above says: each part is answered or named, none lost."""

from typing import Any

import pytest

from agents.offline.slots import read_slots
from agents.offline.steps import CallResult, PastTurn, PlannedAnswer
from agents.offline.understand import ThreadSoFar, part_of, understand
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk
from tools.common.contract import Evidence, Fact, Table


def tools_of_parts(text: str, words: Words) -> list[str]:
    """What answers each part."""
    return [part.way.name if part.way else part.chosen.entry.tool.name if part.chosen else "" for part in understand(text, words)]


@pytest.mark.parametrize(
    ("text", "tools"),
    [
        ("p&l of btc this week and why did it stop trading", ["pnl", "pauses"]),
        ("show positions and open alerts", ["sleeves", "alerts"]),
        ("what is a breaker and when did it last trip", ["define", "journal_search"]),
        ("who approved the last configuration change and when", ["journal_search"]),
        ("hit rate of btc and eth", ["trips", "trips"]),
    ],
)
def test_a_question_is_parted_where_both_halves_can_be_read(text: str, tools: list[str], words: Words) -> None:
    """Both are answered; what names nothing of its own stays with the half before it."""
    assert tools_of_parts(text, words) == tools


def test_the_second_part_is_about_what_the_first_made(words: Words) -> None:
    """`its worst trade` is of the run just made, not of the desk."""
    run = CallResult("backtest", {}, "ok", "done", None, {"run_id": "r-9"}, ("r-9",))
    desk = Desk("developer", words, backtest=run)
    desk.ask("run trend on eth for 2024 and tell me its worst trade")
    assert [name for name, _ in desk.called] == ["backtest", "trips"]
    assert desk.called[1][1] == {"subject": "r-9", "worst": 5}


def test_what_files_something_comes_last_and_only_when_the_rest_is_answered(words: Words) -> None:
    """A turn files once, as its last call; where the first half asks back, nothing is filed."""
    desk = Desk("operator", words)
    desk.ask("pause eth for 12 hours and show me its open position")
    assert [name for name, _ in desk.called] == ["sleeves", "propose_pause"]
    text = desk.ask("show the trades above 2R, and note that d-12 was an outage")
    assert "note" not in [name for name, _ in desk.called]
    assert "Nothing was filed" in text


def test_a_clause_that_nothing_answers_is_named(words: Words) -> None:
    """It is not dropped in silence."""
    desk = Desk("operator", words)
    assert 'I did not use: "grumble", "frobnicate"' in desk.ask("Grumble frobnicate? Is anything wrong?")


def test_two_periods_are_asked_one_after_the_other(words: Words) -> None:
    """A tool that takes one window is called for each; P&L has both as rows of one table."""
    desk = Desk("developer", words)
    desk.ask("backtest trend on btc in 2023 vs 2024")
    assert [(args["start"], args["end"]) for _, args in desk.called] == [
        ("2023-01-01", "2024-01-01"),
        ("2024-01-01", "2025-01-01"),
    ]
    desk.ask("how are we doing this week compared to last week")
    assert [(name, args["unit"]) for name, args in desk.called] == [("pnl", "week")]


def test_each_of_two_sleeves_is_asked(words: Words) -> None:
    """One sleeve is no answer to a question about two, nor is the desk."""
    desk = Desk("operator", words)
    desk.ask("hit rate of btc and eth")
    assert [args["sleeve"] for _, args in desk.called] == ["btc-trend", "eth-trend"]


def test_both_and_the_other_one_are_asked_back(words: Words) -> None:
    """`both` and `the other one` are asked back about: neither is one of them."""
    desk = Desk("developer", words)
    desk.ask("bt trend btc 15m 2025")
    desk.ask("eth too")
    desk.ask("now both with slow 300")
    assert "Name both" in desk.ask("and both with slow 200")
    assert desk.called == []
    other = Desk("operator", words)
    other.ask("is btc-trend paused")
    other.ask("and the other one?")
    assert other.called == []


def test_a_rule_and_an_outcome_are_arguments(words: Words) -> None:
    """`the loss streak rule` narrows the count; winners beside losers are figures of one call."""
    desk = Desk("operator", words)
    desk.ask("how often did the loss streak rule fire in november")
    assert desk.called[0][1]["rule"] == "loss streak"
    desk.ask("average win against average loss")
    assert desk.called == [("trips", {})]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("which had the higher net", "The highest net is that of 2025-11-02: {a2.net}."),
        ("by how much", "The lowest net is that of 2025-11-01: {a1.net}."),
        ("and the worst of them", "The lowest net is that of 2025-11-01: {a1.net}."),
    ],
)
def test_a_short_sentence_reads_the_table_above(text: str, start: str, words: Words) -> None:
    """Filtered by sign, ranked by the figure that it or the thread names; figures stay references."""
    values = {"a1.net": -5.0, "a2.net": 4.0, "a3.net": -1.0}
    facts = {ref: Fact(ref, "day", "net", value, "usd", Evidence("desk", "journal")) for ref, value in values.items()}
    table = Table(("day", "net"), tuple((f"2025-11-0{i}", f"{{a{i}.net}}") for i in (1, 2, 3)))
    past = [PastTurn("which day lost the most net", (CallResult("pnl", {}, "ok", "", table, {}, ()),))]
    part = part_of(text, ThreadSoFar(words, past, facts))
    assert isinstance(part.call, PlannedAnswer)
    assert part.call.text.startswith(start)


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        ("wich sleves are pasued", "which sleeves are paused"),
        ("refusals of eht-trend", "refusals of eth-trend"),
        ("bt trend btc witout funding", "backtest trend btc without funding"),
        ("is it true that btc lost", "btc lost"),
        ("p&l from 10 to 20 november", "p&l from 10 november to 20 november"),
        ("the drawdown, not the return", "the drawdown"),
    ],
)
def test_a_sentence_is_tidied_before_it_is_read(text: str, tidy: str, words: Words) -> None:
    """Short typing errors, names of sleeves, prefaces, days of one month, what is meant not."""
    assert read_slots(text, words).text == tidy


def test_a_run_that_was_never_made_is_not_replaced(words: Words) -> None:
    """`r7` of a thread that has none is no reason to show the desk."""
    desk = Desk("developer", words)
    assert "has not made or shown r7" in desk.ask("which month was the best of r7")
    assert desk.called == []


def test_a_question_is_no_proposal(words: Words) -> None:
    """`stop where` asks for the level."""
    called: dict[str, Any] = {}
    desk = Desk("operator", words)
    desk.ask("eth")
    desk.ask("stop where")
    called.update(desk.called)
    assert list(called) == ["sleeves"]
