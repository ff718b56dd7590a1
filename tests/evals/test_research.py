"""Research by chat: what is searched or judged is what the sentence or the run above says; what neither says is asked back."""

from typing import Any

import pytest

from agents.offline.ranges import read_wanted, step_of
from agents.offline.slots import read_slots
from agents.offline.steps import CallResult
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk
from tools.common.contract import Table

YEAR = {"strategy": "trend", "symbol": "BTC-USDT", "timeframe": "15m", "start": "2025-01-01", "end": "2026-01-01"}


@pytest.mark.parametrize(
    ("text", "axes", "fixed"),
    [
        ("sweep stop_atr from 1 to 4 on BTC", {"stop_atr": "1:4:0.5"}, {}),
        ("try fast 20, 30, 40 and stop 1 to 3 on eth", {"fast_bars": "20,30,40", "stop_atr": "1:3:0.5"}, {}),
        ("sweep fast 10 to 60 by 10 and slow 100 to 300", {"fast_bars": "10:60:10", "slow_bars": "100:300:50"}, {}),
        ("sweep the target between 2 and 6 atr", {"target_atr": "2:6:1"}, {}),
        ("sweep stop 2 and 3 atr with target 6", {"stop_atr": "2,3"}, {"target_atr": 6}),
        ("sweep stop_atr=1,2,3 and fast_bars=10:50:10", {"stop_atr": "1,2,3", "fast_bars": "10:50:10"}, {}),
        ("sweep stop from 4 to 1", {"stop_atr": "1:4:0.5"}, {}),
        ("optimise risk_max_frac from 0.5 to 2 %", {"risk_max_frac": "0.005:0.02:0.005"}, {}),
    ],
)
def test_what_is_to_be_varied_is_read_as_typed(words: Words, text: str, axes: dict[str, str], fixed: dict[str, Any]) -> None:
    """Lists, ranges with and without a step, percents as fractions; a single value is set, not varied."""
    found = read_slots(text, words)
    assert (dict(found.axes), found.common, found.unclear) == (axes, fixed, ())


def test_a_number_that_says_nothing_is_asked_back_about(words: Words) -> None:
    """`with 6 folds` is no value of the stop, and is not dropped."""
    desk = Desk("developer", words)
    desk.ask("backtest trend on BTC for 2025")
    answer = desk.ask("walk it forward over stop 1 to 3 with 6 folds")
    assert desk.called == []
    assert '"6"' in answer or " 6 " in answer


def test_how_long_a_fold_learns_and_trades_is_taken(words: Words) -> None:
    """`30d train and 5d test`; a setting that is named is not varied."""
    desk = Desk("developer", words)
    desk.ask("walk trend forward on BTC over 2025 with a stop of 3, train 90 days, test 10 days")
    ((name, args),) = desk.called
    assert (name, args["train"], args["test"]) == ("walkforward", "90d", "10d")
    assert args["vary"][-1] == "stop_atr=3"


@pytest.mark.parametrize("text", ["raise the stop from 2 to 3 atr for btc", "try a 2 atr and a 3 atr stop", "stop 1 to 3"])
def test_a_change_is_no_range(words: Words, text: str) -> None:
    """`from 2 to 3` is an old and a new value where no search is asked for."""
    assert read_slots(text, words).axes == {}


def test_a_step_makes_at_most_six_and_is_whole_for_bars() -> None:
    """1, 2 or 5 times a power of ten."""
    from decimal import Decimal

    for low, high in ((1, 4), (0, 1), (10, 400), (3, 5)):
        step = step_of(Decimal(low), Decimal(high), whole=False)
        assert Decimal(high - low) / step <= 6
    assert step_of(Decimal(20), Decimal(23), whole=True) == 1
    assert read_wanted("stop 1", {}, {}).axes == {}


def test_walk_forward_overfit_and_kill_go_on_with_the_search(words: Words) -> None:
    """Strategy, symbol, window and values are those of the sweep above."""
    desk = Desk("developer", words)
    answer = desk.ask("sweep stop_atr from 1 to 4 on BTC for 2025")
    assert desk.called == [("sweep", {**YEAR, "vary": ["stop_atr=1:4:0.5"]})]
    assert "No step was named: stop_atr in steps of 0.5." in answer
    desk.ask("walk it forward")
    assert desk.called == [("walkforward", {**YEAR, "vary": ["stop_atr=1:4:0.5"]})]
    desk.ask("is that overfit?")
    assert desk.called == [("trials", {"hypothesis": "trend on BTC-USDT"})]
    answer = desk.ask("kill it or keep it?")
    assert desk.called == [("judge", YEAR)]
    assert "not at its best variation" in answer


