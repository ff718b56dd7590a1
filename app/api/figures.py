"""Routes of figures: round trips and breakdowns of runs and desk, P&L by period, exposure, benchmark. For app.api.factory.

The figures are engine.sim.breakdown's and engine.watch's; here they become response models, the same for a run and for the desk.
"""

from collections.abc import Mapping
from itertools import accumulate
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Query

from app.api import models_figures as m
from app.api.context import At, Who
from app.api.runs import RunId, store_with
from engine.control.limits import limits_of
from engine.data.correlation import WINDOW_DAYS
from engine.sim import breakdown as figures
from engine.watch.benchmark import HoldLine, desk_hold_line
from engine.watch.concentration import desk_exposure
from engine.watch.desk_trips import desk_trips, strategy_trips
from engine.watch.periods import Unit, lately, lately_of_all, periods
from engine.watch.phases import phase_of
from engine.watch.shock import MOVE_MAX, shocks
from engine.watch.window import journal_of

router = APIRouter(prefix="/api", tags=["figures"])
DESK = "desk"
EXTREMES = 20
POINTS = 2000
CURVE = {"close_ms": pl.Int64, "equity": pl.Float64, "drawdown_frac": pl.Float64}
SleeveName = Annotated[str | None, Query(max_length=60)]
Count = Annotated[int, Query(ge=1, le=20_000)]
SHARES = ("sleeves", "instruments", "strategies")
EXPOSURE_LIMITS = ("gross_frac_max", "instrument_frac_max", "family_frac_max", "correlated_frac_max")
Points = Annotated[int, Query(ge=2, le=POINTS)]


@router.get("/desk/trips")
def trips_of_desk(at: At, _: Who, sleeve: SleeveName = None, limit: Count = 500) -> m.TripList:
    """The paper desk's round trips from its journal, newest entry first."""
    return _trips(DESK, desk_trips(at.path, sleeve), limit)


@router.get("/runs/{run_id}/trips")
def trips_of_run(at: At, _: Who, run_id: str = RunId, limit: Count = 500) -> m.TripList:
    """A stored run's round trips, newest entry first."""
    return _trips(run_id, store_with(at, run_id).frame(run_id, "trips"), limit)


@router.get("/desk/periods")
def periods_of_desk(
    at: At, _: Who, unit: Unit = "day", sleeve: SleeveName = None, limit: Annotated[int, Query(ge=1, le=400)] = 90
) -> m.PeriodList:
    """P&L of the desk or a sleeve by day, week or month; the newest `limit`."""
    items = [m.PeriodView(**found._asdict()) for found in periods(at.path, unit, sleeve, limit)]
    phase = phase_of(at.path) if sleeve is None else None
    return m.PeriodList(unit=unit, sleeve=sleeve, items=items, phase=phase.text() if phase is not None else "")


@router.get("/desk/lately")
def lately_of_desk(at: At, _: Who, sleeve: SleeveName = None) -> m.LatelyList:
    """Net P&L today, over 7 and 30 days, and since the start, in money and in R."""
    return m.LatelyList(sleeve=sleeve, **{k: m.LatelyView(**v._asdict()) for k, v in lately(at.path, sleeve).items()})


@router.get("/desk/lately/sleeves")
def lately_of_sleeves(at: At, _: Who) -> m.LatelyLists:
    """The same of the desk (sleeve null, first) and of each sleeve."""
    found = lately_of_all(at.path).items()
    return m.LatelyLists(
        items=[m.LatelyList(sleeve=who, **{k: m.LatelyView(**v._asdict()) for k, v in one.items()}) for who, one in found]
    )


@router.get("/desk/exposure")
def exposure_of_desk(at: At, _: Who) -> m.ExposureView:
    """How the desk's exposure adds up at desk time, as the guardrails count it; figures are null before the first bar."""
    found, hard = desk_exposure(at.path), limits_of(at.path)
    limits = {name: getattr(hard, name) for name in EXPOSURE_LIMITS}
    if found is None:
        return m.ExposureView(limits=limits, correlation_days=WINDOW_DAYS)
    shares = {name: tuple(m.ShareView(**share._asdict()) for share in getattr(found, name)) for name in SHARES}
    pairs = tuple(m.PairView(**pair._asdict()) for pair in found.pairs)
    more = {"pairs": pairs, "limits": limits, "correlation_days": WINDOW_DAYS}
    return m.ExposureView(**found._asdict() | shares | more)


@router.get("/desk/shock")
def shock_of_desk(at: At, _: Who, move_frac: Annotated[float, Query(gt=0.0, le=MOVE_MAX)] = 0.1) -> m.ShockList:
    """What one bar with a fall or a rise of every instrument would do to the desk as it stands; empty before the first bar."""
    found = shocks(at.path, move_frac)
    views = [m.ShockView(**s._asdict() | {"sleeves": [m.SleeveShockView(**o._asdict()) for o in s.sleeves]}) for s in found]
    return m.ShockList(items=views)


