"""The tables of `python -m bench scale`: each figure at each size, and by what it is multiplied when the size doubles.

Called by bench.__main__. Figures are measured where bench.scale.kept has none: a bench that was stopped goes on. A figure over
its limit is marked, and the command then ends with exit code 1; a cell that fails is a line and ends nothing else.
"""

import shutil
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench.scale.kept import FOLDER, Figures, forget, machine, measured, per_doubling
from bench.verdicts import OVER
from engine.errors import DeskError

EVENTS = ("100000", "1000000", "4000000")
LONG = ("1000000", "4000000")  # of which each is read plain, packed, and read again
SLEEVES = ("1", "3", "10", "50")
SLOWEST = 12
VIEW_S, START_S, PROCESS_MB = 1.0, 60.0, 1_500.0
console = Console(width=None if sys.stdout.isatty() else 150)


class FigureRow(NamedTuple):
    """One figure: its name, the key in a cell's figures, a factor, digits, and its limit in the unit shown."""

    name: str
    key: str
    factor: float = 1.0
    digits: int = 2
    limit: float | None = None


def grown(title: str, sizes: Sequence[float], cells: Sequence[Figures | None], rows: Sequence[FigureRow], unit: str) -> None:
    """Print a table with a column a size."""
    table = Table(title=title)
    table.add_column("what")
    for size in sizes:
        table.add_column(f"{size:,.0f} {unit}", justify="right")
    table.add_column("x a doubling", justify="right")
    for row in rows:
        values = [None if cell is None or row.key not in cell else float(cell[row.key]) * row.factor for cell in cells]
        shown = ["-" if value is None else marked(row, value) for value in values]
        known = [(size, value) for size, value in zip(sizes, values, strict=True) if value is not None]
        growth = per_doubling([size for size, _ in known], [value for _, value in known])
        table.add_row(row.name, *shown, "-" if growth is None else f"{growth:.2f}")
    console.print(table)


def marked(row: FigureRow, value: float) -> str:
    """The figure, with a mark when it is over its limit."""
    over = row.limit is not None and value > row.limit
    if over:
        OVER.append(row.name)
    return f"{value:,.{row.digits}f}{' OVER' if over else ''}"


def tried(part: str, name: str, *sizes: str) -> Figures | None:
    """A cell's figures; None when it failed, which is said."""
    try:
        return measured(part, name, sizes)
    except DeskError as error:
        console.print(f"not measured: {error}")
        return None


def market() -> None:
    """Backtests and sweeps: symbols at one year and at five."""
    counts = ("1", "5", "10", "50")
    for years in ("1", "5"):
        runs, sweeps = (
            [tried("market", "backtest", n, years) for n in counts],
            [tried("market", "sweep", n, years) for n in counts],
        )
        rows = [FigureRow("load, CPU s", "load_s"), FigureRow("signals, CPU s", "signals_s"), FigureRow("core, CPU s", "core_s")]
        rows += [FigureRow("all of it, CPU s", "cpu_s"), FigureRow("most memory, MB", "peak_mb", digits=0, limit=PROCESS_MB)]
        title = f"Backtest of a desk, a `trend` sleeve a symbol, {years} years of synthetic 15m bars"
        grown(title, [float(n) for n in counts], runs, rows, "symbols")
        rows = [
            FigureRow("25 variations a symbol, CPU s", "cpu_s"),
            FigureRow("most memory, MB", "peak_mb", digits=0, limit=PROCESS_MB),
        ]
        grown(f"Sweep, {years} years", [float(n) for n in counts], sweeps, rows, "symbols")
    rows = [FigureRow("list them, CPU s", "list_s", digits=3), FigureRow("MB on the disk", "bytes", 1e-6, 0)]
    listed = [tried("market", "catalogue", n) for n in counts]
    grown("The catalogue, five years of bars and funding", [float(n) for n in counts], listed, rows, "symbols")
    rows = [FigureRow("every view once, CPU s", "first_s"), FigureRow("every view again, CPU s", "again_s")]
    rows += [FigureRow("the slowest view, first, CPU s", "first_slowest_s", limit=VIEW_S)]
    rows += [FigureRow("the slowest view, again, CPU s", "slowest_s", limit=VIEW_S)]
    rows += [FigureRow("the API after all of them, MB", "api_mb", digits=0, limit=PROCESS_MB)]
    pages = [tried("market", "page", n) for n in ("1", "5", "50")]
    grown("The page of ten sleeves beside them", [1.0, 5.0, 50.0], pages, rows, "symbols")