def test_a_bare_sweep_takes_values_around_the_run_and_says_which(words: Words) -> None:
    """The run's own stop is the middle, and stays set where another parameter is varied."""
    desk = Desk("developer", words)
    desk.ask("backtest trend on BTC for 2025 with stop_atr=3")
    answer = desk.ask("sweep the stop")
    assert desk.called == [("sweep", {**YEAR, "vary": ["stop_atr=1.5,2.25,3,3.75,4.5,6"]})]
    assert "No values were named, so I took these around stop_atr 3: stop_atr 1.5, 2.25, 3, 3.75, 4.5, 6." in answer
    answer = desk.ask("sweep the target 4 to 6")
    assert desk.called[0][1]["vary"] == ["target_atr=4:6:0.5"]
    assert "Varied above, and not here: stop_atr at its default 2." in answer


@pytest.mark.parametrize("text", ["walk it forward", "sweep the stop", "kill it or keep it?", "what if fees double"])
def test_without_a_run_everything_missing_is_asked_for_at_once(words: Words, text: str) -> None:
    """Nothing is defaulted; the answer to the question back completes the first sentence."""
    desk = Desk("developer", words)
    answer = desk.ask(text)
    assert desk.called == []
    assert answer.startswith("Which strategy, on which symbol, over which window?")
    desk.ask("trend on BTC for 2025")
    ((name, args),) = desk.called
    assert name in ("sweep", "walkforward", "judge")
    assert YEAR.items() <= args.items()


def test_a_window_that_nobody_named_is_said_and_never_all_bars(words: Words) -> None:
    """`is trend on BTC worth paper?` has none."""
    desk = Desk("developer", words)
    assert desk.ask("is trend on BTC worth paper?").startswith("No window was named: the last 12 months.")
    assert desk.called[0][1]["start"] == "2024-12-02"
    desk.ask("for 2025")
    assert desk.called == [("judge", YEAR)]


def test_another_strategy_takes_nothing_of_the_run_above(words: Words) -> None:
    """Its window and settings were the other one's."""
    desk = Desk("developer", words)
    desk.ask("backtest trend on BTC for 2025 with stop_atr=3")
    assert "No window was named" in desk.ask("is reversion on SOL worth paper?")
    assert "fixed" not in desk.called[0][1]
    desk = Desk("developer", words)
    desk.ask("backtest trend on BTC for 2025 with stop_atr=3")
    desk.ask("sweep the target on ETH")
    assert desk.called[0][1]["vary"][-1] == "stop_atr=3"


def test_how_many_were_tried_on_a_symbol_names_its_one_hypothesis(words: Words) -> None:
    """With one it is reported; with several they are listed, and no other symbol's."""
    rows = (("trend on BTC-USDT perp", 47, "2025-12-31"), ("trend on ETH-USDT perp", 3, "2025-12-31"))
    more = (("reversion on ETH-USDT perp", 2, "2025-12-31"),)
    table = Table(("hypothesis", "trials", "last"), rows + more)
    desk = Desk("advisor", words, trials=CallResult("trials", {}, "ok", "Tried.", table, {}, ()))
    desk.ask("how many variants have we tried on BTC")
    assert desk.called[-1] == ("trials", {"hypothesis": "trend on BTC-USDT perp"})
    answer = desk.ask("how many variants have we tried on ETH")
    assert desk.called == [("trials", {})]
    assert "2 hypotheses of ETH-USDT" in answer
    assert "BTC-USDT perp" not in answer


@pytest.mark.parametrize(
    ("text", "guard"),
    [
        ("would the trailing stop fire", "trail"),
        ("would the daily loss breaker really fire?", "daily loss"),
        ("would gross_frac_max fire?", "gross_frac_max"),
        ("do the guardrails really fire?", None),
    ],
)
def test_the_guard_that_is_named_is_the_one_drilled(words: Words, text: str, guard: str | None) -> None:
    """One by name, or all."""
    desk = Desk("operator", words)
    desk.ask(text)
    assert desk.called == [("drill", {"guard": guard} if guard else {})]
