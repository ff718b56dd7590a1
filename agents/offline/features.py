"""What the classifier sees of a sentence. Called by learned.py and training.py: slots in, names of features out.

Names, times, ids and numbers count as their kind: "btc since monday" and "sol since june" look alike. A word counts by its
stem, its letters (a typing error keeps most of them), its neighbour and its senses (senses.txt): a word that no sentence for
training holds still counts as one of its kind.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import combinations, pairwise
from pathlib import Path

from agents.offline.slots import Slots
from agents.offline.words import LISTS, PATTERNS, stem

_KINDS: Mapping[str, str] = LISTS["kinds_named"]
_ASKING_WORDS = frozenset(LISTS["asks"].split())
_LETTERS = (3, 4)
_WITHOUT_SENSE = frozenset(LISTS["small"].split())


@cache
def senses() -> Mapping[str, tuple[str, ...]]:
    """The senses of a word by its stem."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in (Path(__file__).parent / "senses.txt").read_text(encoding="utf-8").splitlines():
        sense, parted, words = line.partition(":")
        if parted and not line.startswith("#"):
            for word in re.findall(r"[a-z&'-]+", words):
                if word not in _WITHOUT_SENSE:
                    found[stem(word)].add(sense.replace(" ", "_"))
    return {word: tuple(sorted(of)) for word, of in found.items()}


def masked(slots: Slots, kinds: Mapping[str, str]) -> str:
    """The tidy sentence with what is named replaced by its kind."""
    places = sorted((a, b, _kind(slots.text[a:b], kind)) for name, kind in kinds.items() for a, b in slots.places.get(name, ()))
    pieces, at = [], 0
    for start, stop, kind in places:
        if start >= at:
            pieces += [slots.text[at:start], f" {kind} "]
            at = stop
    return "".join([*pieces, slots.text[at:]])


def _kind(text: str, kind: str) -> str:
    """The kind of what is named; of ids those of orders and of incident windows are kinds of their own."""
    return kind if kind != "_id" or "-" in text else "_order" if text.startswith("nd") else "_window"


@lru_cache(maxsize=256)
def features(slots: Slots) -> frozenset[str]:
    """The features of a sentence by itself."""
    return frozenset(_features(slots))


def _features(slots: Slots) -> Iterator[str]:
    words = PATTERNS["features.token"].findall(re.sub(r"(?<!\w)\d[\d.,:]*%?", "_n", masked(slots, _KINDS)))
    stems = [word if word.startswith("_") else stem(word) for word in words]
    yield from (f"w:{word}" for word in stems)
    yield from (f"r:{word}" for word in words)
    yield from (f"b:{first} {second}" for first, second in pairwise(["<", *stems, ">"]))
    for word in words:
        if not word.startswith("_"):
            yield from (f"c:{letters}" for letters in _letters(word))
    yield f"n:{min(len(words) // 2, 8)}"
    yield from (f"has:{name}" for name in slots.places)
    of = sorted({sense for word in stems for sense in senses().get(word, ())})
    yield from (f"k:{sense}" for sense in of)
    yield from (f"k2:{first}+{second}" for first, second in combinations(of, 2))
    asking = _ASKING_WORDS.intersection(words)
    yield from (f"q:{word}+{sense}" for word in asking for sense in of)


def _letters(word: str) -> Iterator[str]:
    framed = f"^{word}$"
    for size in _LETTERS:
        yield from (framed[i : i + size] for i in range(len(framed) - size + 1))
