"""What a short sentence means that speaks of what was just shown: the figure, the day, the row."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from agents.offline.above import no_more
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tests.agents.offline.test_understood import shown

TUESDAY = 1_764_633_600_000  # 2025-12-02
DAYS = shown("pnl", "day net", ("2025-11-05 00:00Z", "{y1.net}"), ("2025-11-06 00:00Z", "{y2.net}"))
NETS = {"y1.net": SimpleNamespace(value=12.0), "y2.net": SimpleNamespace(value=-116.0)}
EVENTS = shown(
    "journal_search",
    "desk_time event kind sleeve what",
    ("2025-12-01 20:15Z", "d-1", "fill", "btc-trend", "sold"),
    ("2025-12-01 22:15Z", "d-2", "breaker", "btc-trend", "loss streak"),
)
EVENTS = EVENTS._replace(table=EVENTS.table and EVENTS.table._replace(columns=("desk time", *EVENTS.table.columns[1:])))


def desk_of(words: Words, facts: dict[str, Any] | None = None, **answers: Any) -> Desk:
    """An operator's thread."""
    desk = Desk("operator", words, **answers)
    desk.facts = facts or {}
    return desk


@pytest.mark.parametrize(
    "asked", ["what went wrong", "what happened on the worst one", "what happened that day", "and what went wrong then"]
)
def test_the_day_that_was_ranked_is_meant(words: Words, asked: str) -> None:
    """What the journal has of that day, not of yesterday."""
    desk = desk_of(words, NETS, pnl=DAYS)
    desk.ask("what was our worst day")
    desk.ask(asked)
    assert [(name, args["since"], args["until"]) for name, args in desk.called] == [
        ("journal_search", "2025-11-06", "2025-11-07")
    ]


@pytest.mark.parametrize("asked", ["which sleeve was it", "show me the trades of that day"])
def test_round_trips_of_the_day_that_was_ranked(words: Words, asked: str) -> None:
    """Of its window alone; after days that nobody ranked none is meant."""
    desk = desk_of(words, NETS, pnl=DAYS)
    desk.ask("what was our worst day")
    desk.ask(asked)
    (call,) = desk.called
    assert call[0] in ("trips", "attribution")
    assert (call[1]["since"], call[1]["until"]) == ("2025-11-06", "2025-11-07")
    other = desk_of(words, NETS, pnl=DAYS)
    other.ask("p&l by day")
    other.ask(asked)
    assert all(args.get("since") != "2025-11-06" for _, args in other.called)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("remove it again", "nightdesk watches remove"),
        ("cancel that", "nightdesk watches remove"),
        ("drop that watch", "nightdesk watches remove"),
    ],
)
def test_how_a_watch_is_removed(words: Words, asked: str, said: str) -> None:
    """A chat removes none; by which command a person does."""
    desk = desk_of(words, propose_watch=ok("propose_watch", "Asked for: w-1", evidence=("w-1",)))
    desk.ask("tell me when btc goes under 80k")
    assert said in desk.ask(asked)


RUNS = shown(
    "run",
    "run about first last",
    ("r-1", "trend on BTC-USDT 15m", "2023-01-01", "2025-12-01"),
    ("r-2", "reversion on ETH-USDT 15m", "2025-10-01", "2025-11-30"),
    evidence=("r-1", "r-2"),
)
RUNS = RUNS._replace(data={"run_id": "r-77"})  # the run whose handle the thread has


@pytest.mark.parametrize(
    ("asked", "text", "said"),
    [
        (
            "how many folds were positive",
            "No. Sharpe -3.14; 19 of 60 test windows won; deflated 0.0.",
            "19 of 60 test windows won.",
        ),
        ("how many windows won", "No. Sharpe -3.14; 19 of 60 test windows won; deflated 0.0.", "19 of 60 test windows won."),
    ],
)
def test_a_figure_in_the_text_above_is_given(words: Words, asked: str, text: str, said: str) -> None:
    """The clause that has each word and a number; none is made up."""
    desk = Desk("developer", words, walkforward=ok("walkforward", text))
    desk.ask("do a walk-forward of trend on btc")
    assert desk.ask(asked).startswith(said)
    other = Desk("developer", words, walkforward=ok("walkforward", "It does not hold forward."))
    other.ask("do a walk-forward of trend on btc")
    assert not other.ask(asked).startswith("It does")


