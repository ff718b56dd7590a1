"""Reads a table for a question: which row, which figure, the most or the least of it. Called by focus.py, calls.py and plans.py.

A table's cells are text or references to facts, so that what is read from it keeps its receipt. Heads are matched by their own
words and by other ways to say them (words.toml, `figures`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agents.offline.entries import WORD
from agents.offline.words import FIGURES, PATTERNS, says, stem
from tools.common import split_words
from tools.common.contract import Table
from tools.common.split_words import MONEY, apart, over

number_of = split_words.number_of
Facts = Mapping[str, Any]  # reference -> fact, of the whole thread
BETTER_LOW = ("drawdown", "fees", "slippage", "depth")
AT_A_LOSS = PATTERNS["tables.at_a_loss"]
COSTS_US = re.compile(r"\bcosts? (?:us|me) (?:the )?(?:most|more|least)\b")  # a result, no costs
_BENCHMARK = re.compile(r"\b(?:just|better|beat\w*|than|against|versus|vs|off)(?: by| just| off)? (?:hold|holding)\b(?! times?)")
_MOMENTS = ("recovered", "peak", "trough", "entry_ms", "exit_ms", "made", "expires", "since", "until")  # no amounts
_NO_FIGURE = {
    stem(word) for word in ("open", "first", "last", "bars", "days", "day", "of", "the", "in", "sleeve", "whole", "desk", "time")
}  # words of windows and lists
_ROW_NAMES = "configuration run trip sleeve exit side hour daypart weekday weekend month symbol version day week regime"
_NAMES = tuple(_ROW_NAMES.split())


def heads_of(table: Table, text: str) -> list[int]:
    """The columns of figures that a text speaks of, in the order of the table."""
    asked = {stem(word) for word in WORD.findall(_BENCHMARK.sub("", COSTS_US.sub("net", text)))}
    return [i for i, head in enumerate(table.columns) if i > 0 and asked & forms_of(head)]


def rows_of(table: Table, text: str) -> list[int]:
    """Of a table of figures, one a row, those that a text speaks of."""
    if tuple(table.columns[1:]) != ("value",):
        return []
    asked = {stem(word) for word in WORD.findall(text)} - _NO_FIGURE
    return [i for i, row in enumerate(table.rows) if asked & forms_of(str(row[0]))]


def forms_of(head: str) -> set[str]:
    """Stems of a head's own words and of other ways to say them; units and kinds of mean left out."""
    own = {*re.split(r"[^a-z&]+", head.lower())} - {"frac", "ms", "max", "median", "total", "optimistic", ""}
    return {stem(word) for part in own for word in (part, *FIGURES.get(part, ()))}


def ranks(text: str) -> bool:
    """Whether a sentence asks for the most or the least of something; of a streak the tool's own text says it."""
    return "streak" not in text and bool(says("tables.low", text) or says("tables.high", text))


def extreme(table: Table, facts: Facts, text: str, which: str | None = None) -> str:
    """A sentence: which row has the most or the least of the figure that the text speaks of; empty when it cannot be told."""
    n = extreme_row(table, facts, text, which)
    if n is None:
        return ""
    at, row = column_of(table, text), table.rows[n]
    name = next((i for i, column in enumerate(table.columns) if column in _NAMES), 0)
    lowest = "lowest" if lowest_wanted(table.columns[at], text, which) else "highest"
    return f"The {lowest} {table.columns[at]} is that of {row[name]}: {row[at]}{over(table, row)}{apart(row, facts)}."


def rows_named(table: Table, text: str, names: Sequence[str] = ()) -> list[int]:
    """The rows of a split that a text speaks of by their first cell (`mondays`, `at night`), or by a name of a sleeve."""
    asked = {stem(word) for word in WORD.findall(text)} - _NO_FIGURE
    split = table.columns[0] in _NAMES or not table.columns[0]
    own = [{stem(word) for word in re.findall(r"[a-z]+", str(row[0]).lower())} for row in table.rows if split]
    return [n for n, of in enumerate(own) if asked & (of - _NO_FIGURE) or any(name in str(table.rows[n][0]) for name in names)]


def column_of(table: Table, text: str) -> int:
    """The column of the figure that a text speaks of; of P&L where it names none. 0: the table has neither."""
    money = [i for i, head in enumerate(table.columns) if head in MONEY]
    counts = [
        i
        for i in heads_of(table, text)
        if table.columns[i] not in _MOMENTS
        and (table.columns[i] not in ("trips", "trades", "round trips") or says("tables.many", text))
    ]
    said = {stem(word) for word in WORD.findall(text)}
    # `win rate` is of win_frac, not of wins
    best = sorted(counts, key=lambda i: (-len(said & forms_of(table.columns[i])), table.columns[i] == "slippage"))
    return (*best, *money, 0)[0]


