"""Branches that no question of the sets reaches: each with the sentence that it is for."""

from dataclasses import replace
from typing import Any

import pytest

from agents.offline.steps import CallResult
from agents.offline.words import Param, Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table

RUN = Table(("metric", "value"), (("net_profit", "{r1.net_profit}"), ("fees", "{r1.fees}"), ("slippage", "{r1.slippage}")))
FILLS = Table(
    ("desk time", "event", "kind", "sleeve", "what"),
    (
        ("2025-12-01 20:30Z", "d-10", "fill", "btc-trend", "sell 0.008 at 85,504.46 to enter"),
        ("2025-12-01 22:15Z", "d-13", "fill", "btc-trend", "buy 0.008 at 86,595.80 by stop, round trip -9.42"),
        ("2025-12-01 22:30Z", "d-17", "fill", "eth-trend", "sell 0.239 at 2,792.26 to enter"),
    ),
)
RULES = Table(("what", "rule", "times"), (("refused", "spread", 3), ("refused", "daily loss", 1)))


def table(name: str, of: Table, **more: Any) -> CallResult:
    """A tool's good answer with a table."""
    return ok(name, data=more)._replace(table=of)


def test_a_count_is_asked_by_sleeve(words: Words) -> None:
    """`which sleeve was it` after a count by rule: the same count, by sleeve."""
    desk = Desk("operator", words, counts=table("counts", RULES))
    desk.ask("how many entries were refused yesterday?")
    before = dict(desk.called[0][1])
    desk.ask("which sleeve was it mostly?")
    assert desk.called == [("counts", {**before, "by": "sleeve"})]


def test_what_was_compared_is_searched(words: Words) -> None:
    """`walk it forward` after a comparison of a live sleeve: its strategy and symbol, over the values that were compared."""
    desk = Desk("developer", words)
    desk.ask("compare 2 and 3 ATR stops for btc-trend over 2025")
    desk.ask("walk it forward")
    ((name, args),) = desk.called
    assert name == "walkforward"
    assert (args["strategy"], args["symbol"], args["vary"][0]) == ("trend", "BTC-USDT", "stop_atr=2,3")


TRIPS = Table(
    ("trip", "sleeve", "reason", "net", "r"), (("t1", "btc-trend", "stop", -9.0, -1.2), ("t2", "eth-trend", "target", 5.0, 2.5))
)


def test_the_rule_of_a_refusal_is_explained(words: Words) -> None:
    """`explain that rule` after refusals: the limits that declare what the first one names."""
    counted = Table(("what", "rule", "times"), (("refused", "daily loss", 3), ("refused", "spread", 1)))
    desk = Desk("operator", words, counts=table("counts", counted), journal_search=table("journal_search", FILLS))
    desk.ask("how many refusals yesterday")
    desk.ask("explain that rule")
    assert [args["word"] for _, args in desk.called] == ["day_loss_frac_max", "pause_hours"]


@pytest.mark.parametrize(
    ("text", "shown"), [("compare my latest runs", ["r-1", "r-2"]), ("compare both stored runs", ["r-1", "r-2", "r-3"])]
)
def test_stored_runs_without_ids_are_the_latest(text: str, shown: list[str], words: Words) -> None:
    """The two newest; of three where two are meant all of them, which the answer says."""
    desk = Desk("developer", words, run=ok("run", evidence=("r-1", "r-2", "r-3"), data={"run_id": "r-77"}))
    desk.ask(text)
    assert [args.get("run_id") for _, args in desk.called] == [None, *shown]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("backtest pairs on btc, eth and sol 1h for 2025", {"symbol": "BTC-USDT,ETH-USDT,SOL-USDT", "timeframe": "1h"}),
        ("run the pairs strategy over btc and xrp with enter 2.5", {"symbol": "BTC-USDT,XRP-USDT", "changes": [("enter", 2.5)]}),
        ("simulate pairs on eth and sol, stop=3", {"symbol": "ETH-USDT,SOL-USDT", "changes": [("stop", 3)]}),
        ("backtest pairs on btc", {"symbol": "BTC-USDT", "changes": []}),  # the job says what a basket needs
    ],
)
def test_a_basket_is_one_run_over_all_of_its_symbols(text: str, wanted: dict[str, Any], words: Words) -> None:
    """Its own parameters are read, and no word is left out."""
    own = Param("enter", "deviations", 2.0, 0.1, 10.0, ()), Param("stop", "deviations", 4.0, 0.2, 20.0, ())
    coins = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT")
    words = replace(words, baskets={"pairs": own}, symbols=coins)
    desk = Desk("developer", words, backtest=table("backtest", RUN, run_id="r-77"))
    answer = desk.ask(text)
    ((name, args), *_) = desk.called
    said = {**args, "changes": [(change["key"], change["value"]) for change in args["changes"]]}
    assert (name, said["strategy"]) == ("backtest", "pairs")
    assert {key: said[key] for key in wanted} == wanted
    assert "did not use" not in answer
    assert sum(called == "backtest" for called, _ in desk.called) == 1


@pytest.mark.parametrize("text", ["backtest trend on btc and eth for 2025", "backtest trend on the pairs btc and eth for 2025"])
def test_elsewhere_pairs_is_a_word_like_any(text: str, words: Words) -> None:
    """A strategy that is named is run on each symbol."""
    desk = Desk("developer", words, backtest=table("backtest", RUN, run_id="r-77"))
    desk.ask(text)
    runs = [args for name, args in desk.called if name == "backtest"]
    assert [(args["strategy"], args["symbol"]) for args in runs] == [("trend", "BTC-USDT"), ("trend", "ETH-USDT")]
