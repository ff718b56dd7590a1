"""What a sentence is of: the run above, not the desk; both periods of two; each sleeve of a strategy; the trip that is meant."""

from typing import Any

import pytest

from agents.offline.dates import periods
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tests.fakes.offices import DESK_MS
from tools.common.contract import Table

TRIPS = Table(
    ("trip", "sleeve", "side", "reason", "net", "entry_ms", "exit_ms"),
    (
        ("t7", "btc-trend", "long", "stop", -9.0, 1_764_590_400_000, 1_764_594_000_000),
        ("t9", "eth-trend", "short", "trail", -4.0, 1_764_620_000_000, 1_764_626_000_000),
    ),
)
CHECKS = Table(
    ("what", "state", "found", "event"),
    (("worker", "bad", "no worker is running", "-"), ("bars", "ok", "the last bars are complete", "d-4")),
)


def listed(name: str, table: Table, **more: Any) -> Any:
    """A good answer with a table."""
    return ok(name, **more)._replace(table=table)


@pytest.mark.parametrize(
    ("text", "by"), [("split that by long and short", "side"), ("by month", "month"), ("what was the worst month", "month")]
)
def test_a_split_after_a_backtest_is_of_its_run(text: str, by: str, words: Words) -> None:
    """Not of the desk's sleeve of that name, in the window of the run: those are other trades."""
    desk = Desk("developer", words, backtest=ok("backtest", data={"run_id": "r-77"}))
    desk.ask("backtest trend on btc for 2024")
    desk.ask(text)
    ((name, args),) = desk.called
    assert (name, args["subject"], args["by"]) == ("trips", "r-77", by)
    assert not args.keys() & {"sleeve", "since", "until"}


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("trend on btc january to june 2024 then july to november", ["2024-01-01", "2025-07-01"]),
        ("pnl last week compared to the week before", ["2025-11-24", "2025-11-17"]),
        ("how did last week go compared to the week before", ["2025-11-24", "2025-11-17"]),
        ("february vs march", ["2025-02-01", "2025-03-01"]),
        ("trend btc 2023 vs 2024 vs 2025 which year was best", ["2023-01-01", "2024-01-01", "2025-01-01"]),
        ("2023, 2024 and 2025, which year was best", ["2023-01-01", "2024-01-01", "2025-01-01"]),
    ],
)
def test_every_period_is_read(text: str, starts: list[str]) -> None:
    """Each is a window of its own; none is dropped without a word."""
    found, _ = periods(text, DESK_MS)
    assert [span.start for span in found] == starts


def test_a_second_period_that_is_not_used_is_named(words: Words) -> None:
    """The window is one of them; the other stays in the sentence, and is asked back about."""
    desk = Desk("developer", words)
    answer = desk.ask("backtest trend on btc in february 2024 since june 2024 looked odd")
    assert desk.called == []
    assert '"june"' in answer


@pytest.mark.parametrize("text", ["should we stop trading eth", "should i stop running the btc sleeve"])
def test_to_stop_trading_is_no_exit(text: str, words: Words) -> None:
    """The evidence is of all its trades, not of those that ended by a stop."""
    desk = Desk("advisor", words)
    desk.ask(text)
    assert all("exit" not in args for _, args in desk.called)


def test_a_strategy_of_several_sleeves_is_each_of_them(words: Words) -> None:
    """`in trend`: not the whole desk."""
    both = Words(words.strategies, (*words.sleeves, words.sleeves[0]._replace(name="btc-slow")), words.symbols, (), words.desk_ms)
    desk = Desk("advisor", both)
    desk.ask("how long does a trade last in trend")
    trend = {sleeve.name for sleeve in both.sleeves if sleeve.strategy == "trend"}
    assert {args.get("sleeve") for _, args in desk.called} == trend


@pytest.mark.parametrize("text", ["btc", "eth???"])
def test_a_name_alone_is_its_sleeve(text: str, words: Words) -> None:
    """It is no quote that is wanted of it."""
    desk = Desk("operator", words)
    desk.ask(text)
    assert [name for name, _ in desk.called] == ["sleeves"]


def test_a_number_is_a_row_of_the_list_above(words: Words) -> None:
    """`explain number 2`: of the trips listed, and not of a stored run."""
    desk = Desk("advisor", words, trips=listed("trips", TRIPS))
    desk.ask("worst 2 trades this month")
    desk.ask("explain number 2")
    ((name, args),) = desk.called
    assert (name, args["sleeve"]) == ("journal_search", "eth-trend")


def test_excursions_of_one_trip_are_none_of_the_whole_desk(words: Words) -> None:
    """`mae of the second one`: those of the desk are not given in its place."""
    desk = Desk("advisor", words, trips=listed("trips", TRIPS))
    desk.ask("worst 2 trades this month")
    desk.ask("mae of the second one")
    assert all(args.get("sleeve") for _, args in desk.called)


FILLS = Table(
    ("desk time", "event", "kind", "sleeve", "what"),
    (
        ("2025-12-01 20:30Z", "d-10", "fill", "btc-trend", "sell 0.008 at 85,504.46 to enter"),
        ("2025-12-01 22:15Z", "d-13", "fill", "btc-trend", "buy 0.008 at 86,595.80 by stop, round trip -9.42"),
        ("2025-12-01 22:30Z", "d-17", "fill", "eth-trend", "buy 0.2 at 2,792.26 by target, round trip 3.10"),
    ),
)


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("what surrounded d-99", "d-99"),
    ],
)
def test_the_market_around_an_event(text: str, event: str, words: Words) -> None:
    """The event that is named: never some other moment."""
    desk = Desk("operator", words, journal_search=listed("journal_search", FILLS))
    desk.ask(text)
    assert desk.called[-1] == ("market_context", {"event_id": event})


@pytest.mark.parametrize(
    "text", ["what if all stops hit at once", "how much are we risking right now", "how far are we from the stops"]
)
def test_what_the_stops_cost_together(text: str, words: Words) -> None:
    """One tool has the distances and what each stop costs; no move in percent is asked for."""
    desk = Desk("operator", words)
    desk.ask(text)
    assert [name for name, _ in desk.called] == ["joint_risk"]


def test_the_check_that_is_asked_about_comes_first(words: Words) -> None:
    """`is the data fresh`: the bars, then what else is wrong."""
    desk = Desk("operator", words, health=listed("health", CHECKS))
    assert desk.ask("is the data fresh").startswith("Bars: ok, the last bars are complete.")
    assert not desk.ask("is everything ok").startswith(("Bars", "Worker"))


@pytest.mark.parametrize("text", ["forget the note about fomc", "delete my last note"])
def test_no_note_is_filed_to_forget_one(text: str, words: Words) -> None:
    """A chat deletes nothing, and the wish to is no note: what is kept is shown."""
    desk = Desk("advisor", words)
    assert "No chat changes or deletes what was noted" in desk.ask(text)
    assert desk.called == [("memory", {})]


@pytest.mark.parametrize("text", ["what did i say about fomc", "is there a note on cpi"])
def test_notes_are_looked_up_whatever_they_are_about(text: str, words: Words) -> None:
    """Also about news, which the desk itself reads none of."""
    desk = Desk("advisor", words)
    desk.ask(text)
    assert [name for name, _ in desk.called] == ["memory"]


@pytest.mark.parametrize("text", ["when was the last backup?", "how old is the backup", "how big is the journal"])
def test_the_backup_is_asked_for(text: str, words: Words) -> None:
    """By any role; the tool says when, or that there was none."""
    desk = Desk("operator", words)
    desk.ask(text)
    assert desk.called == [("upkeep", {})]
