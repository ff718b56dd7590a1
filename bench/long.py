"""Strategies A and B at 10^7 bars, ours and vectorbt's, each run in a process of its own: CPU seconds and peak memory.

Called by `python -m bench long`. Synthetic bars; a run is features, simulation and round trips. Memory is the most that the whole
process ever held, its interpreter, compiler and bars included.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.agreement import agreement
from bench.work import OUT, saved
from engine.errors import BadInput

BARS = 10_000_000
ROUNDS = 2
console = Console(width=None if sys.stdout.isatty() else 130)


def one_run(engine: str, bars: Path, kind: str) -> tuple[dict[str, Any], np.ndarray]:
    """(its RESULT, its round trips)."""
    from bench.__main__ import HERE, python_of

    trips = OUT / f"trips_{engine}_{bars.stem}_{kind}.npy"
    ours = [sys.executable, "-m", "bench.ours"]
    start = ours if engine == "nightdesk" else [str(python_of(engine)), str(HERE / f"peer_{engine}.py")]
    command = [*start, str(bars), str(trips), kind]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False)
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT ")), None)
    if line is None:
        raise BadInput(f"{engine} did not finish {BARS:,} bars", done.stderr.strip().splitlines()[-1] if done.stderr else "")
    return json.loads(line.removeprefix("RESULT ")), np.load(trips)


def long_table() -> None:
    """Both strategies, engines interleaved; the least CPU seconds and the most memory of the rounds."""
    bars = saved(BARS)
    table = Table(title=f"{BARS:,} synthetic 1m bars, reference mode, each run in its own process")
    for name in ("strategy", "engine", "CPU s", "ours is x times", "peak MB", "round trips", "same round trips as ours"):
        table.add_column(name, justify="right")
    for kind in ("A", "B"):
        runs = {engine: [] for engine in ("nightdesk", "vectorbt")}  # type: dict[str, list[tuple[dict[str, Any], np.ndarray]]]
        for _ in range(ROUNDS):
            for engine, found in runs.items():
                found.append(one_run(engine, bars, kind))
        least = {engine: min(result["cpu_s"] for result, _ in found) for engine, found in runs.items()}
        for engine, found in runs.items():
            result, trips = found[-1]
            most, alike = max(one["rss_mb"] for one, _ in found), agreement(runs["nightdesk"][-1][1], trips)
            shown = f"{least[engine]:.2f}", f"{least[engine] / least['nightdesk']:.1f}", f"{most:,.0f}", f"{result['trips']:,}"
            table.add_row(kind, result["peer"], *shown, f"{alike.same:,} of {alike.ours:,}")
    console.print(table)
