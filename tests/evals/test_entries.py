"""What tools declare about how they are asked for: every example is a promise that the planner keeps."""

import pytest

from agents.offline.entries import AskedEntry, entries
from agents.offline.model import part_of
from agents.offline.unused import unused_of
from agents.offline.words import Words

EXAMPLES = [(entry, example) for entry in entries() for example in entry.asked.examples]
ALIKE = {"propose_config": "propose_tightening", "propose_tightening": "propose_config"}


@pytest.mark.parametrize(("entry", "example"), EXAMPLES, ids=[f"{e.tool.name}: {text[:50]}" for e, text in EXAMPLES])
def test_an_example_chooses_its_tool_and_leaves_nothing_out(entry: AskedEntry, example: str, words: Words) -> None:
    """What a tool says it can be asked is answered by that tool, with every word of it used."""
    part = part_of(example, words, ())
    assert part.chosen is not None, part
    assert part.chosen.entry.tool.name in (entry.tool.name, ALIKE.get(entry.tool.name))
    left = unused_of(part.chosen, part.slots)
    assert (left.turns, left.pieces) == ((), ())


def test_every_tool_but_the_calculator_can_be_asked_for() -> None:
    """A new tool without an entry could not be reached without a model."""
    from tools.catalog import ENTRIES

    assert [line.tool.name for line in ENTRIES if not line.tool.asked] == ["calc"]
