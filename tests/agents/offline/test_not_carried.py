"""What a sentence names and the call would not carry is asked back about; what is never asked for is not looked up."""

import pytest

from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table

RUNS = Table(("run", "strategy", "symbol"), (("r-5", "trend", "BTC-USDT"), ("r-6", "trend", "ETH-USDT")))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("trade hold less 1 hour, win or lose", "1 hour"),
        ("which rule has never refused anything?", "never"),
        ("how many trades reached +2R and were stopped", "+2r"),
        ("list winners above 2R", "above 2r"),
        ("how many trades lost more than 1r", "more than 1r"),
        ("worst trades excluding eth", "excluding eth"),
    ],
)
def test_a_threshold_and_a_denial_are_named(words: Words, text: str, named: str) -> None:
    """Not answered as if they were not there: a denial never, a threshold by a wider answer that says so first."""
    desk = Desk("advisor", words)
    said = desk.ask(text)
    assert desk.called == [] or ("**Wider than you asked" in said.split("<")[0] and "never" not in text)
    assert f'"{named}' in said


def test_half_a_thousand_is_no_half(words: Words) -> None:
    """`make it 84 and a half`, after 85000."""
    desk = Desk("operator", words)
    desk.ask("tell me when btc falls below 85000")
    desk.ask("make it 84 and a half")
    assert desk.called[0][1]["level"] == 84_500


def test_whether_a_breaker_ever_tripped_is_asked_of_all_time(words: Words) -> None:
    """Not of yesterday, which is what the log shows where no window is named."""
    desk = Desk("operator", words)
    desk.ask("did any breaker ever trip?")
    assert desk.called[0][1]["since"] == "2009-01-01"


def test_who_approved_a_change_is_on_the_cards_of_those_applied(words: Words) -> None:
    """The log of changes alone does not say that none was approved."""
    desk = Desk("operator", words)
    desk.ask("who approved the last change of the configuration?")
    assert desk.called[0] == ("proposals", {"state": "applied"})


def test_a_stored_run_is_looked_for_by_what_it_is_called(words: Words) -> None:
    """`the stored trend run on eth` is no sleeve of the desk."""
    listed = ok("run", evidence=["r-5", "r-6"])._replace(table=RUNS)
    desk = Desk("developer", words, run=listed)
    desk.ask("split the trips of the stored trend run on eth by side")
    assert desk.called[-1] == ("trips", {"by": "side", "subject": "r-6"})


def test_what_nobody_knows_is_no_word_to_be_explained(words: Words) -> None:
    """A rest of words that the glossary has not is not understood; the one of several that it has is explained."""
    desk = Desk("advisor", words, define=ok("define")._replace(status="no_data"))
    assert "I did not understand this" in desk.ask("what does measured peak day mean")
    desk.ask("what does sleeve mean, nobody explains")
    assert [args["word"] for _, args in desk.called] == ["sleeve"]


def test_a_run_that_was_not_made_is_no_reason_to_measure_the_desk(words: Words) -> None:
    """The drawdown asked for is the run's."""
    failed = ok("backtest", "no bars")._replace(status="failed")
    desk = Desk("developer", words, backtest=failed)
    desk.ask("backtest trend on eth for 2024")
    assert "no bars" in desk.ask("how deep was the drawdown and how long did it last")
    assert desk.called == []
