"""What the table above answers of a sentence that it explains: rows and columns, an order, how many, a sum, a mean, a share.
Called by understand.py.

The verdict comes first, then the rows that it is read from. Cells keep their receipts; `calc` makes a sum, a mean or a share.
"""

import re
from collections.abc import Sequence

from agents.offline.slots import Slots
from agents.offline.steps import ROWS_KEPT, PastTurn, PlannedAnswer, PlanOf
from agents.offline.tables import Facts, column_of, only
from agents.offline.tables_shown import OF_RUNS, TableAbove
from agents.offline.talk import TIMES, RowsAsked, figure_meant, key_of, question_of
from agents.offline.words import PATTERNS, Words, says
from tools.common import render
from tools.common.contract import Table

NONE = "none so far"
ROWS_SUMMED = 20  # of a P&L in its first answer
_OF_SKILL = ("total_return_frac", "net_profit", "sharpe")
_RUN_COLUMNS = ("total_return_frac", "sharpe", "max_drawdown_frac", "trades")
NO_SKILL = "Two runs beside each other do not tell skill from luck: a comparison of two values over the same days does."


def answer_of(slots: Slots, past: Sequence[PastTurn], facts: Facts, words: Words) -> PlannedAnswer | PlanOf | None:
    """What the table above answers of a sentence that it explains wholly; None for any other sentence."""
    found = question_of(slots, past, facts, words)
    return None if found is None else _answered(slots, *found)


def _answered(slots: Slots, above: TableAbove, found: RowsAsked) -> PlannedAnswer | PlanOf | None:
    """The rows and columns picked, their order, how many they are, their sum, mean or share."""
    table, text, rows, size = above.table, slots.text, list(found.rows), len(above.base)
    read_as = _read(above, found)
    if any(says(f"talk.{of}", text) for of in ("sum", "mean", "share")) and not says("talk.part", text):
        return None  # of the tool, not of these rows
    if size == 1 and _ranks(found.how):
        return None  # a sum has no worst row: its trades have
    cut = "" if above.result.args.get("limit") or found.how == "" else says("table_answers.cut", above.result.text)
    of = f"{len(above.rows)} rows {'of the table' if len(above.rows) == size else 'kept'} above"
    some = f"{len(rows) or 'None'} of the {of}{f': {found.how}' if found.how else ''}.{f' {cut[0]}' if cut else ''}"
    if not rows:
        return PlannedAnswer(_verdict(text, 0, size, some), read_as=read_as)
    at = column_of(table, figure_meant(slots, above) if found.how else text)
    row, name = table.rows[rows[0]], name_of(table, rows[0])
    beside = [at] if found.heads and at not in (0, *found.heads) and _ranks(found.how) else []
    shown = [*found.heads, *beside] or _columns_of(table)
    cells = ", ".join(f"{table.columns[i]} {NONE if row[i] == '-' else row[i]}" for i in found.heads or [i for i in (at,) if i])
    if table.columns[-1] == "value" and len(rows) < size:  # `how many trades was that`: the figure itself
        lead = f"{', '.join(f'{table.rows[n][-2]} {table.rows[n][-1]}' for n in rows[:6])}."
    elif found.keeps or (says("talk.count", text) and not found.heads):
        lead = _verdict(text, len(rows), len(above.rows), some) + (f" {name}: {cells}." if len(rows) == 1 and cells else "")
    elif len(rows) == 1 and at and _ranks(found.how):
        most = found.how.rpartition(", ")[2].removesuffix(f" {table.columns[at]}")
        lead = f"The {most} {table.columns[at]} is that of {name}: {row[at]}{_others(above, rows[0], at)}."
        times = [f"{table.columns[i]} {row[i]}" for i in found.heads if table.columns[i] in TIMES]
        lead += f" {', '.join(times)}." if times else " That is of the table above."
        lead += f" {NO_SKILL}" if size > 1 and table.columns[:2] == OF_RUNS and table.columns[at] in _OF_SKILL else ""
    elif len(rows) == 1 and found.heads:
        place = f", {found.how} of {size}" if found.how.startswith("row ") else ""
        lead = f"{name}{place}: {cells}."
    elif len(rows) == 1 < size:
        lead = f"{name}{f': {table.columns[at]} {row[at]}' if at else ''}. That is of the table above."
    else:
        lead = some if len(rows) < size else "Of the table above:"
    return PlannedAnswer(f"{lead}\n\n{render.markdown_table(_columns(only(table, rows), shown))}", read_as=read_as)


def _ranks(how: str) -> bool:
    return re.search(r"\b(?:lowest|highest) ", how) is not None


def name_of(table: Table, n: int) -> str:
    """What a row is called; of a run with what sets it apart."""
    row = table.rows[n]
    name = str(row[key_of(table)])
    if table.columns[:2] == OF_RUNS and row[1]:
        return f"{name} ({row[1]})"
    return f"{table.columns[0]} {name}" if name.isdigit() else name


def _others(above: TableAbove, n: int, at: int) -> str:
    """Of two or three runs the figures of the others."""
    if above.table.columns[:2] != OF_RUNS or len(above.rows) > 3:
        return ""
    others = [f"{above.table.rows[i][at]} of {name_of(above.table, i)}" for i in above.rows if i != n]
    return f", against {' and '.join(others)}" if others else "; it is the only run of this thread"


def _verdict(text: str, kept: int, size: int, some: str) -> str:
    """Yes or no first, where a sentence asks whether all or any are so."""
    asked = PATTERNS["talk.whether"].match(text)
    if asked is None:
        return some
    return f"{'Yes' if (kept == size if asked['all'] else kept) else 'No'}: {some[0].lower()}{some[1:]}"


def _read(above: TableAbove, found: RowsAsked) -> str:
    asked = render.one_line(above.asked, 60)
    table = above.result.table
    part = table is not None and len(table.rows) >= ROWS_KEPT and table.columns[-1] != "value"  # a run has all its figures
    kept = f"the first {ROWS_KEPT} rows of " if part else ""
    return f'{kept}the table above ("{asked}"){f", {found.how}" if found.how else ""}'


def _columns_of(table: Table) -> list[int]:
    """The columns of a table of runs that are shown where none is named: there are too many."""
    return [table.columns.index(name) for name in _RUN_COLUMNS if name in table.columns] if table.columns[:2] == OF_RUNS else []


def _columns(table: Table, heads: Sequence[int]) -> Table:
    """The columns asked for beside the row's name; all of them where none is."""
    if not heads:
        return table
    own = [1] if table.columns[:2] == OF_RUNS else []
    kept = list(dict.fromkeys((key_of(table), *own, *heads)))
    return Table(tuple(table.columns[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in table.rows))
