"""The figures of a run for the page's tests, made by the code that makes them (engine/sim/report.py). Used by fake_api.py."""

from typing import Any

import numpy as np
import polars as pl

from app.views.run_pair import pair_of
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


class PairStore:
    """Two runs of forty days for the comparison that the API makes of them; `name` stands wherever a name can."""

    def __init__(self, name: str) -> None:
        self.name = name

    def load(self, run_id: str) -> dict[str, Any]:
        """Its JSON."""
        of = run_of()
        data = of["data"] | {"first_ms": START, "last_ms": START + 40 * 24 * HOUR_MS, "sha256": run_id, "source": "recorded"}
        about = {"strategy": self.name, "symbol": self.name, "timeframe": "1h", "params": {"stop_atr": run_id[-1]}}
        return of | about | {"run_id": run_id, "data": data}

    def frame(self, run_id: str, _name: str) -> pl.DataFrame:
        """Its equity."""
        close_ms = START + HOUR_MS * np.arange(1, 40 * 24 + 1)
        return pl.DataFrame({"close_ms": close_ms, "equity": 10_000 - np.arange(960.0) * int(run_id[-1])})

    def name_of(self, run_id: str) -> str:
        """The second one was named by a person."""
        return self.name if run_id.endswith("2") else ""


def run_pair(runs: list[dict[str, Any]], one: str, other: str) -> dict[str, Any]:
    """The comparison of two runs, whose strategy is that of the first listed run."""
    return pair_of(PairStore(str(runs[0]["strategy"])), one, other)  # type: ignore[arg-type]  # the three calls that it makes
