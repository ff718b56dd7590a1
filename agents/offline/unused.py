"""What of a sentence an answer would not use, and whether that changes what is asked. Called by model.py.

A word is used when a slot of it fills an argument, when the chosen entry declares it, or when it carries nothing by itself. What
is left is named under the answer; where it narrows the question (a span, a number, a symbol, a split, a condition, a noun of
another entry) the planner asks instead of answering.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agents.offline.choose import TAKERS, Chosen, Token, tokens_of
from agents.offline.entries import domain
from agents.offline.slots import Slots
from agents.offline.words import LOOSE, STOP, TURNING, stem

# plans that use more than their tool's arguments say
_MORE: Mapping[str, frozenset[str]] = {
    "compare": frozenset(("unclear", "params", "strategies", "symbols", "ids", "handles", "place")),
    "backtest": frozenset(("unclear", "params", "sleeves", "symbols", "strategies", "handles")),
    "explain_event": frozenset(("symbols", "span", "which", "place", "strategies")),
    "attribution": frozenset(("sleeves", "symbols", "strategies")),
    "propose_config": frozenset(("unclear", "params", "place", "count", "strategies", "symbols", "timeframe")),
    "propose_tightening": frozenset(("unclear", "params", "place", "strategies", "symbols", "timeframe")),
    "propose_pause": frozenset(("symbols", "strategies", "timeframe")),
    "propose_watch": frozenset(("unclear", "params", "span", "strategies", "symbols", "sleeves", "percent", "count", "which")),
    "exposure": frozenset(("symbols", "sleeves")),
    "sleeves": frozenset(("symbols", "strategies", "timeframe", "params")),
    "leaks": frozenset(("symbols", "sleeves")),
    "list_strategies": frozenset(("params", "sleeves", "symbols")),
    "list_data": frozenset(("span",)),
    "round_trip": frozenset(("number", "place", "handles")),
    "run": frozenset(("handles", "place")),
    "alerts": frozenset(("span",)),
}
_FREE = frozenset(("note", "memory", "runbook", "define"))  # these take the sentence itself
_ANY = frozenset(("ids", "handles", "place"))


class Unused(NamedTuple):
    """Pieces of the sentence that the answer would leave out; `turns`: those that change what is asked."""

    pieces: tuple[str, ...]
    turns: tuple[str, ...]
    unknown: int  # words that nothing here declares
    content: int  # words that carry something


def unused_of(chosen: Chosen, slots: Slots) -> Unused:
    """What the chosen entry leaves out of the sentence."""
    tokens, tool = tokens_of(slots), chosen.entry.tool
    if tool.name in _FREE:
        return Unused((), (), 0, 1)
    taken = _MORE.get(tool.name, frozenset()) | _ANY | {n for n, fields in TAKERS.items() if any(map(chosen.entry.takes, fields))}
    left: list[Token] = []
    turns: list[Token] = []
    unknown = content = 0
    nouns = domain()
    for i, token in enumerate(tokens):
        if token.slot:
            content += 1
            if token.slot not in taken and not (
                token.slot == "by" and any(("by", stem(by)) in chosen.entry.phrases for by in slots.by)
            ):
                left.append(token)
                turns.append(token)
            continue
        known = i in chosen.used or token.stem in chosen.entry.words
        if known or (token.word in STOP and token.word not in TURNING):
            content += known and token.word not in STOP
            continue
        content += 1
        if token.word in TURNING:
            if token.word == "or" and (slots.variants or slots.by or "or" in chosen.entry.words):
                continue
            turns.append(token)
        elif any(c.isdigit() for c in token.word) or ((token.stem,) in nouns and token.word not in LOOSE):
            turns.append(token)
        elif token.word in LOOSE:
            continue
        else:
            unknown += 1
        left.append(token)
    return Unused(_pieces(slots.text, left), _pieces(slots.text, turns), unknown, content)


def _pieces(text: str, tokens: Sequence[Token]) -> tuple[str, ...]:
    """Neighbouring words joined, as they stand in the sentence."""
    pieces: list[list[int]] = []
    for token in tokens:
        if pieces and not text[pieces[-1][1] : token.start].strip(" ,"):
            pieces[-1][1] = token.stop
        else:
            pieces.append([token.start, token.stop])
    return tuple(dict.fromkeys(text[a:b] for a, b in pieces))
