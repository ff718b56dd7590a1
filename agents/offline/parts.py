"""The parts of a question as they are read. Called by understand.py and model.py: what one clause wants, and two as one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from agents.offline import slots
from agents.offline.choose import Chosen
from agents.offline.read_back import PlannedCall
from agents.offline.steps import PlannedAnswer
from agents.offline.ways import Way
from agents.offline.words import PATTERNS
from tools.common.contract import Effect

_TERM = PATTERNS["understand.term"]
ALIKE = {"propose_config": "propose_tightening", "propose_tightening": "propose_config"}  # one wish, a tool for each role


class Part(NamedTuple):
    """One thing a question wants: a way, or an entry with its slots, or nothing that is understood."""

    text: str
    slots: slots.Slots
    way: Way | None = None
    chosen: Chosen | None = None
    own: slots.Slots | None = None  # of a sentence that goes on: what it names itself
    aside: bool = False  # a question about what stands above: nothing goes on with it
    call: PlannedCall | PlannedAnswer | None = None  # of something that stands above, or what is read from it
    left: tuple[str, ...] = ()  # clauses beside it that nothing answers
    frame: "Part | None" = None  # the question before, where it could not be gone on with
    lost: tuple[str, ...] = ()  # what would be left out of that, or of the sentence: asked back about
    kept: tuple[str, ...] = ()  # what it is narrowed to without naming it, as before
    carries: bool = False  # it goes on with a call of its own tool, with what that was narrowed to

    @property
    def term(self) -> str:
        """The word whose meaning it asks for; empty for anything else."""
        found = _TERM.search(self.slots.text) if self.chosen and self.chosen.entry.tool.name == "define" else None
        return found[1] if found else ""

    @property
    def empty(self) -> bool:
        """Whether nothing in it was understood."""
        return self.chosen is None and self.way is None and self.call is None

    @property
    def complete(self) -> bool:
        """Whether it is answered with every word used."""
        return not self.empty and not self.lost


def by_sleeve(parts: Sequence[Part]) -> list[Part]:
    """A question about two or three sleeves by name is asked of each, where the tool reads one at a time."""
    split: list[Part] = []
    for part in parts:
        entry, named = part.chosen.entry if part.chosen else None, part.slots.sleeves
        each = entry is not None and entry.takes("sleeve") and not entry.takes("symbol") and entry.tool.effect is Effect.READ
        if each and 1 < len(named) <= 3 and len(set(part.slots.symbols)) + len(part.slots.places.get("sleeves", ())) > 1:
            split += [part._replace(slots=replace(part.slots, sleeves=(name,), symbols=())) for name in named]
        else:
            split.append(part)
    return split


_SWALLOWS = (*(("compare", "backtest"), ("backtest", "compare")), *ALIKE.items())


def swallowed(first: Part, second: Part) -> bool:
    """Whether two clauses want one thing: a backtest and a comparison of the same."""
    if not (first.chosen and second.chosen):
        return False
    if first.slots.span != second.slots.span and first.slots.span.start and second.slots.span.start:
        return False
    pair = (first.chosen.entry.tool.name, second.chosen.entry.tool.name)
    return pair in _SWALLOWS or (pair[0] == pair[1] and pair[0] in ("compare", "backtest", "list_strategies", *ALIKE))


def swallow(first: Part, second: Part) -> Part:
    """Both as one part, the comparison's entry with the slots of both."""
    name = second.chosen.entry.tool.name if second.chosen else ""
    chosen = second.chosen if name == "compare" else first.chosen
    text = f"{first.slots.text} and {second.slots.text}"
    merged = replace(second.slots.over(first.slots), text=text, places={})
    return Part(f"{first.text} and {second.text}", merged, chosen=chosen, own=slots.Slots())
