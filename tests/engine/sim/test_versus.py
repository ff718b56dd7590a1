"""Two runs against each other: the common days, and the verdict over them."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.clock import DAY_MS
from engine.sim import versus

START = 20_089 * DAY_MS


class Stored:
    """Runs by id, as the run store gives them."""

    def __init__(self) -> None:
        self.frames: dict[str, pl.DataFrame] = {}

    def run(self, name: str, returns: Any, first: int = 0, stopped: int | None = None) -> dict[str, Any]:
        """A run of one bar a day from day `first` on."""
        days = np.arange(1, len(returns) + 1)
        equity = 10_000.0 * np.cumprod(1.0 + np.asarray(returns))
        self.frames[name] = pl.DataFrame({"close_ms": START + (first + days) * DAY_MS, "equity": equity})
        ends = [] if stopped is None else [{"sleeve": "desk", "by": "drawdown breaker", "ms": START + stopped * DAY_MS}]
        data = {"first_ms": START + first * DAY_MS, "last_ms": START + (first + len(returns) - 1) * DAY_MS}
        of = {"run_id": name, "timeframe": "1d", "cash": 10_000.0, "data": data}
        return {**of, "sleeves": [{"name": "x"}], "life": {"ends": ends, "text": "x"}}

    def frame(self, run_id: str, _name: str) -> pl.DataFrame:
        """The equity of a run."""
        return self.frames[run_id]


@pytest.fixture
def runs() -> Any:
    """An empty store."""
    return Stored()


def test_the_days_are_those_of_both(runs: Any) -> None:
    """Spans that overlap in part are compared where they overlap, day by day; the difference is the one put in."""
    noise = np.random.default_rng(1).normal(0.0, 0.01, 200)
    one, other = runs.run("a", noise[:150]), runs.run("b", noise[50:] + 0.001, first=50)
    found = versus.gap(runs, one, other)
    assert found.days == 100
    assert found.mean == pytest.approx(0.001)
    assert found.verdict == "better"
    assert versus.gap(runs, other, one).verdict == "worse"


def test_days_after_a_stop_do_not_count(runs: Any) -> None:
    """A run that a breaker ended has no returns afterwards, and the choice of days cannot make the other one better."""
    noise = np.random.default_rng(2).normal(0.0, 0.01, 120)
    one, other = runs.run("a", noise - 0.004, stopped=60), runs.run("b", noise)
    found = versus.gap(runs, one, other)
    assert (found.days, found.verdict) == (60, "cannot be told apart")


def test_no_common_day(runs: Any) -> None:
    """Spans apart, or an equity at nothing, are not comparable and say why."""
    found = versus.gap(runs, runs.run("a", [0.01] * 40), runs.run("b", [0.01] * 40, first=60))
    assert (found.verdict, found.days) == ("not comparable", 0)
    assert "0 whole days" in found.why
    lost = versus.gap(runs, runs.run("c", [0.01] * 40), runs.run("d", [0.0] * 20 + [-1.0] + [0.0] * 19))
    assert (lost.verdict, lost.why) == ("not comparable", "one of the two lost its whole equity")
