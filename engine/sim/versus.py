"""Two stored runs against each other: daily returns, and the difference of their means over the days that both traded.

Called by tools/compare.py, tools/proposals.py, tools/figures.py and app/views/run_pair.py. Turns the equity of two runs into a
bootstrap.Difference; the days are the whole UTC days that are in both spans and before either run stopped trading.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.clock import timeframe_ms
from engine.sim import bootstrap
from engine.sim.life import life_of, stopped_first
from engine.store.runs import Runs

if TYPE_CHECKING:  # numpy is imported late: reading a summary must not load it
    from engine.sim.metrics import Floats, Times


def lived_until(run: Mapping[str, Any]) -> float:
    """When the run stopped trading, in UTC ms; infinite when it traded until its end."""
    stopped_ms = life_of(run).stopped_ms
    return math.inf if stopped_ms is None else float(stopped_ms)


def daily(runs: Runs, run: Mapping[str, Any], until_ms: float = math.inf) -> "tuple[Times, Floats]":
    """The run's marked equity at every UTC midnight up to `until_ms`: (midnights, values)."""
    from engine.sim.metrics import daily_equity

    frame = runs.frame(run["run_id"], "equity")
    close_ms, equity = frame["close_ms"].to_numpy(), frame["equity"].to_numpy()
    midnights, values = daily_equity(close_ms, equity, timeframe_ms(run["timeframe"]), float(run["cash"]))
    lived = midnights <= until_ms
    return midnights[lived], values[lived]


def daily_returns(runs: Runs, run: Mapping[str, Any], until_ms: float = math.inf) -> list[float]:
    """Simple returns of the run's marked equity from UTC midnight to midnight, up to `until_ms`; a flat day is 0. Empty when
    equity went to 0."""
    return _returns(daily(runs, run, until_ms)[1])


def gap(runs: Runs, base: Mapping[str, Any], other: Mapping[str, Any], comparisons: int = 1) -> bootstrap.Difference:
    """Mean daily return of `other` minus `base`'s over their common days; without an interval, and with the reason, when those
    are too few or one of the two lost everything."""
    days, one, two = common_days(runs, base, other)
    if len(days) and ((one <= 0).any() or (two <= 0).any()):
        return bootstrap.difference([], [], comparisons)._replace(why="one of the two lost its whole equity")
    stopped = stopped_first(base, other)
    favoured = "" if stopped is None else ("better", "worse")[stopped]
    return bootstrap.difference(_returns(one), _returns(two), comparisons)._replace(favoured=favoured)


def common_days(runs: Runs, base: Mapping[str, Any], other: Mapping[str, Any]) -> "tuple[Times, Floats, Floats]":
    """The midnights that both runs have, up to where the first of them stopped trading, and the equity of both there."""
    import numpy as np

    until_ms = min(lived_until(base), lived_until(other))
    (ours, one), (theirs, two) = (daily(runs, run, until_ms) for run in (base, other))
    both = np.intersect1d(ours, theirs)
    return both, one[np.isin(ours, both)], two[np.isin(theirs, both)]


def _returns(values: "Floats") -> list[float]:
    return [] if len(values) < 2 or (values <= 0).any() else (values[1:] / values[:-1] - 1.0).tolist()
