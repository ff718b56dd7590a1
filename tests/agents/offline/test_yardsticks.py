"""What is judged, and beside what: a streak by chance, fees by what was made, no other figure by the limits of the desk; which
run is the newest, which refusal the last, who pays most, and what a window without an end is."""

from types import SimpleNamespace
from typing import Any

import pytest

from agents.offline.dates import read_span
from agents.offline.slots import read_slots
from agents.offline.tables import heads_of
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tests.agents.offline.test_understood import TUESDAY, _Facts, shown
from tools.alerts import moment
from tools.common.contract import Role, Table

JOURNAL = ("desk time", "event", "kind", "sleeve", "what")


def facts(**values: float) -> dict[str, Any]:
    """Facts of one result, by their names."""
    return {f"k1.{name}": SimpleNamespace(value=value) for name, value in values.items()}


def judging(words: Words, **values: float) -> Desk:
    """A desk whose round trips have these figures."""
    desk = Desk("advisor", words, trips=ok("trips", "{k1.trips} round trips, {k1.net}"), calc=ok("calc", "x = {c1.value}"))
    desk.facts = facts(**({"trips": 202.0, "win_frac": 1 / 3, "loss_streak": 12.0, "net": -340.0, "fees": 283.0} | values))
    return desk


@pytest.mark.parametrize("asked", ["is that normal", "is that normal for our hit rate", "is that bad?", "is that a lot"])
@pytest.mark.parametrize(("streak", "word"), [(12.0, "Yes, chance alone"), (30.0, "No, longer than chance")])
def test_a_streak_is_judged_by_chance(words: Words, asked: str, streak: float, word: str) -> None:
    """Never by the limits of the desk, which are of drawdown and exposure."""
    desk = judging(words, loss_streak=streak)
    desk.ask("what is our longest losing streak")
    answer = desk.ask(asked)
    assert answer.startswith(word)
    assert "limits" not in answer.partition("\n")[0]


@pytest.mark.parametrize("asked", ["is that a lot", "is that a lot for what we earned", "is that ok?"])
@pytest.mark.parametrize(("net", "word"), [(-340.0, "Yes, fees are more"), (500.0, "Fees are less")])
def test_fees_are_judged_by_what_was_made(words: Words, asked: str, net: float, word: str) -> None:
    """Before fees and after them."""
    desk = judging(words, net=net)
    desk.ask("how much did we pay in fees")
    assert desk.ask(asked).startswith(word)


@pytest.mark.parametrize("figure", ["hit rate", "profit factor"])
def test_a_figure_without_a_limit_has_no_yardstick(words: Words, figure: str) -> None:
    """It is said, with the figures below; a drawdown has one."""
    desk = judging(words)
    desk.ask(f"what is our {figure}")
    assert desk.ask("is that normal?").startswith(f"The desk has no yardstick for {figure}")


@pytest.mark.parametrize("asked", ["worst 5 trades of that run", "hit rate of its shorts", "the long trips of that run"])
def test_the_run_of_a_list_is_its_newest(words: Words, asked: str) -> None:
    """The list has the newest first."""
    rows = [(f"r-{n}", "trend on BTC-USDT 15m", "2023-01-01", "2025-12-01") for n in (3, 2, 1)]
    desk = Desk("developer", words, run=shown("run", "run about first last", *rows, evidence=("r-3", "r-2", "r-1")))
    desk.ask("which backtests are stored")
    desk.ask(asked)
    assert [args.get("subject") for name, args in desk.called if name == "trips"] == ["r-3"]


@pytest.mark.parametrize("asked", ["why was the last order refused", "show the last refusal"])
def test_the_last_refusal_is_the_last_bar_of_one_that_lasted(words: Words, asked: str) -> None:
    """A row is of many bars: its last one counts."""
    row = ("2025-12-01 02:00Z", "d-9", "refused", "btc-trend", "refused: paused (at 2 bars, the last 2025-12-01 22:15Z, d-19)")
    later = ("2025-12-01 02:15Z", "d-12", "refused", "eth-trend", "refused: paused")
    table = Table(JOURNAL, (row, later))
    desk = Desk("operator", words, journal_search=ok("journal_search")._replace(table=table))
    assert desk.ask(asked).startswith("The last: 2025-12-01 22:15Z, btc-trend refused: paused (d-19).")


