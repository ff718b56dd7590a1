"""What a short sentence means that speaks of what was just shown: the figure, the day, the oldest, the gravest, the usual."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from agents.offline.above import no_more
from agents.offline.above_kinds import first
from agents.offline.just_shown import beside_all
from agents.offline.slots import Slots, read_slots
from agents.offline.steps import PastTurn, Question
from agents.offline.turn_above import TurnAbove
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
    assert call[0] in ("trips", "attribution") and (call[1]["since"], call[1]["until"]) == ("2025-11-06", "2025-11-07")
    other = desk_of(words, NETS, pnl=DAYS)
    other.ask("p&l by day")
    other.ask(asked)
    assert all(args.get("since") != "2025-11-06" for _, args in other.called)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("how old is the oldest", "The oldest is nd1: decided {o1.at}"),
        ("which is the newest", "The newest is nd2: decided {o2.at}"),
    ],
)
def test_the_oldest_is_worked_out_from_the_times_of_the_table(words: Words, asked: str, said: str) -> None:
    """With how long ago that is in the desk's time, and how many more are as old."""
    rows = (("nd1", "working", "{o1.at}"), ("nd2", "working", "{o2.at}"))
    desk = desk_of(words, orders=shown("orders", "order state decided", *rows))
    desk.facts = {"o1.at": SimpleNamespace(value=1_764_600_000_000.0), "o2.at": SimpleNamespace(value=1_764_610_000_000.0)}
    desk.ask("any open orders")
    assert desk.ask(asked).startswith(said)
    assert desk.called == []
    desk.facts["o2.at"] = desk.facts["o1.at"]
    assert "1 more of the same time" in desk.ask(asked)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("was any of that serious", "Yes. The gravest is a breaker"),
        ("which of these is the most important", "The gravest is a breaker"),
    ],
)
def test_the_gravest_event_comes_first(words: Words, asked: str, said: str) -> None:
    """Of the events above, by their kind; where nothing grave is among them, that."""
    desk = desk_of(words, journal_search=EVENTS)
    desk.ask("what happened overnight")
    assert desk.ask(asked).startswith(said)
    calm = desk_of(words, journal_search=EVENTS.only([0]))
    calm.ask("what happened overnight")
    assert calm.ask("was any of that serious").startswith("No: no halt, incident, breaker or refusal")


def test_of_none_none_is_grave(words: Words) -> None:
    """`which of them should worry me`, after no order was found."""
    desk = desk_of(words, orders=ok("orders", "no such order")._replace(status="no_data"))
    desk.ask("were there any rejected orders yesterday")
    assert desk.ask("which of them should worry me").startswith("None: no such order")


@pytest.mark.parametrize("asked", ["how long have we been in it", "are we out of it", "have we recovered", "are we still in it"])
@pytest.mark.parametrize(("recovered", "out"), [("not recovered", False), ("{q1.recovered}", True)])
def test_a_drawdown_has_a_peak_and_an_end(words: Words, asked: str, recovered: str, out: bool) -> None:
    """Since its peak while it lasts; recovered where it has."""
    falls = shown("performance", "drawdown peak recovered lasted", ("1", "2025-11-05", recovered, "27 d"))
    desk = desk_of(words, performance=falls)
    desk.ask("biggest drawdown so far")
    said = desk.ask(asked)
    yes = out != ("still in" in asked)
    word = "Yes" if yes else "No"
    ended = f"{word}: each drawdown" if out else f"{word}. The desk is below"
    assert said.startswith(
        "The desk is below" if asked.startswith("how") and not out else "Yes: each" if asked.startswith("how") else ended
    )


