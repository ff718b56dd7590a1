"""What a run is made of: a stored one, the change that waits, values and windows in words; and a pause that is to begin later."""

from dataclasses import replace
from typing import Any

import pytest

from agents.offline.slots import read_slots
from agents.offline.steps import CallResult
from agents.offline.words import Words
from engine.clock import DAY_MS
from tests.agents.offline.test_dialogues import Desk, changes, ok
from tools.common.contract import Table

OCTOBER_MS, DECEMBER_MS = 1759276800000, 1764547200000
SETTINGS = {"strategy": "trend", "symbol": "BTC-USDT", "venue": "binance", "params": {"fast_bars": 40, "stop_atr": 2.5}}
RUN = {
    "run_id": "r-8",
    "sleeves": [SETTINGS],
    "timeframe": "15m",
    "data": {"first_ms": OCTOBER_MS, "last_ms": DECEMBER_MS - DAY_MS},
}
LISTED = Table(("run", "about", "first", "last"), (("r-8", "trend on BTC-USDT 15m", "2025-10-01", "2025-11-30"),))
STORED = CallResult("run", {}, "ok", "<run>", LISTED, RUN, ("r-8",))
OF_RUN = {"strategy": "trend", "symbol": "BTC-USDT", "timeframe": "15m", "start": "2025-10-01", "end": "2025-12-01"}
CARD = Table(("parameter", "now", "proposed"), (("stop_atr", "2", "3"),))
WAITS = CallResult("proposals", {}, "ok", "proposal prop-3 for btc-trend (pending): stop_atr 2 -> 3.", CARD, {}, ("prop-3",))


@pytest.mark.parametrize(
    ("text", "folds"),
    [
        ("walk forward trend on btc, four months in and one month out", {"train": "120d", "test": "30d"}),
        ("walk-forward trend on eth, 80 days in sample, 20 out of sample", {"train": "80d", "test": "20d"}),
        ("wf trend on btc 6 weeks / 2 weeks", {"train": "6w", "test": "2w"}),
        ("walk forward trend btc: fit 100 days, test 25", {"train": "100d", "test": "25d"}),
        ("out of sample test of trend on eth, train 50d test 10d", {"train": "50d", "test": "10d"}),
    ],
)
def test_windows_of_a_walk_forward_are_read_in_words(words: Words, text: str, folds: dict[str, str]) -> None:
    """What learns and what trades; a number without a unit has that of the other."""
    read = read_slots(text, words)
    assert (dict(read.folds), read.unclear) == (folds, ())


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("double all costs on the stored btc run", ("judge", {**OF_RUN, "fixed": ["stop_atr=2.5"]})),
        ("would the stored trend run survive twice the costs", ("judge", {**OF_RUN, "fixed": ["stop_atr=2.5"]})),
        (
            "rerun the stored btc run one year earlier",
            ("backtest", {**OF_RUN, "changes": changes(stop_atr=2.5), "start": "2024-10-01", "end": "2024-12-01"}),
        ),
        (
            "the stored trend run once more on hourly bars",
            ("backtest", {**OF_RUN, "changes": changes(stop_atr=2.5), "timeframe": "1h"}),
        ),
    ],
)
def test_a_stored_run_is_what_another_is_made_of(words: Words, text: str, call: tuple[str, dict[str, Any]]) -> None:
    """Its bars and its settings where the sentence names no others, and which run that is."""
    desk = Desk("developer", words, run=STORED)
    said = desk.ask(text)
    assert desk.called[-1] == call
    assert "Meant is r-8" in said


@pytest.mark.parametrize(
    "text",
    ["what would the pending change have made in november", "how does the waiting stop change do in november, backtest it"],
)
def test_the_change_that_waits_is_tried_beside_the_live_settings(words: Words, text: str) -> None:
    """Its sleeve and values are those of the card."""
    desk = Desk("developer", words, proposals=WAITS)
    desk.ask(text)
    name, args = desk.called[-1]
    assert (name, args["sleeve"], args["variants"]) == ("compare", "btc-trend", [{"changes": changes(stop_atr=3)}])
    assert args["start"] == "2025-11-01"


@pytest.mark.parametrize(
    "text", ["only double the fees, slippage stays", "fees x2 but leave slippage alone", "just the slippage doubled"]
)
def test_one_cost_alone_is_not_called_all_of_them(words: Words, text: str) -> None:
    """No call changes one cost: nothing is run, and what comes closest is named."""
    desk = Desk("developer", words)
    desk.ask("backtest trend on btc for 2025")
    assert desk.ask(text).startswith("No call of a chat sets fees, slippage or funding, alone")
    assert desk.called == []


