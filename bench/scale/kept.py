"""Measured figures, kept in bench/out/scale/figures.jsonl so that a bench that was stopped goes on with what is missing.

Called by bench.scale.tables. A cell is one measurement in a process of its own: `python -m bench.scale.cell PART NAME SIZES`
prints `RESULT {...}`. A figure that a process could not give is not in its result; a cell that failed is asked for again.
"""

import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.work import OUT
from engine.errors import DataError

FOLDER = OUT / "scale"
FIGURES = FOLDER / "figures.jsonl"
CELL_S = 1_800.0  # wall; a busy machine gives a process a third of a core
Figures = dict[str, Any]


def key_of(part: str, name: str, sizes: Sequence[float | str]) -> str:
    """The cell's name in the file: `journal views 1000000`."""
    return " ".join((part, name, *map(str, sizes)))


def kept(path: Path | None = None) -> dict[str, Figures]:
    """Figures by cell; a line that a stop tore off is left out, of two of one cell the later counts."""
    path, found = path or FIGURES, {}  # type: Path, dict[str, Figures]
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        found[row["cell"]] = row["figures"]
    return found


def keep(cell: str, figures: Figures, path: Path | None = None) -> None:
    """Add a cell's figures, on the disk when this returns."""
    path = path or FIGURES
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a") as file:
        file.write(("\n" if torn else "") + json.dumps({"cell": cell, "machine": machine(), "figures": figures}) + "\n")
        file.flush()
        os.fsync(file.fileno())


def forget(part: str, path: Path | None = None) -> None:
    """Drop the figures of a part ("": of all), so that they are measured again."""
    left = {cell: figures for cell, figures in kept(path).items() if part and not cell.startswith(f"{part} ")}
    (path or FIGURES).unlink(missing_ok=True)
    for cell, figures in left.items():
        keep(cell, figures, path)


def measured(part: str, name: str, sizes: Sequence[float | str], **environment: str) -> Figures:
    """A cell's figures: kept ones, else of a new process. Raises DataError when that one does not finish."""
    cell = key_of(part, name, sizes)
    if (found := kept().get(cell)) is not None:
        return found
    command = [sys.executable, "-m", "bench.scale.cell", part, name, *map(str, sizes)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=CELL_S)
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT ")), None)
    if line is None:
        raise DataError(f"{cell} did not finish", done.stderr.strip()[-600:])
    figures: Figures = json.loads(line.removeprefix("RESULT "))
    keep(cell, figures)
    return figures


def per_doubling(sizes: Sequence[float], values: Sequence[float]) -> float | None:
    """By what a figure is multiplied when its size doubles, between the first and the last of them; None without two."""
    pairs = [(x, y) for x, y in zip(sizes, values, strict=True) if x > 0 and y > 0]
    if len(pairs) < 2 or pairs[0][0] == pairs[-1][0]:
        return None
    (x0, y0), (x1, y1) = pairs[0], pairs[-1]
    return float(2.0 ** (math.log(y1 / y0) / math.log(x1 / x0)))


def machine() -> Mapping[str, Any]:
    """Where a figure was measured, and the load beside it."""
    return {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "kernel": platform.release(),
        "arch": platform.machine(),
    }
