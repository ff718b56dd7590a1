"""A run that is spoken of as stored: which one is meant is said first, and nothing is run in its place."""

from typing import Any

import pytest

from agents.offline.steps import CallResult
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk
from tools.common.contract import Table

ROWS = (
    ("r-9", "trend on BTC-USDT 15m", "2023-01-01", "2025-12-01"),
    ("r-8", "trend on BTC-USDT 15m", "2025-10-01", "2025-11-30"),
    ("r-7", "reversion on ETH-USDT 15m", "2025-10-01", "2025-11-30"),
)
IDS = tuple(row[0] for row in ROWS)
STORED = CallResult("run", {}, "ok", "<run>", Table(("run", "about", "first", "last"), ROWS), {}, IDS)


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("How did the stored trend run on BTC do from October to December?", ("run", {"run_id": "r-8"})),
        ("how was the stored btc trend run since january 2023", ("run", {"run_id": "r-9"})),
        ("profit per month in the stored btc run", ("pnl", {"limit": 60, "subject": "r-9", "unit": "month"})),
        ("split the trips of the stored eth run by side", ("trips", {"by": "side", "subject": "r-7"})),
    ],
)
def test_the_stored_run_meant_is_named_with_its_window(text: str, call: tuple[str, Any], words: Words) -> None:
    """The others of its kind are named where there are any."""
    desk = Desk("developer", words, run=STORED)
    first = desk.ask(text).splitlines()[0]
    assert desk.called[-1] == call
    of = call[1].get("run_id") or call[1]["subject"]
    assert first.startswith(f"Meant is {of} (")
    assert ("2023-01-01 to 2025-12-01" if of == "r-9" else "2025-10-01 to 2025-11-30") in first
    assert ("more of the same: r-8" in first) == (call[0] == "pnl")


@pytest.mark.parametrize(
    "text",
    [
        "hit rate of the stored trend run on ETH",
        "How did the stored trend run on BTC do in 2024?",
        "drawdown of the stored eth trend backtest",
        "the stored eth trend run by weekday",
    ],
)
def test_a_run_that_is_not_stored_so_is_not_made_in_its_place(text: str, words: Words) -> None:
    """What is stored is listed with its windows."""
    desk = Desk("developer", words, run=STORED)
    answer = desk.ask(text)
    assert [name for name, _ in desk.called] == ["run"]
    assert answer.startswith("No stored run is of ")
    assert "r-8 (trend on BTC-USDT 15m, 2025-10-01 to 2025-11-30)" in answer


@pytest.mark.parametrize(("text", "subject"), [("and the same for the eth run?", "r-7"), ("now that for the trend run", "r-8")])
def test_another_stored_run_is_looked_for_by_its_own_name(text: str, subject: str, words: Words) -> None:
    """Not under the strategy of the run before; of several the one over the same days."""
    desk = Desk("developer", words, run=STORED)
    desk.ask("split the trips of the stored eth run by hour")
    desk.ask(text)
    assert desk.called[-1] == ("trips", {"by": "hour", "subject": subject})


def test_a_run_that_is_to_be_made_is_made(words: Words) -> None:
    """`backtest` with a strategy, a symbol and a window speaks of nothing stored."""
    desk = Desk("developer", words, run=STORED)
    desk.ask("backtest trend on BTC for 2024")
    assert [name for name, _ in desk.called] == ["backtest"]
