"""Reads a table for a question: which row, which figure, the most or the least of it. Called by focus.py, calls.py and plans.py.

A table's cells are text or references to facts, so that what is read from it keeps its receipt. Heads are matched by their own
words and by other ways to say them (words.toml, `figures`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agents.offline.entries import WORD
from agents.offline.words import FIGURES, PATTERNS, stem
from tools.common.contract import Table

Facts = Mapping[str, Any]  # reference -> fact, of the whole thread
_BETTER_LOW = ("drawdown", "fees", "slippage", "depth")
_LOW = PATTERNS["tables.low"]
_HIGH = PATTERNS["tables.high"]
_AT_A_LOSS = PATTERNS["tables.at_a_loss"]
_NAMES = (
    "configuration",
    "run",
    "trip",
    "sleeve",
    "exit",
    "side",
    "hour",
    "weekday",
    "month",
    "symbol",
    "version",
    "day",
    "week",
)


def heads_of(table: Table, text: str) -> list[int]:
    """The columns of figures that a text speaks of, in the order of the table."""
    asked = {stem(word) for word in WORD.findall(text)}
    return [i for i, head in enumerate(table.columns) if i > 0 and asked & _forms(head)]


def rows_of(table: Table, text: str) -> list[int]:
    """Of a table of figures, one a row, those that a text speaks of."""
    if tuple(table.columns[1:]) != ("value",):
        return []
    asked = {stem(word) for word in WORD.findall(text)}
    return [i for i, row in enumerate(table.rows) if asked & _forms(str(row[0]))]


def _forms(head: str) -> set[str]:
    """Stems of a head's own words and of other ways to say them; units and kinds of mean left out."""
    own = {
        part
        for part in re.split(r"[^a-z&]+", head.lower())
        if part not in ("frac", "ms", "max", "median", "total", "optimistic", "")
    }
    return {stem(word) for part in own for word in (part, *FIGURES.get(part, ()))}


def ranks(text: str) -> bool:
    """Whether a sentence asks for the most or the least of something."""
    return bool(_LOW.search(text) or _HIGH.search(text))


def extreme(table: Table, facts: Facts, text: str, which: str | None = None) -> str:
    """A sentence: which row has the most or the least of the figure that the text speaks of; empty when it cannot be told."""
    heads = heads_of(table, text) or [i for i, head in enumerate(table.columns) if head in ("net", "return", "change")]
    if not heads or len(table.rows) < 2:
        return ""
    at, head = heads[0], table.columns[heads[0]]
    listed = re.search(
        r"\bof (?:the )?(?:two|three|four|these|those)\b", text
    )  # of what was asked for, not of what it was compared with
    rows = [n for n, row in enumerate(table.rows) if not (listed and any("live configuration" in str(cell) for cell in row[:3]))]
    values = [(number, n) for n in rows if (number := number_of(table.rows[n][at], facts)) is not None]
    if not values:
        return ""
    lowest = _lowest(head, text, which)
    row = table.rows[(min if lowest else max)(values)[1]]
    name = next((i for i, column in enumerate(table.columns) if column in _NAMES), 0)
    return f"The {'lowest' if lowest else 'highest'} {head} is that of {row[name]}: {row[at]}."


def _lowest(head: str, text: str, which: str | None) -> bool:
    """Whether the least is wanted: the worst of a P&L is its lowest, of a cost or a drawdown its highest."""
    costs, few, many = any(word in head for word in _BETTER_LOW), bool(_LOW.search(text)), bool(_HIGH.search(text))
    if which in ("worst", "best") or re.search(r"\b(?:worst|best|better|worse|winner)\b", text):
        worst = which == "worst" if which in ("worst", "best") else bool(re.search(r"\b(?:worst|worse)\b", text))
        plain = re.search(r"\b(?:smallest|lowest|least|fewest)\b", text)
        return True if costs and plain else worst != costs
    if _AT_A_LOSS.search(text) and head in ("net", "return", "change"):
        return many or not few
    return few


def number_of(cell: Any, facts: Facts) -> float | None:
    """The number of a cell, which may be a reference."""
    fact = facts.get(cell[1:-1]) if isinstance(cell, str) and cell.startswith("{") else None
    value = fact.value if fact is not None else cell
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def only(table: Table, rows: Sequence[int]) -> Table:
    """The table with these rows alone."""
    return Table(table.columns, tuple(table.rows[i] for i in rows))
