"""What earlier questions of a thread were read as, kept between its turns: each turn reads those before it, too.

Called by model.py, which reads each question once, and by understand.py, when it is an earlier one. A reading hangs on the turns
before it, which have ended and do not change, on the vocabulary, on the role's tools, and on the facts that it looked for: those
are compared each time.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agents.offline.parts import Part
from agents.offline.steps import PastTurn
from agents.offline.words import Words

KEPT_MAX = 512  # readings of a process; the oldest give way


class KeptReading(NamedTuple):
    """A question as it was read, and the facts that were looked for: reference -> fact, None where there was none."""

    part: Part
    seen: Mapping[str, Any]


class SeenFacts(Mapping[str, Any]):
    """The facts of a thread, with a note of each that was looked for."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts, self.seen = facts, dict[str, Any]()

    def __getitem__(self, ref: str) -> Any:
        self.seen[ref] = self.facts.get(ref)
        return self.facts[ref]

    def __iter__(self) -> Iterator[str]:
        self.seen.update(self.facts)
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)


_KEPT: dict[tuple[Any, ...], KeptReading] = {}


def keep(before: Sequence[PastTurn], asked: str, words: Words, tools: frozenset[str] | None, found: KeptReading) -> None:
    """Keep how a question was read behind those turns, where all of them are stored."""
    if all(turn.id for turn in before):
        while len(_KEPT) >= KEPT_MAX:
            _KEPT.pop(next(iter(_KEPT)), None)
        _KEPT[*(turn.id for turn in before), asked, words, tools] = found


def kept(
    before: Sequence[PastTurn], asked: str, words: Words, tools: frozenset[str] | None, facts: Mapping[str, Any]
) -> KeptReading | None:
    """How the question was read behind those turns; None where it was not, or with other facts."""
    found = _KEPT.get((*(turn.id for turn in before), asked, words, tools))
    return found if found is not None and all(facts.get(ref) == fact for ref, fact in found.seen.items()) else None
