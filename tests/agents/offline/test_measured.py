"""Whether what stands above is much, good or enough: by a limit, by chance, by what was made; and what nobody named."""

from typing import Any

import pytest

from agents.offline.measured import deepest, fall_limit, judged, verdict
from agents.offline.slots import read_slots
from agents.offline.steps import CallResult, PastTurn, PlannedAnswer
from agents.offline.table_answers import answer_of
from agents.offline.tables import ordered
from agents.offline.words import Words
from tests.agents.offline.test_asked_of_anything import listed
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Evidence, Fact, Table, make_facts

SWEEP = Table(
    ("variation", "Sharpe", "return"), (("stop_atr 2", -1.5, -0.04), ("stop_atr 3", -1.1, -0.02), ("stop_atr 4", -2.0, -0.06))
)


def facts_of(**values: float) -> dict[str, Fact]:
    """Facts of one handle, `q1`."""
    made = make_facts("q1", "of a test", Evidence("run", "r-1"), {name: (value, "ratio") for name, value in values.items()})
    return {fact.ref: fact for fact in made}


def result(text: str, table: Table | None = None, name: str = "performance") -> CallResult:
    """A good result with that text."""
    return CallResult(name, {}, "ok", text, table, {}, ())


@pytest.mark.parametrize(
    ("low", "high", "total", "word"),
    [
        (-11.0, 2.6, -0.01, "Not good so far"),
        (-1.0, 2.6, 0.01, "A gain so far"),
        (0.2, 3.0, 0.1, "Good, beyond"),
        (-4.0, -0.1, -0.1, "Bad, beyond"),
    ],
)
def test_the_word_before_a_performance_is_what_its_interval_allows(low: float, high: float, total: float, word: str) -> None:
    """A Sharpe ratio whose interval spans zero is neither good nor bad."""
    facts = facts_of(sharpe=0.0, sharpe_low=low, sharpe_high=high, return_frac=total)
    said = verdict(result("Sharpe {q1.sharpe}"), facts)
    assert said.startswith(word)
    assert ("spans zero" in said) == (low <= 0 <= high)


def test_holding_is_set_beside_the_desk_where_it_is_asked_for() -> None:
    """The greater of both is named as such, losses too."""
    facts = facts_of(sharpe=-4.0, sharpe_low=-11.0, sharpe_high=2.0, return_frac=-0.01, hold_return_frac=-0.27)
    assert "more than {q1.hold_return_frac} by holding" in verdict(result("{q1.sharpe}"), facts, "vs just holding btc")
    assert "holding" not in verdict(result("{q1.sharpe}"), facts, "is it any good")


def test_the_nearest_limit_comes_first_and_a_reached_one_is_said() -> None:
    """Of what halts the desk, by the share that is used."""
    text = "{q1.drawdown_frac} below its peak"
    calm = facts_of(drawdown_frac=0.01, drawdown_frac_max=0.15, gross_frac=1.5, gross_frac_max=3.0)
    said = fall_limit(result(text), calm)
    assert said.startswith("No desk limit is reached")
    assert said.index("exposure") < said.index("drawdown")
    assert fall_limit(result(text), calm | facts_of(drawdown_frac=0.16)).startswith("A limit is reached")


def test_a_drawdown_that_is_not_over_is_no_recovery() -> None:
    """The first row, with its end."""
    table = Table(
        ("drawdown", "depth", "money", "peak", "trough", "recovered", "lasted"),
        ((1, "1 %", "9", "a", "b", "not recovered", "27 d"),),
    )
    assert "not recovered; it lasted 27 d" in deepest(result("", table))


def test_what_nobody_looked_up_is_not_judged(words: Words) -> None:
    """The desk's figures would be of another question."""
    answer = judged(read_slots("is it good", words), (), {})
    assert isinstance(answer, PlannedAnswer)
    assert answer.asked_back


