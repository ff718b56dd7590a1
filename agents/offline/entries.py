"""What can be asked: one entry for each `Asked` that a tool declares beside its schema. Called by choose.py and slots.py.

An entry knows its phrases (nouns and verbs, as stems), every word of its examples, and how rare each is: a word that only one
tool declares says more than one that ten do.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple, get_args

from agents.offline.words import CALENDAR, STOP, stem, written_out
from tools.catalog import ENTRIES
from tools.common.contract import Asked, Effect, Tool

DATED = frozenset(map(stem, CALENDAR.split()))  # a day that an example names is no word of its tool
WORD = re.compile(r"[a-z&][a-z&/'-]*|\d[\d.:]*%?")
_CLASSES = (  # in an example, what stands for any of its kind
    (r"\b(?:r|d|j|p|al|prop)-?\d[\w-]*\b|\bproposal \d\b", "<id>"),
    (
        r"\b(?:btc|eth|sol|xrp)-(?:trend|reversion)\b|\b(?:btc|eth|sol|xrp)(?:[-/]usdt)?\b|\bbitcoin\b|\bsolana\b|\bethereum\b",
        "<name>",
    ),
    (
        r"\b(?:19|20)\d\d(?:-\d\d)*\b|\b\d\d:\d\d\b|\bq[1-4]\b|\byesterday\b|\btoday\b|\blast (?:week|month|year|night)\b",
        "<when>",
    ),
)


# names that examples use: where a desk lacks one, it is no word of the tool
NAMED = frozenset(map(stem, ["btc", "eth", "sol", "xrp", "bitcoin", "solana", "ethereum", "trend", "reversion"]))


class AskedEntry(NamedTuple):
    """One way to ask for a tool."""

    tool: Tool
    roles: tuple[str, ...]
    asked: Asked
    phrases: frozenset[tuple[str, ...]]  # its nouns and verbs as stems
    words: frozenset[str]  # stems of everything it declares
    examples: tuple[frozenset[str], ...]
    nouns: frozenset[str] = frozenset()  # stems of its nouns of one word

    @property
    def proposes(self) -> bool:
        """Whether it files something."""
        return self.tool.effect is Effect.PROPOSE

    def takes(self, field: str) -> bool:
        """Whether its tool has that argument."""
        return field in fields_of(self.tool.args)

    def splits(self, by: Sequence[str]) -> bool:
        """Whether its tool splits by each of these."""
        can = [word for field in ("by", "unit") if self.takes(field) for word in choices_of(self.tool, field)]
        return all(one in can or ("by", stem(one)) in self.phrases or self.tool.name == f"{one}s" for one in by)


@cache
def fields_of(args: Any) -> frozenset[str]:
    """The names of a tool's arguments."""
    return frozenset(args.model_fields)


def stems(text: str) -> tuple[str, ...]:
    """The stems of a text's words, in order."""
    return tuple(stem(word) for word in WORD.findall(written_out(text)))


@lru_cache(maxsize=256)
def pattern_of(example: str) -> frozenset[str]:
    """An example's stems, names and times replaced by their class."""
    low = written_out(example)
    for said, name in _CLASSES:
        low = re.sub(said, f" {name} ", low)
    return frozenset(name for _, name in _CLASSES if name in low) | frozenset(stems(re.sub(r"<\w+>", " ", low)))


@cache
def entries() -> tuple[AskedEntry, ...]:
    """Every entry of every tool."""
    made = []
    for line in ENTRIES:
        for asked in line.tool.asked:
            phrases = frozenset(p for p in map(stems, (*asked.nouns, *asked.verbs)) if p)
            words = frozenset(part for text in (*asked.nouns, *asked.verbs, *asked.examples) for part in stems(text)) - DATED
            nouns = frozenset(noun[0] for noun in map(stems, asked.nouns) if len(noun) == 1)
            made.append(AskedEntry(line.tool, line.roles, asked, phrases, words, tuple(map(pattern_of, asked.examples)), nouns))
    return tuple(made)


@cache
def _sharing() -> Counter[tuple[str, ...]]:
    return Counter(phrase for entry in entries() for phrase in entry.phrases)


def shared_by(phrase: tuple[str, ...]) -> int:
    """How many entries declare a phrase: the fewer, the more it says."""
    return _sharing()[phrase]


@cache
def noun_words() -> frozenset[str]:
    """Stems of all nouns of one word."""
    return frozenset(noun for entry in entries() for noun in entry.nouns)


@cache
def declared() -> frozenset[str]:
    """Stems of every word that any entry declares."""
    return frozenset(word for entry in entries() for word in entry.words)


@cache
def vocabulary() -> frozenset[str]:
    """Every word that a tool declares: what a typing error may have meant, and what is none."""
    texts: Iterable[str] = (text for e in entries() for text in (*e.asked.nouns, *e.asked.verbs))
    return frozenset(word for text in texts for word in WORD.findall(text) if word.isalpha() and word not in STOP)


@cache
def words_of(tool: str, about: str) -> frozenset[str]:
    """Stems of everything that a tool's entries about one thing declare, without the names of their examples."""
    return frozenset(word for e in entries() if e.tool.name == tool and e.asked.about == about for word in e.words) - NAMED


def choices_of(tool: Tool, field: str) -> Sequence[str]:
    """The words that a Literal argument may be; empty for any other."""
    found: list[str] = []
    left = [tool.args.model_fields[field].annotation]
    while left:
        kind = left.pop()
        found += [value for value in get_args(kind) if isinstance(value, str)]
        left += [part for part in get_args(kind) if not isinstance(part, str)]
    return found
