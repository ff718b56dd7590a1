"""A basket's backtest: a plan whose sleeves are its legs -> the core's basket over the requested range, as a run that is stored
like any other.

Called by app/jobs/kinds.py and app/notebook.py, which take either kind of run from `simulated`. Bars, anchor, instruments, costs,
limits and hashes are those of any backtest (request.py, backtest.load); signals are the strategy's fits, costs those of
strategies/signals.py; what it reports is made by basket_report.py.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from engine.data.align import Market
from engine.data.timeframes import DeskBars
from engine.errors import DataError
from engine.sim import backtest as one
from engine.sim import basket_report as report
from engine.sim import trips as reading
from engine.sim.basket_trips import PairTrip, decisions_frame, last_prices, rows_frame, trips_frame, trips_of
from engine.sim.checked import frame_of, in_span
from engine.sim.excursions import hold
from engine.sim.metrics import Floats, Times
from engine.sim.request import Plan, PlannedSleeve
from engine.strategies import pairs as strategy
from engine.strategies.base import SignalFrame
from engine.strategies.signals import Evaluation, core_inputs


@dataclass(frozen=True)
class BasketRun:
    """A finished run of a basket, with what a Backtest has of one: frames are polars, money in quote units, times UTC ms."""

    plan: Plan
    report: dict[str, Any]  # the keys of a Backtest's, and `pairs`, `legs`, `symbols`
    rows: pl.DataFrame
    close_ms: Times
    curves: Mapping[str, Floats]  # fill mode -> equity at each close; the run's own mode first
    trips: tuple[PairTrip, ...]
    span: Market

    @property
    def legs(self) -> list[str]:
        """The symbols of its legs, in order."""
        return [s.spec.symbol for s in self.plan.sleeves]

    @cached_property
    def round_trips(self) -> pl.DataFrame:
        """One row a round trip of a pair, in the columns of any run's and those of its two legs."""
        keys = [s.key for s in self.plan.sleeves]
        return trips_frame(self.trips, self.legs, keys, strategy.pairs_of(len(keys)), self.plan.clock_ms)

    @cached_property
    def decisions(self) -> pl.DataFrame:
        """One row a decision about a pair."""
        return decisions_frame(self.rows, self.legs, strategy.pairs_of(len(self.legs)))

    @cached_property
    def breakers(self) -> pl.DataFrame:
        """One row per tripped breaker, of the basket or of the desk."""
        return reading.breakers(self.rows, report.one_sleeve(self.plan))

    @cached_property
    def hold(self) -> Floats:
        """Equity at each close of who had held the legs instead, in equal parts."""
        columns = [self.span.instruments.index(s.key) for s in self.plan.sleeves]
        return hold(self.span, columns, sum(s.spec.cash for s in self.plan.sleeves))

    @cached_property
    def equity(self) -> pl.DataFrame:
        """close_ms, equity, the equity of each scenario, and of holding."""
        own = next(iter(self.curves.values()))
        curves = {name: self.curves[name] for name in one.SCENARIOS}
        return pl.DataFrame({"close_ms": self.close_ms, "equity": own, **curves, "hold": self.hold})

    @property
    def metrics(self) -> dict[str, Any]:
        """Figures by name; `undefined` says why one is None."""
        return self.report["metrics"]

    @property
    def journal_hash(self) -> str:
        """Equal for equal bars, configuration and code."""
        return self.report["journal_hash"]

    def frames(self) -> dict[str, pl.DataFrame]:
        """What the run store keeps."""
        return {"rows": self.rows, "equity": self.equity, "trips": self.round_trips, "decisions": self.decisions}

    def page(self, run: Mapping[str, Any]) -> str:
        """The report page of the stored run."""
        from engine.sim.report import page

        return page(run, self.close_ms, dict(islice(self.curves.items(), 2)), self.round_trips, self.breakers, self.hold)


def simulated(planned: Plan, progress: one.Progress = lambda _done: None, checks: Path | None = None) -> one.Backtest | BasketRun:
    """The run of a plan, whichever kind it is."""
    basket = any(s.spec.strategy == strategy.NAME for s in planned.sleeves)
    return simulate(planned, progress) if basket else one.simulate(planned, progress, checks)