@pytest.mark.parametrize(
    "asked", ["which sleeve pays the most in fees", "which sleeve has the highest fees", "which sleeve pays the most fees?"]
)
def test_who_pays_most_is_the_largest(words: Words, asked: str) -> None:
    """Of a cost the most is the largest, also where it is booked as a loss."""
    rows = (("sol-reversion", 10, 23.0), ("btc-trend", 96, 153.0), ("eth-trend", 95, 107.0))
    booked = (("sleeve sol-reversion", -67.0, -23.0), ("sleeve btc-trend", -199.0, -153.0), ("whole desk", -266.0, -176.0))
    desk = Desk("advisor", words, trips=ok("trips")._replace(table=Table(("sleeve", "trips", "fees"), rows)))
    desk.answers["attribution"] = ok("attribution")._replace(table=Table(("of", "change", "fees"), booked))
    first = desk.ask(asked).partition("\n")[0]
    assert "btc-trend" in first
    assert "sol-reversion is first" not in first
    assert first.index("btc-trend") < (first.index("sol-reversion") if "sol-reversion" in first else len(first))


def test_after_fees_the_sleeve_that_pays_most_has_the_largest(words: Words) -> None:
    """`pays the most`, of what was shown before."""
    rows = (("sol-reversion", 10, 23.0), ("btc-trend", 96, 153.0), ("eth-trend", 95, 107.0))
    desk = Desk("advisor", words, trips=ok("trips")._replace(table=Table(("sleeve", "trips", "fees"), rows)))
    desk.ask("what did we pay in fees last month")
    assert desk.ask("which sleeve pays the most").startswith("The highest fees is that of btc-trend")


@pytest.mark.parametrize("those", ["one of them", "any of those", "one of these"])
def test_yes_is_said_only_where_the_condition_was_applied(words: Words, those: str) -> None:
    """Fills of a window are no fills on the bars above."""
    table = Table(JOURNAL, (("2025-12-01 02:00Z", "d-9", "fill", "btc-trend", "buy"),))
    desk = Desk("operator", words, journal_search=ok("journal_search")._replace(table=table))
    desk.ask("any fills yesterday?")
    assert desk.ask("did we trade since yesterday?").startswith("Yes: 1 fill")
    assert not desk.ask(f"did we trade on {those} yesterday").startswith("Yes")


@pytest.mark.parametrize("day", range(7))
def test_alerts_since_a_weekday_begin_at_its_midnight(words: Words, day: int) -> None:
    """Of wall time; a day of today's name is today."""
    names = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    desk = Desk("operator", words)
    desk.ask(f"list the alerts since {names[day]}")
    assert desk.called == [("alerts", {"since": names[day]})]
    at = moment(names[day], TUESDAY + 3_600_000)
    assert at % 86_400_000 == 0
    assert (TUESDAY - at) // 86_400_000 == (1 - day) % 7


def test_at_midnight_the_day_that_ended_is_the_last_of_its_name() -> None:
    """On Tuesday at 00:00 `since monday` is yesterday, no week ago."""
    assert read_span("since monday", TUESDAY)[0].start == "2025-12-01"
    assert read_span("since monday", TUESDAY + 1)[0].start == "2025-12-01"
    assert read_span("since tuesday", TUESDAY)[0].start == "2025-11-25"


@pytest.mark.parametrize(
    ("text", "begins"),
    [("whether one or two months carry it", False), ("trend 1 or 2 months", False), ("pnl two months trend", True)],
)
def test_one_or_two_months_is_no_window(words: Words, text: str, *, begins: bool) -> None:
    """A number after `or` is a choice."""
    assert bool(read_slots(text, words).span.start) == begins


@pytest.mark.parametrize("asked", ["backtest trend on btc since january", "does trend beat buy and hold on btc since january"])
def test_a_run_since_a_month_ends_now(words: Words, asked: str) -> None:
    """Recorded bars go beyond the desk's time: it is cut, and said."""
    desk = Desk("developer", words)
    answer = desk.ask(asked)
    (args,) = [args for name, args in desk.called if name == "backtest"]
    assert args["end"][:10] in answer.partition("\n")[0]
    assert answer.startswith("Until ")


@pytest.mark.parametrize(
    "asked", ["are we getting worse lately", "is it getting worse lately", "is our hit rate getting worse lately"]
)
@pytest.mark.parametrize(
    ("rate", "word"), [(0.32, "Cannot be told"), (0.1, "Yes, a worse hit rate"), (0.7, "Yes, a better hit rate")]
)
def test_lately_is_the_last_week_against_what_was_before(words: Words, asked: str, rate: float, word: str) -> None:
    """By their hit rates and what chance allows."""
    desk = Desk("advisor", words, trips=ok("trips", "{k1.trips} round trips"))
    desk.facts = _Facts(iter((rate, 0.33)))
    answer = desk.ask(asked)
    assert [args for name, args in desk.called if name == "trips"] == [{"since": "7d"}, {"until": "7d"}]
    assert f"{word} from chance" in answer or f"{word} beyond chance" in answer


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("is our clock in sync with the exchange", "Not measured here"),
        ("is binance down", "Whether the venue itself has trouble is not seen here"),
        ("how does the sizing work", "An entry risks a share of the sleeve's equity"),
        ("is funding in the backtest", "the recorded funding where its answer says"),
        ("mail the report to my boss", "A chat answer is text and tables; a chat sends no mail"),
        ("how many bars were late or missing since monday, per sleeve", "No tool counts bars that were late"),
    ],
)
def test_the_one_thing_asked_about_leads(words: Words, asked: str, first: str) -> None:
    """Before the table of a neighbour."""
    role: Role = "developer" if "sweep" in asked or "backtest" in asked else "operator"
    assert first in Desk(role, words).ask(asked)[:300]


