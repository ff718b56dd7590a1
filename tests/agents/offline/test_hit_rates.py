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


@pytest.mark.parametrize("text", ["winners by exit", "losers by weekday"])
def test_of_winners_alone_no_hit_rate_is_said(text: str, words: Words) -> None:
    """It would be 100 % or nothing."""
    desk = Desk("advisor", words, trips=TRIPS)
    assert "win_frac}, 95" not in desk.ask(text)
    assert all(args.get("outcome") for name, args in desk.called if name == "trips")
