"""What a long search has found so far, as a table that its job shows while it runs.

Called by search.py and walkforward.py; app/jobs/queue.py writes it to the job's row. A table is made only when it is wanted.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

ROWS = 200  # shown of a table that is longer
Table = Mapping[str, Any]  # {text, columns, rows}
Partly = Callable[[Callable[[], Table]], None]


def unseen(_make: Callable[[], Table]) -> None:
    """Nobody looks."""


def table(text: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """The table of so far: its first ROWS rows, and a text that says how many there are."""
    more = f"; the first {ROWS} of {len(rows)} rows" if len(rows) > ROWS else ""
    return {"text": text + more, "columns": list(columns), "rows": [list(row) for row in rows[:ROWS]]}