@router.get("/desk/benchmark")
def benchmark_of_desk(at: At, _: Who, points: Points = 500) -> m.HoldLineView:
    """Holding the desk's instruments from its start, from the bars of its own journal."""
    return _line(desk_hold_line(at.path, points))


@router.get("/desk/breakdown")
def breakdown_of_desk(at: At, _: Who, sleeve: SleeveName = None) -> m.Breakdown:
    """Every breakdown of the paper desk, or of one sleeve's round trips; drawdowns and months are the whole desk's."""
    from app.api.pages import curve_of

    found = curve_of(journal_of(at.path), POINTS)
    equity = found["strategy"]  # what incident windows made is in no breakdown
    peaks = accumulate((value or 0.0 for value in equity), max)
    falls = [None if value is None or not peak else 1 - value / peak for value, peak in zip(equity, peaks, strict=True)]
    curve = pl.DataFrame({"close_ms": found["close_ms"], "equity": equity, "drawdown_frac": falls}, schema=CURVE)
    why = {"excursions": "measured for runs alone", "drawdowns": f"from {curve.height} marks of the desk, evenly over its time"}
    return _breakdown(DESK, strategy_trips(at.path, sleeve), curve.drop_nulls(), why, None, desk_hold_line(at.path))


@router.get("/runs/{run_id}/breakdown")
def breakdown_of_run(at: At, _: Who, run_id: str = RunId) -> m.Breakdown:
    """Every breakdown of a stored run. One that was stored before MAE, MFE and benchmark were kept has null there, and why."""
    runs = store_with(at, run_id)
    run, trips, curve = runs.load(run_id), runs.frame(run_id, "trips"), runs.frame(run_id, "equity")
    why: dict[str, str] = {}
    excursions, line = None, None
    if "mae" in trips.columns and "hold" in curve.columns:
        excursions, line = figures.excursions(trips), _hold_of(run, curve)
    else:
        why = dict.fromkeys(("excursions", "benchmark"), "stored before they were kept: run the backtest again")
    return _breakdown(run_id, trips, curve, why, excursions, line)


def _hold_of(run: Mapping[str, Any], curve: pl.DataFrame) -> HoldLine:
    """The line of holding a run's instruments, thinned to POINTS."""
    from engine.sim.explain import run_sleeves

    thin = curve.gather_every(max(-(-curve.height // POINTS), 1))
    names = tuple(dict.fromkeys(sleeve.instrument for sleeve in run_sleeves(run)))
    return HoldLine(
        names, thin["close_ms"].to_list(), thin["hold"].to_list(), float(curve["hold"][-1]) / float(run["cash"]) - 1.0
    )


def _breakdown(
    subject: str,
    trips: pl.DataFrame,
    curve: pl.DataFrame,
    why: dict[str, str],
    excursions: list[dict[str, Any]] | None,
    line: HoldLine | None,
) -> m.Breakdown:
    """The response for a trips frame and an equity curve."""
    splits: dict[str, list[m.SplitRow]] = {}
    for by in figures.KEYS:
        if figures.NEEDS.get(by, "reason") in trips.columns:
            splits[by] = [m.SplitRow(**row) for row in figures.split(trips, by).to_dicts()]
        else:
            why = why | {f"splits.{by}": f"these round trips have no {by}"}
    close_ms, equity = curve["close_ms"].to_numpy(), curve["equity"].to_numpy()
    return m.Breakdown(
        subject=subject,
        trips=trips.height,
        open_trips=trips["exit_ms"].null_count(),
        net=float(trips["net"].sum()),
        splits=splits,
        worst=_lines(figures.extremes(trips, EXTREMES, worst=True)),
        best=_lines(figures.extremes(trips, EXTREMES, worst=False)),
        drawdowns=[m.DrawdownView(**fall._asdict()) for fall in figures.drawdowns(close_ms, equity, 10)],
        months=[m.MonthView(year=y, month=n, return_frac=r) for y, n, r in figures.months(close_ms, equity)],
        r_histogram=[m.RClassView(**found._asdict()) for found in figures.r_histogram(trips)],
        durations=figures.durations(trips),
        excursions=None if excursions is None else [m.ExcursionView(**found) for found in excursions],
        benchmark=None if line is None else _line(line),
        why=why,
    )


def _trips(subject: str, trips: pl.DataFrame, limit: int) -> m.TripList:
    return m.TripList(subject=subject, items=_lines(trips.tail(limit).reverse()), total=trips.height)


def _lines(trips: pl.DataFrame) -> list[m.TripLine]:
    return [m.TripLine(**{k: v for k, v in row.items() if k in m.TripLine.model_fields}) for row in trips.to_dicts()]


def _line(line: HoldLine) -> m.HoldLineView:
    return m.HoldLineView(**{**line._asdict(), "instruments": list(line.instruments)})
