"""Entries of a backtest worked in slices: which schedule, on which finer bars, and what it cost against the arrival price.

Called by sim/request.py (`--execution twap:6`, the clock it needs) and sim/backtest.py. Turns the request into what the core's
loop reads (core/slices.py) and a finished run's rows into one line a parent order. In backtests alone: a desk's loop does not
work slices.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from engine.clock import timeframe_ms
from engine.core import state
from engine.core.row_fields import DecisionRow, FillRow
from engine.core.schedule import SLICES_MAX, SLICES_MIN, almgren_chriss, by_volume, cumulated, twap
from engine.core.slices import WIDTH
from engine.data.catalog import Catalog
from engine.data.timeframes import DeskBars
from engine.errors import BadInput
from engine.sim import trips as reading
from engine.sim.vwap_fills import VWAP, counted, vwap_of

KINDS = ("twap", "vwap", "ac")
HOW = "write twap:6, vwap:6, or ac:6:2 (Almgren-Chriss with its urgency kappa T)"
SLICES, URGENCY, URGENCY_MAX = 6, 2.0, 50.0
CLOCKS = ("15m", "5m", "1m")  # tried in this order: the coarsest that has a bar for each slice is the cheapest to run
CURVE_DAYS = 7  # of bars before the run that a volume curve is learned from, at least
SHOWN = 200  # parents in a run's JSON; its frame `parents` has all


class EntryExecution(NamedTuple):
    """How market entries are worked."""

    kind: str  # twap, vwap, ac
    slices: int
    urgency: float  # kappa T of ac


def execution_of(text: str) -> EntryExecution | None:
    """`twap:6`, `vwap:8`, `ac:6:2.5`; slices and urgency may be left out, "" is none. Raises BadInput for anything else."""
    if not text:
        return None
    kind, *rest = text.split(":")
    try:
        slices = int(rest[0]) if rest else SLICES
        urgency = float(rest[1]) if len(rest) > 1 else URGENCY
    except ValueError:
        raise BadInput(f"execution = {text!r} is not valid", HOW) from None
    if kind not in KINDS or len(rest) > (2 if kind == "ac" else 1):
        raise BadInput(f"execution = {text!r} is not valid", HOW)
    if not SLICES_MIN <= slices <= SLICES_MAX:
        raise BadInput(f"execution = {text!r}: {slices} slices are out of bounds", f"{SLICES_MIN} to {SLICES_MAX}")
    if not 0.0 <= urgency <= URGENCY_MAX:
        raise BadInput(f"execution = {text!r}: urgency {urgency:g} is out of bounds", f"0 to {URGENCY_MAX:g}")
    return EntryExecution(kind, slices, urgency)


def clock_for(execution: EntryExecution, places: Sequence[tuple[str, str]], catalog: Catalog) -> str:
    """The timeframe on which slices of these (instrument, timeframe) are traded. Raises BadInput where none is recorded."""
    for clock in CLOCKS:
        step = timeframe_ms(clock)
        fits = all(timeframe_ms(own) % step == 0 and timeframe_ms(own) // step >= execution.slices for _, own in places)
        if fits and all(_is_recorded(catalog, instrument, clock) for instrument, _ in places):
            return clock
    names = ", ".join(f"{instrument} {own}" for instrument, own in places)
    what = f"{execution.slices} slices of {names} need finer bars, {execution.slices} or more in each of its own"
    raise BadInput(f"{what}: none of {', '.join(CLOCKS)} is recorded and fits", "pull or import them, or use a longer timeframe")


def _is_recorded(catalog: Catalog, instrument: str, clock: str) -> bool:
    venue, symbol, market = instrument.split(":")
    try:
        catalog.find(venue, symbol, clock, market)
    except BadInput:
        return False
    return True


def enters_by_limit(signals: Sequence[Any]) -> list[bool]:
    """Of each sleeve's Signals, whether it enters by limit."""
    return [bool((s.limit > 0.0).any()) for s in signals]


def parts_of(run: Any) -> dict[str, dict[str, Any]]:
    """What the report of a run (a Backtest) says more of its market fills: at VWAPs, in slices; each with its `text`."""
    planned, found = run.plan, dict[str, dict[str, Any]]()
    if planned.request.fills == VWAP:
        columns = {s.spec.name: run.span.instruments.index(planned.column(s)) for s in planned.sleeves}
        found["vwap"] = counted(run.fills, run.span, columns)
    if planned.request.execution:
        found["execution"] = report_of(planned, run.parents, {s.name: s.lot_size for s in run.run_sleeves})
    return found


def inputs_of(planned: Any, loaded: DeskBars, by_limit: Sequence[bool], mode: str) -> dict[str, np.ndarray | None]:
    """What kernel.run_records is given beside bars and signals in a fill mode: VWAPs, schedules."""
    vwap = vwap_of(loaded.span).price if mode == VWAP else None
    return {"vwap": vwap, "schedules": schedules_of(planned, loaded, by_limit)}


def schedules_of(planned: Any, loaded: DeskBars, by_limit: Sequence[bool]) -> np.ndarray | None:
    """Of each sleeve of a Plan (sleeves, WIDTH), as core/slices.py reads it; None for a run that works nothing.

    Raises BadInput for a sleeve that enters by limit or in layers, and for a volume curve without a past to learn it from.
    """
    execution = execution_of(planned.request.execution)
    if execution is None:
        return None
    found = np.zeros((len(planned.sleeves), WIDTH))
    for s, sleeve in enumerate(planned.sleeves):
        name = sleeve.spec.name
        if by_limit[s]:
            raise BadInput(f"{name} enters by limit: a schedule works market entries", "leave --execution out")
        if sleeve.params.layers_max > 1:
            raise BadInput(
                f"{name}: layers_max = {sleeve.params.layers_max}: a schedule works positions of one layer", "set it to 1"
            )
        found[s, :2] = execution.slices, planned.clock_ms
        found[s, 2 : 2 + execution.slices] = cumulated(shares_of(execution, planned, loaded, sleeve))
    return found