@pytest.mark.parametrize("asked", ["is that more than usual", "is that normal", "was it a lot for us"])
@pytest.mark.parametrize(("fees", "verdict"), [(-40.0, "More than usual."), (-2.0, "Not more than usual.")])
def test_the_usual_is_what_a_fill_costs(words: Words, asked: str, fees: float, verdict: str) -> None:
    """Over the window above and over all fills."""
    desk = desk_of(words, attribution=ok("attribution", "{a1.fees} over {a1.fills}"), calc=ok("calc", "x = {c1.value}"))
    desk.ask("how much did we pay in fees yesterday")
    facts = {"a1.fees": fees, "a1.fills": 10.0, "a2.fees": -100.0, "a2.fills": 50.0}
    desk.facts = {name: SimpleNamespace(value=value) for name, value in facts.items()}
    desk.ask(asked)
    assert [bool(args.get("since")) for name, args in desk.called if name == "attribution"] == [True, False]
    plan = beside_all("fees", {"since": "2025-12-01"}, Question("", Slots(), words, "operator", frozenset(), facts=desk.facts))
    next(plan)
    plan.send([ok("attribution", f"{{{h}.fees}} over {{{h}.fills}}") for h in ("a1", "a2")])
    with pytest.raises(StopIteration) as ended:
        plan.send([ok("calc", "x = {c1.value}")] * 2)
    assert ended.value.value.text.startswith(verdict)


@pytest.mark.parametrize("asked", ["ok and since the start", "since the beginning", "over all time"])
def test_since_the_start_drops_the_window(words: Words, asked: str) -> None:
    """Where there was one; where there was none, it was since the start already."""
    desk = desk_of(words)
    desk.ask("where did the p&l come from last week")
    desk.ask(asked)
    assert desk.called == [("attribution", {})]
    other = desk_of(words)
    other.ask("are we any better than just holding")
    assert other.ask(asked).startswith("That is since the start already")


@pytest.mark.parametrize("asked", ["did we ever have one", "has that happened before", "have we ever seen that"])
def test_whether_there_ever_was_one(words: Words, asked: str) -> None:
    """By the incidents and the alerts; after none was found, no."""
    desk = desk_of(words, incidents=ok("incidents", "no incident window was ever open")._replace(status="no_data"))
    desk.ask("what does a reconcile mismatch mean")
    assert desk.ask(asked).startswith("No incident window was ever open")
    assert [name for name, _ in desk.called] == ["incidents", "counts"]
    desk.ask("was there an incident")
    assert desk.ask(asked).startswith("No: no incident")


@pytest.mark.parametrize(
    ("listed", "asked", "args"),
    [("list the alerts", "which are still open", {"state": "open"}), ("show the orders", "any still open", {"only_open": True})],
)
def test_still_open_is_of_the_list(words: Words, listed: str, asked: str, args: dict[str, Any]) -> None:
    """Alerts or orders, not positions."""
    desk = desk_of(words)
    desk.ask(listed)
    ((tool, _),) = desk.called
    desk.ask(asked)
    assert desk.called == [(tool, args)]


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
    "asked",
    [
        "can you compare the stored trend run on BTC with the reversion run on ETH?",
        "put the stored trend run on btc beside the stored reversion run on eth",
    ],
)
def test_two_runs_that_are_named_are_two(words: Words, asked: str) -> None:
    """Each strategy on its own symbol; one that is not stored is named."""
    both = replace(words, strategies={**words.strategies, "reversion": words.strategies["trend"]})
    desk = Desk("developer", both, run=RUNS)
    desk.ask(asked)
    assert [args.get("run_id") for name, args in desk.called if name == "run"] == [None, "r-1", "r-2"]
    other = Desk("developer", both, run=RUNS.only([0])._replace(evidence=("r-1",)))
    assert other.ask(asked).startswith("No stored run is of reversion on ETH-USDT")


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


@pytest.mark.parametrize("asked", ["only the window both runs share", "and if you only take the days they have in common"])
def test_the_days_that_two_runs_share(words: Words, asked: str) -> None:
    """The later start and the earlier end; no stored run is cut."""
    both = (("r-1", "2023-01-01 00:00Z to 2025-12-01 23:45Z"), ("r-2", "2025-10-01 00:00Z to 2025-11-30 23:45Z"))
    shown_runs = [ok("run", f"trend, {window}, recorded")._replace(args={"run_id": run}) for run, window in both]
    above = TurnAbove([PastTurn("compare r-1 and r-2", tuple(shown_runs))], {}, words)
    found = first(read_slots(asked, words), above)
    assert found.text.startswith("Both have the days from 2025-10-01 to 2025-11-30.")


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
