"""A sentence that looks back: what was narrowed before stays so, what cannot be carried is asked back about."""

from datetime import UTC, datetime

import pytest

from agents.offline.dates import read_span
from agents.offline.steps import CallResult, PastTurn, PlannedAnswer
from agents.offline.understand import ThreadSoFar, part_of
from agents.offline.words import Words, tidy
from tests.agents.offline.test_dialogues import Desk
from tools.common.contract import Table

MIDNIGHT = int(datetime(2025, 12, 2, tzinfo=UTC).timestamp() * 1000)


def test_a_filter_stays_until_it_is_replaced(words: Words) -> None:
    """Winners, then the shorts among them, then those of one sleeve."""
    desk = Desk("advisor", words)
    for text, more in (("winners?", {}), ("and only the shorts", {"side": "short"}), ("btc", {"sleeve": "btc-trend"})):
        desk.ask(text)
        ((name, args),) = desk.called
        assert name == "trips"
        assert {"outcome": "winners", **more}.items() <= args.items()
    assert args["side"] == "short"


@pytest.mark.parametrize(
    ("first", "then", "left"),
    [
        ("compare the sleeves", "risk adjusted", ""),
        ("what happened between 10:00 and 12:00 yesterday", "sharpe of that", "from 2025-12-01 10:00"),
        ("pnl yesterday", "so better or worse", ""),
    ],
)
def test_what_cannot_be_carried_over_is_named(words: Words, first: str, then: str, left: str) -> None:
    """The default of another tool would answer another question: nothing is called, or the answer says first that it is wider."""
    desk = Desk("advisor", words)
    desk.ask(first)
    answer = desk.ask(then)
    assert desk.called == [] or answer.startswith(("**", "I did not use"))
    assert f'"{left}' in answer or not left


def test_a_count_is_of_what_was_listed(words: Words) -> None:
    """`count them` after refusals is no count of alerts and breakers too; what has no count is asked back about."""
    desk = Desk("operator", words)
    desk.ask("refusals on eth past 3 days")
    for text, sleeve in (("count them", "eth-trend"), ("btc same", "btc-trend")):
        desk.ask(text)
        ((name, args),) = desk.called
        assert (name, args["what"], args["sleeve"]) == ("counts", "refused", sleeve)


def test_losers_after_the_best_are_the_worst(words: Words) -> None:
    """Three of them, as before; not the best among losers."""
    desk = Desk("advisor", words)
    desk.ask("top 3 winners last month, eth")
    desk.ask("losers")
    ((name, args),) = desk.called
    assert (name, args.get("worst"), args.get("best"), args["since"]) == ("trips", 3, None, "2025-11-01")


def test_a_refusal_does_not_stick_to_the_thread(words: Words) -> None:
    """The next question that names its own subject is answered."""
    desk = Desk("advisor", words)
    assert "I did not answer" in desk.ask("is btc paused unless it rains")
    desk.ask("are we long or short btc?")
    assert [name for name, _ in desk.called] == ["sleeves"]


def test_it_is_the_run_of_the_thread_or_nothing(words: Words) -> None:
    """`when did it stop trading` after a run is that run's life, not a sleeve's pause."""
    made = CallResult("backtest", {}, "ok", "", None, {"run_id": "r-9"}, ("r-9",))
    desk = Desk("developer", words, backtest=made)
    desk.ask("backtest trend on BTC for 2025")
    desk.ask("when did it stop trading and why")
    assert desk.called in ([], [("run", {"run_id": "r-9"})])


def test_why_after_a_row_of_the_table_is_of_that_row(words: Words) -> None:
    """The whole life of the desk is no answer to why one week was the worst; after a refusal it is the refusal's reason."""
    table = Table(("week", "net"), (("2025-11-10 00:00Z", -4.0), ("2025-11-17 00:00Z", 2.0)))
    shown = PastTurn("p&l by week", (CallResult("pnl", {"unit": "week"}, "ok", "", table, {}, ()),))
    call = part_of("why", ThreadSoFar(words, [shown, PastTurn("the worst of them", ())])).call
    assert isinstance(call, PlannedAnswer)
    assert call.asked_back
    assert "never trades" in str(part_of("why", ThreadSoFar(words, [shown, PastTurn("buy btc now", ())])).call)


@pytest.mark.parametrize(
    ("question", "left"),
    [
        ("did the bot trade on thanksgiving", "thanksgiving"),
        ("last 40 trades of btc: how many of them lost", "last 40"),
        ("distance to stop in percent for whatever is open", "in percent"),
        ("monday through wednesday last week, all sleeves, fees", "wednesday"),
    ],
)
def test_a_word_whose_place_narrows_is_named(words: Words, question: str, left: str) -> None:
    """After a preposition, a number of last ones, a unit, a day that the window does not hold: asked back about, or the answer
    says first that it is wider."""
    desk = Desk("advisor", words)
    answer = desk.ask(question)
    assert left in answer
    assert desk.called == [] or "**Wider than you asked" in answer.split("<")[0]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("pnl today", "2025-12-01", "2025-12-02"),
        ("pnl yesterday", "2025-12-01", "2025-12-02"),
        ("events since midnight", "2025-12-01", None),
        ("what happened btw midnight and 6", "2025-12-01", "2025-12-01T06:00"),
        ("trend on btc, 2025 Q2", "2025-04-01", "2025-07-01"),
        ("from first January until end of June 2025", "2025-01-01", "2025-07-01"),
    ],
)
def test_at_midnight_today_is_the_day_that_ended(words: Words, text: str, start: str, end: str | None) -> None:
    """The desk's last bar closes at 00:00Z: the day that begins there has no bar yet."""
    span, _ = read_span(tidy(text, words), MIDNIGHT)
    assert (span.start, span.end) == (start, end)


def test_an_answer_of_another_kind_leaves_out_what_is_not_wanted(words: Words) -> None:
    """`no fills please` beside refusals needs no refusal of ours."""
    desk = Desk("operator", words)
    desk.ask("show me refusals from 01:00 to 03:00 this morning, no fills please")
    ((name, args),) = desk.called
    assert (name, args["kinds"], args["since"]) == ("journal_search", ["refused"], "2025-12-02T01:00")


def test_who_missed_something_reads_alerts_and_proposals_too(words: Words) -> None:
    """What waits for a person is no event of the desk."""
    desk = Desk("operator", words)
    desk.ask("what did i miss")
    assert [name for name, _ in desk.called] == ["journal_search", "alerts", "proposals"]


def test_cancel_them_is_about_what_stands_above(words: Words) -> None:
    """After positions it is no word on a proposal."""
    desk = Desk("operator", words)
    desk.ask("positions")
    assert "No role can place, change or close an order" in desk.ask("cancel them")