def shares_of(execution: EntryExecution, planned: Any, loaded: DeskBars, sleeve: Any) -> list[float]:
    """The share of each slice."""
    if execution.kind == "twap":
        return twap(execution.slices)
    if execution.kind == "ac":
        return almgren_chriss(execution.urgency, execution.slices)
    try:
        return by_volume(volume_curve(execution.slices, planned, loaded, sleeve))
    except ValueError as error:
        raise BadInput(f"{sleeve.spec.name}: {error}", "use twap") from None


def volume_curve(slices: int, planned: Any, loaded: DeskBars, sleeve: Any) -> list[float]:
    """Mean volume of each slice of the sleeve's bar, in base units, over the clock's bars before the run's first one."""
    clock = loaded.own[planned.clock_ms]
    past = clock.whole.close_ms <= loaded.span.close_ms[0] - planned.clock_ms
    volume = clock.whole.volume[past, clock.whole.instruments.index(sleeve.key)]
    opened = clock.whole.close_ms[past] - planned.clock_ms
    known = np.isfinite(volume)
    if known.sum() * planned.clock_ms < CURVE_DAYS * state.DAY_MS:
        what = f"a vwap schedule learns its volume curve from {CURVE_DAYS} days of {planned.clock} bars before the run"
        raise BadInput(
            f"{what}, and {sleeve.spec.name} has {known.sum() * planned.clock_ms / state.DAY_MS:.1f}", "begin later: --from"
        )
    part = (opened[known] % sleeve.bar_ms) * slices // sleeve.bar_ms
    total = np.bincount(part, volume[known], slices)
    return [float(x) for x in total / len(np.unique(opened[known] // sleeve.bar_ms))]


def parents(rows: pl.DataFrame, sleeves: Sequence[reading.RunSleeve], slices: int) -> pl.DataFrame:
    """One row a parent order of which something filled: arrival price (close of its decision), average price with slippage,
    cost against arrival in bps (positive: it cost), lots ordered and filled, slices done and refused.
    """
    entered = reading.field(DecisionRow, "action") == state.ENTER
    decided = reading.only(rows, DecisionRow).filter(entered)
    decided = decided.select(
        "n", "sleeve", pl.col("close_ms").alias("decided_ms"), reading.field(DecisionRow, "close").alias("arrival")
    )
    lots, price = reading.field(FillRow, "lots"), reading.field(FillRow, "price")
    fills = reading.only(rows, FillRow).filter(reading.field(FillRow, "slot") == state.ENTRY)
    fills = fills.select("n", "sleeve", reading.field(FillRow, "side"), lots, price)
    joined = fills.join_asof(decided, on="n", by="sleeve", check_sortedness=False)
    found = joined.group_by("sleeve", "decided_ms", maintain_order=True).agg(
        pl.col("side").first(),
        pl.col("arrival").first(),
        ((pl.col("price") * pl.col("lots")).sum() / pl.col("lots").sum()).alias("average"),
        pl.col("lots").sum().alias("lots_filled"),
        pl.len().cast(pl.Int64).alias("slices_done"),
    )
    ordered = reading.entry_orders(rows, sleeves).select("sleeve", pl.col("close_ms").alias("decided_ms"), "lots")
    found = found.with_columns(reading.sleeve_name(sleeves))
    found = found.join(ordered, on=["sleeve", "decided_ms"], how="left", maintain_order="left")
    cost = pl.col("side") * (pl.col("average") / pl.col("arrival") - 1.0) * 1e4
    return found.with_columns(cost.alias("cost_bps"), (slices - pl.col("slices_done")).alias("slices_refused"))


def report_of(planned: Any, table: pl.DataFrame, lot_sizes: Mapping[str, float]) -> dict[str, Any]:
    """A run's parents as JSON: figures over all, weighed by notional, and the first SHOWN of them."""
    execution = execution_of(planned.request.execution)
    assert execution is not None, "no schedule, nothing to report"  # noqa: S101 - the caller looked
    units = pl.col("lots_filled") * pl.col("sleeve").replace_strict(lot_sizes, return_dtype=pl.Float64)
    weighed = table.with_columns((units * pl.col("arrival")).alias("notional"))
    total = float(weighed["notional"].sum())
    mean = float((weighed["cost_bps"] * weighed["notional"]).sum()) / total if total > 0.0 else None
    done, refused = int(table["slices_done"].sum()), int(table["slices_refused"].sum())
    said = "no parent order filled" if mean is None else f"{mean:+.2f} bps against arrival"
    return {
        **execution._asdict(),
        "clock": planned.clock,
        "parents": len(table),
        "slices_done": done,
        "slices_refused": refused,
        "cost_bps": mean,
        "undefined": {} if mean is not None else {"cost_bps": "no parent order filled"},
        "orders": table.head(SHOWN).to_dicts(),
        "text": f"execution {planned.request.execution} on {planned.clock} bars: {len(table):,} parent orders, {said}, "
        f"{done:,} slices done, {refused:,} refused",
    }
