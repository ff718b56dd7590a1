"""A table of measured things, each with its limit and whether it was kept. Called by bench.commands and bench.office.

What a machine's load can move is asserted here and in no test: resident sizes, shares of a core, seconds.
"""

import sys

from rich.console import Console
from rich.table import Table

OVER: list[str] = []  # what passed its limit in this run: the benchmark then ends with exit code 1


class Verdicts:
    """The table; `add` a row, then `show` it."""

    def __init__(self, title: str) -> None:
        self.table = Table(title=title)
        for name in ("what", "limit", "seen", "verdict"):
            self.table.add_column(name, justify="left" if name in ("what", "verdict") else "right")

    def add(self, what: str, seen: float, unit: str, limit: float | None = None, shown: str = "") -> None:
        """One measured thing. `shown`: what stands in the column `seen` when that is more than the figure itself."""
        over = limit is not None and not seen <= limit
        if over:
            OVER.append(what)
        wanted = "-" if limit is None else f"{limit:g} {unit}"
        verdict = "" if limit is None else "OVER" if over else "within"
        self.table.add_row(what, wanted, shown or f"{seen:.{2 if seen < 10 else 0}f} {unit}", verdict)

    def show(self) -> None:
        """Print it."""
        Console(width=None if sys.stdout.isatty() else 150).print(self.table)
