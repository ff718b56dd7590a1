"""One slot of the turn above corrected, one of several that were listed: each kind with siblings that the code does not name."""

import pytest

from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table

RUNS = Table(
    ("run", "about", "sharpe", "max_drawdown_frac", "fees"),
    (("r-11", "trend", 0.1, 0.15, 9.0), ("r-12", "trend", 0.2, 0.25, 8.0), ("r-13", "reversion", 0.3, 0.35, 7.0)),
)
MADE = Table(("metric", "value"), (("net_profit", "{r.n}"), ("max_drawdown_frac", 0.02), ("win_rate", 0.4), ("fees", "{r.f}")))


def paused(words: Words) -> Desk:
    """A thread that has asked for a pause until 08:00."""
    desk = Desk("operator", words, propose_pause=ok("propose_pause", evidence=["prop-2"]))
    desk.ask("pause eth until 8")
    return desk


@pytest.mark.parametrize("text", ["no wait, 9", "make it 9", "sorry, 9am", "9 i mean", "actually until 09:00"])
def test_the_end_of_a_pause_is_corrected(words: Words, text: str) -> None:
    """And what was filed before is named: one change waits for a sleeve, the newest."""
    desk = paused(words)
    said = desk.ask(text)
    assert [(name, args["sleeve"], args["ends"]) for name, args in desk.called] == [("propose_pause", "eth-trend", "until 09:00")]
    assert "prop-2 was asked for before" in said


@pytest.mark.parametrize("text", ["btc too", "also btc", "and btc as well", "same for btc", "the same for btc please"])
def test_another_sleeve_joins_a_pause_until_the_same_time(words: Words, text: str) -> None:
    """That of the correction, where there was one."""
    desk = paused(words)
    desk.ask("no wait, 9")
    said = desk.ask(text)
    assert [(name, args["sleeve"], args["ends"]) for name, args in desk.called] == [("propose_pause", "btc-trend", "until 09:00")]
    assert "was asked for before" not in said


@pytest.mark.parametrize("text", ["make that 82000", "no, 82k", "sorry 82000", "82,000 rather", "wait, 82000"])
def test_the_level_of_a_watch_is_corrected(words: Words, text: str) -> None:
    """The symbol and the side stay."""
    desk = Desk("operator", words, propose_watch=ok("propose_watch", evidence=["w-1"]))
    desk.ask("alert me when btc falls below 85000")
    said = desk.ask(text)
    assert [(args["subject"], args["beyond"], args["level"]) for _, args in desk.called] == [("BTC-USDT", "below", 82000)]
    assert "nightdesk watches remove w-1" in said


@pytest.mark.parametrize("text", ["sorry, eth i mean", "i meant eth", "no, eth", "eth rather", "wait, eth"])
def test_another_sleeve_was_meant(words: Words, text: str) -> None:
    """The rest of the question stays."""
    desk = Desk("advisor", words)
    desk.ask("hit rate of longs on btc in november")
    desk.ask(text)
    assert [(args["sleeve"], args["side"], args["since"]) for _, args in desk.called] == [("eth-trend", "long", "2025-11-01")]


@pytest.mark.parametrize(
    "text", ["make it 30 days", "no, the last 30 days", "do that for 30 days", "sorry, 30 days", "change it to 30 days"]
)
def test_the_window_is_corrected(words: Words, text: str) -> None:
    """Days that end now."""
    desk = Desk("advisor", words)
    desk.ask("round trips of btc over the last 7 days")
    desk.ask(text)
    assert [(args["sleeve"], args["since"][:10]) for _, args in desk.called] == [("btc-trend", "2025-11-02")]


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("max drawdown of the second one", "max_drawdown_frac 0.25"),
        ("sharpe of the second one", "sharpe 0.2"),
        ("and the fees of the second?", "fees 8"),
        ("what was the drawdown of row 2", "max_drawdown_frac 0.25"),
        ("the second one's sharpe", "sharpe 0.2"),
    ],
)
def test_a_figure_of_the_second_is_of_the_second_row_listed(words: Words, text: str, head: str) -> None:
    """Not of the run that the thread showed last."""
    desk = Desk("developer", words, run=ok("run", evidence=["r-13", "r-12", "r-11"])._replace(table=RUNS))
    desk.ask("list the latest runs")
    said = desk.ask(text)
    assert desk.called == []
    assert f"r-12, row 2 of 3: {head}" in said
