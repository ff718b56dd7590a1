"""Excursions, equity by time, the benchmark, a move without a direction; a question about a run is never answered by the desk."""

from typing import Any

import pytest

from agents.offline.model import causes_once
from agents.offline.steps import CallResult
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.causes import OPENS
from tools.common.contract import Table

RUN = "r-1a2b3c4d"
DESK_BY_DAY = [("pnl", {"unit": "day", "equity": True})]
RUN_BY_DAY = [("run", {}), ("pnl", {"unit": "day", "equity": True, "subject": RUN})]


def latest_run() -> CallResult:
    """The list of stored runs, the newest first."""
    return CallResult("run", {}, "ok", "<run>", Table(("run", "of"), ((RUN, "trend BTC-USDT"),)), {}, (RUN,))


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("show MAE and MFE", [("excursions", {})]),
        ("mae and mfe of the last run", [("run", {}), ("excursions", {"subject": RUN})]),
        ("MAE and MFE of our latest backtest", [("run", {}), ("excursions", {"subject": RUN})]),
        (f"mae of {RUN}", [("excursions", {"subject": RUN})]),
        ("how far do trades go against us", [("excursions", {})]),
        ("how far do our winners run", [("excursions", {})]),
        ("how deep under water are winners at their worst", [("excursions", {})]),
        ("median MAE of the shorts since monday", [("excursions", {"side": "short", "since": "2025-12-01"})]),
        ("mfe of the stopped trades", [("excursions", {"exit": "stop"})]),
        ("stop seems too close, how far do good trades go against us first", [("excursions", {})]),
        ("how much open profit do we give back, mfe vs exit", [("excursions", {}), ("trips", {"outcome": "winners"})]),
        ("win rate of our last backtest", [("run", {}), ("trips", {"subject": RUN})]),
        ("MAE by exit", [("excursions", {})]),
        ("mae by side", [("excursions", {"side": "long"}), ("excursions", {"side": "short"})]),
        ("worst excursions of the desk", [("excursions", {"worst": 5})]),
        ("what is mae?", [("define", {"word": "mae"})]),
        ("equity by day", DESK_BY_DAY),
        ("daily equity", DESK_BY_DAY),
        ("equity curve of the desk", [("pnl", {"equity": True})]),
        ("equity of eth by week", [("pnl", {"unit": "week", "sleeve": "eth-trend", "equity": True})]),
        ("equity of the last run by day", RUN_BY_DAY),
        ("equity of our last run by day", RUN_BY_DAY),
        ("equity curve of the last run", [("run", {}), ("pnl", {"equity": True, "subject": RUN})]),
        ("p&l of the last run by day", [("run", {}), ("pnl", {"unit": "day", "subject": RUN})]),
        (f"equity of {RUN} by day", [("pnl", {"unit": "day", "equity": True, "subject": RUN})]),
        ("p&l by day", [("pnl", {"unit": "day"})]),
        ("benchmark: what would holding have made?", [("performance", {})]),
        ("did we beat the benchmark?", [("performance", {})]),
        ("how do we do against the benchmark", [("performance", {})]),
        ("what would a 10 % move do with the stops as they are?", [("what_if", {"move_frac": m}) for m in (-0.1, 0.1)]),
        ("what happens if btc moves 5 %?", [("what_if", {"move_frac": m, "symbol": "BTC-USDT"}) for m in (-0.05, 0.05)]),
        ("how much would we lose on a 10% move against us", [("what_if", {"move_frac": m}) for m in (-0.1, 0.1)]),
        ("what if everything moves down 10 %?", [("what_if", {"move_frac": -0.1})]),
        ("what would a 10 % rally do to us?", [("what_if", {"move_frac": 0.1})]),
        ("what if btc gaps down 5 %?", [("what_if", {"move_frac": -0.05, "symbol": "BTC-USDT", "gap": True})]),
    ],
)
def test_a_sentence_reaches_its_tool(words: Words, text: str, calls: list[Any]) -> None:
    """With what it names, and nothing that it does not."""
    desk = Desk("advisor", words, run=latest_run())
    said = desk.ask(text)
    assert desk.called == calls, said


@pytest.mark.parametrize("text", ["equity of the last run by day", "mae and mfe of the last run", "p&l of the last run by day"])
def test_a_run_that_is_not_stored_is_asked_back_about(words: Words, text: str) -> None:
    """The desk's figures would be of another question."""
    desk = Desk("advisor", words, run=ok("run", "No run is stored."))
    said = desk.ask(text)
    assert [name for name, _ in desk.called] == ["run"]
    assert said.startswith("No run is stored that this could be about.")


@pytest.mark.parametrize(
    ("text", "subject"), [("equity by day", RUN), ("equity of the desk by day", None), ("how much did we make this week", None)]
)
def test_equity_right_after_a_run_is_the_run_s(words: Words, text: str, subject: str | None) -> None:
    """What the desk made is the desk's all the same."""
    made = CallResult("backtest", {}, "ok", "<backtest>", None, {"run_id": RUN}, (RUN,))
    desk = Desk("developer", words, backtest=made)
    desk.ask("backtest trend on BTC for 2025")
    desk.ask(text)
    ((name, args),) = desk.called
    assert (name, args.get("subject")) == ("pnl", subject)


def test_another_size_after_both_directions_is_both_again(words: Words) -> None:
    """`and 20 %?` names no direction either; after a fall alone it is a fall."""
    desk = Desk("advisor", words)
    desk.ask("what would a 10 % move do to us?")
    desk.ask("and 20 %?")
    assert [args["move_frac"] for _, args in desk.called] == [-0.2, 0.2]
    desk = Desk("advisor", words)
    desk.ask("what if everything drops 10 %?")
    desk.ask("and 20 %?")
    assert [args["move_frac"] for _, args in desk.called] == [-0.2]


def test_a_histogram_is_none_of_it(words: Words) -> None:
    """A distribution is on the page; of excursions what there is, with that said first."""
    desk = Desk("advisor", words)
    assert "No tool of a chat gives a histogram" in desk.ask("histogram of R")
    assert desk.called == []
    said = Desk("advisor", words).ask("histogram of the MAE")
    assert said.startswith("No tool of a chat draws excursions")
    assert "<excursions>" in said


def test_one_cause_is_said_once() -> None:
    """Two tools that end with the same cause; another cause stays."""
    cause, other = f"{OPENS} First cause: a gap (d-1).", f"{OPENS} First cause: a halt (d-2)."
    assert causes_once([f"Events. {cause}", "| table |", f"All is well. {cause}"]) == [
        f"Events. {cause}",
        "| table |",
        "All is well.",
    ]
    assert causes_once([f"Events. {cause}", f"Signs. {other}", cause]) == [f"Events. {cause}", f"Signs. {other}"]