@pytest.mark.parametrize("asked", ["when was the last halt", "was there a halt", "have we ever been halted?"])
@pytest.mark.parametrize("halted", [True, False])
def test_a_halt_is_said_first(words: Words, asked: str, *, halted: bool) -> None:
    """Of all of the journal; none is said too."""
    rows = (("2025-06-01 02:00Z", "d-9", "halt", "", "drawdown"),) if halted else ()
    desk = Desk("operator", words, journal_search=ok("journal_search")._replace(table=Table(JOURNAL, rows)))
    desk.answers["health"] = shown("health", "what state found", ("halt", "ok", "no halt"))
    first = desk.ask(asked).partition("\n")[0]
    assert ("2025-06-01" in first, "Now: no halt." in first) == (halted, halted)
    assert desk.called[0][1]["since"] < "2010"


@pytest.mark.parametrize("asked", ["how far back does the btc data go", "what is the oldest btc data we have"])
def test_how_far_back_is_the_oldest_of_each_series(words: Words, asked: str) -> None:
    """Not one of the rows as they come."""
    rows = (("BTC-USDT", "15m", 5.0, 9.0), ("BTC-USDT", "15m", 2.0, 9.0), ("BTC-USDT", "1h", 1.0, 9.0))
    desk = Desk("developer", words, list_data=ok("list_data")._replace(table=Table(("symbol", "series", "first", "last"), rows)))
    first = desk.ask(asked).partition("\n")[0]
    assert "1h of BTC-USDT from 1.0" in first
    assert "15m of BTC-USDT from 2.0" in first
    assert "5.0" not in first


def test_without_a_model_round_trips_have_no_regime(words: Words) -> None:
    """The one row of a split is no answer."""
    desk = Desk(
        "advisor", words, trips=ok("trips")._replace(table=Table(("regime", "trips", "net"), (("none read", 10, -67.0),)))
    )
    assert desk.ask("in which regime does btc-trend earn").startswith("Not known: no entry was decided by a model of regimes")


@pytest.mark.parametrize(
    ("text", "begins"), [("a first and second half", None), ("first and a second half", None), ("h2 of 2025", "2025-07-01")]
)
def test_both_halves_of_a_run_are_no_half_of_the_year(text: str, begins: str | None) -> None:
    """A half beside the other one is of what is spoken of."""
    assert read_span(f"split the run into {text}", TUESDAY)[0].start == begins


@pytest.mark.parametrize("asked", ["read me my notes", "what else do you remember about us", "show my notes"])
def test_what_is_remembered_is_all_of_it(words: Words, asked: str) -> None:
    """Words of the question are no words to search for."""
    desk = Desk("advisor", words)
    desk.ask(asked)
    assert desk.called == [("memory", {})]


@pytest.mark.parametrize("text", ["better off just holding", "did it beat holding", "more than hold"])
def test_holding_a_coin_is_no_holding_time(text: str) -> None:
    """`how long we hold` is one."""
    table = Table(("sleeve", "trips", "net", "median_hold_ms"), ())
    assert not heads_of(table, text)
    assert heads_of(table, "how long do we hold")


def test_alerts_of_a_window_of_the_desk_say_that_it_is_not_theirs(words: Words) -> None:
    """Alerts have wall time; `last night` is of wall time too."""
    desk = Desk("operator", words)
    desk.ask("what happened between 18:00 and 23:00 yesterday")
    assert desk.ask("any alerts in there?").startswith("Alerts have wall time")
    assert not desk.ask("which alerts came last night").startswith("Alerts have wall time")


@pytest.mark.parametrize(("rule", "acts"), [("exposure", True), ("leverage", True), ("drawdown", False), ("daily loss", False)])
def test_what_a_limit_does_to_an_entry(words: Words, rule: str, *, acts: bool) -> None:
    """Those that refuse it; a drawdown halts, a daily loss pauses."""
    assert ("would go beyond it is refused" in Desk("operator", words).ask(f"what does the {rule} guardrail do")) == acts
