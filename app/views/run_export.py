"""A stored run as a file for other programs: report.html, run.json, trips.csv, equity.csv. Called by app/api/runs.py and the CLI.

Turns a run's folder into bytes. CSV is UTF-8 with a head line; each time stands as UTC milliseconds and as text. A text cell that
a spreadsheet would take for a formula gets an apostrophe before it.
"""

import json
from typing import TYPE_CHECKING, Any

from engine.clock import utc
from engine.errors import BadInput
from engine.store.runs import Runs

if TYPE_CHECKING:
    import polars as pl

MEDIA = {
    "report.html": "text/html; charset=utf-8",
    "run.json": "application/json",
    "trips.csv": "text/csv; charset=utf-8",
    "equity.csv": "text/csv; charset=utf-8",
}
FORMULA = r"^[=+\-@\t\r]"


def exported(runs: Runs, run_id: str, name: str) -> bytes:
    """The file `name` (one of MEDIA) of a run. Raises BadInput for another name, an unknown id, or a run without that file."""
    if name not in MEDIA:
        raise BadInput(f"a run has no export {name!r}", f"available: {', '.join(MEDIA)}")
    if name == "report.html":
        return report_page(runs, run_id)
    if name == "run.json":
        return run_json(runs, run_id)
    return csv_of(runs.frame(run_id, name.removesuffix(".csv")))


def report_page(runs: Runs, run_id: str) -> bytes:
    """The report as it was made with the run: one file that opens offline."""
    path = runs.path(run_id) / "report.html"
    if not path.is_file():
        raise BadInput(f"run {run_id} has no report page", "run the backtest again")
    return path.read_bytes()


def run_json(runs: Runs, run_id: str) -> bytes:
    """The run as `backtest --json` gives it, with its name, and all its round trips under `trips`."""
    run: dict[str, Any] = {key: value for key, value in runs.load(run_id).items() if key != "folder"}
    trips = runs.frame(run_id, "trips").to_dicts()
    return (json.dumps({**run, "name": runs.name_of(run_id), "trips": trips}, indent=1, allow_nan=False) + "\n").encode()


def csv_of(frame: "pl.DataFrame") -> bytes:
    """A frame as CSV, with `entry_utc` beside `entry_ms`; null is an empty cell."""
    import polars as pl

    columns: list[Any] = []
    for name, kind in frame.schema.items():
        text = pl.col(name).str.replace(FORMULA, "'${0}") if kind == pl.String else pl.col(name)
        columns.append(text)
        if name.endswith("_ms") and kind.is_integer():
            shown = pl.col(name).map_elements(utc, return_dtype=pl.String)
            columns.append(shown.alias(f"{name.removesuffix('_ms')}_utc"))
    return frame.select(columns).write_csv().encode()
