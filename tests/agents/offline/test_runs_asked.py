"""What a developer asks of runs: periods, lengths, values that are moved, what is proposed, holding; the verdict stands first."""

from typing import Any

import pytest

from agents.offline.measured import ranked_runs, verdict
from agents.offline.slots import read_slots
from agents.offline.steps import CallResult
from agents.offline.words import Param, Words
from tests.agents.offline.test_dialogues import Desk, ok
from tests.agents.offline.test_measured import facts_of, result
from tools.common.contract import Table

CARD = Table(("parameter", "now", "proposed"), (("stop_atr", "2", "3"),))
OWN = {
    "stop_atr": Param("stop_atr", "atr", 2.0, 0.0, 20.0),
    "slow_bars": Param("slow_bars", "bars", 200, 10, 2000),
    "atr_bars": Param("atr_bars", "bars", 14, 2, 400),
    "risk_max_frac": Param("risk_max_frac", "frac", 0.02, 0.0001, 0.02),
}


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("trend eth q3 25", "2025-07-01", "2025-10-01"),
        ("reversion eth in 24", "2024-01-01", "2025-01-01"),
        ("trend btc 15 nov 24 to 3 dec 24", "2024-11-15", "2024-12-04"),
        ("reversion sol aug 24", "2024-08-01", "2024-09-01"),
        ("eth trend 1h oct nov dec 24", "2024-10-01", "2025-01-01"),
        ("trend btc last summer", "2025-06-01", "2025-09-01"),
        ("backtest trend on btc 24-30 november", "2025-11-24", "2025-12-01"),
    ],
)
def test_a_year_of_two_digits_is_a_year_in_a_sentence_of_a_run(text: str, start: str, end: str, words: Words) -> None:
    """And no parameter; days of a month stay days."""
    read = read_slots(text, words)
    assert (read.span.start, read.span.end, read.unclear) == (start, end, ())


def test_a_number_that_is_no_year_stays_a_value(words: Words) -> None:
    """`fast 24` is 24 bars, and `the last 24 hours` are hours."""
    assert read_slots("trend btc 2024 with fast 24", words).common == {"fast_bars": 24}
    assert read_slots("trend on btc for 24 hours", words).periods == ()


@pytest.mark.parametrize(
    ("text", "folds"),
    [
        ("walk forward trend btc, 6 months train 1 month test", {"train": "180d", "test": "30d"}),
        ("walk forward trend eth, train 3 months test 1", {"train": "90d", "test": "30d"}),
        ("walk trend forward on btc, 2 weeks of testing after 60d training", {"train": "60d", "test": "2w"}),
    ],
)
def test_lengths_of_folds_are_no_parameters(text: str, folds: dict[str, str], words: Words) -> None:
    """A length without a unit has that of the other; months are thirty days."""
    read = read_slots(text, words)
    assert (dict(read.folds), read.unclear) == (folds, ())


def test_lists_of_values_are_searched(words: Words) -> None:
    """More than stand beside each other in a comparison; a list goes on up to the next parameter's name."""
    many = read_slots("try stop 1.5 2 2.5 3 3.5 on btc trend", words)
    assert (dict(many.axes), many.variants) == ({"stop_atr": "1.5,2,2.5,3,3.5"}, ())
    grid = read_slots("grid fast 20 30 40 slow 100 150 200 btc trend 2025", words)
    assert dict(grid.axes) == {"fast_bars": "20,30,40", "slow_bars": "100,150,200"}
    later = read_slots("sweep the target on eth trend, 1.5 2 2.5 3, q3 25", words)
    assert (dict(later.axes), later.unclear) == ({"target_atr": "1.5,2,2.5,3"}, ())


def test_whether_a_run_beats_holding_is_said_first(words: Words) -> None:
    """Yes or no, with both figures; what the run did for itself comes after."""
    facts = facts_of(sharpe=-1.0, sharpe_low=-3.0, sharpe_high=1.0, return_frac=-0.07, hold_return_frac=1.21)
    run = CallResult("performance", {}, "ok", "{q1.sharpe}", None, {"subject": "r-1"}, ())
    assert verdict(run, facts, "does it beat just holding it").startswith("No: it returned {q1.return_frac}, less than")
    made = ok("backtest", data={"run_id": "r-77"}, evidence=["r-77"])
    desk = Desk("developer", words, backtest=made)
    desk.ask("does trend btc beat just holding it, 2024")
    assert [name for name, _ in desk.called] == ["backtest", "performance"]


def _run(n: int, total: float, low: float, high: float, fall: float) -> tuple[CallResult, dict[str, Any]]:
    names = {
        "total_return_frac": total,
        "sharpe": (low + high) / 2,
        "sharpe_low": low,
        "sharpe_high": high,
        "max_drawdown_frac": fall,
    }
    rows = tuple((name, f"{{q1.{name}{n}}}") for name in names)
    args = {"strategy": "trend", "symbol": "ETH-USDT", "timeframe": f"{n}h"}
    run = CallResult("backtest", args, "ok", "", Table(("metric", "value"), rows), {"run_id": f"r-{n}"}, (f"r-{n}",))
    return run, {f"{name}{n}": value for name, value in names.items()}


def test_of_several_runs_the_best_is_said_and_whether_luck_explains_it() -> None:
    """By what they made, or by the figure that is asked for; what sets them apart names them."""
    (one, a), (two, b), (three, c) = _run(1, 0.02, -1, 1, 0.10), _run(2, 0.05, -0.5, 2, 0.20), _run(4, -0.3, -9, -6, 0.30)
    facts = facts_of(**a, **b, **c)
    said = ranked_runs([one, two, three], facts)
    assert said.startswith("r-2 (2h) made more than r-1 (1h) and r-4 (4h): return {q1.total_return_frac2}")
    assert "overlap, so luck" in said
    assert "do not overlap" in ranked_runs([one, three], facts)
    assert ranked_runs([one, two], facts, "which had the worse drawdown").startswith("r-2 (2h) had a worse drawdown")


def test_a_stored_run_is_found_by_its_symbol(words: Words) -> None:
    """Its coin narrows the list of runs, and is nothing that would be left out."""
    rows = Table(("run", "about"), (("r-1", "reversion on SOL-USDT 15m"), ("r-2", "trend on BTC-USDT 15m")))
    desk = Desk("developer", words, run=ok("run", evidence=["r-1", "r-2"])._replace(table=rows))
    desk.ask("max dd of the stored btc run and when was it")
    assert desk.called[1:] == [("run", {"run_id": "r-2"}), ("performance", {"subject": "r-2"})]


def test_a_doubt_about_a_search_is_answered_by_its_verdict(words: Words) -> None:
    """Not by the row with the most."""
    desk = Desk("developer", words, sweep=result("Not beyond luck: the best Sharpe is 1. More.", name="sweep"))
    desk.ask("sweep stop_atr 2, 3, 4 for trend on eth 2025")
    assert desk.ask("is the top one really better or noise").startswith("Not beyond luck: the best Sharpe is 1.")
    assert desk.called == []
