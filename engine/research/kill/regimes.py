"""Which market a round trip was entered in: volatile, trend or range, by what was known then. Called by page.py.

A day's regime is set by the 20 days before its midnight, against the terciles of all such days before it: nothing of the day
itself or later is read.
"""

from typing import Any

import numpy as np
import polars as pl

from engine.clock import DAY_MS
from engine.sim.metrics import Floats, Times

WINDOW_DAYS = 20
KNOWN_MIN = 20  # earlier days with a figure, so that a tercile is one
NAMES = ("trend", "range", "volatile")
UNKNOWN = "unknown"
UPPER = 2.0 / 3.0


def day_regimes(close_ms: Times, close: Floats) -> tuple[Times, list[str]]:
    """(midnights, the regime of the day that begins there) from (n,) closes, NaN where a bar is missing.

    Volatile: the deviation of daily returns is in its upper third. Else trend: the move of the window, over that deviation, is in
    its upper third, up or down. Else range.
    """
    midnights = np.arange(-(-int(close_ms[0]) // DAY_MS) * DAY_MS, int(close_ms[-1]) + 1, DAY_MS, dtype=np.int64)
    at = np.searchsorted(close_ms, midnights, side="right") - 1
    prices = close[at]
    changes = np.diff(np.log(prices))
    count = len(midnights)
    vol, push = np.full(count, np.nan), np.full(count, np.nan)
    for day in range(WINDOW_DAYS, count):
        window = changes[day - WINDOW_DAYS : day]
        vol[day] = window.std(ddof=1)
        push[day] = abs(window.sum()) / vol[day] if vol[day] > 0 else np.nan
    return midnights, [regime_at(vol[: day + 1], push[: day + 1]) for day in range(count)]


def regime_at(vol: Floats, push: Floats) -> str:
    """The last day's regime among the days up to it."""
    before_vol, before_push = vol[:-1][np.isfinite(vol[:-1])], push[:-1][np.isfinite(push[:-1])]
    if not (np.isfinite(vol[-1]) and np.isfinite(push[-1])) or min(len(before_vol), len(before_push)) < KNOWN_MIN:
        return UNKNOWN
    if vol[-1] > np.quantile(before_vol, UPPER):
        return "volatile"
    return "trend" if push[-1] > np.quantile(before_push, UPPER) else "range"


def by_regime(trips: pl.DataFrame, close_ms: Times, close: Floats) -> list[dict[str, Any]]:
    """Trips, net and net of the mean trip in each regime, by the day of the entry; the unknown ones last, if any."""
    midnights, names = day_regimes(close_ms, close)
    place = np.searchsorted(midnights, trips["entry_ms"].to_numpy(), side="right") - 1
    own = np.array([names[p] if p >= 0 else UNKNOWN for p in place], dtype=object)
    nets = trips["net"].to_numpy()
    found = []
    for name in (*NAMES, UNKNOWN):
        here = own == name
        if name != UNKNOWN or here.any():
            net = float(nets[here].sum())
            found.append({"regime": name, "trips": int(here.sum()), "net": net})
    return found
