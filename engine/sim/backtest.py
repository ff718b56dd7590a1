"""A run by Python: `from engine.sim import backtest; b = backtest("trend", "BTC-USDT", from_="2025")`. It is in no trial ledger;
app/notebook.py's is.

With a Plan called by app/notebook.py and app/jobs/kinds.py (jobs, command line). Turns a plan and the catalog's bars into a
Backtest: signals of every sleeve on the whole history, the core over the requested range in the requested fill mode and in both
scenarios, then round trips, decisions, equity and metrics. numba is imported when the first bar is simulated.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl

from engine.control.desk_setup import desk_setup
from engine.core import state
from engine.data.align import Market
from engine.data.catalog import Catalog
from engine.data.correlation import daily_correlations
from engine.data.loading import policy_of
from engine.data.timeframes import DeskBars, load_desk
from engine.features.anchor import anchor_ms
from engine.features.frame import FeatureFrame
from engine.process_memory import trim_memory
from engine.sim import access, resolve
from engine.sim import execution as working
from engine.sim import trips as reading
from engine.sim.checked import check_sleeve, frame_of, frames_of, in_span, is_own, with_opened
from engine.sim.excursions import hold, with_excursions
from engine.sim.held_once import bars_once, columns_once
from engine.sim.late import delaying
from engine.sim.leaks import leaks_of
from engine.sim.life import ends_of, life_of
from engine.sim.liquidations import liquidation_notes, liquidations
from engine.sim.metrics import Floats, Times, Totals, metrics
from engine.sim.notes import reader_notes, refusals
from engine.sim.request import CASH, Moment, Plan, PlannedSleeve, data_of, sleeve_json
from engine.sim.stamps import delayed, stamps
from engine.sim.vwap_fills import VWAP, core_mode
from engine.sim.wide import DESK, counted
from engine.strategies.rules import families, rules_of
from engine.strategies.signals import Change, Signals, signals_of

Progress = Callable[[float], None]
SCENARIOS = ("pessimistic", "optimistic")
CENT = 0.01


@dataclass(frozen=True)
class Backtest:
    """A finished run. Frames are polars; money is in quote units, times are UTC ms."""

    plan: Plan
    report: dict[str, Any]  # the JSON of DESIGN 9 but for run_id: what the run store keeps
    rows: pl.DataFrame  # journal rows, see core/row_fields.py
    close_ms: Times
    curves: Mapping[str, Floats]  # fill mode -> desk equity at each close; the run's own mode first
    run_sleeves: Sequence[reading.RunSleeve]
    used: Sequence[Mapping[str, Floats]]  # one per sleeve: feature label -> its values over the span
    by_limit: Sequence[bool]  # one per sleeve: does it enter by limit
    span: Market  # the bars it traded

    @cached_property
    def round_trips(self) -> pl.DataFrame:
        """One row per round trip (sim/trips.trips), with how far each went against and for its position."""
        table = reading.trips(self.rows, self.run_sleeves)
        own = [self.span.instruments.index(self.plan.column(s)) for s in self.plan.sleeves]
        return with_excursions(table, self.rows, self.run_sleeves, own, self.span)

    @cached_property
    def hold(self) -> Floats:
        """Equity at each close of who had held the same instruments instead."""
        traded = [self.span.instruments.index(s.instrument) for s in self.run_sleeves]
        return hold(self.span, traded, sum(s.spec.cash for s in self.plan.sleeves))

    @cached_property
    def fills(self) -> pl.DataFrame:
        """One row per execution."""
        return reading.fills(self.rows, self.run_sleeves)

    @cached_property
    def entry_orders(self) -> pl.DataFrame:
        """One row per entry order, filled or not."""
        return reading.entry_orders(self.rows, self.run_sleeves)

    @cached_property
    def parents(self) -> pl.DataFrame:
        """One row per parent order of a run that works its entries: its cost against the arrival price."""
        return working.parents(self.rows, self.run_sleeves, self.plan.request.execution)

    @cached_property
    def breakers(self) -> pl.DataFrame:
        """One row per tripped breaker."""
        return reading.breakers(self.rows, self.run_sleeves)

    @cached_property
    def decisions(self) -> pl.DataFrame:
        """One row per close with a decision row, with the features the sleeve read there."""
        table = reading.decisions(self.rows, self.run_sleeves)
        at = np.searchsorted(self.close_ms, table["close_ms"].to_numpy())
        for sleeve, used in zip(self.run_sleeves, self.used, strict=True):
            own = (table["sleeve"] == sleeve.name).to_numpy()
            for label, values in used.items():
                read_there = np.where(own, values[at], np.nan) if len(at) else np.empty(0)
                read = pl.Series(label, read_there, dtype=pl.Float64).fill_nan(None)
                table = table.with_columns(pl.coalesce(read, label).alias(label) if label in table.columns else read)
        return table

    @cached_property
    def equity(self) -> pl.DataFrame:
        """close_ms, equity, the equity of each scenario, and of holding."""
        own = next(iter(self.curves.values()))
        curves = {name: self.curves[name] for name in SCENARIOS}
        return pl.DataFrame({"close_ms": self.close_ms, "equity": own, **curves, "hold": self.hold})

    @property
    def metrics(self) -> dict[str, Any]:
        """Figures by name; `undefined` says why one is None."""
        return self.report["metrics"]

    @property
    def scenarios(self) -> dict[str, Any]:
        """total_return_frac under each scenario, and the number of ambiguous bars."""
        return self.report["scenarios"]

    @property
    def journal_hash(self) -> str:
        """SHA-256 of the journal rows: equal for equal bars, configuration and code."""
        return self.report["journal_hash"]

    def frames(self) -> dict[str, pl.DataFrame]:
        """What the run store keeps."""
        return {"rows": self.rows, "equity": self.equity, "trips": self.round_trips, "decisions": self.decisions}

    def page(self, run: Mapping[str, Any]) -> str:
        """The report page of the stored run."""
        from engine.sim.report import page

        return page(run, self.close_ms, dict(islice(self.curves.items(), 2)), self.round_trips, self.breakers, self.hold)


def backtest(
    strategy: str,
    symbol: str,
    timeframe: str = "15m",
    venue: str = "",
    *,
    market: str = "perp",
    from_: Moment = None,
    to: Moment = None,
    params: Mapping[str, Any] | None = None,
    fills: str = "pessimistic",
    funding: str = "recorded",
    cash: float = CASH,
    side: str = "both",
    limits: str = DESK,
    delay_bars: int = 0,
    execution: str = "",
    catalog: Catalog | None = None,
    folder: Path | None = None,
    home: Path | str | None = None,
) -> Backtest:
    """One strategy on one instrument, with the costs, limits, data and strategies of `home` (default: NIGHTDESK_HOME, ./var), as
    the command would run it. Nothing is written but the look-ahead check of a strategy of your own, into a home that exists.

    `to` is excluded; `params` override the defaults; without a venue, the one that has the bars; `limits="wide"` is the raw
    signal (sim/wide.py); `delay_bars`: every signal acts so many bars late (sim/late.py); `execution`: how market entries are
    worked (sim/execution.py); `catalog` and `folder` replace the home's data and strategies.
    For several sleeves: simulate(plan(Request(sleeves=(SleeveRequest(...), ...)), catalog)).
    Raises BadInput, DataError or StrategyError with one clear line.
    """
    desk = desk_setup(home)
    one: dict[str, Any] = {"strategy": strategy, "symbol": symbol, "timeframe": timeframe, "venue": venue}
    one |= {"market": market, "side": side, "start": from_, "end": to, "params": params, "fills": fills}
    one |= {"funding": funding, "cash": cash, "limits": limits, "delay_bars": delay_bars, "execution": execution}
    return simulate(resolve.planned(desk, catalog or desk.catalog(), one, folder), checks=desk.checks)


def simulate(planned: Plan, progress: Progress = lambda _done: None, checks: Path | None = None) -> Backtest:
    """Run a plan; `progress` is called with the fraction done, 0..1; `checks`: the folder of look-ahead checks made before."""
    begun = time.perf_counter()
    loaded, bars = bars_once(load(planned))
    progress(0.2)
    leaks = [check_sleeve(planned, sleeve, loaded, checks) for sleeve in planned.sleeves if is_own(sleeve)]
    progress(0.4)
    busy = time.perf_counter()
    signals, frames = [], frames_of(planned.sleeves, loaded)[::-1]
    for sleeve in planned.sleeves:
        seen: dict[str, None] = {}
        with access.watched(seen):
            signals.append(signals_in_span(sleeve, loaded, judged=planned.request.judged, frame=frames.pop()))
        leaks = [with_opened(f, seen if f["strategy"] == sleeve.spec.strategy else ()) for f in leaks]
    progress(0.6)
    results = run_modes(planned, loaded, signals, (planned.request.fills, *SCENARIOS), progress, bars)
    busy = time.perf_counter() - busy
    own = results[planned.request.fills]
    sleeves = reading.traded_sleeves(planned, loaded.span)
    rows = reading.frame_of(own.rows)
    names = dict.fromkeys((planned.request.fills, *SCENARIOS))
    curves = {name: results[name].equity for name in names}
    used, by_limit = [s.used for s in signals], working.enters_by_limit(signals)
    run = Backtest(planned, {}, rows, loaded.span.close_ms, curves, sleeves, used, by_limit, loaded.span)
    raw = raw_signal(run, loaded, signals)
    run.report.update(report_of(run, loaded, own, leaks, raw))
    elapsed = time.perf_counter() - begun
    run.report["elapsed_s"] = round(elapsed, 3)
    run.report["bars_per_s"] = round(len(run.close_ms) * len(signals) / busy)
    progress(1.0)
    return run


def load(planned: Plan) -> DeskBars:
    """The plan's bars, from the earliest anchor of the first traded bar on, so that features are warmed up at a later start."""
    request = planned.request
    anchor = None if request.from_ms is None else anchor_ms(request.from_ms)
    ends = (anchor, request.from_ms, request.to_ms)
    return load_desk(planned.catalog, planned.series, policy_of(request.funding), *ends, planned.read)