def desk() -> None:
    """A desk of more and more sleeves."""
    cells = [tried("desk", "bars", n) for n in SLEEVES]
    rows = [
        FigureRow("a bar, CPU ms, strategies included", "bar_ms"),
        FigureRow("worker and strategies, most, MB", "most_mb", digits=0, limit=PROCESS_MB),
        FigureRow("the same at the end, MB", "end_mb", digits=0),
        FigureRow("events a bar", "events_a_bar"),
        FigureRow("bytes an event", "bytes_an_event", digits=0),
    ]
    grown("A paper desk on synthetic 15m bars", [float(n) for n in SLEEVES], cells, rows, "sleeves")


def journal() -> None:
    """Long journals."""
    made = [tried("journal", "make", n) for n in EVENTS]
    sizes = [cell["events"] if cell else float(n) for n, cell in zip(EVENTS, made, strict=True)]
    table = lambda title, name, rows: grown(  # noqa: E731 - four tables of one kind
        title, sizes, [tried("journal", name, n) if cell else None for n, cell in zip(EVENTS, made, strict=True)], rows, "events"
    )
    grown("The journals", sizes, made, [FigureRow("MB", "bytes", 1e-6, 0), FigureRow("days", "days", digits=0)], "events")
    rows = [
        FigureRow("until it goes on, CPU s", "start_s", limit=START_S),
        FigureRow("until entries are allowed, CPU s", "verified_s", limit=START_S),
    ]
    table("A worker's start", "start", [*rows, FigureRow("its memory then, MB", "worker_mb", digits=0, limit=PROCESS_MB)])
    names = {
        "verify_s": "verify both chains",
        "verify_again_s": "the same, each hour",
        "day_sums_s": "sum the days, from nothing",
    }
    names |= {"kept_lines_s": "keep lines, from nothing", "kept_lines_again_s": "keep lines, each hour"}
    rows = [FigureRow(f"{what}, CPU s", key) for key, what in names.items()]
    table("What the supervisor does", "upkeep", [*rows, FigureRow("caches, MB", "cache_bytes", 1e-6, 1)])
    names = {"first_s": "its first look", "later_s": "a later look", "identity_s": "the accounting identity"}
    table(
        "Its looks at the desk, CPU s",
        "watch",
        [FigureRow(w, k, digits=3) for k, w in (names | {"dead_guards_s": "dead guards"}).items()],
    )
    names = {"status": "status", "explain_id": "journal explain d-N", "explain_at": "journal explain --sleeve --at"}
    names |= {"tail": "journal tail", "memory": "memory search", "backup": "backup"}
    rows = [FigureRow(f"{what}, CPU s", f"{key}_s") for key, what in names.items()]
    table("Commands in new processes", "commands", [*rows, FigureRow("bytes of the backup, MB", "backup_bytes", 1e-6, 0)])
    views(sizes, [tried("journal", "views", n) if cell else None for n, cell in zip(EVENTS, made, strict=True)])


def views(sizes: Sequence[float], cells: Sequence[Figures | None]) -> None:
    """The slowest routes, as they are asked for the first time and again."""
    flat: list[Figures | None] = [
        None if cell is None else {f"{how} {path}": s for how in ("first", "again") for path, s in cell[how].items()}
        for cell in cells
    ]
    last = next((cell for cell in reversed(flat) if cell is not None), {}) or {}
    worst = sorted(last, key=lambda name: -last[name])[:SLOWEST]
    rows = [FigureRow(name, name, limit=VIEW_S) for name in worst]
    grown("The API's slowest views, CPU s", sizes, flat, rows, "events")
    grown("The API after all of them", sizes, cells, [FigureRow("MB", "api_mb", digits=0, limit=PROCESS_MB)], "events")


