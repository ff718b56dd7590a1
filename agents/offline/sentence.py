"""A sentence while it is read: each reader takes what it names, the rest is left to the next. Called by slots.py and names.py."""

import re
from collections.abc import Iterable, Sequence

from agents.offline.words import PATTERNS, says

BLANK = "\u00b7"  # holds the place of what has been read
Places = Sequence[tuple[int, int]]


class Sentence:
    """A tidy text, what is left of it to be read, and where each slot stands in it."""

    def __init__(self, text: str) -> None:
        self.text = self.rest = text
        self.places: dict[str, list[tuple[int, int]]] = {}

    def take(self, name: str, places: Iterable[tuple[int, int]]) -> None:
        """These places belong to the slot `name`, and nothing else reads them."""
        for start, stop in places:
            self.places.setdefault(name, []).append((start, stop))
            self.rest = self.rest[:start] + BLANK * (stop - start) + self.rest[stop:]

    def note(self, name: str, places: Iterable[tuple[int, int]]) -> None:
        """These places belong to the slot `name`; others may read them too."""
        self.places.setdefault(name, []).extend(places)

    def first(self, name: str) -> str | None:
        """The first group that the slot's pattern finds in the rest, taken."""
        found = says(f"slots.{name}", self.rest)
        if found is None:
            return None
        self.take(name, [found.span()])
        return next(group for group in found.groups() if group)

    def every(self, name: str) -> tuple[str, ...]:
        """All that the slot's pattern finds in the rest, taken."""
        found = list(PATTERNS[f"slots.{name}"].finditer(self.rest))
        self.take(name, [m.span() for m in found])
        return tuple(m[1] if m.groups() else m[0] for m in found)


def mentions(form: str, text: str) -> list[re.Match[str]]:
    """Where a word or a name stands by itself."""
    return list(re.finditer(rf"(?<![\w-]){re.escape(form.lower())}(?![\w-])", text))
