"""A sentence of its own that looks back: with what the question before was narrowed to. Called by understand.py."""

from collections.abc import Sequence

from agents.offline import above, follow, slots
from agents.offline.parts import Part
from agents.offline.steps import PastTurn
from agents.offline.tables import ranks

_NAMED = {"span", "sleeves", "symbols", "strategies", "ids", "handles"}


def on_frame(part: Part, frame: Part, past: Sequence[PastTurn], *, within: bool) -> Part:
    """A sentence of its own that looks back: with what the one before was narrowed to; what cannot be carried is asked back."""
    assert part.chosen is not None  # noqa: S101 - asked before
    assert frame.chosen is not None  # noqa: S101 - asked before
    of_a_day = frame.chosen.entry.tool.name == "pnl" and (frame.slots.which or ranks(frame.slots.text))
    counted = frame.chosen.entry.tool.name == "journal_search" and frame.slots.count is not None  # `slippage on those`, of five
    if (of_a_day or counted) and follow.points_back(part.slots):  # `which sleeve was that from`: its window is not kept
        return part._replace(lost=("that",))
    tools = (part.chosen.entry.tool.name, frame.chosen.entry.tool.name)
    same = tools[0] == tools[1] and not part.slots.places.keys() & {"span", "sleeves", "symbols", "everything"}
    failed = [r for turn in past[-1:] for r in turn.results if r.name in follow.RUNS and r.status != "ok"]
    if failed and not within and not part.slots.places.keys() & _NAMED and part.chosen.entry.takes("subject"):
        return Part(part.text, part.slots, call=above.no_more(failed[-1]))
    if not (bound := within or follow.looks_back(part.slots)) and not same:
        return part._replace(frame=None)
    made = any(result.name in follow.RUNS and result.status == "ok" for turn in past for result in turn.results)
    if tools[1] in follow.RUNS and not (made or within) and bound and part.chosen.entry.takes("subject"):
        return part._replace(lost=("the run above, which was not made",))
    carried, lost = follow.carried(part.slots, frame.slots, frame.chosen.entry, part.chosen)
    out = part.slots.out
    if out is not None and carried.by and not part.slots.by and out[0] not in ("side", "outcome", *carried.by):
        lost = (*lost, slots.words_of("by", carried.by))  # what is left out is added up over another split
    if within or (not follow.bound(part.slots) and follow.family(tools[0]) != follow.family(tools[1])):
        return part._replace(slots=carried, frame=None)
    if lost and not bound:
        return part._replace(frame=None)
    if lost or part.lost:
        return part._replace(lost=(*lost, *part.lost), slots=carried, own=part.slots)
    carries = tools[0] == tools[1] and not follow.of_it(part.slots)
    return part._replace(slots=carried, kept=follow.kept(carried, part.slots), carries=carries, frame=None)