@pytest.mark.parametrize(
    ("asked", "text", "said"),
    [
        ("by who", "No matching events.", "None was found, so the record does not say by who"),
        ("who released it", "Something is wrong.", "The record does not say who"),
        ("who released it", "Halted; released by anna.", "What stands above says this"),
        ("since when", "33 round trips.", "The record does not say since when"),
        ("is that so", "33 round trips.", "What stands above says this"),
    ],
)
def test_what_no_record_has_is_said_to_be_missing(asked: str, text: str, said: str) -> None:
    """A person or a time; one that is there is shown."""
    assert no_more(ok("journal_search", text), asked).text.startswith(said)
    assert no_more(DAYS, "since when").text.startswith("What stands above")  # its days are its times


@pytest.mark.parametrize("asked", ["ok and without fees", "and before fees"])
def test_a_window_of_days_before_fees_has_its_sum_first(words: Words, asked: str) -> None:
    """Then each day; of a split the row that was asked about comes first."""
    days = shown(
        "pnl", "day fees net", ("2025-11-05 00:00Z", "{y1.fees}", "{y1.net}"), ("2025-11-06 00:00Z", "{y2.fees}", "{y2.net}")
    )
    fees = {"y1.fees": SimpleNamespace(value=2.0), "y2.fees": SimpleNamespace(value=3.0)}
    desk = desk_of(words, {**NETS, **fees}, pnl=days, calc=ok("calc", "x = {c1.value}"))
    desk.ask("p&l of the last 7 days")
    assert desk.ask(asked).startswith("Before fees: all {c1.value}, of these 2025-11-05")
    assert desk.called[0][1]["expression"] == "y1.net+(y1.fees)+y2.net+(y2.fees)"


FIGURES = shown("run", "metric value", ("trades", "{r1.trades}"), ("fees", "{r1.fees}"), text="trend on BTC", evidence=("r-1",))


@pytest.mark.parametrize(
    ("asked", "said"), [("how many trades was that", "trades {r1.trades}."), ("what were the fees on it", "fees {r1.fees}.")]
)
def test_the_cell_is_the_answer(words: Words, asked: str, said: str) -> None:
    """Not how many rows of the table it is."""
    desk = Desk("developer", words, run=FIGURES)
    desk.ask("open run r-1")
    assert desk.ask(asked).startswith(said)


@pytest.mark.parametrize("asked", ["what is different between the top two", "compare the first two"])
def test_the_first_two_of_a_list_of_runs(words: Words, asked: str) -> None:
    """Are the two that stand first, side by side; no row of the table is ranked."""
    desk = Desk("developer", words, run=RUNS)
    desk.ask("list the latest runs")
    desk.ask(asked)
    assert [args.get("run_id") for name, args in desk.called] == ["r-1", "r-2"]


@pytest.mark.parametrize("asked", ["is the drawdown smaller", "is the drawdown higher"])
def test_a_figure_that_the_table_lacks_is_said_to_be_missing(words: Words, asked: str) -> None:
    """No row of another figure is given for it."""
    desk = desk_of(words, {"k1.net": SimpleNamespace(value=1.0), "k2.net": SimpleNamespace(value=2.0)})
    desk.answers["trips"] = shown("trips", "exit trips net", ("stop", "4", "{k1.net}"), ("trail", "5", "{k2.net}"))
    desk.ask("round trips by exit")
    assert "net is that of" not in desk.ask(asked)


@pytest.mark.parametrize("asked", ["which one gets hit more often", "which is hit most"])
def test_of_two_exits_that_were_explained_the_round_trips_say_which(words: Words, asked: str) -> None:
    """`stop_atr` and `trail_atr`: by exit, no breaker."""
    desk = desk_of(words)
    desk.ask("what is the difference between stop_atr and trail_atr")
    desk.ask(asked)
    assert desk.called == [("trips", {"by": "exit"})]


@pytest.mark.parametrize("asked", ["and for eth?", "and eth"])
def test_a_coin_that_the_strategy_is_not_traded_on_has_its_own(words: Words, asked: str) -> None:
    """The stored run of what is traded there."""
    eth = words.sleeves[0]._replace(name="eth-reversion", strategy="reversion", symbol="ETH-USDT")
    both = replace(
        words, strategies={**words.strategies, "reversion": words.strategies["trend"]}, sleeves=(words.sleeves[0], eth)
    )
    desk = Desk("developer", both, run=RUNS)
    desk.ask("round trips by exit of the stored trend run on btc")
    assert "as before: reversion" not in desk.ask(asked)  # it was trend
    assert [args["subject"] for name, args in desk.called if name == "trips"] == ["r-2"]
