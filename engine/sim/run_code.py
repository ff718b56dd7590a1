"""Hashes of the source files and versions behind a run's figures, so that a difference can be named. Called by sim/request.py,
which puts them together for a plan, and by sim/checked.py.
"""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("nightdesk", "numpy", "numba", "ta-lib")  # what a number depends on beside our own code
ENGINE = Path(__file__).resolve().parents[1]
OWN = (
    "clock.py",
    "data/align.py",
    "data/gaps.py",
    "data/catalog.py",
    "data/correlation.py",
    "data/loading.py",
    "data/schedules.py",
    "data/sources.py",
    "data/timeframes.py",
    "sim/request.py",
    "sim/run_code.py",
    "sim/backtest.py",
    "sim/trips.py",
    "sim/late.py",
    "sim/metrics.py",
    "sim/tails.py",
    "sim/execution.py",
    "sim/vwap_fills.py",
    "venues/instruments.py",
    "venues/tiers.py",
)
OF_BASKETS = ("sim/basket.py", "sim/basket_report.py", "sim/basket_trips.py")  # of a run of a basket beside OWN


@cache
def folder_sha256(name: str) -> str:
    """Hash over the source files of one folder of the engine."""
    return files_sha256(tuple(f"{name}/{path.name}" for path in sorted((ENGINE / name).glob("*.py"))))


@cache
def files_sha256(names: tuple[str, ...]) -> str:
    """Hash over named source files of the engine."""
    found = hashlib.sha256()
    for name in names:
        found.update(name.encode() + b"\0" + (ENGINE / name).read_bytes() + b"\0")
    return found.hexdigest()


@cache
def versions() -> dict[str, str]:
    """Versions of the libraries a number depends on."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "?"
    return found
