"""Bars of a higher timeframe from a frame's own bars: UTC-aligned, whole ones only. Called by frame.py for `f.at("4h")`.

Turns columns of base bars into columns of higher bars, and a higher bar's values back into one value per base bar, that of
the last higher bar closed by then. A column of a higher bar is NaN where one of its base bars lacks that column (law 9). A bar
that has not closed does not exist: what comes after a close changes nothing at or before it (law 2).
"""

from collections.abc import Mapping
from functools import reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS, timeframe_ms, timeframe_text
from engine.errors import BadInput
from engine.features.feature import Array, empty


class HigherClock(NamedTuple):
    """How higher bars lie in the base bars: the first base bar of the first one, base bars in each, and how many closed."""

    start: int
    ratio: int
    count: int  # type: ignore[assignment]  # hides tuple's own, which nobody asks

    @property
    def first_known(self) -> int:
        """The base bar at which the first higher bar closes."""
        return self.start + self.ratio - 1


def higher_timeframe_ms(timeframe: str, base_ms: int) -> int:
    """`4h` in ms. Raises BadInput unless it is a multiple of the base timeframe that divides a UTC day."""
    found, base = timeframe_ms(timeframe), timeframe_text(base_ms)
    if found < base_ms:
        raise BadInput(
            f"{timeframe} is lower than the bars, which are {base}", "at() aggregates upwards: ask for a higher timeframe"
        )
    if found % base_ms:
        raise BadInput(f"{timeframe} is not a multiple of the {base} bars", "ask for a multiple of the sleeve's timeframe")
    if DAY_MS % found:
        raise BadInput(f"{timeframe} does not divide a UTC day", "use up to 1d: 30m, 1h, 2h, 4h, 6h, 8h, 12h, 1d")
    return found


def higher_clock(close_ms: npt.NDArray[np.int64], base_ms: int, higher_ms: int) -> HigherClock:
    """Where higher bars begin and end in base bars that close at `close_ms`; none when no base bar opens on the grid."""
    ratio = higher_ms // base_ms
    wait = -(int(close_ms[0]) - base_ms) % higher_ms if len(close_ms) else 0
    if wait % base_ms:
        return HigherClock(len(close_ms), ratio, 0)
    start = min(wait // base_ms, len(close_ms))
    return HigherClock(start, ratio, (len(close_ms) - start) // ratio)


def aggregated(columns: Mapping[str, Array], clock: HigherClock) -> dict[str, Array]:
    """open, high, low, close and volumes of the higher bars; NaN in a column where a base bar lacks it."""
    end = clock.start + clock.count * clock.ratio
    parts = {name: values[clock.start : end].reshape(clock.count, clock.ratio) for name, values in columns.items()}
    found = {
        "open": parts["open"][:, 0],
        "high": parts["high"].max(axis=1, initial=-np.inf),
        "low": parts["low"].min(axis=1, initial=np.inf),
        "close": parts["close"][:, -1],
    }
    for name in columns.keys() - found.keys():  # volumes, bar after bar: the same bits however many higher bars there are
        found[name] = reduce(np.add, parts[name].T)
    return {name: np.where(np.isfinite(parts[name]).all(axis=1), found[name], np.nan) for name in columns}


def on_base_clock(values: Array, clock: HigherClock, count: int) -> Array:
    """One value per base bar: that of the last higher bar closed at or before it; NaN before the first."""
    out = empty(count)
    out[clock.first_known :] = np.repeat(values, clock.ratio)[: max(count - clock.first_known, 0)]
    return out
