"""A thread goes on: of the fall above, of the row that was ranked, of a figure that was shown; what is of neither is not."""

from collections.abc import Sequence
from typing import Any

import pytest

from agents.offline.steps import CallResult
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tests.agents.offline.test_subject import FALLS, desk_of, window
from tools.common.contract import Table

HOURS = Table(("hour", "trips", "net"), (("00", "{h1.trips}", "{t1.net}"), ("05", "{h2.trips}", "{t3.net}")))
RULES = Table(("what", "rule", "times"), (("refused", "entries paused", "{h2.trips}"), ("refused", "daily loss", "{h1.trips}")))


def asked(desk: Desk, questions: Sequence[str]) -> str:
    """The last answer of a thread."""
    return [desk.ask(one) for one in questions][-1]


@pytest.mark.parametrize(
    "blames", ["who is to blame", "who is responsible, btc eth or sol?", "which sleeves contributed to it most"]
)
def test_the_blame_for_a_fall_is_sought_in_its_days(words: Words, blames: str) -> None:
    """Of each sleeve, from the peak to the trough."""
    desk = desk_of(words, performance=FALLS)
    asked(desk, ["how deep was the drawdown", blames])
    assert desk.called[-1][0] == "attribution"
    assert window(desk.called[-1]) == ("2025-11-05", "2025-11-10")


@pytest.mark.parametrize("more", ["how many trades is that", "is that good or bad", "do any of those exclude zero"])
def test_a_ratio_is_of_all_days(words: Words, more: str) -> None:
    """A drawdown stands below it, but was not asked about."""
    desk = desk_of(words, performance=FALLS)
    asked(desk, ["sharpe of the desk", more])
    assert window(desk.called[-1]) == (None, None)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("since when", "from {f1.peak} to {f1.trough}, not recovered"),
        ("and since which day", "from {f1.peak} to {f1.trough}, not recovered"),
        ("was it ever worse than this", "No: the present one is the deepest so far. The deepest: {f1.depth}"),
        ("is that the worst so far", "Yes: the present one is the deepest so far. The deepest: {f1.depth}"),
    ],
)
def test_a_fall_has_its_peak_and_its_rank(words: Words, more: str, said: str) -> None:
    """Not the window of the answer, nor the worst day."""
    assert said in asked(desk_of(words, performance=FALLS), ["how deep is the drawdown", more])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("does it include zero", "Yes: the 95 %"),
        ("do those exclude zero", "No: the 95 %"),
    ],
)
def test_an_interval_includes_zero_or_not(words: Words, more: str, said: str) -> None:
    """Yes or no first."""
    desk = Desk("advisor", words, performance=ok("performance", "desk: Sharpe {p1.sharpe}, return {p1.return_frac}."))
    values = {"sharpe": -4.2, "sharpe_low": -11.0, "sharpe_high": 2.6, "return_frac": -0.01}
    desk.facts = {f"p1.{name}": _Fact(value) for name, value in values.items()}
    assert said in asked(desk, ["what is our sharpe", more])


class _Fact:
    def __init__(self, value: float) -> None:
        self.value = value


def _split(words: Words, **tables: Table) -> Desk:
    desk = desk_of(words, **tables)
    desk.facts |= {"h1.trips": _Fact(6), "h2.trips": _Fact(14)}
    return desk


@pytest.mark.parametrize(
    "thread",
    [
        ["which hour of the day loses the most", "how many trades is that based on"],
        ["p&l by hour", "how many trades sit in the worst bucket"],
        ["net by hour of the day", "the worst hour, how many trips is that"],
    ],
)
def test_a_group_that_was_ranked_has_its_count(words: Words, thread: list[str]) -> None:
    """Of the hour, though no tool narrows to one."""
    assert asked(_split(words, trips=HOURS), thread).startswith("hour 05: trips {h2.trips}")


@pytest.mark.parametrize(
    "more", ["explain the most common one please", "what does the top one check", "and the most frequent one, what does it mean"]
)
def test_a_rule_by_its_rank_is_explained(words: Words, more: str) -> None:
    """It is no word of the glossary."""
    assert "entries paused: a sleeve wanted to enter" in asked(_split(words, counts=RULES), ["count refusals by rule", more])


