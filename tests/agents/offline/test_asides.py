"""What a short sentence asks beside the answer above: each kind with siblings that the code does not name."""

import pytest

from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, changes, ok
from tools.common.contract import Table

TRIPS = Table(
    ("trip", "sleeve", "side", "net", "entry_ms", "exit_ms"),
    (
        ("t31", "eth-trend", "short", -25.0, 1762354800000, 1762357500000),
        ("t57", "btc-trend", "long", -24.0, 1762737300000, 1762752600000),
    ),
)
FILLS = Table(
    ("desk time", "event", "kind", "sleeve", "what"),
    (
        ("2025-12-01 20:30Z", "d-10", "fill", "btc-trend", "buy 1 at 5.0 by stop, round trip -9.89"),
        ("2025-12-01 22:15Z", "d-13", "fill", "btc-trend", "buy 1 at 8.0 by stop, round trip -9.42"),
        ("2025-12-01 22:30Z", "d-17", "fill", "eth-trend", "sell 1 at 2.0 to enter"),
    ),
)
RUN = Table(("metric", "value"), (("net_profit", 4.0), ("fees", 9.0)))


@pytest.mark.parametrize("text", ["is that a lot?", "was it bad", "is this normal", "in percent?", "how much is that in percent"])
def test_money_is_set_in_proportion(words: Words, text: str) -> None:
    """By the return of the desk, with what its interval allows to say."""
    desk = Desk("advisor", words)
    desk.ask("how much did we make so far?")
    assert desk.called[0][0] == "pnl"
    desk.ask(text)
    assert [name for name, _ in desk.called] == ["performance"]


@pytest.mark.parametrize(
    "text", ["which sleeve was it", "which coin did that", "on which bot?", "which symbol was that", "by which sleeve"]
)
def test_which_sleeve_it_was_keeps_the_window(words: Words, text: str) -> None:
    """Of the question above."""
    desk = Desk("operator", words)
    desk.ask("how much did we lose since 2025-11-25?")
    desk.ask(text)
    assert desk.called == [("trips", {"by": "sleeve", "since": "2025-11-25"})]


@pytest.mark.parametrize(
    "text",
    [
        "which of those was the biggest loss",
        "which one of them lost most",
        "the worst of those trades?",
        "which of them hurt",
        "what was the worst one of these",
    ],
)
def test_the_worst_of_fills_listed_is_one_of_them(words: Words, text: str) -> None:
    """By the results in their rows; nothing is listed anew."""
    desk = Desk("operator", words, journal_search=ok("journal_search", evidence=["d-10", "d-13", "d-17"])._replace(table=FILLS))
    desk.ask("last 3 fills")
    desk.ask(text)
    assert desk.called == [("explain_event", {"event_id": "d-10"})]


@pytest.mark.parametrize("text", ["make it 10", "10 please", "no, 10", "the last 10", "sorry, 10"])
def test_another_count_is_taken(words: Words, text: str) -> None:
    """Of the same list."""
    desk = Desk("operator", words)
    desk.ask("last 3 fills")
    desk.ask(text)
    assert [(name, args["limit"], args["kinds"]) for name, args in desk.called] == [("journal_search", 10, ["fill"])]


@pytest.mark.parametrize(
    "text", ["how long did it last", "when did we get in", "when did it close", "how long was that", "entry time of it?"]
)
def test_times_of_a_trip_explained_are_in_its_list(words: Words, text: str) -> None:
    """The event of its exit has none of the entry."""
    desk = Desk("advisor", words, trips=ok("trips")._replace(table=TRIPS))
    desk.answers["journal_search"] = ok("journal_search", evidence=["d-10"])._replace(table=FILLS)
    desk.ask("worst trades of november")
    desk.ask("what happened there")
    said = desk.ask(text)
    assert desk.called == []
    assert "| t31 |" in said
    assert "t57" not in said


