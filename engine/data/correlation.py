"""How the desk's instruments have moved together: trailing correlations, a matrix a UTC day.

Called by sim/backtest.py for all days of a run and by live/loop.py at the first bar of a day. What a day is given was known when
it began, so neither looks ahead. Read by guardrails.correlated.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS, HOUR_MS
from engine.data.align import Market

WINDOW_DAYS = 30
SHARE_MIN = 0.25  # of the window's returns have to be there for both
RETURNS_MIN = 20
DIGITS = 4  # the last bits of a sum are not worth a different decision

Floats = npt.NDArray[np.float64]


def day_of(close_ms: int) -> int:
    """The UTC day (number) that a bar closing at close_ms belongs to, as the guardrails count days."""
    return (close_ms - 1) // DAY_MS


def daily_correlations(market: Market, names: Sequence[str], first_ms: int, last_ms: int) -> Floats:
    """(days, len(names), len(names)): a matrix for each day from that of the close first_ms to that of last_ms.

    `market`: bars that begin WINDOW_DAYS earlier, where there are any; a name that it does not have has no correlations.
    """
    returns, close_ms = hourly_returns(market, names)
    days = range(day_of(first_ms), day_of(last_ms) + 1)
    return np.stack([correlations(within(returns, close_ms, day), market.timeframe_ms) for day in days])


def hourly_returns(market: Market, names: Sequence[str]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Returns from hour to hour, or from bar to bar of a longer timeframe, one row a name; and when each ends."""
    step = max(HOUR_MS, market.timeframe_ms)
    rows = np.flatnonzero(market.close_ms % step == 0)
    close = np.full((len(names), len(rows)), np.nan)
    for k, name in enumerate(names):
        if name in market.instruments:
            close[k] = market.close[rows, market.instruments.index(name)]
    with np.errstate(all="ignore"):
        return close[:, 1:] / close[:, :-1] - 1.0, market.close_ms[rows[1:]]


def within(returns: Floats, close_ms: npt.NDArray[np.int64], day: int) -> Floats:
    """The returns of the window before a day."""
    first, last = np.searchsorted(close_ms, ((day - WINDOW_DAYS) * DAY_MS, day * DAY_MS), side="right")
    return returns[:, first:last]


def correlations(returns: Floats, timeframe_ms: int) -> Floats:
    """Pearson correlation of each pair of rows over the returns that both have, rounded; NaN where too few or without any
    movement. Rows without a hole are asked for together: a call for each pair takes ten times as long on a desk of five.
    """
    least = max(RETURNS_MIN, SHARE_MIN * WINDOW_DAYS * DAY_MS / max(HOUR_MS, timeframe_ms))
    found = np.full((len(returns), len(returns)), np.nan)
    np.fill_diagonal(found, 1.0)
    known = np.isfinite(returns)
    unbroken = np.asarray(known.all(axis=1))
    correlate(found, np.flatnonzero(unbroken), returns[unbroken], least)
    for a, b in zip(*np.tril_indices(len(returns), -1), strict=True):
        if not (unbroken[a] and unbroken[b]):
            both = known[a] & known[b]
            correlate(found, np.array([a, b]), returns[[a, b]][:, both], least)
    return found


def correlate(found: Floats, rows: npt.NDArray[np.intp], returns: Floats, least: float) -> None:
    """Write the correlations of some rows into `found`, from the returns that all of them have; none of one that never moves."""
    if returns.shape[1] < least:
        return
    moved = np.ptp(returns, axis=1) > 0.0
    if moved.sum() < 2:
        return
    rows, square = rows[moved], np.corrcoef(returns[moved])
    for a in range(len(rows)):
        for b in range(a):
            found[rows[a], rows[b]] = found[rows[b], rows[a]] = round(float(square[a, b]), DIGITS)


def upper(matrix: Floats) -> list[float | None]:
    """What stands above the diagonal, row by row; null where it is not known: as a `bar` event holds it."""
    rows, columns = np.triu_indices(len(matrix), 1)
    return [None if np.isnan(value) else float(value) for value in matrix[rows, columns]]
