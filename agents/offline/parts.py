"""The parts of a question as they are read. Called by understand.py and model.py: what one clause wants, and one asked of each of
several sleeves."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from agents.offline import slots
from agents.offline.account import tokens_of, words_left
from agents.offline.choose import SPOKEN_RUN, Chosen
from agents.offline.labels import NO
from agents.offline.learned import Guess
from agents.offline.read_back import PlannedCall
from agents.offline.slots import COUNTED
from agents.offline.steps import PlannedAnswer
from agents.offline.ways import Way
from agents.offline.words import PATTERNS, Words, says, tidy
from tools.common.contract import Effect
from tools.exposure import glossary

ALIKE = {"propose_config": "propose_tightening", "propose_tightening": "propose_config"}  # one wish, a tool for each role


CLAUSE_SURE = 0.6  # of a clause that is a question of its own
HALF_SURE = 0.85  # of a half that begins with no verb


class Part(NamedTuple):
    """One thing a question wants: a way, or an entry with its slots, or nothing that is sure enough."""

    text: str
    slots: slots.Slots
    way: Way | None = None
    chosen: Chosen | None = None
    own: slots.Slots | None = None  # of a sentence that goes on: what it names itself
    aside: bool = False  # a question about what stands above: nothing goes on with it
    call: PlannedCall | PlannedAnswer | Callable[..., Any] | None = None  # of something above, or a plan of its own
    left: tuple[str, ...] = ()  # words that nothing here knows
    frame: "Part | None" = None  # the question before, where it could not be gone on with
    lost: tuple[str, ...] = ()  # what would be left out of that, or of the sentence: asked back about
    beyond: tuple[str, ...] = ()  # what the answer cannot be narrowed to: named before it
    unsure: tuple[Guess, ...] = ()  # what else may be meant, where the reading is answered and not sure
    faint: bool = False  # the others are as likely: said before the answer
    kept: tuple[str, ...] = ()  # what it is narrowed to without naming it, as before
    carries: bool = False  # it goes on with a call of its own tool, with what that was narrowed to
    maybe: tuple[Guess, ...] = ()  # what may be meant, where nothing is sure: asked back about
    ask: str = ""  # what it was read as: a label

    @property
    def empty(self) -> bool:
        """Whether nothing in it was understood."""
        return self.chosen is None and self.way is None and self.call is None


def by_sleeve(parts: Sequence[Part]) -> list[Part]:
    """A question about two or three sleeves by name is asked of each, where the tool reads one at a time."""
    split: list[Part] = []
    for part in parts:
        entry, named = part.chosen.entry if part.chosen else None, part.slots.sleeves
        each = entry is not None and entry.takes("sleeve") and not entry.takes("symbol") and entry.tool.effect is Effect.READ
        beside = {"sleeve", "symbol"} & set(part.slots.by)  # the split sets them beside each other
        by_name = len(set(part.slots.symbols)) + len(part.slots.places.get("sleeves", ())) > 1
        by_name |= bool(part.slots.places.get("strategies"))  # `how long does a trade last in trend`: of each that trades by it
        by_name &= SPOKEN_RUN.search(part.slots.text) is None  # of one run
        by_name &= part.ask != "sleeves settings" or says("plans.differ", part.slots.text) is None  # set beside each other
        if each and not beside and by_name and 1 < len(named) <= 3:
            split += [part._replace(slots=replace(part.slots, sleeves=(name,), symbols=())) for name in named]
        else:
            split.append(part)
    return split


def beside(parts: Sequence[Part]) -> Part | None:
    """`cant sleep. did we lose anything`: the one clause that surely asks. The others name nothing: named as not used."""
    asks = [part for part in parts if part.ask not in ("way thanks", "way own_words", "way help", NO) and _certain(part)]
    others = [part for part in parts if asks and part is not asks[0]]
    if len(asks) != 1 or any(part.slots.places.keys() - {"place", "ever"} for part in others):
        return None
    return asks[0]._replace(left=(*asks[0].left, *(part.text.strip(" ,;.?!") for part in others)))


def _certain(part: Part) -> bool:
    """Whether a clause by itself is a question that is answered, or asks for a change that it spells out."""
    if part.chosen is None or part.unsure:
        return part.way is not None
    if part.chosen.entry.proposes:
        return not part.lost and bool(part.slots.common) and part.chosen.probability >= CLAUSE_SURE
    return not part.lost and part.chosen.probability >= CLAUSE_SURE


def bare_reading(part: Part) -> bool:
    """Whether a half reads something and sets nothing, so that it needs no other half."""
    entry = part.chosen.entry if part.chosen else None
    sets = part.slots.places.keys() & {"params", "unclear", "axes", "percent"}
    certain = part.chosen.probability if part.chosen else 0.0
    return entry is not None and entry.tool.effect is Effect.READ and not sets and certain >= HALF_SURE


def with_first(text: str, first: str, words: Words) -> str:
    """A clause about the word that the first one asks for (`and what is ours`), with that word."""
    if not PATTERNS["understand.of_first"].match(tidy(text, words)):
        return text
    keys, said = slots.read_slots(first, words).keys, tidy(first, words)
    word = max((of for of in glossary() if len(of) > 2 and re.search(rf"\b{re.escape(of)}\b", said)), key=len, default="")
    return f"what is {keys[0]} of all sleeves" if keys else f"what is our {word}" if word else text


def picked_of(read: slots.Slots, waits: Part) -> Guess | None:
    """Which of what was asked back about a short answer picks: `1`, `the second one`, `yes`."""
    words = tokens_of(read)
    if not waits.maybe or len(words) > 4 or words_left(read):
        return None
    number = next((int(t.word) for t in words if t.word.isdigit()), None) or next(
        (COUNTED[t.word] for t in words if t.word in COUNTED and (t.word != "one" or len(words) == 1)), None
    )  # the `one` of `which one did it` is no number
    place = read.place if read.place is not None else number - 1 if number else 0 if _YES(read.text) else None
    return waits.maybe[place]._replace(probability=1.0) if place is not None and 0 <= place < len(waits.maybe) else None


_YES: Callable[[str], object] = PATTERNS["understand.go_ahead"].match