def simulate(planned: Plan, progress: one.Progress = lambda _done: None) -> BasketRun:
    """The run of a plan of resolve.basket_request. Raises DataError where no pair could be fitted."""
    from engine.core.basket_kernel import run_basket

    begun, request = time.perf_counter(), planned.request
    loaded = one.load(planned)
    progress(0.2)
    given = inputs_of(planned, loaded)
    progress(0.5)
    busy = time.perf_counter()
    pairs, terms = strategy.pairs_of(len(planned.sleeves)), strategy.terms_of(_params(planned))
    cash = sum(s.spec.cash for s in planned.sleeves)
    modes = dict.fromkeys((request.fills, *one.SCENARIOS))
    found = {
        mode: run_basket(given, one.rules_in(planned, loaded.span, mode), pairs, terms, request.limits, cash) for mode in modes
    }
    busy = time.perf_counter() - busy
    progress(0.9)
    own, span = found[request.fills], loaded.span
    curves = {mode: found[mode].equity for mode in modes}
    columns = [span.instruments.index(s.key) for s in planned.sleeves]
    lots = [s.instrument.lot_size for s in planned.sleeves]
    trips = trips_of(own.rows, pairs, lots, last_prices(span, columns), planned.clock_ms)
    run = BasketRun(planned, {}, rows_frame(own.rows), span.close_ms, curves, tuple(trips), span)
    run.report.update(report.report_of(run, loaded, own, _params(planned).model_dump()))
    run.report["elapsed_s"] = round(time.perf_counter() - begun, 3)
    run.report["bars_per_s"] = round(len(run.close_ms) * len(columns) / busy)
    progress(1.0)
    return run


def _params(planned: Plan) -> strategy.Params:
    """The parameters, which are the same for every leg."""
    params = planned.sleeves[0].params
    assert isinstance(params, strategy.Params)  # noqa: S101 - basket_request lets no other strategy in
    return params


def inputs_of(planned: Plan, loaded: DeskBars) -> Any:
    """kernel.BasketInputs: bars and costs of the span, fits over the whole history before it."""
    from engine.core.basket_kernel import BasketInputs
    from engine.core.kernel import bar_records

    own, span, params = loaded.own[planned.clock_ms], loaded.span, _params(planned)
    columns = [own.whole.instruments.index(s.key) for s in planned.sleeves]
    logs = strategy.logs_of(own.whole.close[:, columns])
    fits = strategy.fits_of(logs, own.whole.close_ms, planned.clock_ms, params)
    cut = slice(own.first, own.first + len(span.close_ms))
    if not np.isfinite(fits.hedge[cut]).any():
        what = f"no pair has {params.window_days:g} days of both legs before this range ends"
        raise DataError(what, "use a longer range, or a shorter window: --set window_days=30")
    costs = [leg_costs(s, loaded, judged=planned.request.judged) for s in planned.sleeves]
    slip, impact, ranges, volumes = (np.stack([leg[k] for leg in costs], axis=1).reshape(-1) for k in range(4))
    hedge, intercept, deviation = (column[cut].reshape(-1) for column in fits)
    spread = hedge, intercept, deviation, logs[cut].reshape(-1)
    return BasketInputs(bar_records(span), *spread, slip, impact, ranges, volumes, strategy.ends_of(span.close))


def leg_costs(sleeve: PlannedSleeve, loaded: DeskBars, *, judged: bool) -> list[np.ndarray]:
    """slip_frac, impact, range_times and volume_times of a leg at each close of the span."""
    frame = frame_of(sleeve, loaded)
    nothing = Evaluation(
        np.zeros(len(frame), np.int8), np.zeros(len(frame)), {}, SignalFrame(np.zeros(len(frame), np.int8), frame.close)
    )
    found = in_span(core_inputs(nothing, sleeve.params, frame, sleeve.costs, judged=judged), sleeve, loaded)
    return [found.slip_frac, found.impact, found.range_times, found.volume_times]
