"""What a short sentence asks beside the answer above: each kind with siblings that the code does not name."""

import pytest

from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
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
