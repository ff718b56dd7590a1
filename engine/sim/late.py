"""Signals that come late: what a strategy said some bars ago. What such a run is stamped with: sim/stamps.py.

Called by sim/backtest.py (`backtest --delay-bars N`) and research/ (delays and jitter of the early-kill page). Turns a strategy's
Evaluation into one whose answer at a bar is that of an earlier bar of the sleeve. What sizing and costs read (ATR, volatility,
slippage) stays that of the bar: the order is late, the market is not. A source never comes after its bar, so nothing looks ahead.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import BadInput
from engine.strategies.answer import FLAGS, NUMBERS
from engine.strategies.signals import Change, Evaluation

DELAY_MAX = 1_000  # bars
NONE = -1  # the source of a bar before the first answer has come

Bars = npt.NDArray[np.int64]


def checked_delay(bars: int) -> int:
    """`bars` itself. Raises BadInput out of bounds."""
    if isinstance(bars, bool) or not isinstance(bars, int) or not 0 <= bars <= DELAY_MAX:
        raise BadInput(f"delay_bars = {bars!r} is out of bounds", f"a whole number, 0 to {DELAY_MAX:,}")
    return bars


def delayed_by(count: int, bars: int) -> Bars:
    """(count,) the source of each bar when every answer comes `bars` bars late."""
    return np.maximum(np.arange(count, dtype=np.int64) - bars, NONE)


def jittered(direction: npt.NDArray[Any], most: int, seed: int) -> Bars:
    """(n,) the source of each bar when each signal comes 0 to `most` bars late, drawn once a signal.

    A signal is an unbroken run of one direction; the flat bars after it come as late as it did, so a signal of one bar keeps its
    length. A signal that an earlier, later one overtakes is shortened, never read ahead.
    """
    count = len(direction)
    starts = np.flatnonzero(np.diff(direction, prepend=direction[:1] + 1)) if count else np.empty(0, np.int64)
    drawn = np.random.default_rng(seed).integers(0, most + 1, len(starts))
    signalled = np.where(direction[starts] != 0, np.arange(len(starts)), -1)
    last = np.maximum.accumulate(signalled) if len(starts) else signalled
    delay = np.where(last >= 0, drawn[np.maximum(last, 0)], 0)
    begins = np.maximum.accumulate(starts + delay) if len(starts) else starts
    bars = np.arange(count, dtype=np.int64)
    run = np.searchsorted(begins, bars, side="right") - 1
    ends = np.append(starts[1:], count) - 1
    return np.where(run >= 0, np.minimum(bars - delay[run], ends[run]), NONE)


def delaying(bars: int) -> Change | None:
    """What makes every answer come `bars` bars late; None for 0."""
    return (lambda output: late(output, delayed_by(len(output.direction), bars))) if bars else None


def late(output: Evaluation, source: Bars) -> Evaluation:
    """The evaluation whose answer at each bar is that of bar `source`, no signal where that is NONE."""
    hints = output.hints
    moved = {label: taken(getattr(hints, label), source) for label in (*NUMBERS, *FLAGS)}
    return Evaluation(
        taken(output.direction, source),
        taken(output.strength, source),
        {label: taken(values, source, np.nan) for label, values in output.used.items()},
        hints._replace(**moved),
    )


def taken(values: Any, source: Bars, missing: float = 0.0) -> Any:
    """values[source], `missing` before the first; what is not one value a bar stays as it is."""
    if values is None or np.ndim(values) == 0:
        return values
    return np.where(source >= 0, values[np.maximum(source, 0)], np.asarray(missing).astype(values.dtype))
