"""What can be asked: one entry for each `Asked` that a tool declares beside its schema. Called by choose.py and slots.py.

An entry knows its phrases (nouns and verbs, as stems), every word of its examples, and how rare each is: a word that only one
tool declares says more than one that ten do.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple, get_args

from agents.offline.words import CALENDAR, STOP, stem
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
    phrases: Mapping[tuple[str, ...], float]  # stems -> weight
    words: frozenset[str]  # stems of everything it declares
    examples: tuple[frozenset[str], ...]
    nouns: frozenset[str] = frozenset()  # stems of its nouns

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
    return tuple(stem(word) for word in WORD.findall(text.lower()))


@lru_cache(maxsize=256)
def pattern_of(example: str) -> frozenset[str]:
    """An example's stems, names and times replaced by their class."""
    low = example.lower()
    for said, name in _CLASSES:
        low = re.sub(said, f" {name} ", low)
    return frozenset(name for _, name in _CLASSES if name in low) | frozenset(stems(re.sub(r"<\w+>", " ", low)))


@cache
def entries() -> tuple[AskedEntry, ...]:
    """Every entry of every tool."""
    declared = [(line, asked) for line in ENTRIES for asked in line.tool.asked]
    used = Counter(phrase for _, asked in declared for phrase in {stems(text) for text in (*asked.nouns, *asked.verbs)})
    made = []
    for line, asked in declared:
        phrases = {
            p: rarity(used[p], len(declared)) * (1 + 0.5 * (len(p) - 1)) for p in map(stems, (*asked.nouns, *asked.verbs)) if p
        }
        words = frozenset(part for text in (*asked.nouns, *asked.verbs, *asked.examples) for part in stems(text)) - DATED
        nouns = frozenset(part for noun in asked.nouns for part in stems(noun))
        made.append(AskedEntry(line.tool, line.roles, asked, phrases, words, tuple(map(pattern_of, asked.examples)), nouns))
    return tuple(made)


def rarity(listed: int, of: int) -> float:
    """How much a word says: the fewer declare it, the more."""
    return math.log(1 + of / max(listed, 1)) / math.log(1 + of) * 2


@cache
def rarities() -> Mapping[str, float]:
    """How much each single word says, counted over all that the entries declare."""
    counted = Counter(word for entry in entries() for word in entry.words)
    return {word: rarity(n, len(entries())) for word, n in counted.items()}


@cache
def vocabulary() -> frozenset[str]:
    """Every word that a tool declares: what a typing error may have meant, and what is none."""
    texts: Iterable[str] = (text for e in entries() for text in (*e.asked.nouns, *e.asked.verbs))
    return frozenset(word for text in texts for word in WORD.findall(text) if word.isalpha() and word not in STOP)


@cache
def domain() -> frozenset[tuple[str, ...]]:
    """Nouns of all entries: one that stands in a question and that the chosen entry does not know changes its meaning. A verb of
    three tools or more says what is done, and narrows nothing by itself."""
    verbs = Counter(verb for e in entries() for verb in {stems(verb) for verb in e.asked.verbs} - {("stop",), ("trad",)})
    return frozenset(stems(noun) for e in entries() for noun in e.asked.nouns) - {verb for verb, n in verbs.items() if n > 2}


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
