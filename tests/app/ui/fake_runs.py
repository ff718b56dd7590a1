"""The figures of a run for the page's tests, made by the code that makes them (engine/sim/report.py). Used by fake_api.py."""

from typing import Any

import numpy as np
import polars as pl

from engine.sim.report import figures
from tests.engine.sim.test_report import START, many, run_of

HOUR_MS = 3_600_000


def run_figures(about: dict[str, Any]) -> dict[str, Any]:
    """Of a run of ten days with 60 trips; `about`: its line, whose strategy and symbol stand wherever a name can."""
    close_ms, of = START + HOUR_MS * np.arange(1, 241), run_of()
    equity, name = 10_000 - np.arange(240.0), str(about["strategy"])
    sleeve = of["sleeves"][0] | {"strategy": name, "symbol": str(about["symbol"]), "params": {name: name}}
    trips = many(60).with_columns(pl.lit(name).alias("reason"), pl.Series("sleeve", [name, "other"] * 30))
    breakers = pl.DataFrame({"n": [1], "close_ms": [START], "sleeve": [name], "breaker": ["daily loss"]})
    changed = of | {"sleeves": [sleeve], "notes": [name], "run_id": about["id"]}
    return figures(changed, close_ms, {"pessimistic": equity, "optimistic": equity}, trips, breakers, equity + 5.0)
