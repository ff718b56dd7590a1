"""A first question about the desk: the figure that is asked for is the first sentence, and no wish is dropped."""

from typing import Any

import pytest

from agents.offline.steps import CallResult
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table

SPLIT = ("sleeve", "trips", "wins", "win_frac", "net", "fees", "funding", "slippage", "mean_r", "median_hold_ms")


def split_of(by: str, *names: str) -> CallResult:
    """Round trips split by something, a row each."""
    rows: Any = tuple((name, *(f"{{k{n}.{head}}}" for head in SPLIT[1:])) for n, name in enumerate(names, 2))
    return ok("trips", "{k1.trips} round trips")._replace(args={"by": by}, table=Table((by, *SPLIT[1:]), rows))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("longest run of losers for each sleeve, in a row i mean", "{k2.loss_streak} losses"),
        ("profit factor by sleeve", "btc-trend: profit factor {k2.profit_factor}; eth-trend: profit factor {k3.profit_factor}"),
        ("break even hit rate per sleeve", "hit rate of {k3.breakeven_frac}"),
        ("expectancy of every sleeve", "btc-trend: a round trip makes {k2.mean_net}"),
        ("avg winner vs avg loser by sleeve", "btc-trend: winners {k2.mean_win} each"),
        ("what do we make per trade before fees, by sleeve", "before fees {k2.mean_gross} a round trip"),
        ("how much of gross did fees eat, by sleeve", "fees {k2.fees}; before them {k2.gross} was made"),
    ],
)
def test_a_figure_that_the_table_lacks_is_of_each_row(words: Words, text: str, said: str) -> None:
    """By the facts behind a row, before the text that is of all of them."""
    desk = Desk("advisor", words, trips=split_of("sleeve", "btc-trend", "eth-trend"))
    answer = desk.ask(text)
    assert desk.called[0][1]["by"] == "sleeve"
    assert said in answer.partition("{k1.trips}")[0]


@pytest.mark.parametrize(
    ("text", "narrowed"),
    [
        ("hit rate of trades held under 2 hours", {"held": "<2h"}),
        ("what did the trades that lasted longer than 90 minutes make", {"held": ">90m"}),
        ("did trades closed in less than half an hour pay", {"held": "<30m"}),
    ],
)
def test_a_length_narrows_round_trips(words: Words, text: str, narrowed: dict[str, str]) -> None:
    """`under 2 hours` is how long a round trip was held, not a word that is left out."""
    desk = Desk("advisor", words)
    answer = desk.ask(text)
    assert desk.called[0] == ("trips", narrowed)
    assert "Wider than you asked" not in answer


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("list all losers since friday", "newest"),
        ("every single trade of eth this week", "newest"),
        ("all trades of november, longest first", "longest"),
        ("what was the shortest trade", "shortest"),
    ],
)
def test_a_list_is_each_of_them(words: Words, text: str, order: str) -> None:
    """Asked for each round trip, the answer is no sum of them."""
    desk = Desk("advisor", words)
    desk.ask(text)
    assert [(name, args["listed"]) for name, args in desk.called] == [("trips", order)]


@pytest.mark.parametrize(
    ("text", "by", "limit"),
    [
        ("largest fill this month", "size", 1),
        ("the 7 worst fills by slippage since monday", "slippage", 7),
        ("slippage in bps of the last 15 fills", "time", 15),
    ],
)
def test_fills_are_ranked_by_what_is_asked(words: Words, text: str, by: str, limit: int) -> None:
    """By size, slippage or fee, or the newest of them."""
    desk = Desk("operator", words)
    desk.ask(text)
    ((name, args),) = desk.called
    assert (name, args["fills_by"], args["limit"]) == ("journal_search", by, limit)


@pytest.mark.parametrize(
    "text", ["trades this week vs last week, hit rate", "compare the trips of the first half of november with the second"]
)
def test_two_windows_are_two_calls_and_one_sentence(words: Words, text: str) -> None:
    """Neither window is dropped, and chance is said."""
    desk = Desk("advisor", words, trips=ok("trips", "{k1.trips} round trips"))
    answer = desk.ask(text)
    assert len({(args.get("since"), args.get("until")) for _, args in desk.called}) == 2
    assert answer.startswith("Cannot be told from chance")


def test_more_events_than_the_table_has_are_counted(words: Words) -> None:
    """The number is the journal's, not that of the rows shown."""
    rows: Any = (("2025-11-12 09:15Z", "d-1", "breaker", "btc-trend", "btc-trend: breaker loss streak tripped"),)
    found = ok("journal_search", data={"counts": {"breaker": 30}})
    found = found._replace(table=Table(("desk time", "event", "kind", "sleeve", "what"), rows))
    answer = Desk("operator", words, journal_search=found).ask("did any breakers trip in november?")
    assert answer.startswith("Yes: 30 tripped breakers")


@pytest.mark.parametrize("text", ["is the worker dead, and since when", "how long has the worker been down"])
def test_since_when_is_the_alert_and_the_last_bar(words: Words, text: str) -> None:
    """Health alone has no times."""
    desk = Desk("operator", words)
    answer = desk.ask(text)
    assert desk.called == [("health", {}), ("alerts", {"state": "open"})]
    assert "the last bar that was decided on closed at" in answer


def test_winners_that_gave_back_are_of_the_exit_asked_about(words: Words) -> None:
    """A share of one exit's best is of the money that the same exit made."""
    desk = Desk("advisor", words)
    desk.ask("how much do we give back on trail exits, mfe against what was booked")
    assert [args.get("exit") for name, args in desk.called if name in ("excursions", "trips")] == ["trail", "trail"]
