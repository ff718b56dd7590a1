"""What a reader must know before trusting a run's figures, in sentences.

Called by sim/backtest.py when a run's report is made; `run` is its Backtest. Turns rows and checks into the report's notes and
its table of refusals.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from engine.core import state
from engine.core.row_fields import DecisionRow
from engine.data.funding_checks import against_hours
from engine.sim import trips as reading
from engine.sim.life import Life

OTHER_PATH = (
    "the optimistic scenario ends below the pessimistic one: one better fill changes what follows, sizes, pauses and breakers,"
    " so the two trade differently after it; they are scenarios, not bounds"
)


def scenario_text(scenarios: Mapping[str, float]) -> str:
    """Why optimistic is below pessimistic, where it is; "" where it is not."""
    return OTHER_PATH if scenarios["optimistic"] < scenarios["pessimistic"] else ""


def refusals(rows: pl.DataFrame) -> dict[str, int]:
    """Rule -> refusals that began with it; one that lasts over many closes counts once."""
    refused = reading.only(rows, DecisionRow).filter(reading.field(DecisionRow, "action") == state.REFUSED)
    counts = refused.group_by(reading.field(DecisionRow, "rule")).len().sort("len", descending=True)
    return {state.RULES[rule]: n for rule, n in counts.iter_rows()}


def reader_notes(run: Any, leaks: list[dict[str, Any]], scenarios: Mapping[str, float], life: Life) -> list[str]:
    """What a reader must know before trusting a figure. `scenarios`: total return under each; `life`: how long it traded."""
    notes = [life.text] if life.ends else []
    notes += [f"LEAKS: {f['strategy']} {f['text']}: do not trust its figures" for f in leaks if f["looks_ahead"]]
    notes += [f"{f['strategy']} {f['text']}" for f in leaks if not f["clean"] and not f["looks_ahead"]]
    if text := scenario_text(scenarios):
        notes.append(text)
    notes += [limit_entries(run, s.name) for s, limit in zip(run.run_sleeves, run.by_limit, strict=True) if limit]
    notes += model_answers(run)
    notes += funding_contradictions(run)
    if run.round_trips.is_empty():
        notes.append(no_round_trip(run))
    return notes


def model_answers(run: Any) -> list[str]:
    """Which stored models answered, and at how many closes of the sleeve's own."""
    notes = []
    for sleeve, used in zip(run.plan.sleeves, run.used, strict=True):
        for model in sleeve.models:
            name, _, digest = model.text.partition(" ")
            columns = [values for label, values in used.items() if label.startswith((f"model({name}", f"regime({name}"))]
            closes = len(run.close_ms) * run.plan.clock_ms // sleeve.bar_ms
            said = f"an answer at {int(np.isfinite(columns[0]).sum()):,} of {closes:,} closes" if columns else "it was not read"
            notes.append(f"reads the model {name} {digest}: {said}")
    return notes


def funding_contradictions(run: Any) -> list[str]:
    """Where the recorded settlements of the range are not `funding_hours` apart. Only the windows around them go by it."""
    plan, notes = run.plan, []
    perps = {s.key: s for s in plan.sleeves if s.spec.market == "perp"} if plan.request.funding == "recorded" else {}
    for key, sleeve in perps.items():
        recorded = plan.catalog.funding(sleeve.spec.venue, sleeve.spec.symbol)
        if recorded is None:
            continue
        within = recorded.filter(pl.col("ts").is_between(int(run.close_ms[0]) - plan.clock_ms, int(run.close_ms[-1])))
        hours = sleeve.instrument.funding_hours
        if text := against_hours(within["ts"].to_numpy(), hours):
            rest = "funding is charged as recorded, but no_entry_funding_minutes would miss some: set funding_hours in desk.toml"
            notes.append(f"{key}: {text}, and funding_hours says {hours} h: {rest}")
    return notes


def no_round_trip(run: Any) -> str:
    """Why a run has none."""
    if orders := len(run.entry_orders):
        return f"no round trip: none of {orders:,} entry orders filled"
    rules = ", ".join(f"{rule} ({n})" for rule, n in list(refusals(run.rows).items())[:3])
    return f"no round trip; entries were refused by: {rules}" if rules else "no round trip: the strategy gave no signal"


def limit_entries(run: Any, sleeve: str) -> str:
    """How many limit entries of a sleeve filled: figures of the filled ones alone flatter or hide what was missed."""
    orders = run.entry_orders.filter(pl.col("sleeve") == sleeve)
    filled = orders.filter(pl.col("lots_filled") > 0)
    partly = f", {n:,} of them in part" if (n := len(filled.filter(pl.col("lots_filled") < pl.col("lots")))) else ""
    return f"{sleeve}: {len(filled):,} of {len(orders):,} limit entries filled{partly}"
