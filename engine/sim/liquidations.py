"""What a run says of liquidation: how often the venue closed a position, equity below zero, and by which tiers it was judged.

Called by sim/backtest.py when a run's report is made. Fills, the equity curve and the plan's sleeves -> a count and sentences.
"""

from collections.abc import Sequence
from typing import Any

import polars as pl

from engine.clock import utc
from engine.sim.life import LIQUIDATED
from engine.sim.metrics import Floats, Times

CENT = 0.01


def liquidations(fills: pl.DataFrame) -> pl.DataFrame:
    """One row per position that the venue closed: sleeve, close_ms, cash left. `fills`: sim/trips.fills."""
    closed = fills.filter(pl.col("reason") == LIQUIDATED)
    return closed.group_by("sleeve", "close_ms", maintain_order=True).agg(pl.col("cash_after").last())


def liquidation_notes(
    found: pl.DataFrame, sleeves: Sequence[Any], close_ms: Times, equity: Floats, ended: Sequence[float]
) -> list[str]:
    """The sentences. `found`: of `liquidations`; `sleeves`: PlannedSleeves; `ended`: the equity of each sleeve at the end."""
    notes = []
    if len(found):
        line = found.row(0, named=True)
        times = f"{len(found):,} liquidation" + ("" if len(found) == 1 else "s")
        notes.append(f"{times}: the venue closed {line['sleeve']} at {utc(line['close_ms'])} first; its margin was gone")
    below = [s.spec.name for s, cash in zip(sleeves, ended, strict=True) if cash < -CENT]
    if below:
        notes.append(f"BELOW ZERO: {', '.join(below)} lost more than its margin in a gap, and stopped entering")
    elif len(equity) and float(equity.min()) < -CENT:
        at = utc(int(close_ms[int((equity < -CENT).argmax())]))
        notes.append(f"BELOW ZERO: the desk's equity was negative at {at}")
    known = {s.key for s in sleeves if s.instrument.market != "spot" and not s.instrument.tiers}
    if known:
        notes.append(f"no margin tiers of {', '.join(sorted(known))}: liquidation is judged by the first tier alone")
    return notes