def signals_in_span(
    sleeve: PlannedSleeve,
    loaded: DeskBars,
    *,
    judged: bool = True,
    change: Change | None = None,
    frame: FeatureFrame | None = None,
) -> Signals:
    """The sleeve's inputs to the core at each close of the span, computed over the whole history of its own bars.

    On a longer timeframe than the clock's: none between its own closes. `change`: instead of the sleeve's delay; `frame`: its
    frame of these bars, when several runs share what they computed.
    """
    frame = frame_of(sleeve, loaded) if frame is None else frame
    change = change or delaying(sleeve.delay_bars)
    found = signals_of(sleeve.strategy, sleeve.params, frame, sleeve.costs, sleeve.spec.side, judged=judged, change=change)
    return in_span(found, sleeve, loaded)


def run_modes(
    planned: Plan,
    loaded: DeskBars,
    signals: list[Signals],
    modes: Sequence[str],
    progress: Progress,
    bars: np.ndarray | None = None,
) -> dict[str, Any]:
    """kernel.Result of each fill mode; the signals become views of what the core read. `bars`: records of the span, if made."""
    from engine.core.kernel import bar_records, block_records, run_records

    span, daily = loaded.span, correlations_of(planned, loaded)
    bars, columns, width = bar_records(span) if bars is None else bars, columns_once(signals), len(span.instruments)
    if len(signals) > 1:
        trim_memory(collect=False)
    blocks, cash = block_records(bars, width), [s.spec.cash for s in planned.sleeves]
    results, by_limit = dict[str, Any](), working.enters_by_limit(signals)
    for mode in dict.fromkeys(modes):
        given = bars, columns, width, rules_in(planned, span, mode), planned.request.limits, cash
        more = working.inputs_of(planned, loaded, by_limit, mode)
        results[mode] = run_records(*given, blocks=blocks, daily=daily, **more)
        progress(0.6 + 0.1 * len(results))
    return results


