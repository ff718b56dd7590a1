"""What a model is asked to predict: labels of each bar, looked up in what came after it. Called by the trainer alone.

Turns the bars of a FeatureFrame into BarLabels. A label of bar t is the half-open interval [close of t, known): it is known at
the close of the last bar that it looks at, which folds.py purges by. Nothing here is a feature: no strategy reads it.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import utc
from engine.errors import BadInput, DataError
from engine.features.feature import FRACTION, Array, day_bars, empty
from engine.features.frame import FeatureFrame
from engine.features.ta import ta

AHEAD = 4  # bars
AHEAD_MAX = 2_000
BARRIER_AHEAD = 16  # bars until the vertical barrier
BARRIER_TIMES = 1.0  # expected moves from the close to either barrier
USUAL_BARS = 96  # bars of the volatility that the barriers are set by
SIDES = (-1.0, 0.0, 1.0)  # classes of a triple barrier, as trees.CLASSES orders them


class BarLabel(NamedTuple):
    """One value a bar: NaN where it is not known, with the time at which it would be."""

    values: Array
    known_ms: npt.NDArray[np.int64]  # UTC ms, after the bar's close
    unit: str
    classes: tuple[float, ...] = ()  # every one of which a learner has to be shown; empty: a number


class SideOutcome(NamedTuple):
    """Log return of the price at which each side leaves, a value a bar, NaN where it is not known. The seller earns minus his."""

    buyer: Array
    seller: Array


class _Touch(NamedTuple):
    """Of each bar: the barriers' distance as a fraction of its close, which was touched first, and at which bar. `first` is NaN
    where it is not known; `both`: the bar that touches spans both barriers.
    """

    width: Array
    first: Array
    row: npt.NDArray[np.int64]
    both: npt.NDArray[np.bool_]


def next_return(bars: FeatureFrame, ahead: int = AHEAD) -> BarLabel:
    """Log return from this close to the one `ahead` bars later (TA-Lib LN)."""
    values = empty(len(bars))
    if len(bars) > ahead:
        values[:-ahead] = ta().LN(bars.close[ahead:] / bars.close[:-ahead])
    return BarLabel(values, _known_ms(bars, ahead), FRACTION)


def direction(bars: FeatureFrame, ahead: int = AHEAD) -> BarLabel:
    """1 where the close `ahead` bars later is higher, 0 where it is not: an unchanged price pays no one who bought."""
    move = next_return(bars, ahead)
    return move._replace(values=np.where(np.isnan(move.values), np.nan, (move.values > 0.0).astype(np.float64)), unit="0 or 1")


def log_volatility(bars: FeatureFrame, ahead: int = AHEAD) -> BarLabel:
    """Logarithm of the root mean square of the next `ahead` log returns of a bar; NaN where a bar is missing or none moved."""
    squares, values = empty(len(bars)), empty(len(bars))
    if len(bars) > ahead:
        moves = ta().LN(bars.close[1:] / bars.close[:-1])
        squares[1:] = moves * moves
        rows = len(bars) - ahead
        mean = sum((squares[k : k + rows] for k in range(2, ahead + 1)), squares[1 : 1 + rows]) / ahead
        values[:rows] = 0.5 * ta().LN(np.where(mean > 0.0, mean, np.nan))
    return BarLabel(values, _known_ms(bars, ahead), "log of a fraction a bar")


def triple_barrier(bars: FeatureFrame, ahead: int = BARRIER_AHEAD, times: float = BARRIER_TIMES) -> BarLabel:
    """Which barrier is touched first: 1 the upper, -1 the lower, 0 neither within `ahead` bars (Lopez de Prado 2018, ch. 3).

    Both are `times` the move that `realised_vol` of the last 96 bars expects in `ahead` bars. A bar that touches both counts as
    the lower, as a stop is filled before a target (D12). Known at the close of the bar that touches, so each row has an interval
    of its own. NaN where the volatility or a bar before the touch is missing.
    """
    found = _touched(bars, ahead, times)
    known = np.where(found.row < 0, _known_ms(bars, ahead), bars.close_ms[found.row])
    return BarLabel(found.first, known, "-1, 0 or 1", SIDES)


def outcome_of(name: str, bars: FeatureFrame) -> SideOutcome:
    """What the price did for whoever took a side of a label when it was predicted, until the label is known.

    Of a triple barrier each side leaves at its barriers, at their price; a bar that spans both is a stop for either. Raises
    BadInput for a label without sides.
    """
    kind, ahead = parts_of(name)
    if kind not in SIDED:
        raise BadInput(f"{name} has no side", f"use {', '.join(f'{one}_N' for one in SIDED)}")
    with np.errstate(all="ignore"):
        moves = next_return(bars, ahead).values
        if kind != "triple_barrier":
            return SideOutcome(moves, moves)
        found = _touched(bars, ahead, BARRIER_TIMES)
        up, down = ta().LN(1.0 + found.width), ta().LN(1.0 - found.width)
        moves = np.where(np.isnan(found.first), np.nan, moves)  # neither: at the close of the last bar
        moves = np.where(found.first > 0.0, up, np.where(found.first < 0.0, down, moves))
        return SideOutcome(moves, np.where(found.both, up, moves))


def _touched(bars: FeatureFrame, ahead: int, times: float) -> _Touch:
    count, close = len(bars), bars.close
    width = times * np.sqrt(ahead / (365.0 * day_bars(bars.timeframe_ms))) * bars.reader().realised_vol(USUAL_BARS)
    upper, lower = close * (1.0 + width), close * (1.0 - width)
    first, at, both = empty(count), np.full(count, -1), np.zeros(count, np.bool_)
    open_rows = np.flatnonzero(np.isfinite(width) & (np.arange(count) + ahead < count))
    for k in range(1, ahead + 1):
        high, low = bars.high[open_rows + k], bars.low[open_rows + k]
        down, up = low <= lower[open_rows], high >= upper[open_rows]
        there = np.isfinite(high) & np.isfinite(low)
        touched = there & (down | up)
        rows = open_rows[touched]
        first[rows], at[rows] = np.where(down[touched], -1.0, 1.0), rows + k
        both[rows] = (down & up)[touched]
        open_rows = open_rows[there & ~touched]
    first[open_rows] = 0.0
    return _Touch(width, first, at, both)


KINDS: Mapping[str, Callable[[FeatureFrame, int], BarLabel]] = {
    "return": next_return,
    "direction": direction,
    "log_vol": log_volatility,
    "triple_barrier": triple_barrier,
    "portfolio_vol": log_volatility,  # of the bars of portfolio.portfolio_bars
}
SIDED = ("return", "direction", "triple_barrier")  # kinds by which a side can be taken
LABELS = ("return_4", "direction_4", "log_vol_4", "triple_barrier_16")  # as they are used; any horizon can be named


def parts_of(name: str) -> tuple[str, int]:
    """(kind, bars ahead) of `log_vol_4`. Raises BadInput for an unknown kind, or a horizon out of bounds."""
    kind, _, ahead = str(name).rpartition("_")
    if kind not in KINDS or not (ahead.isascii() and ahead.isdigit() and len(ahead) < 5 and 1 <= int(ahead) <= AHEAD_MAX):
        kinds = ", ".join(f"{one}_N" for one in KINDS)
        raise BadInput(f"unknown label {str(name)[:40]!r}", f"use {kinds}, N bars ahead, 1 to {AHEAD_MAX:,}: log_vol_4")
    return kind, int(ahead)


def label_of(name: str, bars: FeatureFrame) -> BarLabel:
    """The label of that name at every bar. Raises BadInput for an unknown name, DataError for one with infinite values."""
    kind, ahead = parts_of(name)
    with np.errstate(all="ignore"):
        found = KINDS[kind](bars, ahead)
    if (wrong := np.isinf(found.values)).any():
        where = f"{int(wrong.sum()):,} of {len(wrong):,} rows, first {utc(int(bars.close_ms[np.argmax(wrong)]))}"
        raise DataError(f"label {name} is infinite at {where}", "leave those rows out")
    return found


def _known_ms(bars: FeatureFrame, ahead: int) -> npt.NDArray[np.int64]:
    """The close of the bar `ahead` bars later, whether or not it is there yet."""
    return bars.close_ms + ahead * bars.timeframe_ms
