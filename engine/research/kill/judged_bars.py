"""The bars that a strategy is judged on: loaded once, and as many cheap runs over them as the page needs.

Called by the other files of this folder. Turns a Plan of one sleeve into Probes: each goes through the same signals, rules and
kernel as a backtest (sim/backtest.py), in the plan's own fill mode, without report and storage. Every probe is written down:
a hypothesis pays for everything that was tried on it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from engine.core.row_fields import DecisionRow
from engine.core.state import ENTER
from engine.errors import BadInput
from engine.research.ledger import sharpe_of
from engine.sim import trips as reading
from engine.sim.backtest import load, run_modes, signals_in_span
from engine.sim.checked import frame_of
from engine.sim.excursions import hold
from engine.sim.metrics import Floats, Times, daily_equity, daily_returns, drawdown
from engine.sim.request import Plan, with_params
from engine.strategies.base import parse_params
from engine.strategies.signals import Change
from engine.venues.instruments import Costs

CANDIDATE, STRESS, BASELINE = "candidate", "stress", "baseline"
BPS = 10_000.0


class Details(NamedTuple):
    """What is kept of the judged run alone: of a million bars they are megabytes a run."""

    trips: pl.DataFrame  # closed round trips, as sim/trips.trips gives them
    rows: pl.DataFrame


class Probe(NamedTuple):
    """One run. `kind`: candidate (a setting that someone might choose), stress (the same setting, treated worse) or baseline
    (no setting of the strategy at all)."""

    kind: str
    name: str
    planned: Plan  # with its own parameters and costs
    first_ms: int  # open of its first bar
    last_ms: int  # open of its last bar
    cash: float
    net: float  # quote units
    sharpe: float | None  # a year
    fall_frac: float  # deepest drawdown
    daily: Floats  # returns of whole UTC days
    daily_from_ms: int  # the midnight before the first of them
    trades: int  # closed round trips
    mean_bps: float | None  # net of the mean one, of its entry notional; None without any
    paid: Mapping[str, float]  # fees, funding, slippage of the closed round trips
    journal_hash: str
    details: Details | None = None

    @property
    def net_frac(self) -> float:
        """Of the cash."""
        return self.net / self.cash

    @property
    def trips(self) -> pl.DataFrame:
        """Closed round trips of a run whose details were kept."""
        assert self.details is not None, f"{self.name}: the trips were not kept"  # noqa: S101 - a programmer's error
        return self.details.trips

    @property
    def rows(self) -> pl.DataFrame:
        """Journal rows of a run whose details were kept."""
        assert self.details is not None, f"{self.name}: the rows were not kept"  # noqa: S101 - a programmer's error
        return self.details.rows

    def figures(self) -> dict[str, Any]:
        """As the page shows it."""
        names = ("name", "net", "net_frac", "sharpe", "trades", "mean_bps")
        return {name: getattr(self, name) for name in names}


def in_bps(trips: pl.DataFrame, column: str) -> Floats:
    """(trips,) a money column in basis points of each trip's entry notional."""
    notional = (trips["units"] * trips["entry_price"]).to_numpy()
    return trips[column].to_numpy() / notional * BPS if len(trips) else np.empty(0)


NoteTrial = Callable[[Probe], None]


class JudgedBars:
    """The bars of a plan of one sleeve and its features; makes probes on them."""

    def __init__(self, planned: Plan, note: NoteTrial = lambda _probe: None) -> None:
        if len(planned.sleeves) != 1:
            raise BadInput(f"{len(planned.sleeves)} sleeves to judge", "judge one strategy on one symbol")
        self.planned, self.note = planned, note
        self.sleeve = planned.sleeves[0]
        self.loaded = load(planned)
        self.frame = frame_of(self.sleeve, self.loaded)

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
        keep: bool = False,
    ) -> Probe:
        """One run with changed parameters, costs times a factor, a delay in bars, or a changed answer of the strategy; `keep` its
        details.

        Raises BadInput for parameters that the strategy refuses.
        """
        planned = with_params(self.planned, self.params_with(params)) if params else self.planned
        if costs != 1.0 or delay:
            sleeve = planned.sleeves[0]
            planned = planned._replace(sleeves=(sleeve._replace(costs=scaled(sleeve.costs, costs), delay_bars=delay),))
        found = probe_of(self, planned, kind, name, change, keep)
        self.note(found)
        return found

    def params_with(self, changes: Mapping[str, Any]) -> Any:
        """The sleeve's parameters with some changed. Raises BadInput when they do not fit."""
        return parse_params(self.sleeve.strategy, {**self.sleeve.params.model_dump(), **changes})

    def entries(self, probe: Probe) -> np.ndarray:
        """Bars of the frame at whose close a probe decided an entry from flat."""
        decided = reading.only(probe.rows, DecisionRow).filter(reading.field(DecisionRow, "action") == ENTER)
        return np.searchsorted(self.frame.close_ms, decided["close_ms"].to_numpy())

    def hold_returns(self) -> Floats:
        """Daily returns of who had held the instrument instead, without costs and funding."""
        cash = self.sleeve.spec.cash
        equity = hold(self.loaded.span, [0], cash)
        return daily_returns(daily_equity(self.close_ms, equity, self.planned.clock_ms, cash)[1])

    def within(self, from_ms: int, to_ms: int) -> "JudgedBars":
        """The same of a part of the span; its features are warmed up by the bars before."""
        request = self.planned.request._replace(from_ms=from_ms, to_ms=to_ms)
        return JudgedBars(self.planned._replace(request=request), self.note)


def probe_of(judged: JudgedBars, planned: Plan, kind: str, name: str, change: Change | None, keep: bool) -> Probe:
    """Run a plan's one sleeve over the judged bars."""
    sleeve, loaded, close_ms = planned.sleeves[0], judged.loaded, judged.close_ms
    signals = signals_in_span(sleeve, loaded, judged=planned.request.judged, change=change, frame=judged.frame)
    mode, cash, clock = planned.request.fills, sleeve.spec.cash, planned.clock_ms
    found = run_modes(planned, loaded, [signals], (mode,), lambda _done: None)[mode]
    rows = reading.frame_of(found.rows)
    trips = reading.trips(rows, reading.traded_sleeves(planned, loaded.span)).filter(pl.col("reason") != "open")
    midnights, at_midnight = daily_equity(close_ms, found.equity, clock, cash)
    daily = daily_returns(at_midnight)
    return Probe(
        kind,
        name,
        planned,
        int(close_ms[0]) - clock,
        int(close_ms[-1]) - clock,
        cash,
        float(found.equity[-1]) - cash,
        sharpe_of(daily),
        drawdown(found.equity, cash)[0],
        daily,
        int(midnights[0]) if len(midnights) else int(close_ms[0]),
        len(trips),
        float(in_bps(trips, "net").mean()) if len(trips) else None,
        {column: float(trips[column].sum()) for column in ("fees", "funding", "slippage")},
        found.journal_hash,
        Details(trips, rows) if keep else None,
    )


def scaled(costs: Costs, times: float) -> Costs:
    """Fees, half-spread and impact times a factor; a maker rebate stays as it is. Funding is not a cost of trading."""
    maker = costs.maker_frac if costs.maker_frac < 0.0 else costs.maker_frac * times
    return costs._replace(
        maker_frac=maker,
        taker_frac=costs.taker_frac * times,
        half_spread_frac=costs.half_spread_frac * times,
        impact_y=costs.impact_y * times,
    )
