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
        ("since when", "Below the peak of {f1.peak}, 5 d so far"),
        ("and since which day", "Below the peak of {f1.peak}"),
        ("was it ever worse than this", "No. The present one is the deepest: {f1.depth}"),
        ("is that the worst so far", "Yes. The present one is the deepest: {f1.depth}"),
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
        ("and against cash", "No: cash makes nothing"),
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
