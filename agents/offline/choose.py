"""Chooses what a sentence asks for: its tidy words and slots in, the best entry with its score out. Called by model.py.

An entry gains by its phrases in the sentence, by an example that reads alike, by the kind of answer wanted (how many, why,
which is worst, by day) and by arguments for what the sentence names; it loses by names and times that it cannot take.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from agents.offline.entries import NAMED, WORD, AskedEntry, entries, pattern_of, rarities
from agents.offline.slots import Slots
from agents.offline.words import LOOSE, MARKER, PATTERNS, POLITE, STOP, WANTS, stem
from tools.exposure import glossary

QUESTION = PATTERNS["choose.question"]
_ASKS = re.compile(r"\b(?:where|which|what|why|how)\b")
_OF_A_RUN = PATTERNS["choose.of_a_run"]
DEFINES = PATTERNS["choose.defines"]
_EXPLAINS = PATTERNS["choose.explains"]
_EVERYDAY = ("desk", "run", "note", "sleeves", "health", "calc", "alerts", "proposals")  # names of tools that are everyday words
_NAMES = frozenset(("sleeves", "symbols", "strategies", "span", "ids", "handles"))  # no noun of an entry: what they are is known
LEAST = 1.7  # a score below is no understanding
# arguments that can take what a sentence names
TAKERS: Mapping[str, tuple[str, ...]] = {
    "sleeves": ("sleeve", "symbol", "strategy", "symbols", "sleeves", "about", "query", "topic", "hypothesis"),
    "symbols": ("sleeve", "symbol", "symbols", "text", "query", "topic", "about", "instrument", "hypothesis"),
    "strategies": ("strategy", "sleeve", "hypothesis"),
    "span": ("since", "start", "at", "from", "until", "span"),
    "by": ("by", "unit"),
    "params": ("changes", "variants", "vary", "fixed"),
    "count": ("n", "limit", "count", "last", "worst", "best"),
    "which": ("worst", "best", "number"),
    "side": ("side",),
    "filters": ("above", "below", "level"),
    "without": ("without",),
    "unit": ("in_unit",),
    "outcome": ("outcome",),
    "keys": ("key", "word", "strategy", "vary"),
    "number": ("number", "trip"),
    "version": ("version",),
    "timeframe": ("timeframe", "series", "sleeve"),
    "venue": ("venue", "sleeve"),
    "percent": ("percent", "move", "move_frac", "shock_frac", "drop_frac", "frac", "change_frac"),
    "lasting": ("hours", "minutes", "until", "ends", "for_hours", "duration", "lasts", "end"),
    "guard": ("guard",),
    "folds": ("train",),
    "funding": ("funding",),
    "fills": ("fills", "word"),
}
_COSTS = {"span": 1.2, "params": 1.5, "by": 2.0, "percent": 2.0, "number": 1.0, "strategies": 0.6, "sleeves": 0.7, "symbols": 0.7}
_OF_IDS = {
    "r": ("run_id", "run", "run_ids", "evidence", "hypothesis"),
    "d": ("event_id", "evidence"),
    "p": ("event_id", "evidence"),
    "al": ("alert_id", "about"),
    "prop": ("proposal_id",),
}


class Token(NamedTuple):
    """A word of the sentence with its stem, its place and the slot that it belongs to, if any."""

    word: str
    stem: str
    start: int
    stop: int
    slot: str


@dataclass(frozen=True, eq=False)
class Chosen:
    """An entry for a sentence, how well it fits, and the tokens that its phrases use."""

    entry: AskedEntry
    score: float
    used: frozenset[int]
    noun: bool = True  # it has a noun of the entry, not only a verb
    telling: bool = True  # one of its words is more than `up` or `report`
    evidence: bool = True  # a word that the entry declares stands in the sentence, or a name that is its own


@lru_cache(maxsize=1024)
def tokens_of(slots: Slots) -> tuple[Token, ...]:
    """The words of a sentence."""
    where = [(start, stop, name) for name, places in slots.places.items() for start, stop in places]
    return tuple(
        Token(m[0], stem(m[0]), *m.span(), next((name for a, b, name in where if a < m.end() and m.start() < b), ""))
        for m in WORD.finditer(slots.text)
    )


def _head(tokens: Sequence[Token]) -> int | None:
    """The word that says what a sentence is about: the first that carries something, where `between` follows."""
    first = next((i for i, t in enumerate(tokens) if t.word not in STOP and not t.slot), None)
    after = tokens[first + 1].word if first is not None and first + 1 < len(tokens) else ""
    return first if after in ("between", "among") else None


@lru_cache(maxsize=256)
def defines(text: str) -> bool:
    """Whether a sentence asks what a word means: `what is a sleeve`, `explain funding`, `what does a breaker do`."""
    named = _EXPLAINS.match(text)
    return bool(DEFINES.search(text)) or (named is not None and named[1] in glossary())


def wants_of(text: str) -> list[str]:
    """Kinds of answer that a sentence may want, the strongest first."""
    return [want for want, pattern in WANTS.items() if pattern.search(text)] or ["show"]


@lru_cache(maxsize=256)  # a turn reads the questions before it, too
def rank(slots: Slots, about: str | None = None) -> tuple[Chosen, ...]:
    """Every entry that has a word of the sentence, best first. `about`: what the thread was about last."""
    tokens, wants = tokens_of(slots), wants_of(slots.text)
    listed = [e for e in entries() if not slots.keys or e.asked.about in ("setting", "run")]
    found = [chosen for entry in listed if (chosen := _fit(entry, slots, tokens, wants, about)).used]
    return tuple(sorted(found, key=lambda chosen: -chosen.score))


def _fit(entry: AskedEntry, slots: Slots, tokens: Sequence[Token], wants: Sequence[str], about: str | None) -> Chosen:
    score, used, bears = _phrases(entry, tokens)
    exact = pattern_of(slots.text) in entry.examples
    named = slots.places.keys() & {"ids", "handles"}
    named |= {n for n in ("params", "percent", "strategies", "keys") if n in slots.places and any(map(entry.takes, TAKERS[n]))}
    bears = bears or bool(named) or bool(slots.by and entry.splits(slots.by))
    defining = defines(slots.text) and not {"sleeves", "symbols"} & slots.places.keys()
    bears = bears or (entry.tool.name == "define" and defining)
    likeness, known = _likeness(entry, slots, tokens)
    score += 3.5 * likeness + _arguments(entry, slots)
    if entry.asked.want in wants:
        score += 1.2 if wants[0] == entry.asked.want else 0.6
    elif entry.asked.want in ("change", "compute", "compare"):
        score -= 1.5
    if (head := _head(tokens)) is not None:
        score += 3.0 if head in used else -2.0  # `correlation between ...`: what the sentence is about
    if exact:
        score += 2.5  # an example is a promise
    first = next((t for t in tokens if t.word not in POLITE), None)
    if first and first.word not in STOP and (first.stem,) in entry.phrases and first.word in map(str.lower, entry.asked.verbs):
        score += 2.5 if entry.asked.about == "memory" else 1.2  # an imperative
    if {stem(entry.tool.name)} & {t.stem for t in tokens if not t.slot} and entry.tool.name not in _EVERYDAY:
        score += 1.5  # called by its name
    if "strategies" in slots.places and not re.search(r"\bsleeves?\b", slots.text):
        score += 2.2 if entry.takes("strategy") else -1.0
    if entry.tool.name == "compare":
        score += (
            1.5
            if len(slots.variants) > 1
            else 0.0
            if named or slots.sleeves or len(slots.symbols) > 1 or about == "run"
            else -2.0
        )
    if len(slots.places.get("sleeves", ())) > 1 and not slots.places.get("params"):
        score += 2.0 if entry.asked.want == "split" else 0.0  # two sleeves beside each other
    if entry.tool.name == "define" and defining:
        score += 2.0
    elif defining and not (entry.asked.want == "explain" and entry.asked.about == "setting"):
        score -= 6.0  # what a word means is not the desk's figure of that name
    if entry.proposes and wants[0] != "change":
        score -= 1.5
    if wants[0] == "change" and entry.asked.want != "change" and WANTS["change"].match(slots.text):
        score -= 2.0
    asks = QUESTION.match(slots.text) or (entry.asked.about in ("sleeve", "setting") and _ASKS.search(slots.text))
    if entry.proposes and asks:
        score -= 3.0
    if entry.tool.name in ("run", "round_trip") and about != "run" and not _OF_A_RUN.search(slots.text):
        score -= 2.0 if not slots.handles and not slots.ids else 0.0
    score += 0.6 if about == entry.asked.about else 0.0
    noun = (
        exact
        or bool(named)
        or bool(slots.by and entry.splits(slots.by))
        or any(tokens[i].stem in entry.nouns and tokens[i].word not in STOP for i in used)
    )
    telling = exact or bool(named) or any(tokens[i].word not in LOOSE | STOP | MARKER for i in used)
    bearing = exact or bears
    return Chosen(entry, score if bearing else min(score, LEAST - 0.1), frozenset(used | known), noun, telling, bearing)


def _phrases(entry: AskedEntry, tokens: Sequence[Token]) -> tuple[float, set[int], bool]:
    """The weight of the entry's phrases in the sentence, longest first, each word once; the words; and whether one of the phrases
    says more than function words do."""
    bears = False
    score, used, stems = 0.0, set[int](), {t.stem for t in tokens}
    there = [(phrase, weight) for phrase, weight in entry.phrases.items() if phrase[0] in stems]
    for phrase, weight in sorted(there, key=lambda item: -len(item[0])):
        size = len(phrase)
        for i in range(len(tokens) - size + 1):
            part = range(i, i + size)
            if used.isdisjoint(part) and all(tokens[k].stem == phrase[k - i] and tokens[k].slot not in _NAMES for k in part):
                used.update(part)
                bears = bears or size > 1 or not {tokens[i].word} <= STOP | MARKER
                score += weight if any(tokens[k].word not in STOP for k in part) or size > 1 else 0.2 * weight
                break
    return score, used, bears


def _likeness(entry: AskedEntry, slots: Slots, tokens: Sequence[Token]) -> tuple[float, set[int]]:
    """0..1: how like the nearest example the sentence reads; and the tokens that any example knows."""
    own = {
        t.stem
        for t in tokens
        if t.slot in ("", "params", "by", "place", "count", "side", "which", "filters", "unit", "everything", "outcome")
    }
    own |= {"<name>"} if slots.symbols or slots.sleeves else set()
    own |= {"<when>"} if slots.span.start or slots.span.at else set()
    own |= {"<id>"} if slots.ids or slots.handles else set()
    total = sum(map(_weight, own)) or 1.0
    best = max((2 * sum(map(_weight, own & ex)) / (total + _example_weight(ex)) for ex in entry.examples), default=0.0)
    return best, {
        i for i, t in enumerate(tokens) if t.stem in entry.words and t.word not in STOP and (t.slot or t.stem not in NAMED)
    }


@lru_cache(maxsize=8192)
def _weight(word: str) -> float:
    """How much a word says of what a sentence is about."""
    return 0.3 if word in STOP else rarities().get(word, 1.5) if word[0] != "<" else 0.5


@lru_cache(maxsize=4096)
def _example_weight(words: frozenset[str]) -> float:
    return sum(map(_weight, words))


def _arguments(entry: AskedEntry, slots: Slots) -> float:
    """Gain for arguments that take what is named, loss for what cannot be taken."""
    score = 0.0
    for name in slots.places:
        if name not in TAKERS or (name == "span" and not any(slots.span[:3])):
            continue
        if entry.splits(slots.by) if name == "by" else any(map(entry.takes, TAKERS[name])):
            score += 0.6 if name in ("span", "symbols", "sleeves", "strategies") else 1.6 if name == "by" else 1.0
        elif name not in (
            "which",
            "side",
            "filters",
            "without",
            "unit",
            "outcome",
        ):  # what no tool takes yet is no reason for another
            score -= _COSTS.get(name, 0.6)
    for identity in (*slots.ids, *slots.handles):
        kind = "r" if identity in slots.handles else identity.split("-")[0]
        score += 2.5 if any(map(entry.takes, _OF_IDS.get(kind, ("proposal_id",)))) else -3.0
    return score
