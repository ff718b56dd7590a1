"""What no role does, and what only a person does: found by name before any tool is chosen. Called by model.py.

The texts are in ways.toml. Each is a no that says what comes closest, or the way a person does it; no tool is called.
"""

import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple


class Way(NamedTuple):
    """One of them: the patterns that find it, those that rule it out, the text."""

    name: str
    wanted: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...]
    text: str
    then: str = ""  # the tool that a short sentence after it goes on with
    it: str = ""  # what `it` must be for it, in a thread: of an order `cancel it` is no word on a proposal


@cache
def ways() -> tuple[Way, ...]:
    """All of them, in order."""
    listed = tomllib.loads((Path(__file__).parent / "ways.toml").read_text(encoding="utf-8"))["way"]
    made = []
    for way in listed:
        wanted, unless = (tuple(map(re.compile, way.get(key, ()))) for key in ("any", "not"))
        made.append(Way(way["name"], wanted, unless, way["text"].strip(), way.get("then", ""), way.get("it", "")))
    return tuple(made)


_IT = re.compile(r"\b(?:it|them|that|this|those)\b")


@lru_cache(maxsize=1024)
def way_of(text: str, about: str = "") -> Way | None:
    """The first that fits a tidy sentence. `about`: what the thread was about last, empty before its first answer."""
    for way in ways():
        other = way.it and about and about != way.it and way.it not in text and _IT.search(text)
        if not other and any(p.search(text) for p in way.wanted) and not any(p.search(text) for p in way.unless):
            return way
    return None


def bare(text: str) -> str:
    """A sentence as typed, lower-cased, in plain signs."""
    return " ".join(text.lower().replace("\u2019", "'").split())
