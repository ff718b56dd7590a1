"""What a model has to beat: four predictions that need no learner, fitted on the training rows of a fold alone.

Called by the trainer beside every learner. Turns the past of each row into predictions of its label. HAR is the heterogeneous
autoregression of volatility (Corsi 2009): the logs of the volatility of an hour, four hours, a day and a week, with the hour of
the day, by ordinary least squares.
"""

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS, HOUR_MS
from engine.errors import DataError
from engine.features.frame import FeatureFrame
from engine.features.ta import ta

HOURS = 24
HORIZONS_MS = (HOUR_MS, 4 * HOUR_MS, DAY_MS, 7 * DAY_MS)
ROWS_MIN = 10 * (len(HORIZONS_MS) + HOURS)  # ten rows a coefficient
Array = npt.NDArray[np.float64]


def zero(target: Array, rows: int) -> Array:
    """No move: 0 for each of `rows` rows. `target` is not looked at."""
    del target
    return np.zeros(rows)


def base_rate(target: Array, rows: int) -> Array:
    """The mean of the training labels (of 0 and 1: how often 1 was) for each of `rows` rows. Raises DataError without a label."""
    found = target[np.isfinite(target)]
    if not len(found):
        raise DataError("no training label is known", "a longer training span")
    return np.full(rows, found.mean())


def last_known(values: Array, close_ms: npt.NDArray[np.int64], known_ms: npt.NDArray[np.int64]) -> Array:
    """At each close the label that was known last by then, NaN before the first: never one whose interval is still open."""
    order = np.argsort(known_ms, kind="stable")
    order = order[np.isfinite(values[order])]
    at = np.searchsorted(known_ms[order], close_ms, side="right") - 1
    return np.where(at >= 0, values[order][np.maximum(at, 0)] if len(order) else np.nan, np.nan)


def har_columns(frame: FeatureFrame) -> Array:
    """(n, 28): log of the feature `realised_vol` over each of HORIZONS_MS (TA-Lib LN), and a column for each hour of the UTC day,
    1 or 0. NaN while a window is not full.
    """
    bars = frame.reader()
    windows = [max(1, horizon // frame.timeframe_ms) for horizon in HORIZONS_MS]
    logs = [ta().LN(bars.realised_vol(window)) for window in windows]
    return np.column_stack([*logs, np.eye(HOURS)[frame.close_ms // HOUR_MS % HOURS]])


def least_squares(columns: Array, target: Array, rows: Array) -> Array:
    """Predictions of `rows` (m, k) by ordinary least squares of `target` (n,) on `columns` (n, k); rows with a hole are left out,
    and NaN where one of `rows` has one. Raises DataError for fewer than ROWS_MIN whole training rows.
    """
    good = np.isfinite(columns).all(axis=1) & np.isfinite(target)
    if good.sum() < ROWS_MIN:
        raise DataError(f"HAR needs {ROWS_MIN} whole training rows, these are {int(good.sum())}", "a longer training span")
    used = columns[good].any(axis=0)  # an hour that never came has no coefficient
    weights, *_ = np.linalg.lstsq(columns[good][:, used], target[good], rcond=None)
    found = np.zeros(len(rows))
    for column, weight in zip(rows[:, used].T, weights, strict=True):
        found += column * weight  # one after the other: a matrix product has other last bits for a row alone than for many
    return np.where(rows[:, ~used].any(axis=1), np.nan, found)
