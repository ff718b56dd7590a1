"""What of a sentence an answer would not use, and whether that changes what is asked. Called by model.py.

A word is used when a slot of it fills an argument, when the chosen entry declares it, or when it carries nothing by itself. What
is left is named under the answer; where it narrows the question (a span, a number, a symbol, a split, a condition, a noun of
another entry) the planner asks instead of answering.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from agents.offline.choose import TAKERS, Chosen, Token, tokens_of
from agents.offline.entries import DATED, WORD, domain, words_of
from agents.offline.slots import COUNTED, Slots
from agents.offline.words import FIGURES, LOOSE, MARKER, STOP, TURNING, WEAK, stem
from tools.common.contract import Effect

# what a tool's answer shows, or its plan uses, beyond what its arguments say
_MORE: Mapping[str, str] = {
    "compare": "unclear params strategies symbols which filters",
    "backtest": "unclear params sleeves symbols strategies by which",
    "run": "which",
    "explain_event": "symbols span which strategies side",
    "attribution": "sleeves symbols strategies",
    "propose_config": "unclear params count strategies symbols timeframe which filters",
    "propose_tightening": "unclear params strategies symbols timeframe which filters",
    "propose_pause": "symbols strategies timeframe everything",
    "propose_watch": "unclear params span strategies symbols sleeves percent count which filters side",
    "exposure": "symbols sleeves side",
    "sleeves": "symbols strategies timeframe side",
    "leaks": "symbols sleeves",
    "list_strategies": "params sleeves symbols",
    "list_data": "span",
    "round_trip": "number",
    "alerts": "span",
    "health": "which everything",
    "what_if": "span",
    "trips": "unit",
    "pnl": "span which",
    "performance": "count unclear",
}
_SHOWN = {  # figures that a tool's answer shows, by the heads of its table
    **dict.fromkeys(("backtest", "run", "compare"), tuple(FIGURES)),
    "trips": ("net", "fees", "slippage", "funding", "win", "wins", "trips", "hold"),
    "attribution": ("net", "fees", "slippage", "funding"),
    "performance": ("net", "return", "drawdown", "sharpe"),
    "pnl": ("net", "fees", "slippage", "funding"),
}
_MEASURES = ("average", "mean", "median", "share")
_PLACES = ("on", "in", "at", "before", "after", "during", "for", "with", "without", "by", "near", "while", "inside", "outside")
_HOW = {"far": ("distance", "far"), "long": ("duration", "recover", "until")}  # what an entry declares that answers `how far`
_MOST = ("longest", "shortest", "biggest", "largest", "smallest")
_PERCENT = ("performance", "run", "backtest", "compare", "desk")
_IF = ("what_if", "performance")  # these know what would have been, and what lasted longest
_FREE = frozenset(("note", "memory", "runbook", "define"))  # these take the sentence itself
_ANY = frozenset(("ids", "handles", "place", "everything", "ever"))


class Unused(NamedTuple):
    """Pieces of the sentence that the answer would leave out; `turns`: those that change what is asked."""

    pieces: tuple[str, ...]
    turns: tuple[str, ...]
    unknown: int  # words that nothing here declares
    content: int  # words that carry something


def free(tool: str) -> bool:
    """Whether a tool takes the sentence itself."""
    return tool in _FREE


@lru_cache(maxsize=1024)
def unused_of(chosen: Chosen, slots: Slots) -> Unused:
    """What the chosen entry leaves out of the sentence. A word is of a slot, declared, without weight, or left over."""
    entry = chosen.entry
    if entry.tool.name in _FREE:
        return Unused((), (), 0, 1)
    tokens, nouns = tokens_of(slots), domain()
    taken = _ANY | set(_MORE.get(entry.tool.name, "").split())
    taken |= {name for name, fields in TAKERS.items() if any(map(entry.takes, fields))}
    if not slots.sleeves:  # a strategy on a symbol of which there is no sleeve
        taken -= {
            name
            for name in ("symbols", "strategies")
            if not entry.takes({"symbols": "symbol", "strategies": "strategy"}[name]) and not entry.takes("query")
        }
    if slots.which not in ("worst", "best") and not any(map(entry.takes, ("n", "limit", "count", "last"))):
        taken = taken - {"count"}
    shown = slots.unit == "usdt" or (slots.unit in ("percent", "pct", "%") and entry.tool.name in _PERCENT)
    taken |= {"unit"} if shown else set()
    taken |= {"which"} if entry.asked.want in ("split", "rank") else set()
    taken = taken - {"by"} | ({"by"} if entry.splits(slots.by) or entry.tool.name == "backtest" else set())
    looks = entry.tool.effect is Effect.READ and entry.tool.name not in _IF
    left: list[Token] = []
    turns: list[Token] = []
    unknown = content = 0
    for i, token in enumerate(tokens):
        known = (
            (entry.takes("subject") and token.word in ("run", "backtest", "simulation"))
            or i in chosen.used
            or token.stem in words_of(entry.tool.name, entry.asked.about)
            or token.stem in _shown(entry.tool.name)
        )
        if token.slot:
            content += 1
            if token.slot not in taken and not (token.slot == "which" and known):
                turns.append(token)
        elif token.word in TURNING:
            turns += [] if known else [_with_next(tokens, i)]
        elif token.stem in DATED or (looks and _is_measure(tokens, i, chosen, known=known)):
            turns.append(token)
        elif known or token.word in STOP or token.word in MARKER:
            content += known and token.word not in STOP
        else:
            content += 1
            after = tokens[i + 1].slot if i + 1 < len(tokens) else ""
            follows = i + 1 in chosen.used or after not in ("", "span")  # `daily` of `daily breaker`
            narrows = any(c.isdigit() for c in token.word) or (token.stem,) in nouns or token.word in ("win", "won", "sharpe")
            heads = not narrows and token.word not in LOOSE and _heads(tokens, i, chosen, first=content == 1)
            narrowing = token.word not in LOOSE and _narrowing(tokens, i, chosen)
            if (narrows and token.word not in LOOSE and not follows) or heads or narrowing:  # `correlation between`
                turns.append(token)
            elif token.word not in LOOSE:
                unknown += not narrows
                left.append(token)
    return Unused(_pieces(slots.text, left), _pieces(slots.text, turns), unknown, content)


def _with_next(tokens: Sequence[Token], i: int) -> Token:
    """A word that denies with what it denies: `no trail`."""
    after = next((t for t in tokens[i + 1 : i + 3] if t.word not in STOP), None)
    return tokens[i] if after is None else tokens[i]._replace(stop=after.stop)


def _is_measure(tokens: Sequence[Token], i: int, chosen: Chosen, *, known: bool) -> bool:
    """Whether a word asks for a figure that only some entries have: `how far`, `would`, `longest`, `share`."""
    word, entry, text = tokens[i].word, chosen.entry, [t.word for t in tokens]
    if i and text[i - 1] == "how" and word in _HOW:
        return not {stem(w) for w in _HOW[word]} & words_of(entry.tool.name, entry.asked.about)
    if word == "would":
        return "you" not in text  # what would have been is no state of the desk
    return "streak" not in text and word in (*_MOST, *_MEASURES) and (word in _MOST[:2] or not known)


def _narrowing(tokens: Sequence[Token], i: int, chosen: Chosen) -> bool:
    """Whether its place says that an unknown word narrows: after a preposition (`before lunch`), in the form of a comparison
    (`tighter`), or before what it is a kind of (`limit orders`)."""
    token = tokens[i]
    before = tokens[i - 1].word if i else ""
    before = tokens[i - 2].word if i > 1 and before in ("the", "a", "an", "my", "our") else before
    of_kind = i + 1 < len(tokens) and i + 1 in chosen.used and tokens[i + 1].stem in chosen.entry.nouns
    kind = of_kind and tokens[i + 1].word not in STOP and not token.word.endswith(("ly", "ing", "s"))
    if token.word in COUNTED or token.word in WEAK:
        return False
    return before in _PLACES or bool(re.fullmatch(r"\w{3,}(?:er|est)", token.word)) or kind


def _heads(tokens: Sequence[Token], i: int, chosen: Chosen, *, first: bool) -> bool:
    """Whether an unknown word is what the sentence is about: `correlation between ...`, the streak of `losing streak`."""
    before, word = tokens[i - 1] if i else None, tokens[i].word
    after = tokens[i + 1].word if i + 1 < len(tokens) else ""
    compound = before is not None and i - 1 in chosen.used and before.stem in chosen.entry.nouns and before.word not in STOP
    ends = not after or after in STOP
    return (compound and ends and not word.endswith(("ly", "ing", "ed", "s"))) or (
        first and after in ("of", "between", "among", "across")
    )


@cache
def _shown(tool: str) -> frozenset[str]:
    """Stems of the words for the figures that a tool shows."""
    return frozenset(stem(word) for name in _SHOWN.get(tool, ()) for word in (name, *FIGURES[name]))


def narrowing_of(chosen: Chosen, own: Slots) -> Unused:
    """Of a sentence that goes on: what it names that the entry of the question before cannot take."""
    left = unused_of(Chosen(chosen.entry, 0.0, frozenset()), own)
    denied = {own.text[a:b] for name in ("without", "filters") for a, b in own.places.get(name, ())}
    kept = (p for p in left.turns if WORD.findall(p)[0] not in TURNING or any(map(p.startswith, denied)))
    return Unused((), tuple(kept), 0, 1)


def words_left(slots: Slots) -> list[str]:
    """The words of a sentence that carry something and belong to no slot."""
    return [t.word for t in tokens_of(slots) if not t.slot and t.word not in STOP and t.word not in MARKER]


def _pieces(text: str, tokens: Sequence[Token]) -> tuple[str, ...]:
    """Neighbouring words joined, as they stand in the sentence."""
    pieces: list[list[int]] = []
    for token in tokens:
        if pieces and not text[pieces[-1][1] : token.start].strip(" ,_"):
            pieces[-1][1] = token.stop
        else:
            pieces.append([token.start, token.stop])
    return tuple(dict.fromkeys(text[a:b] for a, b in pieces))
