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
from engine.watch.window import FAR_MS, between, first_mark, journal_of, mark_at, start_of

OPEN, CLOSE = 0, 3  # of a bar in a `bar` event
KEPT = 20_000  # instants whose closes a process keeps
Closes = tuple[int, tuple[float, ...]]
_CLOSES: dict[tuple[str, int, tuple[str, ...]], Closes] = {}


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
    bar_ms = int(start.get("timeframe_ms") or 1)
    step = max(-(-(last.t_event_ms - begun.t_event_ms) // max(points - 1, 1) // bar_ms) * bar_ms, bar_ms)
    times = range(begun.t_event_ms, last.t_event_ms, step)  # whole bars apart: the same instants recur and are cached
    names = tuple(name for name in begun.body["bars"] if "@" not in name)  # the clock's columns: each instrument once
    past = [_closes(path, ms, names) for ms in times]
    found = dict(one for one in (*past, _bar_from(path, last.t_event_ms, names)) if one is not None)
    cash = float(first.body["equity"])
    closes = np.array(list(found.values()))
    equity = worth_held(np.array(_bought(path, begun, names, list(found), closes)), closes, cash)
    return HoldLine(names, list(found), equity.tolist(), float(equity[-1]) / cash - 1.0 if cash > 0 else None)


def _bought(path: Path, begun: Event, names: Sequence[str], times: Sequence[int], closes: np.ndarray) -> list[float]:
    """The first open of each instrument: an account's first bars may have none, while the feed still connects."""
    bought = _prices(begun, names, OPEN)
    for k, name in enumerate(names):
        priced = np.flatnonzero(np.isfinite(closes[:, k]))
        if np.isfinite(bought[k]) or not priced.size:
            continue
        first = int(priced[0])
        bars = between(path, times[max(first - 1, 0)] - 1, times[first], {"bar"})
        bought[k] = next((price for bar in bars if np.isfinite(price := _prices(bar, (name,), OPEN)[0])), bought[k])
    return bought


def _closes(path: Path, ms: int, names: tuple[str, ...]) -> Closes | None:
    """The first bar at or after a past instant (cached)."""
    key = (str(path), ms, names)
    if key not in _CLOSES:
        if (bar := _bar_from(path, ms, names)) is None:
            return None
        if len(_CLOSES) >= KEPT:
            _CLOSES.clear()
        _CLOSES[key] = bar
    return _CLOSES[key]


def _bar_from(path: Path, ms: int, names: Sequence[str]) -> Closes | None:
    """(its time, the closes of the instruments) of the first bar at or after an instant."""
    bar = next(between(path, ms - 1, FAR_MS, {"bar"}), None)
    return None if bar is None else (bar.t_event_ms, tuple(_prices(bar, names, CLOSE)))


def _prices(bar: Event, names: Sequence[str], column: int) -> list[float]:
    """Open or close of each instrument in a `bar` event; NaN for none."""
    found = [(bar.body["bars"].get(name) or [None] * (CLOSE + 1))[column] for name in names]
    return [float("nan") if price is None else float(price) for price in found]
