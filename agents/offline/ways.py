"""What no role does, and what only a person does: fixed answers by what is asked. Called by understand.py.

The texts are in ways.toml. Each is a no that says what comes closest, or the way a person does it; no tool is called.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple


class Way(NamedTuple):
    """One of them: its key in the sentences for training, what it is about, the answer."""

    key: str
    name: str
    text: str
    then: str = ""  # the tool that a short sentence after it goes on with
    shows: Mapping[str, Any] = MappingProxyType({})  # `name` and `args` of a call whose answer is below the text


_LISTED = tomllib.loads((Path(__file__).parent / "ways.toml").read_text(encoding="utf-8"))
SAY: Mapping[str, str] = _LISTED["say"]  # fixed texts of single sentences
NOT_GIVEN: Mapping[str, Mapping[str, str]] = _LISTED["not_given"]  # tool -> form, text: said before its answer


@cache
def ways() -> Mapping[str, Way]:
    """All of them by key."""
    return {way["key"]: Way(**way) for way in _LISTED["way"]}


def way_of(ask: str) -> Way | None:
    """The way that a label names (`way order`); None for any other label."""
    kind, _, key = ask.partition(" ")
    return ways()[key] if kind == "way" else None