def people() -> None:
    """People at the API."""
    for database in ("sqlite", "postgresql"):
        for processes in ("1", "2"):
            cells = [tried("people", "turns", database, processes, n) for n in ("1", "20")]
            rows = [FigureRow("p50, wall ms", "p50_ms", digits=0), FigureRow("p95, wall ms", "p95_ms", digits=0)]
            rows += [
                FigureRow("CPU of the API a turn, ms", "cpu_ms", digits=1),
                FigureRow("of the server, ms", "server_cpu_ms", digits=1),
            ]
            rows += [
                FigureRow("turns a second", "turns_a_s", digits=1),
                FigureRow("API, MB", "api_mb", digits=0, limit=PROCESS_MB),
            ]
            grown(f"Turns without a model: {database}, {processes} API processes", [1.0, 20.0], cells, rows, "people")


def packed() -> None:
    """Long journals, plain and then packed: each size in a column, each state in a table."""
    names = {"fold_s": "fold from the last snapshot", "verify_s": "verify the chain"}
    names |= {"read_s": "read every byte", "tail_s": "the last 50", "find_s": "one old event", "day_s": "one day in the middle"}
    rows = [
        FigureRow("MB on the disk", "disk_bytes", 1e-6, 0),
        FigureRow("most memory, MB", "most_mb", digits=0, limit=PROCESS_MB),
    ]
    rows += [FigureRow(f"{what}, CPU s", key, digits=3) for key, what in names.items()]
    of_commands = [FigureRow("journal tail, CPU s", "tail_s"), FigureRow("journal explain d-N, CPU s", "explain_s")]
    of_start = [FigureRow("until it goes on, CPU s", "start_s"), FigureRow("until entries are allowed, CPU s", "verified_s")]
    packing = [FigureRow("CPU s", "pack_s"), FigureRow("parts", "parts", digits=0)]
    for n in LONG:
        tried("packed", "make", n)
    for state in ("plain", "packed"):
        if state == "packed":
            grown("Packing all of it", [float(n) for n in LONG], [tried("packed", "pack", n) for n in LONG], packing, "events")
        for name, of_cell in ((state, rows), (f"{state}-commands", of_commands), (f"{state}-start", of_start)):
            grown(f"A journal, {name}", [float(n) for n in LONG], [tried("packed", name, n) for n in LONG], of_cell, "events")
        views([float(n) for n in LONG], [tried("packed", f"{state}-views", n) for n in LONG])


PARTS: dict[str, Callable[[], None]] = {
    "market": market,
    "desk": desk,
    "journal": journal,
    "packed": packed,
    "people": people,
}


def scale(words: Sequence[str]) -> None:
    """`[--part NAME] [--anew]`. Raises SystemExit for other words, or when a figure is over its limit."""
    left = [word for word in words if word != "--anew"]
    named = left[1:] if left[:1] == ["--part"] else []
    if len(left) not in (0, 2) or (left and (not named or named[0] not in PARTS)):
        raise SystemExit(f"bench scale: [--part {' | '.join(PARTS)}] [--anew]")
    if "--anew" in words:
        for part in named or [""]:
            forget(part)
    console.print(f"on {machine()}; kept in {FOLDER.relative_to(FOLDER.parents[2])}/figures.jsonl")
    for part in named or PARTS:
        PARTS[part]()
    if not named or named == ["people"]:
        for home in (*FOLDER.glob("journal-*"), *FOLDER.glob("packed-*")):
            shutil.rmtree(home)
    if OVER:
        raise SystemExit(f"bench: over its limit: {'; '.join(sorted(set(OVER)))}")