@pytest.mark.parametrize("more", ["slowest?", "and the longest one", "which one took longest"])
def test_the_longest_of_them_keeps_what_they_were_narrowed_to(words: Words, more: str) -> None:
    """The sleeve and the exit of the answer above."""
    desk = Desk("advisor", words, trips=ok("trips", "1 round trip."))
    asked(desk, ["how long do the target exits of eth take", more])
    args: dict[str, Any] = desk.called[-1][1]
    assert (args["sleeve"], args["exit"], args["listed"]) == ("eth-trend", "target", "longest")


def test_days_that_were_up_are_counted_by_what_they_made(words: Words) -> None:
    """Equity above zero is no gain."""
    days = Table(("day", "net", "equity"), (("2025-11-03", "{y3.net}", "{y3.fees}"), ("2025-11-04", "{y4.net}", "{y4.fees}")))
    desk = desk_of(words, pnl=days)
    assert asked(desk, ["equity at the end of each day last week", "how many of those days were up"]).startswith("1 of 2")


def test_costs_of_stops_come_on_top(words: Words) -> None:
    """The loss to the stops is of prices."""
    risk = CallResult("joint_risk", {}, "ok", "If every stop fills.", None, {}, ())
    desk = Desk("advisor", words, joint_risk=risk)
    assert asked(desk, ["what do we lose if every stop is hit", "does that figure include slippage and fees"]).startswith("No: ")


SELLS = (
    ("2025-12-01 20:00Z", "d-7", "fill", "btc-trend", "sell 1 at 9 to enter"),
    ("2025-12-01 22:15Z", "d-9", "fill", "btc-trend", "buy 1 at 8 by stop"),
)
EVENTS = Table(("desk time", "event", "kind", "sleeve", "what"), SELLS)
EVENT = Table(("event", "what", "value"), (("d-9", "sleeve", "btc-trend"), ("d-9", "trade", "nd1@1")))


@pytest.mark.parametrize("more", ["and is it trading again", "can it trade now", "is it still paused"])
def test_the_sleeve_of_an_event_may_enter_or_not(words: Words, more: str) -> None:
    """`trading` is no column of the event."""
    desk = desk_of(words, journal_search=EVENTS, explain_event=EVENT)
    asked(desk, ["what happened yesterday", "explain the latest one", more])
    assert desk.called[-1] == ("pauses", {"sleeve": "btc-trend"})


@pytest.mark.parametrize(
    ("first", "more", "ends"),
    [
        ("pause btc until thursday 08:00", "make it friday", "until friday 08:00"),
        ("pause eth until friday 18:00", "no, 16:00", "until friday 16:00"),
        ("pause btc until tomorrow 14:00", "no wait, wednesday", "until wednesday 14:00"),
    ],
)
def test_a_pause_keeps_what_a_correction_leaves(words: Words, first: str, more: str, ends: str) -> None:
    """Its time of the day, or its day."""
    filed = CallResult("propose_pause", {}, "ok", "prop-9 filed.", None, {}, ("prop-9",))
    desk = Desk("operator", words, propose_pause=filed)
    asked(desk, [first, more])
    assert desk.called[-1][1]["ends"] == ends


@pytest.mark.parametrize(("more", "ends"), [("sunday too", "16:30"), ("and the 30th", "16:30"), ("the whole sunday", "")])
def test_hours_of_a_day_are_those_of_the_next(words: Words, more: str, ends: str) -> None:
    """But for a whole day."""
    desk = Desk("operator", words)
    asked(desk, ["what went on between 13:00 and 16:30 on saturday", more])
    since, until = window(desk.called[-1])
    assert (since[10:], until[10:]) == (("T13:00", f"T{ends}") if ends else ("", ""))


@pytest.mark.parametrize(
    ("more", "key"), [("how much did it cost in total", "loss_streak_net"), ("are we in one right now", "streak_now")]
)
def test_a_streak_has_its_cost_and_the_present_one(words: Words, more: str, key: str) -> None:
    """Not the sum of all rows, nor an open position."""
    trips = ok("trips", "{t9.trips} round trips of desk.")._replace(
        table=Table(("exit", "trips", "net"), (("stop", "{t9.trips}", "{t1.net}"),))
    )
    desk = Desk("advisor", words, trips=trips)
    assert f"{{t9.{key}}}" in asked(desk, ["what is the longest losing streak", more])


