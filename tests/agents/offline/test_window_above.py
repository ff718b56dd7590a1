"""A window of the answer above, a level that stands in the sentence, and what is named without being asked back about."""

from typing import Any

import pytest

from agents.offline.steps import CallResult
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table

HEADS = ("peak", "trough", "recovered", "depth", "money", "lasted")
FELL = CallResult(
    "performance", {}, "ok", "<fell>", Table(HEADS, (("2025-11-05", "2025-11-28", "not yet", "1 %", "9", "2 d"),)), {}, ()
)


@pytest.mark.parametrize(
    ("first", "then", "window"),
    [
        ("backtest trend on ETH for the first half of 2024", "And the second half?", ("2024-07-01", "2025-01-01")),
        ("backtest trend on ETH for q1 2024", "and q3?", ("2024-07-01", "2024-10-01")),
        ("backtest trend on ETH for 2023", "and in november?", ("2023-11-01", "2023-12-01")),
        ("backtest trend on ETH for june 2024", "and the first half?", ("2024-06-01", "2024-06-16")),
        ("backtest trend on ETH for 2024", "and h2 2025?", ("2025-07-01", "2026-01-01")),
    ],
)
def test_a_part_of_a_year_is_of_the_window_above(first: str, then: str, window: tuple[str, str], words: Words) -> None:
    """Not of the desk's own year; a year that is named stays."""
    desk = Desk("developer", words, backtest=ok("backtest", data={"run_id": "r-77"}, evidence=["r-77"]))
    desk.ask(first)
    desk.ask(then)
    ((_, args),) = desk.called
    assert (args["start"], args["end"]) == window


@pytest.mark.parametrize(
    ("then", "level"), [("eth too, 2500", 2500.0), ("and eth, 2.5k", 2500.0), ("same for eth under 2600", 2600.0)]
)
def test_a_level_beside_another_coin_is_its_level(then: str, level: float, words: Words) -> None:
    """The direction is that of the watch before."""
    desk = Desk("operator", words)
    desk.ask("tell me if btc goes under 84k")
    desk.ask(then)
    watch = {"metric": "price", "subject": "ETH-USDT", "beyond": "below", "level": level}
    assert desk.called == [("propose_watch", watch)]


@pytest.mark.parametrize(
    ("text", "beyond", "move"),
    [
        ("alert me if btc falls 5 %", "below", -0.05),
        ("wake me if btc drops 3 pct", "below", -0.03),
        ("tell me when btc rises 2.5 percent", "above", 0.025),
    ],
)
def test_a_watch_of_a_price_takes_a_share_of_its_close(text: str, beyond: str, move: float, words: Words) -> None:
    """The tool works its level out; `make it 5` after it is another share, no price of 5."""
    desk = Desk("operator", words, propose_watch=ok("propose_watch", evidence=["w-1"]))
    desk.ask(text)
    watch = {"metric": "price", "subject": "BTC-USDT", "beyond": beyond, "move_frac": move}
    assert desk.called == [("propose_watch", watch)]
    desk.ask("make it 7")
    assert desk.called == [("propose_watch", watch | {"move_frac": 0.07 if move > 0 else -0.07})]
    desk.ask("make it 80000")
    assert desk.called == [("propose_watch", watch | {"move_frac": 0.0, "level": 80_000.0})]


@pytest.mark.parametrize(
    "text", ["let me know if sol moves 3 % within an hour", "tell me if we lose 2 %", "ping me if eth moves 3 %"]
)
def test_a_share_that_no_watch_has_files_nothing(text: str, words: Words) -> None:
    """A move within a time, a share of the P&L, a move without a direction."""
    desk = Desk("operator", words)
    desk.ask(text)
    assert desk.called == []


def test_a_second_watch_has_its_own_level(words: Words) -> None:
    """`and under 80k` is below, and a P&L is no price."""
    desk = Desk("operator", words, propose_watch=ok("propose_watch", evidence=["w-1"]))
    desk.ask("alert above 95k btc")
    desk.ask("and under 80k")
    below = {"metric": "price", "subject": "BTC-USDT", "beyond": "below", "level": 80_000.0}
    assert desk.called == [("propose_watch", below)]
    desk.ask("and if todays pnl under -200")
    assert desk.called == [("propose_watch", {"metric": "day_pnl", "subject": "desk", "beyond": "below", "level": -200.0})]


@pytest.mark.parametrize("text", ["eth on hold til 8 tmrw", "put eth on hold until 8 tomorrow", "eth on hold till 8am tomorrow"])
def test_on_hold_until_a_time_is_a_pause(text: str, words: Words) -> None:
    """Until that hour of the next day."""
    desk = Desk("operator", words)
    desk.ask(text)
    ((name, args),) = desk.called
    assert (name, args["sleeve"], args["ends"]) == ("propose_pause", "eth-trend", "until tomorrow 08:00")


@pytest.mark.parametrize(
    ("role", "text", "call"),
    [
        ("advisor", "monthly for november pls", ("report", {"unit": "month", "of": "2025-11-01"})),
        ("advisor", "the weekly for last week", ("report", {"unit": "week", "of": "2025-11-24"})),
        ("developer", "which models are registered?", ("models", {})),
        ("advisor", "how did we do against just holding bitcoin?", ("performance", {})),
        ("advisor", "did we beat holding eth", ("performance", {})),
    ],
)
def test_what_a_sentence_names_is_not_asked_back_about(role: Any, text: str, call: tuple[str, Any], words: Words) -> None:
    """A report by its period alone, a coin that the benchmark has among others."""
    desk = Desk(role, words)
    desk.ask(text)
    assert desk.called == [call]


def test_a_pair_scan_takes_the_symbols_that_are_named(words: Words) -> None:
    """Also where no sleeve is of one of them."""
    desk = Desk("developer", words)
    desk.ask("does a pairs scan find anything between BTC and ETH on 1h in 2025?")
    ((name, args),) = desk.called
    assert (name, args["symbols"]) == ("pair_scan", ["BTC-USDT", "ETH-USDT"])
