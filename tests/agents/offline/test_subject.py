"""What a sentence points at in what stands above: the thing is found in any table, and the question is asked of it."""

from types import SimpleNamespace
from typing import Any

import pytest

from agents.offline.words import Words
from tests.agents.offline.test_asked_of_anything import listed
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table

DAY_MS = 86_400_000
NOVEMBER = 1_761_955_200_000
DAYS = Table(("day", "net", "fees"), tuple((f"2025-11-0{n} 00:00Z", f"{{y{n}.net}}", f"{{y{n}.fees}}") for n in (3, 4, 5)))
FALLS = Table(
    ("drawdown", "depth", "money", "peak", "trough", "recovered", "lasted"),
    (
        ("1", "{f1.depth}", "5", "{f1.peak}", "{f1.trough}", "not recovered", "5 d"),
        ("2", "{f2.depth}", "2", "{f2.peak}", "{f2.trough}", "-", "1 d"),
    ),
)
TRIPS = Table(
    ("trip", "sleeve", "side", "net", "entry_ms", "exit_ms"),
    tuple(
        (f"t{n}", sleeve, side, f"{{t{n}.net}}", f"{{t{n}.in}}", f"{{t{n}.out}}")
        for n, sleeve, side in ((1, "btc-trend", "long"), (2, "eth-trend", "short"), (3, "btc-trend", "short"))
    ),
)
FOLDS = Table(
    ("test window", "chosen", "return"),
    (("2025-05-01 to 2025-05-31", "stop_atr 3.0", "{w1.s}"), ("2025-06-01 to 2025-06-30", "stop_atr 2.0", "{w2.s}")),
)
VALUES: dict[str, float] = {
    "y3.net": 4.0, "y4.net": -9.0, "y5.net": 2.0, "y3.fees": 1.0, "y4.fees": 2.0, "y5.fees": 3.0,
    "f1.depth": 0.02, "f2.depth": 0.01, "f1.peak": NOVEMBER + 4 * DAY_MS, "f1.trough": NOVEMBER + 9 * DAY_MS,
    "f2.peak": NOVEMBER, "f2.trough": NOVEMBER + DAY_MS,
    "w1.s": -2.0, "w2.s": 1.0,
    **{f"t{n}.net": -float(n) for n in (1, 2, 3)},
    **{f"t{n}.in": NOVEMBER + n * DAY_MS for n in (1, 2, 3)},
    **{f"t{n}.out": NOVEMBER + n * DAY_MS + 3_600_000 for n in (1, 2, 3)},
}  # fmt: skip


def desk_of(words: Words, role: str = "advisor", **tables: Table) -> Desk:
    """A thread whose tools answer with these tables."""
    desk = Desk(role, words, **{name: listed(name, table) for name, table in tables.items()})
    desk.facts = {name: SimpleNamespace(value=value) for name, value in VALUES.items()}
    return desk


def window(call: tuple[str, dict[str, Any]]) -> tuple[Any, Any]:
    """The window of a call."""
    return call[1].get("since"), call[1].get("until")


@pytest.mark.parametrize(
    "asked",
    [
        "which of the sleeves caused that",
        "what were the slippage costs during that fall",
        "how many round trips in that drawdown",
    ],
)
def test_a_drawdown_is_the_window_of_what_is_asked_about_it(words: Words, asked: str) -> None:
    """From its peak to its trough, the deepest where none is named."""
    desk = desk_of(words, performance=FALLS)
    desk.ask("what is our max drawdown")
    desk.ask(asked)
    assert window(desk.called[-1]) == ("2025-11-05", "2025-11-10")


@pytest.mark.parametrize(
    "asked",
    ["list the fills of the worst day", "which stops were hit on the worst day", "the worst day: how many trips was that"],
)
def test_a_day_by_its_rank_is_the_window(words: Words, asked: str) -> None:
    """Of the days that are shown, not of the window they were asked for."""
    desk = desk_of(words, pnl=DAYS)
    desk.ask("p&l by day")
    desk.ask(asked)
    assert window(desk.called[-1]) == ("2025-11-04", "2025-11-05")
    desk.ask("and which fills did btc have that day")
    assert window(desk.called[-1]) == ("2025-11-04", "2025-11-05")
    assert desk.called[-1][1].get("sleeve") == "btc-trend"