@pytest.mark.parametrize(
    "text", ["trend on btc in october, okx against binance", "run trend on btc for october on binance and okx bars"]
)
def test_two_venues_are_two_runs_without_funding(words: Words, text: str) -> None:
    """Funding is not recorded of every venue, which is said."""
    desk = Desk("developer", replace(words, venues=("binance", "okx")))
    said = desk.ask(text)
    assert [(name, args["venue"], args["funding"]) for name, args in desk.called] == [
        ("backtest", "binance", "none"),
        ("backtest", "okx", "none"),
    ]
    assert "without funding" in said


@pytest.mark.parametrize("text", ["drop the 4", "leave the 4 out", "skip the 4 and use okx bars"])
def test_a_value_is_taken_out_of_those_above(words: Words, text: str) -> None:
    """The others are run again."""
    desk = Desk("developer", replace(words, venues=("binance", "okx")))
    desk.ask("sweep stop_atr 2, 3, 4 for trend on btc over 2025")
    desk.ask(text)
    assert [(name, args["vary"]) for name, args in desk.called] == [("sweep", ["stop_atr=2,3"])]


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("keep eth out of the market from friday 22:00 to monday 6 please", "2025-12-05 22:00", "2025-12-08 06:00"),
        ("pause eth-trend from thursday 20:00 until saturday 8 utc", "2025-12-04 20:00", "2025-12-06 08:00"),
        ("pause eth-trend on thursday from 18 to 22 utc", "2025-12-04 18:00", "2025-12-04 22:00"),
        ("no new eth entries from the 10th 18:00 to the 11th 02:00", "2025-12-10 18:00", "2025-12-11 02:00"),
    ],
)
def test_a_pause_that_begins_later_is_not_filed(words: Words, text: str, begin: str, end: str) -> None:
    """It would begin at its approval: what a person does at that time is said; another end is asked for in a word."""
    desk = Desk("operator", words)
    said = desk.ask(text)
    assert desk.called == []
    assert f"`pause eth-trend until {end}` at {begin}" in said
    again = desk.ask("make it end sunday 20:00 instead" if begin < "2025-12-07" < end else "no, 23:00")
    assert desk.called == []
    assert f"at {begin}" in again
    assert end not in again


@pytest.mark.parametrize("text", ["sunday 20:00 is enough", "no sorry, sunday 20:00", "make it end sunday 20"])
def test_the_end_of_a_filed_pause_may_be_another_day(words: Words, text: str) -> None:
    """And a bare number after a length is a length."""
    desk = Desk("operator", words, propose_pause=ok("propose_pause", evidence=["prop-2"]))
    desk.ask("pause eth until monday 06:00")
    desk.ask(text)
    assert [args["ends"] for _, args in desk.called] == ["until sunday 20:00"]
    desk.ask("pause eth for 6 hours")
    desk.ask("make it 12")
    assert [args["ends"] for _, args in desk.called] == ["12 hours"]


@pytest.mark.parametrize(
    "text", ["no eth entries since friday", "no new entries on eth yesterday", "no btc trades over the last 2 days"]
)
def test_a_pause_is_never_filed_for_the_past(words: Words, text: str) -> None:
    """A sentence that tells what was is no request."""
    desk = Desk("operator", words)
    desk.ask(text)
    assert "propose_pause" not in [name for name, _ in desk.called]


@pytest.mark.parametrize("text", ["and eth below 2000", "also when eth drops below 2000"])
def test_a_price_after_a_loss_of_the_day_is_watched_as_a_price(words: Words, text: str) -> None:
    """A coin and a level without a word of money are no P&L."""
    desk = Desk("operator", words, propose_watch=ok("propose_watch", evidence=["w-1"]))
    desk.ask("tell me if btc-trend is 50 down on the day")
    desk.ask(text)
    assert [(args["metric"], args["subject"], args["level"]) for _, args in desk.called] == [("price", "ETH-USDT", 2000.0)]


def test_more_values_than_a_comparison_has_are_asked_back_about(words: Words) -> None:
    """Nothing is run: a sweep takes more of them."""
    desk = Desk("developer", words)
    said = desk.ask("btc-trend stop_atr at 1, 1.5, 2.5, 3, 3.5, 4, 4.5, 5, 5.5 and 6 in november, any distinguishable from live?")
    assert "at most 9" in said
    assert desk.called == []
