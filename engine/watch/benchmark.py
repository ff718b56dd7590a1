"""A benchmark line: hold the same instruments from the same start. Called by the API and the tools, for the desk and for runs.

`hold_line` turns closes into equity; `desk_hold_line` takes them from the desk journal's own bars, so the line has the desk's
instruments, its start and its data.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.store.chain import Event
from engine.watch.window import between, first_mark, journal_of, mark_at, start_of

OPEN, CLOSE = 0, 3  # of a bar in a `bar` event
ASSUMPTIONS = (
    "equal weights, bought at the first open and never rebalanced; long without leverage; no fees, no slippage, no funding; "
    "a point without a price of every instrument is null"
)

Floats = NDArray[np.float64]


class HoldLine(NamedTuple):
    """Equity of holding, at each close; None where a price is missing. `assumptions`: what it leaves out, in words."""

    instruments: tuple[str, ...]
    close_ms: list[int]
    equity: list[float | None]
    return_frac: float | None  # at the last point
    assumptions: str = ASSUMPTIONS


def hold_line(instruments: Sequence[str], cash: float, bought: Floats, close_ms: Sequence[int], closes: Floats) -> HoldLine:
    """Hold `instruments` in equal parts of `cash` from the prices `bought` (k,) on; closes: (n, k), NaN where none is known."""
    with np.errstate(all="ignore"):
        values = cash * (closes / bought).mean(axis=1) if len(instruments) else np.full(len(close_ms), np.nan)
    equity = [float(value) if np.isfinite(value) else None for value in values]
    last = equity[-1] if equity else None
    return HoldLine(tuple(instruments), list(close_ms), equity, None if last is None or cash <= 0 else last / cash - 1.0)


def desk_hold_line(home: Path, points: int = 500) -> HoldLine:
    """The line beside the desk's equity: `points` instants evenly over desk time and the last, from the journal's own bars."""
    path = journal_of(home)
    start, first, last = start_of(path), first_mark(path), mark_at(path)
    begun = next(between(path, first.t_event_ms, last.t_event_ms, {"bar"}), None) if first and last else None
    if first is None or last is None or begun is None:
        return hold_line((), 0.0, np.empty(0), [], np.empty((0, 0)))
    step = max((last.t_event_ms - begun.t_event_ms) // max(points - 1, 1), int(start.get("timeframe_ms") or 1))
    times = [*range(begun.t_event_ms, last.t_event_ms, step), last.t_event_ms]
    bars = {bar.t_event_ms: bar for bar in (next(between(path, ms - 1, last.t_event_ms, {"bar"}), None) for ms in times) if bar}
    names = [name for name in begun.body["bars"] if "@" not in name]  # the clock's columns: each instrument once
    closes = np.array([_prices(bar, names, CLOSE) for bar in bars.values()])
    return hold_line(names, float(first.body["equity"]), np.array(_prices(begun, names, OPEN)), list(bars), closes)


def _prices(bar: Event, names: Sequence[str], column: int) -> list[float]:
    """Open or close of each instrument in a `bar` event; NaN for none."""
    found = [(bar.body["bars"].get(name) or [None] * (CLOSE + 1))[column] for name in names]
    return [float("nan") if price is None else float(price) for price in found]
