"""Entries of a backtest worked in slices: which schedule, on which finer bars, and what it cost against the arrival price.

Called by sim/request.py (`--execution twap:6`, the clock it needs) and sim/backtest.py. Turns the request into what the core's
loop reads (core/slices.py) and rows - of a run, or of a desk's journal (watch/desk_parents.py) - into one line a parent order.
The grammar is data/schedules.py.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from engine.core import state
from engine.core.row_fields import DecisionRow, FillRow
from engine.core.slices import WIDTH
from engine.data.catalog import Catalog
from engine.data.schedules import (
    CLOCKS,
    EntryExecution,
    clock_fits,
    execution_of,
    refuse_layers,
    refuse_limit,
    shares_of,
    volume_curve,
)
from engine.data.timeframes import DeskBars
from engine.errors import BadInput
from engine.sim import trips as reading
from engine.sim.vwap_fills import VWAP, counted, vwap_of

SHOWN = 200  # parents in a run's JSON; its frame `parents` has all


def clock_for(execution: EntryExecution, places: Sequence[tuple[str, str]], catalog: Catalog) -> str:
    """The timeframe on which slices of these (instrument, timeframe) are traded. Raises BadInput where none is recorded."""
    for clock in CLOCKS:
        fits = all(clock_fits(execution, own, clock) for _, own in places)
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


def inputs_of(planned: Any, loaded: DeskBars, by_limit: Sequence[bool], mode: str) -> dict[str, Any]:
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
            raise refuse_limit(name)
        if sleeve.params.layers_max > 1:
            raise refuse_layers(name, sleeve.params.layers_max)
        found[s, :2] = execution.slices, planned.clock_ms
        found[s, 2 : 2 + execution.slices] = shares_of(execution, partial(_curve, execution, planned, loaded, sleeve), name)
    return found


def _curve(execution: EntryExecution, planned: Any, loaded: DeskBars, sleeve: Any) -> list[float]:
    """Volumes before the run's first bar."""
    first_ms = int(loaded.span.close_ms[0]) - planned.clock_ms
    market = loaded.own[planned.clock_ms].whole
    return volume_curve(execution.slices, market, sleeve.key, sleeve.bar_ms, first_ms, sleeve.spec.name)


def parents(rows: pl.DataFrame, sleeves: Sequence[reading.RunSleeve], schedule: str) -> pl.DataFrame:
    """`parents_of` of the rows of a run with one schedule; "": each entry is one slice."""
    slices = execution.slices if (execution := execution_of(schedule)) else 1
    name = reading.sleeve_name(sleeves)
    decided = reading.only(rows, DecisionRow).filter(reading.field(DecisionRow, "action") == state.ENTER)
    arrival = reading.field(DecisionRow, "close").alias("arrival")
    decided = decided.select("n", name, pl.col("close_ms").alias("decided_ms"), arrival)
    ordered = reading.entry_orders(rows, sleeves).select("sleeve", pl.col("close_ms").alias("decided_ms"), "lots")
    decided = decided.join(ordered, on=["sleeve", "decided_ms"], how="left", maintain_order="left")
    fields = [reading.field(FillRow, column) for column in ("side", "lots", "price")]
    fills = reading.only(rows, FillRow).filter(reading.field(FillRow, "slot") == state.ENTRY)
    return parents_of(decided.with_columns(pl.lit(slices, pl.Int64).alias("slices")), fills.select("n", name, *fields))


def parents_of(decided: pl.DataFrame, fills: pl.DataFrame) -> pl.DataFrame:
    """One row a parent order of which something filled: arrival price (close of its decision), average price with slippage,
    cost against arrival in bps (positive: it cost), lots ordered and filled, slices done and refused.

    decided: n (number of the row or event), sleeve, decided_ms, arrival, lots, slices; fills of entries: n, sleeve, side, lots,
    price; both in their order.
    """
    joined = fills.rename({"lots": "part"}).join_asof(decided, on="n", by="sleeve", check_sortedness=False)
    found = joined.group_by("sleeve", "decided_ms", maintain_order=True).agg(
        pl.col("side").first(),
        pl.col("arrival").first(),
        ((pl.col("price") * pl.col("part")).sum() / pl.col("part").sum()).alias("average"),
        pl.col("part").sum().alias("lots_filled"),
        pl.len().cast(pl.Int64).alias("slices_done"),
        pl.col("lots").first(),
        pl.col("slices").first(),
    )
    cost = pl.col("side") * (pl.col("average") / pl.col("arrival") - 1.0) * 1e4
    refused = (pl.col("slices") - pl.col("slices_done")).alias("slices_refused")
    return found.with_columns(cost.alias("cost_bps"), refused).drop("slices")


def costs_of(table: pl.DataFrame, lot_sizes: Mapping[str, float]) -> dict[str, Any]:
    """Figures over all parents: how many, slices, and the mean cost against arrival, weighed by notional."""
    units = pl.col("lots_filled") * pl.col("sleeve").replace_strict(lot_sizes, return_dtype=pl.Float64)
    weighed = table.with_columns((units * pl.col("arrival")).alias("notional"))
    total = float(weighed["notional"].sum())
    mean = float((weighed["cost_bps"] * weighed["notional"]).sum()) / total if total > 0.0 else None
    return {
        "parents": len(table),
        "slices_done": int(table["slices_done"].sum()),
        "slices_refused": int(table["slices_refused"].sum()),
        "cost_bps": mean,
        "undefined": {} if mean is not None else {"cost_bps": "no parent order filled"},
    }


def costs_text(found: Mapping[str, Any]) -> str:
    """The same in one line."""
    mean = found["cost_bps"]
    said = "no parent order filled" if mean is None else f"{mean:+.2f} bps against arrival"
    return (
        f"{found['parents']:,} parent orders, {said}, {found['slices_done']:,} slices done, {found['slices_refused']:,} refused"
    )


def report_of(planned: Any, table: pl.DataFrame, lot_sizes: Mapping[str, float]) -> dict[str, Any]:
    """A run's parents as JSON: figures over all, and the first SHOWN of them."""
    execution = execution_of(planned.request.execution)
    assert execution is not None, "no schedule, nothing to report"  # noqa: S101 - the caller looked
    found = costs_of(table, lot_sizes)
    text = f"execution {planned.request.execution} on {planned.clock} bars: {costs_text(found)}"
    shown = {"orders": table.head(SHOWN).to_dicts(), "text": text}
    return {**execution._asdict(), "clock": planned.clock, **found, **shown}