def correlations_of(planned: Plan, loaded: DeskBars) -> np.ndarray | None:
    """How the instruments had moved together before each day of the span; None for one alone, or where no limit asks."""
    span, clock = loaded.span, loaded.own[planned.clock_ms].whole
    if len({s.key for s in planned.sleeves}) < 2 or planned.request.limits.correlated_frac_max >= state.OFF:
        return None
    return daily_correlations(clock, span.instruments, int(span.close_ms[0]), int(span.close_ms[-1]))


def raw_signal(run: Backtest, loaded: DeskBars, signals: list[Signals]) -> dict[str, Any] | None:
    """Of a run with wide limits: what the desk's own would have refused, from a second run under them; None of any other."""
    request = run.plan.request
    if request.counted is None:
        return None
    limits, own = request.counted
    under = run.plan._replace(request=request._replace(limits=limits, sleeve_limits=own, counted=None))
    found = run_modes(under, loaded, signals, (request.fills,), lambda _done: None)[request.fills]
    cash = sum(s.spec.cash for s in run.plan.sleeves)
    limited = reading.decisions(reading.frame_of(found.rows), run.run_sleeves)
    raw = reading.decisions(run.rows, run.run_sleeves)
    return counted(raw, limited, (float(found.equity[-1]) - cash) / cash, len(liquidations(run.fills)))


def rules_in(planned: Plan, span: Market, mode: str) -> list[state.Rules]:
    """Core rules of every sleeve in a fill mode."""
    limits, names = planned.request.sleeve_limits, span.instruments
    places = [(names.index(s.key), names.index(planned.column(s))) for s in planned.sleeves]
    of_family = families([s.spec.strategy for s in planned.sleeves])
    return [
        rules_of(s.params, s.instrument, s.costs, at, core_mode(mode), s.bar_ms, limits, own, family)
        for s, (at, own), family in zip(planned.sleeves, places, of_family, strict=True)
    ]


