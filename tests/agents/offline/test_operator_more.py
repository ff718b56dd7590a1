"""What stops no answer, and the operator's questions that have an answer of their own: why nothing traded, which rule."""

from typing import Any

import pytest

from agents.offline.account import unused
from agents.offline.entries import entry_of
from agents.offline.page_plans import limits_meant
from agents.offline.slots import read_slots
from agents.offline.steps import CallResult
from agents.offline.words import Words, tidy, vocabulary
from tests.agents.offline.test_dialogues import Desk, ok
from tests.agents.offline.test_understood import shown
from tools.common.contract import Table


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("hello, i joined on tuesday. which settings does each sleeve run with", "sleeves"),
        ("i am no trader, so be kind: what did fees cost us last week", "attribution"),
        ("my husband does not believe me, are we up or down this month", "pnl"),
        ("which day was the worst, and do not sugarcoat it", "pnl"),
        ("did round trips held under an hour pay for themselves", "trips"),
        ("are we up this month or can you not say", "pnl"),
    ],
)
def test_words_that_carry_nothing_stop_no_answer(words: Words, text: str, tool: str) -> None:
    """An aside, a denial of the person's own, a pronoun: the most probable reading is answered."""
    desk = Desk("advisor", words)
    desk.ask(text)
    assert tool in [name for name, _ in desk.called]


@pytest.mark.parametrize("text", ["p&l of the vps with 40 gb", "drawdowns of the 3 sleeves in november, thanks a lot"])
def test_no_number_stops_an_answer_of_a_tool_that_reads(words: Words, text: str) -> None:
    """What it was not narrowed to stands first."""
    desk = Desk("advisor", words)
    assert "I did not answer" not in desk.ask(text)
    assert desk.called != []


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("what did we make, many thanks", "what did we make"),
        ("are we up or can you not tell", "are we up"),
        ("sorry if this is a dumb question but what is our sharpe", "what is our sharpe"),
        ("thanks", "thanks"),
        ("breakers in this month of replay", "breakers in these 30 days"),
    ],
)
def test_what_is_polite_is_read_away(words: Words, text: str, read: str) -> None:
    """Alone it stays."""
    assert tidy(text, words, vocabulary()) == read


def test_a_question_that_names_both_leaves_out_neither(words: Words) -> None:
    """`better or worse` asks which: nothing was left unused by an answer that says a figure."""
    entry, text = entry_of("pnl"), "was november better or worse"
    assert entry is not None
    assert unused(entry, read_slots(text, words), "", text)[0] == ()
    assert unused(entry, read_slots("was november worse", words), "", "was november worse")[0] == ("worse",)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("the consecutive loss thing", "streak_max"),
        ("losses in a row guard", "streak_max"),
        ("the daily loss brake", "day_loss_frac_max"),
        ("max position size per coin", "instrument_frac_max"),
    ],
)
def test_a_rule_is_known_by_what_people_call_it(text: str, first: str) -> None:
    """Its hard limits are what is defined."""
    assert limits_meant(text)[0] == first


FILL = ("2025-11-30 13:45Z", "d-1", "fill", "eth-trend", "sell 1 at 2,000 by stop, round trip -9.00")
HEADS = ("desk time", "event", "kind", "sleeve", "what")


def journal_of(*rows: tuple[str, ...], **counts: int) -> CallResult:
    """A search that found these rows."""
    return ok("journal_search", data={"counts": counts})._replace(table=Table(HEADS, rows))


def down(**more: Any) -> Any:
    """A desk whose worker does not run."""
    rows = (("worker", "bad", "no worker is running", "-"), ("breakers", "ok", "no desk breaker is tripped", "-"))
    return {"health": shown("health", "what state found event", *rows), **more}


@pytest.mark.parametrize("text", ["why is eth-trend not trading", "eth did nothing for hours, why no entry"])
def test_a_worker_that_is_down_is_the_first_reason(words: Words, text: str) -> None:
    """Then the pauses of the sleeve that is named."""
    desk = Desk("operator", words, **down())
    assert desk.ask(text).startswith("Worker: bad, no worker is running.")
    assert [name for name, _ in desk.called] == ["health", "explain_event", "pauses"]


def test_a_sleeve_that_did_trade_is_said_to_have(words: Words) -> None:
    """`did not trade yesterday` is set right before anything else."""
    desk = Desk("operator", words, **down(journal_search=journal_of(FILL, fill=2, refused=1)))
    assert "eth-trend did trade in that window: 2 fills; entries refused 1" in desk.ask("why did eth-trend not trade yesterday")


@pytest.mark.parametrize("text", ["is any breaker latched", "which breakers are active right now"])
def test_a_breaker_in_force_is_no_event_of_the_past(words: Words, text: str) -> None:
    """The pauses of now say it, with the desk's own breaker and the halt."""
    desk = Desk("operator", words)
    desk.ask(text)
    assert [name for name, _ in desk.called] == ["pauses"]


def test_the_version_that_a_desk_begins_with_is_no_change(words: Words) -> None:
    """Who changed the configuration: nobody, and what it began with."""
    adopted = ("2025-11-02 00:00Z", "d-1", "config", "desk", "version 1 adopted by the desk")
    desk = Desk("operator", words, journal_search=journal_of(adopted, config=1))
    said = desk.ask("has anyone changed the configuration since the start")
    assert said.startswith("No change of the configuration")
    assert "version 1 adopted" in said.split("<")[0]


@pytest.mark.parametrize("text", ["what to do when it rains", "page for a broken kettle"])
def test_a_runbook_that_is_not_found_shows_all(words: Words, text: str) -> None:
    """With when each is for, and no words in quotes that nobody wrote."""
    missing = ok("runbook", "no runbook matches")._replace(status="no_data")
    desk = Desk("operator", words, runbook=missing)
    said = desk.ask(f"show the runbook, {text}")
    assert "No runbook is found by these words." in said.split("<")[0]
    assert desk.called[-1] == ("runbook", {})


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("note that weekends are thin. what did we make in november?", "weekends are thin"),
        ("remember that felix wants less risk. which sleeves are paused?", "felix wants less risk"),
    ],
)
def test_a_question_behind_a_note_is_no_part_of_it(words: Words, text: str, noted: str) -> None:
    """It is answered first, and the note is filed without it."""
    desk = Desk("operator", words)
    desk.ask(text)
    assert len(desk.called) == 2
    assert desk.called[-1][1]["text"] == noted


def test_what_is_left_out_by_the_desk_side_is_said_of_all_positions(words: Words) -> None:
    """`all in one direction`: by the side of each that is held."""
    rows = (("symbol", "BTC", "short", "10", "1", "2"), ("symbol", "ETH", "long", "10", "1", "2"))
    for held, word in ((rows[:1], "Yes: all short"), (rows, "No: long and short")):
        desk = Desk("operator", words, exposure=shown("exposure", "of name side exposure times limit", *held))
        assert desk.ask("is everything we hold in the same direction").startswith(word)
