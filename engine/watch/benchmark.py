"""The desk's benchmark line: hold the same instruments from the same start. Called by the API and the tools.

Prices are those of the desk journal's own bars, so the line has the desk's instruments, its start and its data; what they are
worth is sim/excursions.worth_held, as for a stored run.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.sim.excursions import HOLD_ASSUMPTIONS, worth_held
from engine.store.chain import Event
from engine.watch.window import between, first_mark, journal_of, mark_at, start_of

OPEN, CLOSE = 0, 3  # of a bar in a `bar` event


class HoldLine(NamedTuple):
    """Equity of holding, at each close. `assumptions`: what it leaves out, in words."""

    instruments: tuple[str, ...]
    close_ms: list[int]
    equity: list[float]
    return_frac: float | None  # at the last point
    assumptions: str = HOLD_ASSUMPTIONS


def desk_hold_line(home: Path, points: int = 500) -> HoldLine:
    """The line beside the desk's equity: `points` instants evenly over desk time and the last, from the journal's own bars."""
    path = journal_of(home)
    start, first, last = start_of(path), first_mark(path), mark_at(path)
    begun = next(between(path, first.t_event_ms, last.t_event_ms, {"bar"}), None) if first and last else None
    if first is None or last is None or begun is None:
        return HoldLine((), [], [], None)
    step = max((last.t_event_ms - begun.t_event_ms) // max(points - 1, 1), int(start.get("timeframe_ms") or 1))
    times = [*range(begun.t_event_ms, last.t_event_ms, step), last.t_event_ms]
    bars = {bar.t_event_ms: bar for bar in (next(between(path, ms - 1, last.t_event_ms, {"bar"}), None) for ms in times) if bar}
    names = [name for name in begun.body["bars"] if "@" not in name]  # the clock's columns: each instrument once
    closes = np.array([_prices(bar, names, CLOSE) for bar in bars.values()])
    cash = float(first.body["equity"])
    equity = worth_held(np.array(_prices(begun, names, OPEN)), closes, cash)
    return HoldLine(tuple(names), list(bars), equity.tolist(), float(equity[-1]) / cash - 1.0 if cash > 0 else None)


def _prices(bar: Event, names: Sequence[str], column: int) -> list[float]:
    """Open or close of each instrument in a `bar` event; NaN for none."""
    found = [(bar.body["bars"].get(name) or [None] * (CLOSE + 1))[column] for name in names]
    return [float("nan") if price is None else float(price) for price in found]
