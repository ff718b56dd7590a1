"""The ground that a strategy is judged on: its bars loaded once, and as many cheap runs over them as the page needs.

Called by the other files of this folder. Turns a Plan of one sleeve into Probes: each goes through the same signals, rules and
kernel as a backtest (sim/backtest.py), in the plan's own fill mode, without report and storage. Every probe is written down:
a hypothesis pays for everything that was tried on it.
"""

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from engine.core.row_fields import DecisionRow
from engine.core.state import ENTER
from engine.errors import BadInput
from engine.sim import trips as reading
from engine.sim.backtest import load, run_modes, signals_in_span
from engine.sim.checked import frame_of
from engine.sim.excursions import hold
from engine.sim.metrics import DAYS_A_YEAR, Floats, Times, a_day_sharpe, daily_equity
from engine.sim.request import Plan, PlannedSleeve
from engine.strategies.base import parse_params
from engine.strategies.signals import Change
from engine.venues.instruments import Costs

CANDIDATE, STRESS, BASELINE = "candidate", "stress", "baseline"
BPS = 10_000.0


class Probe(NamedTuple):
    """One run. `kind`: candidate (a setting that someone might choose), stress (the same setting, treated worse) or baseline
    (no setting of the strategy at all)."""

    kind: str
    name: str
    cash: float
    net: float  # quote units
    sharpe: float | None  # a year
    trips: pl.DataFrame  # closed round trips, as sim/trips.trips gives them
    daily: Floats  # returns of whole UTC days
    rows: pl.DataFrame
    equity: Floats
    journal_hash: str

    @property
    def net_frac(self) -> float:
        """Of the cash."""
        return self.net / self.cash

    @property
    def nets_bps(self) -> Floats:
        """(trips,) net of each closed round trip, in basis points of its entry notional."""
        return in_bps(self.trips, "net")

    @property
    def mean_bps(self) -> float | None:
        """Net of the mean closed round trip; None without any."""
        return float(self.nets_bps.mean()) if len(self.trips) else None

    def figures(self) -> dict[str, Any]:
        """As the page shows it."""
        return {
            "name": self.name,
            "net": self.net,
            "net_frac": self.net_frac,
            "sharpe": self.sharpe,
            "trades": len(self.trips),
            "mean_bps": self.mean_bps,
        }


def in_bps(trips: pl.DataFrame, column: str) -> Floats:
    """(trips,) a money column in basis points of each trip's entry notional."""
    notional = (trips["units"] * trips["entry_price"]).to_numpy()
    return trips[column].to_numpy() / notional * BPS if len(trips) else np.empty(0)


NoteTrial = Callable[[Plan, Probe], None]


def note_trial(_planned: Plan, _probe: Probe) -> None:
    """The seam of the trial ledger: called with each run as it is made."""


class Ground:
    """The bars of a plan of one sleeve, its features, and the probes made on them, oldest first."""

    def __init__(self, planned: Plan, note: NoteTrial = note_trial) -> None:
        if len(planned.sleeves) != 1:
            raise BadInput(f"{len(planned.sleeves)} sleeves to judge", "judge one strategy on one symbol")
        self.planned, self.note = planned, note
        self.sleeve = planned.sleeves[0]
        self.loaded = load(planned)
        self.frame = frame_of(self.sleeve, self.loaded)
        self.probes: list[Probe] = []

    @property
    def close_ms(self) -> Times:
        """(n,) the closes of the judged span."""
        return self.loaded.span.close_ms

    @property
    def first(self) -> int:
        """The frame's bar that is the span's first; those before it warm features up."""
        return self.loaded.own[self.sleeve.bar_ms].first

    @property
    def days(self) -> float:
        """Length of the span."""
        return len(self.close_ms) * self.sleeve.bar_ms / 86_400_000

    def probe(
        self,
        kind: str,
        name: str,
        *,
        params: Mapping[str, Any] | None = None,
        costs: float = 1.0,
        delay: int = 0,
        change: Change | None = None,
    ) -> Probe:
        """One run with changed parameters, costs times a factor, a delay in bars, or a changed answer of the strategy.

        Raises BadInput for parameters that the strategy refuses.
        """
        sleeve = self.sleeve._replace(
            params=self.params_with(params or {}), costs=scaled(self.sleeve.costs, costs), delay_bars=delay
        )
        found = probe_of(self, sleeve, kind, name, change)
        self.probes.append(found)
        self.note(self.planned, found)
        return found

    def params_with(self, changes: Mapping[str, Any]) -> Any:
        """The sleeve's parameters with some changed. Raises BadInput when they do not fit."""
        return (
            parse_params(self.sleeve.strategy, {**self.sleeve.params.model_dump(), **changes}) if changes else self.sleeve.params
        )

    def entries(self, probe: Probe) -> np.ndarray:
        """Bars of the frame at whose close a probe decided an entry from flat."""
        decided = reading.only(probe.rows, DecisionRow).filter(reading.field(DecisionRow, "action") == ENTER)
        return np.searchsorted(self.frame.close_ms, decided["close_ms"].to_numpy())

    def held(self) -> Floats:
        """(n,) equity of who had held the instrument instead, without costs and funding."""
        return hold(self.loaded.span, [0], self.sleeve.spec.cash)

    def within(self, from_ms: int, to_ms: int) -> "Ground":
        """The ground of a part of the span; its features are warmed up by the bars before."""
        request = self.planned.request._replace(from_ms=from_ms, to_ms=to_ms)
        return Ground(self.planned._replace(request=request), self.note)


def probe_of(ground: Ground, sleeve: PlannedSleeve, kind: str, name: str, change: Change | None) -> Probe:
    """Run one sleeve over the ground."""
    planned, loaded = ground.planned._replace(sleeves=(sleeve,)), ground.loaded
    signals = signals_in_span(sleeve, loaded, judged=planned.request.judged, change=change, frame=ground.frame)
    mode, cash = planned.request.fills, sleeve.spec.cash
    found = run_modes(planned, loaded, [signals], (mode,), lambda _done: None)[mode]
    rows = reading.frame_of(found.rows)
    trips = reading.trips(rows, reading.traded_sleeves(planned, loaded.span))
    daily = returns_of(ground.close_ms, found.equity, planned.clock_ms, cash)
    return Probe(
        kind,
        name,
        cash,
        float(found.equity[-1]) - cash,
        yearly(daily),
        trips.filter(pl.col("reason") != "open"),
        daily,
        rows,
        found.equity,
        found.journal_hash,
    )


def returns_of(close_ms: Times, equity: Floats, timeframe_ms: int, cash: float) -> Floats:
    """Returns of whole UTC days; none where equity was not positive at a midnight."""
    _, values = daily_equity(close_ms, equity, timeframe_ms, cash)
    return values[1:] / values[:-1] - 1.0 if len(values) and (values > 0).all() else np.empty(0)


def yearly(daily: Floats) -> float | None:
    """Sharpe ratio a year; None where undefined."""
    a_day = a_day_sharpe(daily)[0]
    return None if a_day is None else a_day * sqrt(DAYS_A_YEAR)


def scaled(costs: Costs, times: float) -> Costs:
    """Fees, half-spread and impact times a factor; a maker rebate stays as it is. Funding is not a cost of trading."""
    maker = costs.maker_frac if costs.maker_frac < 0.0 else costs.maker_frac * times
    return costs._replace(
        maker_frac=maker,
        taker_frac=costs.taker_frac * times,
        half_spread_frac=costs.half_spread_frac * times,
        impact_y=costs.impact_y * times,
    )