@pytest.mark.parametrize("gap", ["and if it gaps 10 % through them", "what if btc falls 10 %, straight through the stops"])
def test_a_gap_is_one_that_jumps_the_stops(words: Words, gap: str) -> None:
    """Stops fill where the price opens."""
    desk = Desk("advisor", words, joint_risk=CallResult("joint_risk", {}, "ok", "", None, {}, ()))
    asked(desk, ["what do we lose if every stop is hit", gap])
    assert desk.called[-1][1]["gap"] is True


def test_everything_is_no_longer_the_one_coin(words: Words) -> None:
    """That the question before was of."""
    desk = Desk("advisor", words)
    asked(desk, ["what if eth falls 10 %", "now everything 10 % up instead"])
    assert "symbol" not in desk.called[-1][1]


def test_one_of_several_runs_is_asked_back(words: Words) -> None:
    """It is no sleeve of the desk."""
    rows = tuple((f"r-20251201-0000000{n}", "trend on BTC-USDT 15m", "2025-01-01", "2025-02-01") for n in (1, 2))
    desk = desk_of(words, "developer", run=Table(("run", "about", "first", "last"), rows))
    assert asked(desk, ["which runs are stored", "the btc one, trades by exit"]).startswith("2 of the runs above are btc")


@pytest.mark.parametrize(
    ("role", "first", "more", "tool", "args"),
    [
        ("operator", "is the worker running", "what did we miss while it was down", "health", {}),
        ("operator", "is the worker running", "any bars lost because of it", "health", {}),
        ("advisor", "what is our exposure", "was it ever above 2", "desk", {}),
        ("advisor", "how much do we lose if every stop is hit", "and in atr?", "joint_risk", {}),
        ("advisor", "what did we pay in fees in november", "and for each trade", "trips", {"since": "2025-11-01"}),
        (
            "developer",
            "which bars of eth are there on okx",
            "and on binance",
            "list_data",
            {"symbol": "ETH-USDT", "venue": "binance"},
        ),
    ],
)
def test_what_is_left_open_is_of_the_answer_above(
    words: Words, role: str, first: str, more: str, tool: str, args: dict[str, str]
) -> None:
    """Asked of the tool that has it, with what the question before was narrowed to."""
    found = {name: ok(name) for name in ("health", "exposure", "joint_risk", "attribution", "trips", "list_data", "desk")}
    desk = Desk(role, words, **found)
    asked(desk, [first, more])
    called = next(call for call in desk.called if call[0] == tool)
    assert args.items() <= called[1].items()


@pytest.mark.parametrize(
    ("first", "more", "key"),
    [
        ("sweep fast_bars 20 30 40 for trend on eth in 2025", "is 20 really better than 30", "fast_bars"),
        ("sweep stop_atr 1 2 3 for trend on btc in 2025", "2 against 3, is that noise", "stop_atr"),
    ],
)
def test_two_values_of_a_search_are_compared(words: Words, first: str, more: str, key: str) -> None:
    """The verdict of the whole search says nothing of these two."""
    desk = Desk("developer", words, sweep=ok("sweep"))
    asked(desk, [first, more])
    tool, args = desk.called[-1]
    assert tool == "compare"
    assert [change["key"] for variant in args["variants"] for change in variant["changes"]] == [key, key]


@pytest.mark.parametrize(
    "end", ["and in each half", "does that hold in both halves", "the first half and the second half separately"]
)
def test_halves_are_of_the_window_above(words: Words, end: str) -> None:
    """Two runs, one after the other."""
    desk = Desk("developer", words, backtest=ok("backtest"))
    asked(desk, ["backtest trend on btc from 2025-01-01 to 2025-03-02", end])
    windows = [(args["start"], args["end"]) for _, args in desk.called]
    assert windows == [("2025-01-01", "2025-01-31"), ("2025-01-31", "2025-03-02")]