def ordered(table: Table, facts: Facts, text: str, which: str | None = None, rows: Sequence[int] | None = None) -> list[int]:
    """Rows by the figure that a text speaks of, the end that is asked for first; sums of the others are left out."""
    at, some = column_of(table, text), re.search(r"\bof (?:the )?(?:two|three|four|these|those)\b", text)
    sums = _SUMS[: 3 if some else 2]
    shown = [n for n in (range(len(table.rows)) if rows is None else rows) if at and not is_sum(table.rows[n], sums)]
    values = [(value, n) for n in shown if (value := number_of(table.rows[n][at], facts)) is not None]
    if any(word in table.columns[at] for word in BETTER_LOW) and all(value <= 0 for value, _ in values):
        values = [(-value, n) for value, n in values]  # costs that are booked as losses
    low = lowest_wanted(table.columns[at], text, which)
    return [n for _, n in sorted(values, key=lambda pair: pair[0], reverse=not low)]


_SUMS = ("whole desk", "total", "live configuration")


def is_sum(row: Sequence[Any], names: Sequence[str] = _SUMS[:2]) -> bool:
    """Whether a row is the sum of the others, by its names; a reference (`{r1.total_return_frac}`) is none."""
    return any(name in str(cell) for cell in row[:3] if not str(cell).startswith("{") for name in names)


def by_sign(table: Table, facts: Facts, text: str, rows: Sequence[int] | None = None) -> str:
    """Which rows are above zero or below it, where a text asks for that; empty where it does not, or the table has no money."""
    asks = says("table_sums.which_sign", text)
    at = next((table.columns.index(name) for name in ("net", "change", "total_return_frac") if name in table.columns[1:]), 0)
    if asks is None or not at or table.columns[-1] == "value":
        return ""
    every = [n for n in (range(len(table.rows)) if rows is None else rows) if not is_sum(table.rows[n])]
    values = {n: value for n in every if (value := number_of(table.rows[n][at], facts)) is not None}
    red = asks["red"] is not None
    kept = sorted((n for n, value in values.items() if value and (value < 0) == red), key=lambda n: -abs(values[n]))
    names = ", ".join(f"{table.rows[n][0]} ({table.rows[n][at]})" for n in kept[:12])
    verb = "is" if len(kept) == 1 else "are"
    utc = ", the hours in UTC" if table.columns[0] == "hour" else ""
    return f"{len(kept) or 'None'} of {len(values)} {verb} {'below' if red else 'above'} zero{utc}{': ' if kept else ''}{names}."


def extreme_row(table: Table, facts: Facts, text: str, which: str | None = None) -> int | None:
    """The row with the most or the least of the figure that a text speaks of."""
    return next(iter(ordered(table, facts, text, which)), None) if len(table.rows) > 1 else None


def lowest_wanted(head: str, text: str, which: str | None) -> bool:
    """Whether the least is wanted: the worst of a P&L is its lowest, of a cost or a drawdown its highest."""
    few, many = (says(f"tables.{end}", text) is not None for end in ("low", "high"))
    costs = any(word in head for word in BETTER_LOW)
    if which in ("worst", "best") or re.search(r"\b(?:worst|best|better|worse|winner)\b", text):
        worst = which == "worst" if which in ("worst", "best") else bool(re.search(r"\b(?:worst|worse)\b", text))
        most = re.search(r"\b(?:highest|biggest|largest|most)\b", text) and not re.search(r"\b(?:best|better)\b", text)
        if costs and most:
            return False
        plain = re.search(r"\b(?:smallest|lowest|least|fewest)\b", text)
        return True if costs and plain else worst != costs
    if AT_A_LOSS.search(text) and head in ("net", "return", "change", "total_return_frac", "net_profit"):
        return many or not few
    return few


def handle_of(result: Any, name: str) -> str:
    """The handle of the fact of this name that a result's text has; empty where it has none."""
    found = re.search(rf"\{{(\w+)\.{name}\}}", result.text)
    return found[1] if found else ""


def only(table: Table, rows: Sequence[int]) -> Table:
    """The table with these rows alone."""
    return Table(table.columns, tuple(table.rows[i] for i in rows))
