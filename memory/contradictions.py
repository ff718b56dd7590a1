"""Where two pages cannot both be right: settings with two values, and a rule beside its opposite. Pages -> pairs of statements.

Called by `nightdesk memory` and the memory tool. Reading is by form alone: `stop_atr of trend-btc is 2`, `stop_atr 2 -> 1.8`,
`never` against the same sentence without it. So it says where to look, never who is right; the younger page is named first.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from memory.shelf import MemoryPage

LISTED_MAX = 20
ALIKE = 0.6  # share of words that two opposite sentences have in common
WORDS_MIN = 2
SENTENCES_MAX = 2_000  # that are compared with each other: the youngest pages first
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_VALUE = re.compile(
    rf"\b([a-z]+(?:_[a-z]+)+)\b(?:\s+(?:of|for|on)\s+[\w-]+)?\s*(?:is|=|:|at|was set to)?\s*{_NUMBER}(?:\s*->\s*{_NUMBER})?"
)
_SUBJECT = re.compile(r"\b([a-z]+-[a-z]{2,6}|(?:trend|reversion|carry|making|pairs))\b")
_MAYBE = re.compile(r"\b(?:may|might|maybe|could|would|should|if|propose[sd]?|perhaps|was|were|rejected)\b")
_NOT = re.compile(r"\b(?:never|not|no|cannot|without|n't|don't|doesn't|nothing)\b")
_WORD = re.compile(r"[a-z0-9_-]{2,}")
_OF_SENTENCES = "we do does the and for with that this are is our any all at on in of to it its be a an"
_FILLERS = frozenset(_OF_SENTENCES.split())


class Contradiction(NamedTuple):
    """Two statements that cannot both hold; the younger page's first."""

    topic: str
    text: str
    other: str
    other_text: str


class _Claim(NamedTuple):
    page: MemoryPage
    text: str
    key: tuple[str, str]
    value: float


def contradictions(pages: Iterable[MemoryPage]) -> list[Contradiction]:
    """Pairs of statements of different pages, at most LISTED_MAX, younger pages first."""
    ordered = sorted(pages, key=lambda page: (-page.changed_ms, page.topic))
    sentences = [(page, text) for page in ordered for text in _sentences(page.text)][:SENTENCES_MAX]
    found = [*_values(sentences), *_opposites(sentences)]
    return list(dict.fromkeys(found))[:LISTED_MAX]


def _sentences(text: str) -> list[str]:
    parts = (part.strip().lstrip("-*# ").strip() for part in _SENTENCE.split(text))
    return [part for part in parts if part and not part.startswith("<!--")]


def _values(sentences: list[tuple[MemoryPage, str]]) -> Iterator[Contradiction]:
    """Settings that two pages give different values. A page's youngest line comes first, so its first value is what it says."""
    says: dict[tuple[str, str], dict[str, _Claim]] = {}
    for page, text in sentences:
        for claim in _claims(page, text):
            says.setdefault(claim.key, {}).setdefault(page.topic, claim)
    for claims in says.values():
        decided = [c for c in claims.values() if c.page.topic.startswith("decisions/")]
        stale = {c.page.topic for c in sorted(decided, key=lambda c: c.page.topic)[:-1]}  # a later month decided again
        for one, other in combinations([c for t, c in claims.items() if t not in stale], 2):
            if one.value != other.value:
                yield Contradiction(one.page.topic, one.text, other.page.topic, other.text)


def _claims(page: MemoryPage, text: str) -> Iterator[_Claim]:
    """What a sentence says that settings are; nothing of one that says what may be or was refused."""
    lower = text.lower()
    if _MAYBE.search(lower):
        return
    place = page.topic.partition("/")[2] if page.topic.startswith("strategies/") else ""
    for found in _VALUE.finditer(lower):
        near = [name for name in _SUBJECT.findall(lower) if name != found[1]]
        subject = near[0] if near else place
        if subject:
            yield _Claim(page, text, (subject, found[1]), float(found[3] or found[2]))


def _opposites(sentences: list[tuple[MemoryPage, str]]) -> Iterator[Contradiction]:
    """The same sentence with and without a `not`."""
    read = [(page, text, bool(_NOT.search(text.lower())), _content(text)) for page, text in sentences]
    denied = [r for r in read if r[2] and len(r[3]) >= WORDS_MIN]
    holds: dict[str, list[tuple[MemoryPage, str, bool, frozenset[str]]]] = {}
    for row in read:
        if not row[2] and len(row[3]) >= WORDS_MIN:
            for word in row[3]:
                holds.setdefault(word, []).append(row)
    for page, text, _, words in denied:
        for other in {id(row): row for word in words for row in holds.get(word, ())}.values():
            same = len(words & other[3]) / len(words | other[3])
            if other[0].topic != page.topic and same >= ALIKE:
                young, old = sorted(((page, text), (other[0], other[1])), key=lambda p: -p[0].changed_ms)
                yield Contradiction(young[0].topic, young[1], old[0].topic, old[1])


def _content(text: str) -> frozenset[str]:
    """A sentence's words without fillers and negations, their endings off."""
    words = _WORD.findall(_NOT.sub(" ", text.lower()))
    return frozenset(re.sub(r"(?:ing|ed|es|s)$", "", word) for word in words if word not in _FILLERS)
