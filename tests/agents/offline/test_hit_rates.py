"""A hit rate is of winners and losers together; beside it the average win and the average loss."""

import pytest

from agents.offline.steps import CallResult
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk
from tools.common.contract import Table

COLUMNS = ("sleeve", "trips", "wins", "win_frac", "net")
ROW = ("btc-trend", "{k2.trips}", "{k2.wins}", "{k2.win_frac}", "{k2.net}")
TRIPS = CallResult("trips", {}, "ok", "{k1.trips} round trips: mean {k1.mean_net}.", Table(COLUMNS, (ROW,)), {}, ())
MEAN = CallResult("calc", {}, "ok", "{k2.net}/{k2.trips} = {c1.value}", None, {}, ())


@pytest.mark.parametrize(
    ("text", "by"),
    [
        ("hit rate of each sleeve, and the average win against the average loss", "sleeve"),
        ("win rate, average winner and average loser by side", "side"),
        ("what is our strike rate and the average loss", "sleeve"),
        ("average win and average loss per weekday", "weekday"),
    ],
)
def test_a_hit_rate_is_asked_of_all_round_trips(text: str, by: str, words: Words) -> None:
    """The winners and the losers alone give the averages."""
    rows = TRIPS._replace(table=Table((by, *COLUMNS[1:]), (ROW,)))
    desk = Desk("advisor", words, trips=rows, calc=MEAN)
    answer = desk.ask(text)
    asked = [args for name, args in desk.called if name == "trips"]
    assert [args.get("outcome") for args in asked] == [None, "winners", "losers"]
    assert {args["by"] for args in asked} == {by}
    assert "Hit rate {k1.win_frac} of {k1.trips} trips" in answer
    assert f"| {by} | trips | win_frac | average win | average loss |" in answer


@pytest.mark.parametrize("text", ["winners by exit", "losers by weekday"])
def test_of_winners_alone_no_hit_rate_is_said(text: str, words: Words) -> None:
    """It would be 100 % or nothing."""
    desk = Desk("advisor", words, trips=TRIPS)
    assert "win_frac}, 95" not in desk.ask(text)
    assert all(args.get("outcome") for name, args in desk.called if name == "trips")
