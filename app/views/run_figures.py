"""The figures of a stored run as the report shows them, as JSON. Called by app/api/runs.py.

Turns a run's folder into sim/report.figures. A stored run never changes, so the last few answers are kept.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.store.runs import Runs

KEPT_MAX = 8


@lru_cache(maxsize=KEPT_MAX)
def figures_json(folder: Path, run_id: str) -> bytes:
    """The figures as JSON text. Raises BadInput for an unknown id, DataError for a damaged folder."""
    return json.dumps(figures_of(Runs(folder), run_id), allow_nan=False, separators=(",", ":")).encode()


def figures_of(runs: Runs, run_id: str) -> dict[str, Any]:
    """The figures of a run from its frames."""
    from engine.sim import trips
    from engine.sim.explain import traders
    from engine.sim.report import figures

    run, equity = runs.load(run_id), runs.frame(run_id, "equity")
    own, other = run["fills"], "pessimistic" if run["fills"] == "optimistic" else "optimistic"
    columns = {own: "equity"} | ({other: other} if other in equity.columns else {})
    curves = {name: equity[column].to_numpy() for name, column in columns.items()}
    hold = equity["hold"].to_numpy() if "hold" in equity.columns else None
    breakers = trips.breakers(runs.frame(run_id, "rows"), traders(run))
    return figures(run, equity["close_ms"].to_numpy(), curves, runs.frame(run_id, "trips"), breakers, hold)
