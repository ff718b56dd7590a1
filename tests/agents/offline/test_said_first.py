"""What is asked comes first, and what an answer leaves unsaid of a question is named."""

from typing import Any

import pytest

from agents.offline.account import unanswered
from agents.offline.desk_plans import moves_of
from agents.offline.slots import read_slots
from agents.offline.words import SleeveName, Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table

COINS = ("btc", "eth", "sol")
THREE = Words(sleeves=tuple(SleeveName(f"{c}-trend", "trend", f"{c.upper()}-USDT", "15m", "binance", {}) for c in COINS))


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        ("btc -15, eth -20, sol -30 all at once", 3),
        ("eth halves and btc and sol lose a third", 2),
        ("btc up 12, sol down 8%", 2),
        ("btc and eth both drop 10 % in 2 hours", 1),
        ("the stops of btc and eth", 0),
    ],
)
def test_each_coin_has_its_own_move(text: str, moves: int) -> None:
    """Several coins share an amount that follows them; where each has its own no call moves them together."""
    assert moves_of(text, THREE) == moves


@pytest.mark.parametrize(
    ("text", "answer", "named"),
    [
        ("explain the last losing trade", "d-9227, a trade: sell 0.239 at 2,792.26 to enter; slippage, fee", ("losing",)),
        ("do fomc days cost us", "Net P&L of the desk: today {y.net}, 7 days, fees", ("fomc",)),
        ("did we lose money at night", "00-06 night lost {k.net} over 46 round trips", ()),
        ("are alerts unread", "Alerts: 1 open", ("unread",)),
        ("sharpe of the paper account", "desk: return {q.return_frac}, Sharpe {q.sharpe}; the desk is on paper", ()),
    ],
)
def test_a_word_that_the_answer_does_not_mean_is_named(words: Words, text: str, answer: str, named: tuple[str, ...]) -> None:
    """By its stem or one of its senses, not by how often it was seen with what was chosen."""
    assert unanswered(read_slots(text, words), answer) == named


def test_what_the_answer_lacks_is_in_it_as_not_used(words: Words) -> None:
    """A sure reading of another question does not pass for an answer."""
    desk = Desk("advisor", words, pnl=ok("pnl", "Net P&L of the desk: today 1.30 USDT"))
    assert "No tool knows which days these were" in desk.ask("did fomc days hurt us")
    assert '"frobnicate"' in desk.ask("what did we make on frobnicate days")
    calm = Desk("advisor", words, pnl=ok("pnl", "Net P&L of the desk: we lost 1.30 USDT today"))
    assert "I did not use" not in calm.ask("did we lose money today")


def test_a_handover_counts_what_is_open_first(words: Words) -> None:
    """Everything that the next person takes over, whatever else the sentence says; two things named are these two."""
    rows: Any = (("btc-trend", "{l1.equity}", "long {l1.quantity}", "-"), ("eth-trend", "{l2.equity}", "flat", "-"))
    held = ok("sleeves")._replace(table=Table(("sleeve", "equity", "position", "protective level"), rows))
    desk = Desk("operator", words, sleeves=held)
    assert desk.ask("handover pls, im off in 10").startswith("Positions open 1, orders working 0, alerts open 0")
    assert {name for name, _ in desk.called} >= {"sleeves", "orders", "alerts", "pauses", "proposals", "journal_search"}
    desk.ask("quick round: positions, open orders, alerts")
    assert [name for name, _ in desk.called] == ["sleeves", "orders", "alerts"]


def test_whether_a_sleeve_is_flat_comes_before_its_row(words: Words) -> None:
    """In a sentence; of several how many hold something."""
    rows: Any = (
        ("btc-trend", "{l1.equity}", "flat", "-"),
        ("eth-trend", "{l2.equity}", "short {l2.quantity}", "{l2.stop} (stop)"),
    )
    columns = ("sleeve", "equity", "position", "protective level")
    one = Desk("operator", words, sleeves=ok("sleeves")._replace(table=Table(columns, rows[:1])))
    assert one.ask("are we flat in btc").startswith("btc-trend is flat.")
    both = Desk("operator", words, sleeves=ok("sleeves")._replace(table=Table(columns, rows)))
    assert both.ask("what positions are open?").startswith("1 of 2 sleeves holds a position: eth-trend short {l2.quantity}")


def test_no_watch_is_on_a_drawdown(words: Words) -> None:
    """Asked back with what a watch can be on; nothing is filed."""
    desk = Desk("operator", words)
    assert "No watch is on a drawdown" in desk.ask("tell me when the drawdown is above 5%")
    assert desk.called == []


def test_a_time_of_day_has_a_before_and_an_after(words: Words) -> None:
    """Half an hour of each; after `since` it is a beginning."""
    desk = Desk("operator", words)
    desk.ask("what happened at 03:00?")
    ((_, args),) = desk.called
    assert (args["since"][11:], args["until"][11:]) == ("02:30", "03:30")
