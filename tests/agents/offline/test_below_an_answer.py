"""Sentences below an answer: a time of its day, a corrected note, another topic, what a fall was before, who looks after it."""

from typing import Any

import pytest

from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table

PENDING = Table(("proposal", "sleeve", "change", "state"), (("prop-1", "btc-trend", "stop_atr 2 -> 3", "pending"),))
MADE = Table(("run", "about"), (("r-3", "trend on BTC-USDT"), ("r-2", "trend on ETH-USDT"), ("r-1", "reversion on SOL-USDT")))


def asked(words: Words, role: Any, first: str, then: str, **answers: Any) -> Desk:
    """A thread after two questions; the calls of the second."""
    desk = Desk(role, words, **answers)
    desk.ask(first)
    assert desk.called
    desk.ask(then)
    return desk


@pytest.mark.parametrize(
    ("then", "at"),
    [
        ("why no entry at 03:30?", "2025-11-28T03:30"),
        ("what about 02:45", "2025-11-28T02:15"),
        ("anything between 02:00 and 03:00", "2025-11-28T02:00"),
        ("why did eth not enter on 30 nov at 03:30", "2025-11-30T03:30"),
    ],
)
def test_a_clock_alone_is_of_the_day_above(words: Words, then: str, at: str) -> None:
    """Not of the last day of the desk; a day of its own is that day."""
    desk = asked(words, "operator", "events of eth-trend on 28 nov between 02:00 and 04:15", then)
    assert next(args.get("at") or args.get("since") for _, args in desk.called) == at
    assert {args.get("sleeve") for _, args in desk.called} == {"eth-trend"}


def test_a_night_goes_over_midnight(words: Words) -> None:
    """01:30 of a night that begins at 22:00 is the next day's."""
    desk = asked(words, "operator", "what happened from 20 nov 22:00 to 21 nov 06:00", "and at 01:30")
    assert [args["since"] for _, args in desk.called] == ["2025-11-21T01:00"]  # half an hour before and after


@pytest.mark.parametrize(
    ("note", "then", "text"),
    [
        ("look at the stop again on 15 dec", "no wait, the 20th", "look at the stop again on 20 dec"),
        ("nobody touches it before the 15th", "the 12th, not the 15th", "nobody touches it before the 12th"),
        ("marta is away until friday", "sorry, monday", "marta is away until monday"),
        ("the vps has 40 gb", "80 not 40", "the vps has 80 gb"),
    ],
)
def test_a_note_is_corrected_whole(words: Words, note: str, then: str, text: str) -> None:
    """Noted anew with what it was about; that the first one stays is named."""
    desk = Desk("advisor", words)
    desk.ask(f"note: {note}")
    answer = desk.ask(then)
    assert [(name, args["text"]) for name, args in desk.called] == [("note", text)]
    assert "notes drop" in answer


@pytest.mark.parametrize("then", ["thanks, and how much did we lose", "which positions are open"])
def test_what_corrects_no_note_is_none(words: Words, then: str) -> None:
    """A question after a note is a question."""
    desk = asked(words, "advisor", "note: look at the stop again on 15 dec", then)
    assert "note" not in [name for name, _ in desk.called]


@pytest.mark.parametrize(
    "lead", ["forget the refusals. ", "hm ok. unrelated: ", "next question: ", "never mind the pauses, ", "separately, "]
)
def test_another_topic_takes_nothing_along(words: Words, lead: str) -> None:
    """No sleeve and no window of the answer above."""
    desk = asked(words, "operator", "refusals on eth past 3 days", f"{lead}which positions are open")
    assert not any("sleeve" in args or "since" in args for _, args in desk.called)
    assert [name for name, _ in desk.called] in (["sleeves"], ["desk"])


@pytest.mark.parametrize(
    "then", ["has it been worse before", "were we ever deeper than that", "is that the worst we had", "was it longer before"]
)
def test_a_fall_is_beside_the_deepest(words: Words, then: str) -> None:
    """Drawdowns, and no versions of a sleeve."""
    desk = asked(words, "advisor", "how far below the peak are we", then)
    assert [name for name, _ in desk.called] == ["performance"]


@pytest.mark.parametrize("then", ["have we made a new high since", "any new peak since then", "are we out of it yet"])
def test_whether_it_is_recovered(words: Words, then: str) -> None:
    """Of the equity, after P&L by sleeve, too."""
    desk = asked(words, "advisor", "which sleeve lost the most in november", then)
    assert [name for name, _ in desk.called] in (["desk"], ["performance"])


@pytest.mark.parametrize("then", ["has anybody looked at it already", "did someone react", "has it been acknowledged"])
def test_who_saw_an_alert(words: Words, then: str) -> None:
    """The alerts that nobody acknowledged; not what was called in chats."""
    assert [name for name, _ in asked(words, "operator", "any open alerts", then).called] == ["alerts"]


@pytest.mark.parametrize("then", ["so who is watching the stops now", "is anyone looking after the position"])
def test_who_looks_after_a_position(words: Words, then: str) -> None:
    """The worker does, or nobody."""
    assert [name for name, _ in asked(words, "operator", "which positions are open", then).called] == ["health"]


@pytest.mark.parametrize("then", ["is 3 even inside the bounds", "is that value allowed", "what range is permitted"])
def test_the_bounds_of_what_is_proposed(words: Words, then: str) -> None:
    """Of the setting that the proposal changes."""
    pending = ok("proposals")._replace(table=PENDING)
    desk = asked(words, "developer", "which proposals are pending", then, proposals=pending)
    assert [name for name, _ in desk.called] == ["define"]


@pytest.mark.parametrize(
    "then", ["check it on november only then", "test that over the last 30 days", "run it for october first"]
)
def test_what_is_proposed_is_tested_over_a_window(words: Words, then: str) -> None:
    """The change beside the live settings of its sleeve."""
    pending = ok("proposals")._replace(table=PENDING)
    desk = asked(words, "developer", "which proposals are pending", then, proposals=pending)
    ((name, args),) = desk.called
    assert (name, args["sleeve"]) == ("compare", "btc-trend")
    assert args["start"]


@pytest.mark.parametrize("then", ["open the older one", "the oldest run please"])
def test_the_older_of_runs(words: Words, then: str) -> None:
    """The newest is listed first."""
    desk = asked(words, "developer", "list the latest runs", then, run=ok("run")._replace(table=MADE))
    assert desk.called == [("run", {"run_id": "r-1"})]


@pytest.mark.parametrize("then", ["thursday noon is enough actually", "make it friday 8am", "no, thursday 12:00"])
def test_a_pause_ends_at_another_time(words: Words, then: str) -> None:
    """Filed anew: no window that is over."""
    filed = ok("propose_pause", evidence=["prop-1"])
    desk = asked(words, "operator", "pause btc-trend until friday 20:00", then, propose_pause=filed)
    ((name, args),) = desk.called
    assert name == "propose_pause"
    assert args["ends"].startswith(("until thursday", "until friday"))


def test_two_watches_in_one_sentence_are_asked_back_about(words: Words) -> None:
    """No watch of a price at a loss of the desk."""
    watch = ok("propose_watch", evidence=["w-1"])
    text = "make that 82.5 and add one for the desk being more than 150 usdt down on the day"
    assert asked(words, "operator", "ping me when btc goes under 84k", text, propose_watch=watch).called == []