@pytest.mark.parametrize(
    "text", ["and the worst?", "the worst one", "what about the worst day?", "now the worst", "so the worst?"]
)
def test_the_other_end_is_of_the_question_with_an_end(words: Words, text: str) -> None:
    """Not the worst row of what was shown in between."""
    days = Table(("day", "net"), (("2025-11-29 00:00Z", -3.0), ("2025-11-30 00:00Z", -90.0), ("2025-12-01 00:00Z", 5.0)))
    desk = Desk("advisor", words, pnl=ok("pnl")._replace(table=days))
    desk.ask("what was our best day?")
    desk.ask("why")
    said = desk.ask(text)
    assert [name for name, _ in desk.called] == ["pnl"]
    assert "The lowest net is that of 2025-11-30" in said


@pytest.mark.parametrize(
    "text", ["and the other side?", "the other direction", "the opposite side?", "what about the other side", "other way round?"]
)
def test_the_other_side_keeps_the_rest(words: Words, text: str) -> None:
    """Shorts after longs."""
    desk = Desk("advisor", words)
    desk.ask("hit rate of longs on btc in november")
    desk.ask(text)
    assert [(args["sleeve"], args["side"], args["since"]) for _, args in desk.called] == [("btc-trend", "short", "2025-11-01")]


@pytest.mark.parametrize("text", ["and 4 too", "4 as well", "add 4", "and a 4 also", "also 4"])
def test_another_value_joins_a_comparison(words: Words, text: str) -> None:
    """It does not take the place of those before."""
    desk = Desk("developer", words)
    desk.ask("compare 2 and 3 ATR stops for btc-trend over october 2025")
    desk.ask(text)
    ((_, args),) = desk.called
    assert args["variants"] == [{"changes": changes(stop_atr=n)} for n in (2, 3, 4)]


@pytest.mark.parametrize("text", ["and on eth", "for eth?", "eth", "same on eth", "what about eth"])
def test_another_symbol_after_trips_of_a_run_is_run(words: Words, text: str) -> None:
    """The run has none of it, and the desk's trips would be another question."""
    desk = Desk("developer", words, backtest=ok("backtest", data={"run_id": "r-77"}, evidence=["r-77"])._replace(table=RUN))
    desk.ask("backtest trend on BTC-USDT 15m for 2025")
    desk.ask("hit rate of its longs")
    assert desk.called == [("trips", {"side": "long", "subject": "r-77"})]
    desk.ask(text)
    ((name, args),) = desk.called[:1]
    assert (name, args["symbol"], args["strategy"], args["start"]) == ("backtest", "ETH-USDT", "trend", "2025-01-01")


@pytest.mark.parametrize(
    "text",
    [
        "compare the first two",
        "compare the first and the second",
        "now compare the top two",
        "compare first with second",
        "please compare the first two runs",
    ],
)
def test_two_of_a_list_are_those_two(words: Words, text: str) -> None:
    """By their places in it."""
    runs = Table(("run", "sharpe"), (("r-11", 0.1), ("r-12", 0.2), ("r-13", 0.3)))
    desk = Desk("developer", words, run=ok("run", evidence=["r-13", "r-12", "r-11"])._replace(table=runs))
    desk.ask("list the latest runs")
    desk.answers["run"] = ok("run")._replace(status="failed")
    desk.ask(text)
    assert [args["run_id"] for _, args in desk.called] == ["r-11", "r-12"]


@pytest.mark.parametrize(
    "text",
    [
        "how many of those were shorts",
        "which of them were shorts",
        "only the shorts of those",
        "and how many of them on btc",
        "those since 2025-11-10?",
    ],
)
def test_a_bound_of_a_loss_stays_one_of_a_loss(words: Words, text: str) -> None:
    """`lost more than 20` is no gain of 20."""
    desk = Desk("advisor", words)
    desk.ask("which trades lost more than 20")
    assert desk.called == [("trips", {"worst": 20})]
    desk.ask(text)
    assert not [args for _, args in desk.called if args.get("best")]


