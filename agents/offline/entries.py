"""What can be asked: one entry for each `Asked` that a tool declares beside its schema. Called by choose.py and fill.py."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, get_args

from agents.offline.words import stem, written_out
from tools.catalog import ENTRIES
from tools.common.contract import Asked, Effect, Tool

WORD = re.compile(r"[a-z&][a-z&/'-]*|\d[\d.:]*%?")


class AskedEntry(NamedTuple):
    """One way to ask for a tool."""

    tool: Tool
    roles: tuple[str, ...]
    asked: Asked

    @property
    def ask(self) -> str:
        """Its name in the sentences for training: the tool, with the kind where it has several."""
        return f"{self.tool.name} {self.asked.kind}".strip()

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
        can += ["exit"] if "rule" in can else []  # `by reason`: of a refusal it is the rule
        can += ["exit", "sleeve", "side"] if self.tool.name == "excursions" else []  # its table, or one call for each
        return all(one in can or (one == "sleeve" and self.asked.kind == "sleeves") or self.tool.name == f"{one}s" for one in by)


@cache
def fields_of(args: Any) -> frozenset[str]:
    """The names of a tool's arguments."""
    return frozenset(args.model_fields)


def stems(text: str) -> tuple[str, ...]:
    """The stems of a text's words, in order."""
    return tuple(stem(word) for word in WORD.findall(written_out(text)))


@cache
def entries() -> tuple[AskedEntry, ...]:
    """Every entry of every tool."""
    return tuple(AskedEntry(line.tool, line.roles, asked) for line in ENTRIES for asked in line.tool.asked)


@cache
def entry_of(ask: str) -> AskedEntry | None:
    """The entry of a label; that of its tool where the kind has none of its own; None where no tool is meant."""
    own = next((entry for entry in entries() if entry.ask == ask), None)
    return own or next((entry for entry in entries() if entry.tool.name == ask.split(maxsplit=1)[0]), None)


def choices_of(tool: Tool, field: str) -> Sequence[str]:
    """The words that a Literal argument may be; empty for any other."""
    found: list[str] = []
    left = [tool.args.model_fields[field].annotation]
    while left:
        kind = left.pop()
        found += [value for value in get_args(kind) if isinstance(value, str)]
        left += [part for part in get_args(kind) if not isinstance(part, str)]
    return found
