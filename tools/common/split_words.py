"""What a split of round trips says, in a sentence with its number: which group is first and last, and whether one is apart from
the others beyond chance. Called by tools/figures.py, and by the planner for the groups that a question names.

Cells are references to facts (`{k1.net}`), so that each figure in the sentence keeps its receipt.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.common.contract import Fact, Table

MONEY = ("net", "change", "return", "total_return_frac")
SPOKEN = {"win_frac": "hit rate", "mean_r": "mean R", "median_hold_ms": "median holding time", "win": "hit rate"}


def number_of(cell: Any, facts: Mapping[str, Any]) -> float | None:
    """The number of a cell, which may be a reference; None for a word and for a fact without a value."""
    fact = facts.get(cell[1:-1]) if isinstance(cell, str) and cell.startswith("{") else None
    value = fact.value if fact is not None else cell
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def over(table: Table, row: Sequence[Any]) -> str:
    """How many round trips a row is of; empty where the table does not count them."""
    return f" over {row[table.columns.index('trips')]} round trips" if "trips" in table.columns else ""


def apart(row: Sequence[Any], facts: Mapping[str, Any]) -> str:
    """Whether what a group makes a round trip is apart from what the others make; empty where its tool does not compare them."""
    h = next((cell[1:-1].partition(".")[0] for cell in row if isinstance(cell, str) and cell.startswith("{")), "")
    if f"{h}.apart" not in facts:
        return ""
    low, high = (number_of(f"{{{h}.apart_{end}}}", facts) for end in ("low", "high"))
    if low is None or high is None:
        return "; too few round trips to set it apart from the others"
    if low * high > 0:
        return f"; beyond chance {'more' if low > 0 else 'less'} a round trip than the others make"
    return f"; within chance of the others ({{{h}.apart}} a round trip, {{{h}.apart_low}} to {{{h}.apart_high}}, 95 %)"


def of_rows(table: Table, facts: Mapping[str, Any], rows: Sequence[int], more: Sequence[int] = ()) -> str:
    """What each of some rows of a split made, over how many round trips, with more of its figures and whether it is chance."""
    money = next(i for i, head in enumerate(table.columns) if head in MONEY)
    more = [i for i in more if i != money] or [i for i, head in enumerate(table.columns) if head in ("win_frac", "mean_r")]
    said: list[str] = []
    for row in (table.rows[n] for n in rows):
        made = "made" if (number_of(row[money], facts) or 0.0) > 0 else "lost"
        figures = "".join(f", {SPOKEN.get(table.columns[i], table.columns[i])} {row[i]}" for i in more)
        chance = "" if said and len(table.rows) == 2 else apart(row, facts)  # of two groups it is the same
        said.append(f"{row[0]} {made} {row[money]}{over(table, row)}{figures}{chance}.")
    return " ".join(said)


def spread(table: Table, facts: Mapping[str, Any], at: int, order: Sequence[int]) -> str:
    """Which row of a split has the most and which the least of column `at`; of money whether any made some.

    order: the rows that count, highest first; with fewer than two of them it says nothing.
    """
    if len(order) < 2:
        return ""
    best, worst = ((row[0], f"{row[at]}{over(table, row)}") for row in (table.rows[order[0]], table.rows[order[-1]]))
    if table.columns[at] in MONEY and (number_of(table.rows[order[0]][at], facts) or 0.0) < 0:
        return f"None made money: {best[0]} lost the least, {best[1]}; {worst[0]} the most, {worst[1]}."
    head = SPOKEN.get(table.columns[at], table.columns[at])
    return f"By {head}, {best[0]} is first: {best[1]}; {worst[0]} is last: {worst[1]}."


def first_and_last(table: Table, nets: Sequence[float], facts: Sequence[Fact]) -> str:
    """The verdict of a split: its first and its last group by net P&L, before all other text; empty for a single group."""
    order = sorted(range(len(nets)), key=lambda n: nets[n], reverse=True)
    said = spread(table, {fact.ref: fact for fact in facts}, table.columns.index("net"), order)
    return f"{said} " if said else ""


def which_apart(by: str, apart_of: Mapping[str, Any]) -> str:
    """Which groups differ from all others beyond chance, all of them compared; empty for a split that is not compared."""
    ends = {key: one.low for key, one in apart_of.items() if one.low is not None and one.low * one.high > 0}
    if len(apart_of) < 2:
        return ""
    if ends:
        said = ", ".join(f"{key} ({'more' if low > 0 else 'less'})" for key, low in ends.items())
        return f" Apart from the others beyond chance in what a round trip makes (95 % over all compared): {said}."
    return f" By {by}, none is apart from the others beyond chance in what a round trip makes (95 % over all compared)."
