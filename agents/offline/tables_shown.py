"""The tables that a thread shows: of a run with all its figures, of several runs as one table, a row each. Called by talk.py."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from agents.offline.steps import CallResult, PastTurn
from agents.offline.tables import Facts, number_of
from tools.common.contract import Table


class TableAbove(NamedTuple):
    """A table that stands above, with the question that it answered."""

    result: CallResult
    table: Table
    asked: str
    later: Sequence[str] = ()  # what was asked since and answered from it, the newest first
    base: Sequence[int] = ()  # its rows of the window that was asked for
    rows: Sequence[int] = ()  # what was kept of these since
    picked: int | None = None  # the one row that was named last


def of_figures(result: CallResult) -> bool:
    """Whether a result is of one run, its figures one a row."""
    return result.name in ("backtest", "run") and result.table is not None and result.table.columns[:2] == ("metric", "value")


def _handle(result: CallResult) -> str:
    cell = str(result.table.rows[0][1]) if result.table is not None and result.table.rows else ""
    return cell[1:].partition(".")[0] if cell.startswith("{") else ""


def whole_table(result: CallResult, facts: Facts) -> Table:
    """The table of a result; of a run with every figure of it, since a thread keeps the first rows alone."""
    assert result.table is not None  # noqa: S101 - asked by the caller
    handle = _handle(result) if of_figures(result) else ""
    names = [str(row[0]) for row in result.table.rows]
    more = [ref.partition(".")[2] for ref in facts if handle and ref.startswith(f"{handle}.")]
    rows = tuple((name, f"{{{handle}.{name}}}") for name in more if name not in names)
    return result.table._replace(rows=(*result.table.rows, *rows))


OF_RUNS = ("run", "differs")  # the first columns of the table of the runs of a thread
_SAID_OF_RUNS = ("strategy", "symbol", "timeframe", "start", "end", "changes")


def days_of(result: CallResult, facts: Facts) -> tuple[str, int] | None:
    """The days that a run has bars of, and those asked for, where it has less than four fifths of them."""
    start, end = (str(result.args.get(name) or "")[:10] for name in ("start", "end"))
    found = next((str(row["value"]) for row in result.rows() if row.get("metric") == "days"), "")
    days, asked = number_of(found, facts), (date.fromisoformat(end) - date.fromisoformat(start)).days if start and end else 0
    return (found, asked) if days is not None and days < 0.8 * asked else None


def runs_as_table(past: Sequence[PastTurn], facts: Facts) -> Table | None:
    """The runs that the thread made or showed, a row each: its id, in what it differs from the others, its figures."""
    made = {
        run: r
        for turn in past
        for r in turn.results
        if of_figures(r) and r.status == "ok" and (run := next(iter(r.ids("r-")), ""))
    }
    short = {run: found for run, r in made.items() if (found := days_of(r, facts)) is not None}
    cells = {
        run: {str(row[0]): "n/a" if run in short else row[1] for row in whole_table(r, facts).rows} for run, r in made.items()
    }
    heads = [name for name in next(iter(cells.values()), {}) if all(name in of for of in cells.values())]
    if not heads:
        return None
    said = {run: {key: _as_said(r.args.get(key)) for key in _SAID_OF_RUNS} for run, r in made.items()}
    differ = [key for key in _SAID_OF_RUNS if len({of[key] for of in said.values()}) > 1]
    few = {run: [f"with bars of {days} of {asked} days"] for run, (days, asked) in short.items()}
    names = {run: " ".join([*(said[run][key] for key in differ), *few.get(run, [])]).strip() for run in cells}
    rows = [(run, names[run], *(of[name] for name in heads)) for run, of in cells.items()]
    return Table((*OF_RUNS, *heads), tuple(rows))


def _as_said(value: Any) -> str:
    """An argument of a run in a word: `stop_atr=3`; of none of several changes `defaults`."""
    if not isinstance(value, list | tuple):
        return str(value or "")
    return ", ".join(f"{c['key']}={c['value']}" for c in value) or "defaults"
