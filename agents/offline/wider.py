"""What is answered though the tool cannot take all of it, or though its reading is not quite sure: the answer says so first.
Called by understand.py and model.py.

A window, a sleeve, a split or a number that a tool of reading has no argument for makes the answer wider, not another one: of
26 questions back over such a word none was right, of 41 wider answers 17. What denies, sets a condition, files or computes
something, or names what nobody knows, is asked back about all the same: a wider answer would be of another question.
"""

from collections.abc import Sequence
from dataclasses import replace

from agents.offline.account import denies, free, strange_words, words_left
from agents.offline.choose import SHOWN
from agents.offline.drafts import asks_back
from agents.offline.entries import entry_of
from agents.offline.labels import GO_AHEAD, NO
from agents.offline.learned import Guess
from agents.offline.parts import Part
from agents.offline.read_back import what_of
from agents.offline.slots import Slots, given, read_slots
from agents.offline.steps import PlannedAnswer
from agents.offline.words import LISTS, PATTERNS, Words, says
from tools.common.contract import Effect

LIKELY, LIKELY_COMPUTE = 0.15, 0.35  # from here on it is answered, and the answer says how it was read
LIKELY_WAY = 0.25
_EMPTY = ("way thanks", "way own_words", "way help", "way language", "way form")
MARGIN = 1.5  # times as probable as the next: else how it was read stands before the answer
_CHEAP = ("attribution",)  # computes in no time, and stores nothing


def without_statement(question: str, words: Words) -> str:
    """The question without what stands behind it on what a person thinks: `.., i have a feeling it never does`; as it is where
    that names anything.
    """
    question = PATTERNS["wider.reason"].sub(", ", question)  # `.. for btc. reason: ..`: of one change
    said = None if PATTERNS["wider.keeps"].match(question.lower()) else says("wider.feeling", question.lower())
    names = read_slots(said[0], words).places.keys() - {"never", "without"} if said else ()
    return question if said is None or names else question[: said.start()]


def widened(part: Part) -> Part:
    """The part, where all that is lost of it would narrow the answer of a tool that reads: answered, with that named first."""
    chosen = part.chosen
    if chosen is None or not part.lost or free(chosen.entry.tool.name):
        return part
    tool, own = chosen.entry.tool, part.own or part.slots
    above = any(piece == "that" or piece.startswith("the run above") for piece in part.lost)
    if (
        above
        or (own.unclear and PATTERNS["wider.keeps"].match(own.text))
        or (tool.effect is not Effect.READ and tool.name not in _CHEAP)
        or denies(chosen.entry, own)
    ):
        return part  # of one thing that is not known, computed for nothing, or of all but what is asked
    slots, strange = replace(part.slots, filters=(), unit=None), strange_words(own)
    beyond = [piece for piece in part.lost if piece not in strange]  # a word that nothing knows is named if the answer has it not
    return part._replace(slots=slots, lost=(), frame=None, beyond=tuple(dict.fromkeys((*part.beyond, *beyond))))


def likely_meant(listed: Sequence[Guess]) -> list[Guess]:
    """The readings that are answered though none is sure, the likeliest first; none where what files something is likelier."""
    found = [guess for guess in listed[:SHOWN] if guess.probability >= _least(guess.label.ask)]
    files = listed[0].label.ask.startswith(("propose", "note")) and listed[0].probability >= 0.3
    return [] if files else [guess._replace(probability=1.0) for guess in found]


def _least(ask: str) -> float:
    """How probable a reading has to be before it is answered unasked: one that files something never is."""
    if ask in (GO_AHEAD, NO) or ask.startswith(("propose", "note")) or ask in _EMPTY:
        return 2.0
    if ask.startswith("way "):
        return LIKELY_WAY
    entry = entry_of(ask)
    return LIKELY if entry is None or entry.tool.effect is Effect.READ or entry.tool.name in _CHEAP else LIKELY_COMPUTE


def not_sure(part: Part, meant: Guess, listed: Sequence[Guess]) -> Part | None:
    """The part of a likely reading, with what else may be meant; None where it would ask back or file something."""
    proposes = part.chosen is not None and part.chosen.entry.tool.effect is Effect.PROPOSE
    if part.empty or part.lost or part.maybe or proposes or getattr(part.call, "asked_back", False):
        return None
    others = [guess for guess in listed[:SHOWN] if guess.label.ask not in (part.ask, meant.label.ask)]
    return part._replace(
        unsure=tuple(others),
        faint=listed[0].label.ask != meant.label.ask or listed[0].probability < MARGIN * listed[1].probability,
    )


def wider_text(part: Part) -> str:
    """What the answer could not be narrowed to; empty where it is what was asked."""
    if not part.beyond or part.chosen is None:
        return ""
    quoted = ", ".join(f'"{piece}"' for piece in part.beyond)
    if part.chosen.entry.tool.name in LISTS["of_now"].split() and given(part.slots.span):
        return f"**Only what holds now is known: the answer is not of {quoted}.**"
    return f"**Wider than you asked: {what_of(part.chosen.entry.tool.name)}, not narrowed to {quoted}.**"


UNCHANGED = "I cannot tell what this changes in the question before. Name the window, the sleeve, the side or the value."


def not_narrowed(read: Slots, older: Part | None) -> PlannedAnswer:
    """That the question before cannot be asked with what a short sentence says, where nothing of that is read."""
    words = " ".join(words_left(read))
    if older is None or older.chosen is None or not words:
        return asks_back(UNCHANGED)
    text = f'Nothing in "{words}" narrows {what_of(older.chosen.entry.tool.name)} here, so nothing was looked up again.'
    return asks_back(f"{text} A window, a sleeve, a side or a split can be named where the tool has one.")
