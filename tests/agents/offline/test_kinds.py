"""Kinds of sentences that were answered as another question: each with siblings that the code does not name."""

from collections.abc import Mapping
from typing import Any

import pytest

from agents.offline.dates import periods
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tests.evals.conftest import DESK_MS
from tools.common.contract import Table

RUN = Table(
    ("metric", "value"), (("net_profit", 4.0), ("recovery_factor", 2.0), ("win_rate", 0.4), ("var_95_frac", 0.01), ("fees", 9.0))
)
DAYS = Table(("day", "net"), (("2025-11-29 00:00Z", -3.0), ("2025-11-30 00:00Z", -90.0), ("2025-12-01 00:00Z", 5.0)))
BEST = Table(("trip", "net", "fees"), (("t18", 45.0, 1.0), ("t54", 44.0, 2.0)))
BY_EXIT = Table(("exit", "trips", "wins", "net"), (("stop", 5, 0, -9.0), ("target", 4, 4, 12.0)))


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("pls shut eth off until i wake up, say 9am", "until 09:00"),
        ("pause eth until 6", "until 06:00"),
        ("no entries on eth before 8am", "until 08:00"),
        ("pause eth till half past eight", "till 08:30"),
    ],
)
def test_a_clock_is_the_end_of_a_pause(words: Words, text: str, ends: str) -> None:
    """As it was typed: the tool reads it as the next time that it strikes, where a moment of the past would be refused."""
    desk = Desk("operator", words)
    desk.ask(text)
    assert [(name, args["sleeve"], args["ends"]) for name, args in desk.called] == [("propose_pause", "eth-trend", ends)]


def test_an_end_that_nothing_reads_files_no_pause(words: Words) -> None:
    """Neither one without an end nor one with the end of the pause before."""
    desk = Desk("operator", words)
    assert "until the cows come" in desk.ask("pause sol until the cows come home")
    desk.ask("pause btc until 06:00")
    assert "leave out" in desk.ask("and eth until the cows come home")
    assert desk.called == []


@pytest.mark.parametrize("text", ["does eth-trend use future information", "check eth-trend for look-ahead"])
def test_a_sleeve_is_the_name_of_its_strategy(words: Words, text: str) -> None:
    """Where the tool takes a strategy and no sleeve."""
    desk = Desk("developer", words)
    desk.ask(text)
    assert desk.called == [("leaks", {"strategy": "trend"})]


@pytest.mark.parametrize(
    ("text", "row"), [("win rate?", "win_rate"), ("value at risk?", "var_95_frac"), ("how much went on fees", "fees")]
)
def test_a_metric_is_the_row_of_its_name(words: Words, text: str, row: str) -> None:
    """One of two words by both of them, one that the glossary calls otherwise by that."""
    desk = Desk("developer", words, backtest=ok("backtest", evidence=["r-77"])._replace(table=RUN))
    desk.ask("backtest trend on btc for 2024")
    said = desk.ask(text)
    assert desk.called == []
    assert [line.split("|")[1].strip() for line in said.splitlines() if line.startswith("| ")][1:] == [row]


def test_a_metric_that_the_run_has_not_is_no_other_one(words: Words) -> None:
    """`profit factor` is neither the net profit nor the recovery factor."""
    desk = Desk("developer", words, backtest=ok("backtest", data={"run_id": "r-77"}, evidence=["r-77"])._replace(table=RUN))
    desk.ask("backtest trend on btc for 2024")
    desk.ask("profit factor?")
    assert desk.called == [("trips", {"subject": "r-77"})]


@pytest.mark.parametrize(
    "text", ["drop the weekday split", "forget the weekdays", "no split please", "all in one, not by weekday"]
)
def test_a_split_is_dropped_and_the_rest_stays(words: Words, text: str) -> None:
    """The side and the window of the question before."""
    desk = Desk("advisor", words)
    desk.ask("hit rate by weekday, longs only, since october")
    desk.ask(text)
    assert desk.called == [("trips", {"side": "long", "since": "2025-10-01"})]


@pytest.mark.parametrize("text", ["walk forward trend on ETH for 2025, 6 folds", "walkforward reversion sol 2025 in ten windows"])
def test_a_number_of_folds_is_no_parameter(words: Words, text: str) -> None:
    """Said so, and nothing is run as if it had not been named."""
    desk = Desk("developer", words)
    assert "takes no number of folds" in desk.ask(text)
    assert desk.called == []


