"""The calendar at a bar's close, which is the moment of the decision: UTC. Listed in catalog.py, called by frame.py.

Time is known whether or not a bar is: these have a value at a missing bar too.
"""

from math import pi

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS, HOUR_MS
from engine.features.feature import ROUND, Array, feature
from engine.features.ta import ta

Times = npt.NDArray[np.int64]
CLOSE = ("close_ms",)
SETTLEMENT_MS = 8 * HOUR_MS
WEEK_MS, MONDAY_MS = 7 * DAY_MS, 3 * DAY_MS  # 1970 began on a Thursday, three days into its week
EUROPE, AMERICA, ASIA = 7, 13, 22  # the UTC hours at which a session begins


@feature(CLOSE, lambda _tf: 0, "0 to 23")
def hour(close_ms: Times) -> Array:
    """Hour of the day at the close, UTC; a bar that closes at midnight closes at 0."""
    return (close_ms // HOUR_MS % 24).astype(np.float64)


@feature(CLOSE, lambda _tf: 0, "0 to 6")
def weekday(close_ms: Times) -> Array:
    """Day of the week at the close, UTC; Monday is 0."""
    return ((close_ms // DAY_MS + 3) % 7).astype(np.float64)  # 1970 began on a Thursday


@feature(CLOSE, lambda _tf: 0, "1 to 12")
def month(close_ms: Times) -> Array:
    """Month of the year at the close, UTC; January is 1."""
    return (close_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) % 12 + 1).astype(np.float64)


@feature(CLOSE, lambda _tf: 0, "0 or 1")
def weekend(close_ms: Times) -> Array:
    """1 on Saturday and Sunday at the close, UTC."""
    return (weekday.compute(close_ms) >= 5).astype(np.float64)


@feature(CLOSE, lambda _tf: 0, "hours")
def funding_hours(close_ms: Times) -> Array:
    """Hours to the next funding settlement that a position entered now would meet: 00:00, 08:00, 16:00 UTC, above 0 up to 8.

    At a settlement it is 8: an entry filled at that open does not pay it (D4). Venues that settle more often have others.
    """
    return (SETTLEMENT_MS - close_ms % SETTLEMENT_MS) / HOUR_MS


@feature(CLOSE, lambda _tf: 0, "0, 1 or 2")
def session(close_ms: Times) -> Array:
    """Whose working day it is at the close: 0 Asia (22:00 to 07:00 UTC), 1 Europe (07:00 to 13:00), 2 America (13:00 to 22:00).

    Fixed hours, without summer time.
    """
    at = hour.compute(close_ms)
    return np.where((at >= EUROPE) & (at < AMERICA), 1.0, np.where((at >= AMERICA) & (at < ASIA), 2.0, 0.0))


@feature(CLOSE, lambda _tf: 0, ROUND)
def hour_sin(close_ms: Times) -> Array:
    """Sine of the time of day on a circle of 24 hours: with `hour_cos` midnight is next to 23:45 (TA-Lib SIN)."""
    return ta().SIN(_angle(close_ms, DAY_MS))


@feature(CLOSE, lambda _tf: 0, ROUND)
def hour_cos(close_ms: Times) -> Array:
    """Cosine of the time of day on a circle of 24 hours (TA-Lib COS)."""
    return ta().COS(_angle(close_ms, DAY_MS))


@feature(CLOSE, lambda _tf: 0, ROUND)
def week_sin(close_ms: Times) -> Array:
    """Sine of the time of the week on a circle of 7 days that begins on Monday (TA-Lib SIN)."""
    return ta().SIN(_angle(close_ms + MONDAY_MS, WEEK_MS))


@feature(CLOSE, lambda _tf: 0, ROUND)
def week_cos(close_ms: Times) -> Array:
    """Cosine of the time of the week on a circle of 7 days that begins on Monday (TA-Lib COS)."""
    return ta().COS(_angle(close_ms + MONDAY_MS, WEEK_MS))


@feature(CLOSE, lambda _tf: 0, ROUND)
def funding_sin(close_ms: Times) -> Array:
    """Sine of the time since the last of the settlements that `funding_hours` counts to, on a circle of 8 hours (TA-Lib SIN)."""
    return ta().SIN(_angle(close_ms, SETTLEMENT_MS))


@feature(CLOSE, lambda _tf: 0, ROUND)
def funding_cos(close_ms: Times) -> Array:
    """Cosine of the time since the last of the settlements that `funding_hours` counts to (TA-Lib COS)."""
    return ta().COS(_angle(close_ms, SETTLEMENT_MS))


def _angle(ms: Times, circle_ms: int) -> Array:
    """How far round the circle, in radians."""
    return (ms % circle_ms).astype(np.float64) * (2.0 * pi / circle_ms)
