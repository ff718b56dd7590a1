"""What tools declare about how they are asked for: every example is a promise that the planner keeps."""

from dataclasses import replace

import pytest

from agents.offline.entries import AskedEntry, entries
from agents.offline.rules import ASKS
from agents.offline.understand import ThreadSoFar, part_of
from agents.offline.words import SleeveName, Words

ENTRIES = list(entries())
ALIKE = {"propose_config": "propose_tightening", "propose_tightening": "propose_config"}
ALIKE["sleeves"] = "joint_risk"  # both show the stops; `which is closest to its stop` is answered by the one with distances


def with_models(words: Words) -> Words:
    """The same desk with a sleeve that reads a stored model."""
    sleeve = SleeveName("btc-vol", "volscaled", "BTC-USDT", "15m", "binance", {}, {"vol-btc": "1.2.0"})
    return replace(words, sleeves=(*words.sleeves, sleeve), models={"vol-btc": ("1.2.0", "1.3.0")})


@pytest.mark.sample(8)
@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.ask for entry in ENTRIES])
def test_an_example_chooses_its_tool_and_leaves_nothing_out(entry: AskedEntry, words: Words) -> None:
    """What a tool says it can be asked is answered by that tool, with every word of it used."""
    words = with_models(words) if entry.ask in ASKS else words
    parts = {example: part_of(example, ThreadSoFar(words)) for example in entry.asked.examples}
    chosen = {example: part.chosen.entry.tool.name if part.chosen else "" for example, part in parts.items()}
    wanted = (entry.tool.name, ALIKE.get(entry.tool.name))
    assert {example: tool for example, tool in chosen.items() if tool not in wanted} == {}
    assert {example: part.lost for example, part in parts.items() if part.lost} == {}


def test_every_tool_but_those_for_models_alone_can_be_asked_for() -> None:
    """A new tool without an entry could not be reached without a model. A sum, further schemas and drafts of code are a model's
    needs; people have `nightdesk report`, `drift`, `status` (the phase), `journal explain`, and their own files."""
    from tools import catalog

    without = [line.tool.name for line in catalog.ENTRIES if not line.tool.asked]
    assert without == ["calc", "more_tools", "strategy_code", "drift", "draft_strategy"]