@pytest.mark.parametrize("text", ["can it wait til morning", "do i have to get up for this", "is it urgent", "how bad is it"])
def test_whether_an_alert_can_wait_is_on_its_card(words: Words, text: str) -> None:
    """Not when a proposal expires."""
    desk = Desk("operator", words, alerts=ok("alerts", evidence=["al-1"]))
    desk.ask("what alerts are open?")
    desk.ask(text)
    assert desk.called == [("alerts", {"alert_id": "al-1"})]


def test_the_worst_day_is_of_all_days(words: Words) -> None:
    """Not of the last twelve."""
    desk = Desk("advisor", words)
    desk.ask("best day since we started")
    assert desk.called[0][1]["limit"] == 60


def test_another_statistic_is_asked_back_about(words: Words) -> None:
    """`rather than` and `instead of` a mean: no argument takes it."""
    desk = Desk("advisor", words)
    desk.ask("mean R of shorts")
    assert "instead of mean" in desk.ask("median instead of mean")
    assert desk.called == []


def test_a_cost_of_a_trip_is_set_beside_its_own_result(words: Words) -> None:
    """No share in the fees of all rows."""
    desk = Desk("advisor", words, trips=ok("trips")._replace(table=BEST))
    desk.ask("show me the biggest winner ever")
    said = desk.ask("how much of it went to fees")
    assert desk.called == []
    assert "| trip | net | fees |" in said
    assert "t18" in said
    assert "t54" not in said


def test_the_winning_ones_of_a_split_are_other_round_trips(words: Words) -> None:
    """The column of wins is no answer."""
    desk = Desk("advisor", words, trips=ok("trips")._replace(table=BY_EXIT))
    desk.ask("how long do trades usually last")
    desk.ask("the winning ones?")
    assert desk.called == [("trips", {"outcome": "winners"})]


def test_what_is_said_beside_a_question_is_named(words: Words) -> None:
    """`cant sleep` asks nothing; a clause that names something is not left out."""
    desk = Desk("operator", words)
    said = desk.ask("cant sleep. did we lose anything since midnight")
    assert [name for name, _ in desk.called] == ["pnl"]
    assert 'did not use: "cant sleep"' in said


def test_the_one_of_which_one_picks_no_reading(words: Words) -> None:
    """After a question back, `which one did it` is not its first line."""
    desk = Desk("advisor", words)
    desk.ask("frobnicate the wibble")
    assert desk.called == []
    desk.ask("which one did it")
    assert [name for name, _ in desk.called] == ["trips"]


@pytest.mark.parametrize(
    ("asked", "then", "called"),
    [
        ("whats a drawdown", "and ours is?", ("desk", {})),
        ("what is slippage", "and how much did we have", ("attribution", {})),
    ],
)
def test_ours_is_the_figure_of_the_word_explained(
    words: Words, asked: str, then: str, called: tuple[str, Mapping[str, Any]]
) -> None:
    """Asked as if it had been named."""
    desk = Desk("advisor", words, define=ok("define"))
    desk.ask(asked)
    desk.ask(then)
    assert desk.called == [called]


def test_everything_at_once_is_not_searched(words: Words) -> None:
    """A no with its reason, not a question for the window."""
    desk = Desk("developer", words)
    assert "luck more often than skill" in desk.ask("optimise all parameters of trend on btc for 2025 for max sharpe")
    assert desk.called == []


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("compare last week with the week before", ("2025-11-24", "2025-11-17")),
        ("is 2024 different from 2025", ("2024-01-01", "2025-01-01")),
    ],
)
def test_two_periods_are_told_apart(text: str, pair: tuple[str, str]) -> None:
    """However the sentence sets one against the other; a word between them that does not is no comparison."""
    found, _ = periods(text, DESK_MS)
    assert tuple(span.start for span in found) == pair
    assert periods("fees from october to november", DESK_MS) == ([], [])


@pytest.mark.parametrize(
    "text", ["backtest trend on eth for 2024, taker fees doubled", "run trend on btc 2024 with twice the fees"]
)
def test_other_costs_and_a_run_that_was_not_made_are_asked_back_about(words: Words, text: str) -> None:
    """No call sets them; and a figure asked next is not the desk's."""
    desk = Desk("developer", words)
    said = desk.ask(text)
    assert "leave out" in said or "no call can set others" in said
    desk.ask("profit factor?")
    assert desk.called == []


@pytest.mark.parametrize(
    "text", ["worst we have been down since the start", "what is the most that the desk has ever been under"]
)
def test_how_far_down_the_desk_has_been_is_its_drawdown(words: Words, text: str) -> None:
    """Not its worst day."""
    desk = Desk("advisor", words)
    desk.ask(text)
    assert desk.called[0][0] == "performance"