def test_of_two_runs_the_one_that_made_more_is_named(words: Words) -> None:
    """By what both made, with what sets them apart; two runs do not tell skill from luck, and the answer says so."""
    runs = [
        CallResult(
            "backtest",
            {"strategy": of},
            "ok",
            "",
            Table(("metric", "value"), (("total_return_frac", f"{{{of[0]}1.total_return_frac}}"),)),
            {"run_id": run},
            (run,),
        )
        for of, run in (("trend", "r-1"), ("reversion", "r-2"))
    ]
    made = (("t1", -0.07), ("r1", -0.03))
    facts = {
        fact.ref: fact
        for handle, value in made
        for fact in make_facts(handle, "of a test", Evidence("run", handle), {"total_return_frac": (value, "frac")})
    }
    for text in ("which is better", "which one made more", "which of the two lost less"):
        answer = answer_of(read_slots(text, words), [PastTurn("both", tuple(runs))], facts, words)
        assert isinstance(answer, PlannedAnswer)
        assert answer.text.startswith("The highest total_return_frac is that of r-2 (reversion): {r1.total_return_frac}, against")
        assert "luck" in answer.text


@pytest.mark.parametrize(
    ("text", "begins"),
    [("which of those was worst", "The lowest return is that of stop_atr 4")],
)
def test_the_variations_above_are_ranked_and_not_searched_again(text: str, begins: str, words: Words) -> None:
    """A search costs minutes and trials; its table has the answer."""
    desk = Desk("developer", words, sweep=listed("sweep", SWEEP))
    desk.ask("sweep stop_atr 2, 3, 4 for trend on eth 2025")
    assert desk.ask(text).startswith(begins)
    assert desk.called == []


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("top 3 trades", {"subject": "r-77", "best": 3}),
        ("long or short", {"subject": "r-77", "by": "side"}),
    ],
)
def test_a_fragment_after_a_run_is_of_its_round_trips(text: str, args: dict[str, Any], words: Words) -> None:
    """Not of the desk's."""
    desk = Desk("developer", words, backtest=ok("backtest", data={"run_id": "r-77"}))
    desk.ask("backtest trend on btc for 2024")
    desk.ask(text)
    assert desk.called == [("trips", args)]


@pytest.mark.parametrize(
    ("text", "start"),
    [("1 year btc trend", "2024-12-02"), ("trend sol 90d", "2025-09-03"), ("bakctest trned eth lats 6 moths", "2025-06-02")],
)
def test_a_length_beside_a_strategy_is_the_window(text: str, start: str, words: Words) -> None:
    """It was a number without a parameter, or vanished."""
    assert read_slots(text, words).span.start.startswith(start[:7])  # type: ignore[union-attr]


def test_pairs_are_scanned_by_a_sentence(words: Words) -> None:
    """The symbols named, else all that are quoted in USDT; the window that nobody named is said."""
    desk = Desk("developer", words)
    said = desk.ask("scan BTC and ETH for pairs")
    ((name, args),) = desk.called
    assert (name, args["symbols"]) == ("pair_scan", ["BTC-USDT", "ETH-USDT"])
    assert "No window was named" in said
    desk.ask("find cointegrated pairs in 2025")
    ((_, args),) = desk.called
    assert len(args["symbols"]) > 1
    assert args["start"] == "2025-01-01"


@pytest.mark.parametrize("text", ["make me a market maker on ETH", "backtest market making on btc", "quote both sides on SOL"])
def test_no_chat_runs_a_maker(text: str, words: Words) -> None:
    """How a person does it; nothing is called."""
    desk = Desk("developer", words)
    assert "nightdesk making backtest TAPE" in desk.ask(text)
    assert desk.called == []


def test_two_timeframes_are_two_runs(words: Words) -> None:
    """Beside each other, the rest alike."""
    desk = Desk("developer", words)
    desk.ask("compare 15m and 1h bars for trend on BTC 2025")
    assert [args["timeframe"] for _, args in desk.called] == ["15m", "1h"]
    assert {args["start"] for _, args in desk.called} == {"2025-01-01"}


def test_why_nothing_trades_is_asked_of_each_sleeve(words: Words) -> None:
    """Without a name no sleeve is meant alone."""
    desk = Desk("operator", words)
    desk.ask("why is it not trading?")
    assert [name for name, _ in desk.called[:2]] == ["health", "pauses"]
    assert [args["sleeve"] for name, args in desk.called if name == "explain_event"] == [s.name for s in words.sleeves]


def test_a_reference_that_says_total_is_no_sum() -> None:
    """`{s1.total_return_frac}` stood for a row of sums, so that no variation was ranked."""
    cells = [(f"stop_atr {n}", f"{{q1.sharpe{n}}}", "{q1.total_return_frac}") for n in (2, 3)]
    table = Table(("variation", "Sharpe", "return"), tuple(cells))
    assert ordered(table, facts_of(sharpe2=-2.0, sharpe3=-1.0), "best sharpe", "best") == [1, 0]