def state_at(planned: Plan, loaded: DeskBars, signals: Sequence[Signals], t: int) -> list[state.Sleeve]:
    """Every sleeve after the close of bar t of the span, in the run's own fill mode: the run as far as there, run again."""
    from engine.core.kernel import bar_records, run_records, signal_columns

    span, daily = loaded.span, correlations_of(planned, loaded)
    width, count, mode = len(span.instruments), len(signals), planned.request.fills
    bars = bar_records(span)[: (t + 1) * width]
    columns = tuple(column[: (t + 1) * count] for column in signal_columns(signals))
    cash = [s.spec.cash for s in planned.sleeves]
    rules, limits = rules_in(planned, span, mode), planned.request.limits
    more = working.inputs_of(planned, loaded, working.enters_by_limit(signals), mode)
    more["vwap"] = None if more["vwap"] is None else more["vwap"][: t + 1]
    return run_records(bars, columns, width, rules, limits, cash, daily=daily, **more).sleeves


def report_of(
    run: Backtest, loaded: DeskBars, own: Any, leaks: list[dict[str, Any]], raw: dict[str, Any] | None
) -> dict[str, Any]:
    """The run's report as JSON (DESIGN 9), without run_id and timing."""
    p, request, span = run.plan, run.plan.request, loaded.span
    cash = sum(s.spec.cash for s in p.sleeves)
    figures = metrics(run.close_ms, own.equity, p.clock_ms, cash, totals(run, own, cash))
    sleeves = [sleeve_json(s) for s in p.sleeves]
    named = (*SCENARIOS, VWAP) if request.fills == VWAP else SCENARIOS
    returns = {name: (float(run.curves[name][-1]) - cash) / cash for name in named}
    held_back = delayed(request.delay_bars)
    more = working.parts_of(run)
    many, data, liquidated = len(sleeves) > 1, data_of(p, span), liquidations(run.fills)
    life = life_of({"data": data, "timeframe": p.clock, "sleeves": sleeves, "life": {"ends": ends_of(run, span)}})
    margin = liquidation_notes(liquidated, p.sleeves, run.close_ms, own.equity, [s.ledger.equity for s in own.sleeves])
    return {
        "strategy": " + ".join(s["strategy"] for s in sleeves) + (held_back["name"] if held_back else ""),
        "params": {s["name"]: s["params"] for s in sleeves} if many else sleeves[0]["params"],
        "symbol": " + ".join(dict.fromkeys(s["symbol"] for s in sleeves)),
        "venue": " + ".join(dict.fromkeys(s["venue"] for s in sleeves)),
        "timeframe": p.clock,
        "fills": request.fills,
        "funding": request.funding,
        "cash": cash,
        "sleeves": sleeves,
        "config": p.config,
        "config_hash": p.config_hash,
        "data": data,
        "life": life.as_json(),
        "metrics": figures,
        "scenarios": returns | {"ambiguous_bars": own.ambiguous},
        **more,
        "breakers": reading.breakers_of(run.breakers),
        "refused": refusals(run.rows),
        "liquidations": len(liquidated),
        "leaks": leaks_of(leaks),
        "raw_signal": raw,
        "delayed": held_back,
        "notes": [
            *stamps({"raw_signal": raw, "delayed": held_back}),
            *(part["text"] for part in more.values()),
            *loaded.notes,
            *reader_notes(run, leaks, returns, life),
            *margin,
        ],
        "journal_hash": own.journal_hash,
        "code": p.code,
        "code_hash": p.code_hash,
        "versions": p.versions,
        "cache_key": p.cache_key,
    }


def totals(run: Backtest, own: Any, cash: float) -> Totals:
    """Sums for the metrics, from the core's ledgers; the round trips must explain the equity to the cent."""
    table = run.round_trips
    change = float(own.equity[-1]) - cash
    explained = float(table["net"].sum())
    assert abs(explained - change) < CENT + 1e-11 * cash, f"round trips explain {explained}, the equity changed by {change}"  # noqa: S101 - a wrong sum must halt
    is_open = table["reason"] == "open"
    closed = table.filter(~is_open)
    ledgers = [s.ledger for s in own.sleeves]
    return Totals(
        trades=len(closed),
        wins=int((closed["net"] > 0).sum()),
        open_trades=int(is_open.sum()),
        bars_held=reading.bars_held(table, run.run_sleeves, run.close_ms, run.plan.clock_ms),
        fees=sum(x.fees for x in ledgers),
        funding=sum(x.funding for x in ledgers),
        slippage=sum(x.slippage for x in ledgers),
        traded=sum(x.traded for x in ledgers),
    )


class _CallableModule(ModuleType):
    """`from engine.sim import backtest` gives this module; calling it calls the function of the same name."""

    def __call__(self, *args: Any, **named: Any) -> Backtest:
        return backtest(*args, **named)


sys.modules[__name__].__class__ = _CallableModule
