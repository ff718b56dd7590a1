"""A table of an answer that is wider than a phone: what sets a row apart, its first figure, then the others in lines. Called by
answer.py.

Turns cells of markdown, still outside text, into a table of two or three columns; what every row has alike is one line above it.
"""

import re
from collections.abc import Sequence

from app.ui import safe
from app.ui.figures import NONE

ROOM, CHARACTER, EDGES = 340, 6.2, 9  # pixels of a phone's answer, of one character of a table, and around a cell
NAMES_MAX = 2  # columns that name a row
NAMELESS = "what"  # a row of empty heads would be no head
FIRST = ("net", "return", "change", "unrealised", "value")  # figures that people look for: they keep a column
UNKNOWN = ("", "-", NONE, "n/a")
UNITS = ("USDT", "USD", "bps", "R")
JOINT = "\u00a0"  # a figure stays beside its name
_LINK = re.compile(r"\[([^\[\]\n]*)\]\([^()\n]*\)")
_BREAKS = re.compile(r"\s+|-(?!\d)")  # where a line may end; an id stays in one piece

Rows = Sequence[Sequence[str]]


def fits(rows: Rows) -> bool:
    """Whether a table, its head first, can be read on a phone without scrolling sideways; estimated by its longest words."""
    lines = list(zip(*rows, strict=True)) if safe.turns(rows) else rows
    widest = (max(map(_longest, column)) for column in zip(*lines, strict=True))
    return sum(CHARACTER * most + EDGES for most in widest) <= ROOM


def _longest(cell: str) -> int:
    """Characters of what stays on one line; a link does."""
    return max(map(len, _BREAKS.split(_LINK.sub(lambda found: "x" * len(found[1]), cell))))


def table(rows: Rows) -> str:
    """The same table in two or three columns, as markdown."""
    if not rows[0][0]:  # a comparison stands on its side: on a phone a row is one configuration
        rows = list(zip(*rows, strict=True))
    heads, *body = rows
    every = range(len(heads))
    alike = [n for n in every if len(body) > 1 and len({row[n] for row in body}) == 1]
    names = _names(body, [n for n in every if n not in alike])
    apart = [n for n in every if n not in (*alike, *names)]
    kept = [n for n in apart if bare(heads[n]) in FIRST][:1]
    rest = [n for n in apart if n not in kept]
    lines = [[", ".join(heads[n] for n in names) or NAMELESS, *(heads[n] for n in kept), ""]]
    lines += [["---"] * len(lines[0])]
    lines += [[" · ".join(row[n] for n in names), *(row[n] for n in kept), _lines(heads, row, rest)] for row in body]
    made = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    above = _lines(heads, body[0], alike) if body else ""
    return f"Every row: {above}\n\n{made}" if above else made


def bare(head: str) -> str:
    """A head without its unit."""
    name, _, unit = head.rpartition(", ")
    return name if name and unit in UNITS else head


def _names(body: Rows, columns: Sequence[int]) -> Sequence[int]:
    """The first columns, as many as tell the rows apart."""
    enough = (k for k in range(1, NAMES_MAX) if len({tuple(row[n] for n in columns[:k]) for row in body}) == len(body))
    return columns[: next(enough, NAMES_MAX)]


def _lines(heads: Sequence[str], row: Sequence[str], columns: Sequence[int]) -> str:
    """`fees 12.30 USDT · traded 50 days`: what is known of a row."""
    return " · ".join(_named(heads[n], row[n]) for n in columns if row[n] not in UNKNOWN)


def _named(head: str, cell: str) -> str:
    """A figure behind its name; a unit of the head goes back to its figure."""
    unit = f"{JOINT}{head.rpartition(', ')[2]}" if bare(head) != head else ""
    return f"{bare(head).replace(' ', JOINT)}{JOINT}{cell}{unit}".strip(JOINT)