def test_another_roles_command_names_the_subject(words: Words) -> None:
    """The pronoun means nothing in its thread."""
    desk = Desk("developer", words)
    desk.ask("round trips of btc since 2025-11-10")
    said = desk.ask("where does the p&l of those come from")
    assert desk.called == []
    assert 'nightdesk chat --role advisor "where does the p&l come from, btc-trend, since 2025-11-10"' in said


@pytest.mark.parametrize("text", ["is that good?", "is it bad", "and ours?", "is ours bad", "what is ours"])
def test_a_ratio_explained_is_the_desks(words: Words, text: str) -> None:
    """It is not explained again."""
    desk = Desk("advisor", words, define=ok("define"))
    desk.ask("what does sharpe ratio mean")
    desk.ask(text)
    assert [name for name, _ in desk.called] == ["performance"]


@pytest.mark.parametrize("text", ["and of eth alone?", "of eth", "for btc?", "and btc", "the one of eth"])
def test_a_ratio_of_one_sleeve_is_none(words: Words, text: str) -> None:
    """Said so, before the desk's."""
    desk = Desk("advisor", words, define=ok("define"))
    desk.ask("what does sharpe ratio mean")
    assert desk.ask(text).startswith("No tool gives the sharpe ratio of one sleeve")


@pytest.mark.parametrize(
    "text",
    [
        "how many trades was that",
        "over how many trades?",
        "how many trips were those",
        "in how many trades",
        "how many round trips is that",
    ],
)
def test_trades_behind_a_result_keep_its_window(words: Words, text: str) -> None:
    """And its sleeve."""
    desk = Desk("advisor", words)
    desk.ask("what did the eth sleeve make in november?")
    assert desk.called[0][0] == "pnl"
    desk.ask(text)
    assert desk.called == [("trips", {"sleeve": "eth-trend", "since": "2025-11-01", "until": "2025-12-01"})]


@pytest.mark.parametrize(
    "text", ["why did it get out", "what took it out", "what closed it", "how was it closed", "where did it exit"]
)
def test_a_sum_has_no_exit(words: Words, text: str) -> None:
    """The last exit of its window is of a trade that nobody asked about."""
    desk = Desk("advisor", words, pnl=ok("pnl")._replace(table=Table(("day", "net"), (("2025-11-29 00:00Z", -3.0),))))
    desk.ask("what did the eth sleeve make in november?")
    said = desk.ask(text)
    assert desk.called == []
    assert "of no one trade" in said


@pytest.mark.parametrize(
    "text",
    [
        "same for eth at 2500",
        "the same for eth at 2,500",
        "same with eth below 2500",
        "and the same on eth at 2500",
        "same for eth under 2500",
    ],
)
def test_a_watch_is_asked_for_of_another_symbol(words: Words, text: str) -> None:
    """With its own level."""
    desk = Desk("operator", words, propose_watch=ok("propose_watch", evidence=["w-1"]))
    desk.ask("alert me when btc drops below 80000")
    desk.ask(text)
    assert [(args["subject"], args["beyond"], args["level"]) for _, args in desk.called] == [("ETH-USDT", "below", 2500)]


@pytest.mark.parametrize(
    "text", ["and without the fees?", "before fees", "gross?", "without fees", "what is left without the costs"]
)
def test_costs_that_were_not_kept_are_not_added_back(words: Words, text: str) -> None:
    """A net result alone is no gross one."""
    short = Table(("metric", "value"), (("net_profit", "{r.n}"), ("sharpe", "{r.s}")))
    desk = Desk("developer", words, backtest=ok("backtest", data={"run_id": "r-77"}, evidence=["r-77"])._replace(table=short))
    desk.ask("backtest trend on ETH-USDT 1h for october 2025")
    desk.ask(text)
    assert "calc" not in [name for name, _ in desk.called]
