"""One data quality issue of a file: rule, severity, rows, text.

Made by checks.py (one file) and compare_sources.py (two sources); shown by `nightdesk data check` and `import`.
"""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

ROWS_SHOWN = 1000  # row numbers an issue lists in JSON; a shifted file would list them all
Severity = Literal["error", "warning"]


class DataIssue(NamedTuple):
    """`rows` count from 0 at the first row of data, in the file's own order; the text names the first of them."""

    rule: str
    severity: Severity
    rows: tuple[int, ...]
    text: str


def issue(rule: str, severity: Severity, rows: Iterable[int], text: str) -> list[DataIssue]:
    """A list with one issue, or an empty one without rows: checks are sums of these."""
    numbers = tuple(int(r) for r in rows)
    if not numbers:
        return []
    shown = ", ".join(str(r) for r in numbers[:5]) + (", ..." if len(numbers) > 5 else "")
    return [DataIssue(rule, severity, numbers, f"{text} (row{'s' if len(numbers) > 1 else ''} {shown})")]


def errors(found: Iterable[DataIssue]) -> list[DataIssue]:
    """The issues that make a file unusable."""
    return [f for f in found if f.severity == "error"]


def as_json(found: Iterable[DataIssue]) -> list[dict[str, Any]]:
    """Issues as JSON values; a very long list of rows is cut, `rows_total` has the full count."""
    return [
        {"rule": f.rule, "severity": f.severity, "text": f.text, "rows": list(f.rows[:ROWS_SHOWN]), "rows_total": len(f.rows)}
        for f in found
    ]
