"""What is worked out over the rows above: each sum is a call of `calc`, of the cells that the answer before showed."""

from types import SimpleNamespace
from typing import Any

import pytest

from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table

HEADS = ("exit", "trips", "net", "fees")
MADE = {"target": (6, 90.0, 6.0), "trail": (11, -20.0, 5.0), "stop": (11, -60.0, 9.0)}
SPLIT = Table(HEADS, tuple((name, *(f"{{k{n}.{head}}}" for head in HEADS[1:])) for n, name in enumerate(MADE, 1)))
FACTS = {
    f"k{n}.{head}": SimpleNamespace(value=value)
    for n, row in enumerate(MADE.values(), 1)
    for head, value in zip(HEADS[1:], row, strict=True)
}
LISTED = Table(
    ("trip", "net", "entry_ms", "exit_ms"),
    tuple((f"t{n}", f"{{j{n}.net}}", f"{{j{n}.entry_ms}}", f"{{j{n}.exit_ms}}") for n in (1, 2)),
)
TIMES = {
    f"j{n}.{name}": SimpleNamespace(value=value)
    for n in (1, 2)
    for name, value in (("net", -1.0), ("entry_ms", 0), ("exit_ms", 9))
}


def after(words: Words, table: Table, facts: dict[str, Any], first: str) -> Desk:
    """A thread that has shown a table of round trips."""
    desk = Desk("developer", words, trips=ok("trips", "<trips>")._replace(table=table), calc=ok("calc", "x = {c1.value}"))
    desk.facts = facts
    desk.ask(first)
    return desk


@pytest.mark.parametrize(
    ("text", "expressions", "said"),
    [
        ("how much did the stops cost in total", ["k3.net"], "Net of stop: {c1.value}."),
        ("sum of these three?", ["k1.net+k2.net+k3.net"], "Net of target, trail, stop: {c1.value}."),
        ("drop the best one, still positive?", ["k2.net+k3.net", "k1.net+k2.net+k3.net"], "No. Without target: {c1.value}"),
        ("and if you leave out the stops, still green?", ["k1.net+k2.net", "k1.net+k2.net+k3.net"], "Yes. Without stop: "),
        ("what's the avg loss per stop", ["k3.net/k3.trips"], "Net per round trip: stop {c1.value} over {k3.trips}."),
        ("which ones lost money", [], "2 of 3 are below zero: stop ({k3.net}), trail ({k2.net})."),
    ],
)
def test_rows_are_summed_left_out_and_counted(words: Words, text: str, expressions: list[str], said: str) -> None:
    """The verdict first, with the figures by their references."""
    desk = after(words, SPLIT, FACTS, "round trips by exit of btc")
    answer = desk.ask(text)
    assert [args["expression"] for name, args in desk.called if name == "calc"] == expressions
    assert answer.startswith(said)
    assert {name for name, _ in desk.called} <= {"calc"}


def test_fees_are_put_back(words: Words) -> None:
    """Each row before fees and all of them."""
    desk = after(words, SPLIT, FACTS, "round trips by exit of btc")
    assert desk.ask("ok and without fees").startswith("Before fees: target {c1.value} (net {k1.net}, fees {k1.fees}); ")
    assert desk.called[-1][1]["expression"] == "k1.net+(k1.fees)+k2.net+(k2.fees)+k3.net+(k3.fees)"


def test_how_long_one_of_a_list_was_held(words: Words) -> None:
    """From its exit and its entry, of the row that is meant."""
    desk = after(words, LISTED, TIMES, "worst 2 trades of btc")
    assert desk.ask("the second one, how long was it held?").startswith(
        "t2 was held {c1.value}, from {j2.entry_ms} to {j2.exit_ms}."
    )
    assert desk.called == [("calc", {"expression": "j2.exit_ms-j2.entry_ms"})]


@pytest.mark.parametrize(
    "text", ["what is our total p&l", "which one lost the most?", "the same for november", "which of them since monday"]
)
def test_another_question_is_none_of_the_rows(words: Words, text: str) -> None:
    """The desk's own figure, a rank, another window."""
    desk = after(words, SPLIT, FACTS, "round trips by exit of btc")
    desk.ask(text)
    assert "calc" not in [name for name, _ in desk.called]


def test_without_its_best_trade_takes_no_sleeve_away(words: Words) -> None:
    """Rows of sleeves are no trades."""
    table = Table(("", "change"), (("sleeve btc-trend", "{a1.change}"), ("sleeve eth-trend", "{a2.change}")))
    desk = Desk("advisor", words, attribution=ok("attribution", "<parts>")._replace(table=table), calc=ok("calc", "x"))
    desk.facts = {f"a{n}.change": SimpleNamespace(value=-1.0 * n) for n in (1, 2)}
    desk.ask("which sleeve made the most")
    desk.ask("and without its best trade")
    assert "calc" not in [name for name, _ in desk.called]
