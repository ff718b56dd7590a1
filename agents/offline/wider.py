"""What is answered though the tool cannot take all of it, or though its reading is not quite sure: the answer says so first.
Called by understand.py and model.py.

A window, a sleeve or a split that a tool of reading has no argument for makes the answer wider, not another one. What denies,
sets a condition, files or computes something is asked back about all the same: a wider answer would be of another question. So is
a window that is over where a tool says what is now.
"""

from collections.abc import Sequence
from dataclasses import replace

from agents.offline.account import free, lost_of, only_narrows, words_left
from agents.offline.choose import SHOWN
from agents.offline.dates import NO_SPAN
from agents.offline.drafts import asks_back
from agents.offline.entries import entry_of
from agents.offline.labels import GO_AHEAD, NO
from agents.offline.learned import Guess
from agents.offline.parts import Part
from agents.offline.read_back import what_of
from agents.offline.slots import Slots, words_of
from agents.offline.steps import PlannedAnswer
from tools.common.contract import Effect

LIKELY, LIKELY_ODD = 0.2, 0.3  # from here on a tool of reading is asked, and the answer says that it may not be what was meant
MARGIN = 1.5  # times as probable as the next: what else may be meant is then said after the answer
_CHEAP = ("attribution",)  # computes in no time, and stores nothing
RUNS = ("run", "round_trip", "trials")
OF_NOW = ("desk", "sleeves", "health", "pauses", "exposure", "what_if", "weights", "watches")  # what holds now holds no yesterday
_CARRIED = ("span", "sleeves", "by", "side", "outcome")


def widened(part: Part) -> Part:
    """The part, where all that is lost of it would narrow the answer: answered, with that named first."""
    chosen = part.chosen
    if chosen is None or not part.lost or free(chosen.entry.tool.name):
        return part
    tool, own = chosen.entry.tool, part.own or part.slots
    if tool.effect is not Effect.READ and tool.name not in _CHEAP:
        return part
    carried = {words_of(name, value) for of in _frames(part) for name in _CARRIED if (value := getattr(of.slots, name))}
    read = lost_of(chosen.entry, own)
    if not all(piece in carried or piece in read for piece in part.lost) or not only_narrows(chosen.entry, own):
        return part
    if tool.name in OF_NOW and any(of.slots.span != NO_SPAN and not of.slots.span.to_now for of in _frames(part)):
        return part
    if tool.name in RUNS and own.places.keys() & {"strategies", "symbols"}:
        return part  # a run that is still to be made
    slots = replace(part.slots, filters=(), unit=None)
    return part._replace(slots=slots, lost=(), frame=None, beyond=tuple(dict.fromkeys((*part.beyond, *part.lost))))


def _frames(part: Part) -> list[Part]:
    return [part] if part.frame is None else [part, part.frame]


def likely_meant(listed: Sequence[Guess], *, odd: bool = False) -> Guess | None:
    """The reading that is answered though it is not sure: of a tool that reads; None where nothing is that probable. `odd`: a
    word of the sentence is none of its."""
    found = next(
        (guess for guess in listed[:2] if guess.probability >= (LIKELY_ODD if odd else LIKELY) and _reads(guess.label.ask)), None
    )
    return None if found is None else found._replace(probability=1.0)


def _reads(ask: str) -> bool:
    """Whether what is asked looks something up, or goes on with what was looked up."""
    if ask in (GO_AHEAD, NO) or ask.startswith("way "):
        return False
    entry = entry_of(ask) if ask.split(maxsplit=1)[0] not in _GOING_ON else None
    return entry is None or entry.tool.effect is Effect.READ or entry.tool.name in _CHEAP


_GOING_ON = ("more", "pick", "why", "which", "better", "repeat")


def not_sure(part: Part, listed: Sequence[Guess]) -> Part | None:
    """The part of a likely reading, with what else may be meant; None where it would ask back, file or compute something."""
    entry = part.chosen.entry if part.chosen else None
    if part.empty or part.lost or part.maybe or (entry is not None and entry.tool.effect is not Effect.READ):
        return None
    if getattr(part.call, "asked_back", False):
        return None
    others = [guess for guess in listed[:SHOWN] if guess.label.ask != part.ask]
    return part._replace(
        unsure=tuple(others), faint=listed[0].label.ask != part.ask or listed[0].probability < MARGIN * listed[1].probability
    )


def wider_text(part: Part) -> str:
    """What the answer could not be narrowed to; empty where it is what was asked."""
    if not part.beyond or part.chosen is None:
        return ""
    quoted = ", ".join(f'"{piece}"' for piece in part.beyond)
    return f"**Wider than you asked: {what_of(part.chosen.entry.tool.name)} cannot be narrowed to {quoted}.**"


UNCHANGED = "I cannot tell what this changes in the question before. Name the window, the sleeve, the side or the value."


def not_narrowed(read: Slots, older: Part | None) -> PlannedAnswer:
    """That the question before cannot be asked with what a short sentence says, where nothing of that is read."""
    words = " ".join(words_left(read))
    if older is None or older.chosen is None or not words:
        return asks_back(UNCHANGED)
    what = what_of(older.chosen.entry.tool.name)
    text = f'No: {what} cannot be narrowed to "{words}", so nothing was looked up again.'
    return asks_back(f"{text} A window, a sleeve, a side or a split can be named where the tool has one.")
