"""What no role does, and what only a person does: found by name before any tool is chosen. Called by model.py.

The texts are in ways.toml. Each is a no that says what comes closest, or the way a person does it; no tool is called.
"""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Way(NamedTuple):
    """One of them: the patterns that find it, those that rule it out, the text."""

    name: str
    wanted: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...]
    text: str
    then: str = ""  # the tool that a short sentence after it goes on with


@cache
def ways() -> tuple[Way, ...]:
    """All of them, in order."""
    listed = tomllib.loads((Path(__file__).parent / "ways.toml").read_text(encoding="utf-8"))["way"]
    made = []
    for way in listed:
        wanted, unless = (tuple(map(re.compile, way.get(key, ()))) for key in ("any", "not"))
        made.append(Way(way["name"], wanted, unless, way["text"].strip(), way.get("then", "")))
    return tuple(made)


def way_of(text: str) -> Way | None:
    """The first that fits a tidy sentence."""
    return next((w for w in ways() if any(p.search(text) for p in w.wanted) and not any(p.search(text) for p in w.unless)), None)


def bare(text: str) -> str:
    """A sentence as typed, lower-cased, in plain signs."""
    return " ".join(text.lower().replace("\u2019", "'").split())