@pytest.mark.parametrize(
    ("asked", "begins"),
    [
        ("the third, was it a short", "t3, row 3 of 3: side short"),
        ("which sleeve was row 2", "t2, row 2 of 3: sleeve eth-trend"),
        ("second one: how long did it run", "t2 was held"),
        ("for how long was number 3 open", "t3 was held"),
    ],
)
def test_a_row_by_its_place_in_any_part_of_the_sentence(words: Words, asked: str, begins: str) -> None:
    """Its cell, or what is worked out of it."""
    desk = desk_of(words, trips=TRIPS, calc=Table(("x",), ()))
    desk.answers["calc"] = ok("calc", "x = {c1.value}")
    desk.ask("the 3 worst trades")
    assert desk.ask(asked).startswith(begins)


@pytest.mark.parametrize(
    "asked", ["why did the second one lose", "row 2 - what happened there", "what triggered the second trade"]
)
def test_the_reason_of_a_row_is_what_opened_or_ended_it(words: Words, asked: str) -> None:
    """The fills of that trade, of its sleeve alone."""
    desk = desk_of(words, trips=TRIPS)
    desk.ask("the 3 worst trades")
    desk.ask(asked)
    assert desk.called[0][0] == "journal_search"
    assert desk.called[0][1]["sleeve"] == "eth-trend"


@pytest.mark.parametrize("asked", ["what happened with the fifth one", "row 9, why", "how long was number 7 held"])
def test_a_row_that_is_not_there_is_asked_back_about(words: Words, asked: str) -> None:
    """Nothing is looked up in its place."""
    desk = desk_of(words, trips=TRIPS)
    desk.ask("the 3 worst trades")
    assert desk.ask(asked).startswith(("The table above has 3 rows", "The last table has 3 rows"))
    assert desk.called == []


@pytest.mark.parametrize("asked", ["which parameters did that one choose", "what had it picked for that fold"])
def test_a_fold_that_was_ranked_says_what_it_chose(words: Words, asked: str) -> None:
    """From its own row; no strategy is explained in its place."""
    desk = desk_of(words, "developer", walkforward=FOLDS)
    desk.ask("do a walk-forward of trend on btc")
    desk.ask("which fold was the worst")
    assert desk.ask(asked).startswith("2025-05-01 to 2025-05-31: chosen stop_atr 3.0")


@pytest.mark.parametrize(
    "asked", ["and if you leave that day out", "without that day what remains", "take that day away, what is left"]
)
def test_the_rest_without_what_was_singled_out(words: Words, asked: str) -> None:
    """The sum of the others, beside all."""
    desk = desk_of(words, pnl=DAYS)
    desk.answers["calc"] = ok("calc", "x = {c1.value}")
    desk.ask("p&l by day")
    desk.ask("what happened on the worst day")
    assert desk.ask(asked).startswith("Without 2025-11-04 00:00Z: {c1.value}")
    assert desk.called[0][1]["expression"] == "y3.net+y5.net"


@pytest.mark.parametrize(
    "lead", ["ok, never mind that. ", "Right. Different question: ", "forget it, ", "enough of that. ", "something else - "]
)
def test_a_change_of_subject_is_a_first_question(words: Words, lead: str) -> None:
    """Nothing of the thread narrows it."""
    desk = desk_of(words, pnl=DAYS)
    desk.ask("p&l of btc-trend by day since 2025-11-20")
    desk.ask(f"{lead}how many round trips did we make?")
    assert desk.called == [("trips", {})]


@pytest.mark.parametrize(
    ("asked", "starts"),
    [("and the week after", "2025-11-17"), ("the following week", "2025-11-17"), ("the week before that", "2025-11-03")],
)
def test_a_window_moves_both_ways(words: Words, asked: str, starts: str) -> None:
    """As long as it was."""
    desk = desk_of(words)
    desk.ask("round trips from 2025-11-10 to 2025-11-17")
    desk.ask(asked)
    assert str(desk.called[-1][1]["since"]).startswith(starts)
