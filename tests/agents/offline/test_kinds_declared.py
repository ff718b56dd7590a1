"""How a kind of short sentence is declared: its words read its own examples, and what it is of is asked before it finds."""

import re

import pytest

from agents.offline.above_kinds import KINDS, first
from agents.offline.slots import read_slots
from agents.offline.steps import CallResult, PastTurn
from agents.offline.turn_above import Kind, Kinds, ShortSentence, TurnAbove
from agents.offline.words import Words
from tools.common.contract import Table

ROWS = Table(("metric", "value"), (("net", "1"),))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.finds.__name__)
def test_a_kind_reads_an_example_of_its_own(kind: Kind, words: Words) -> None:
    """Each says in its docstring which sentences it is for."""
    examples = re.findall(r"`([^`]+)`", kind.finds.__doc__ or "")
    assert any(kind.form.search(read_slots(text, words).text) for text in examples)


def above(words: Words, status: str = "ok", table: Table | None = ROWS) -> TurnAbove:
    """A thread that asked for the P&L last."""
    return TurnAbove([PastTurn("p&l", (CallResult("pnl", {}, status, "text", table, {}, ()),))], {}, words)


@pytest.mark.parametrize(
    ("text", "status", "table", "found"),
    [
        ("ping it", "ok", ROWS, "ping"),
        ("ping", "ok", ROWS, None),  # speaks of nothing above
        ("ping it on btc", "ok", ROWS, None),  # names something itself
        ("ping it and it and it", "ok", ROWS, None),  # too long
        ("ping it", "failed", ROWS, None),
        ("ping it", "ok", None, None),
        ("pong it", "ok", ROWS, None),
    ],
)
def test_a_kind_is_of_what_it_declares(text: str, status: str, table: Table | None, found: str | None, words: Words) -> None:
    """Words, length, tool, status, table, and whether it speaks of one thing: each by itself keeps a sentence out."""
    kinds = Kinds()

    @kinds(r"\bping\b", 4, ("pnl",), table=True, back=True)
    def finds(heard: ShortSentence) -> str:
        return str(heard.found[0])

    (kind,) = kinds
    assert kind.of_it(read_slots(text, words), above(words, status, table)) == found
    other = kind._replace(of=("trips",))
    assert other.of_it(read_slots(text, words), above(words, status, table)) is None


def test_the_first_kind_that_fits_is_taken(words: Words) -> None:
    """`how many trades was that` after a P&L is asked with what it leaves out."""
    assert first(read_slots("how many trades was that", words), above(words)).startswith("how many trades did we make")
