"""The rolling volume profile: at which prices the volume of the last bars traded. Listed in catalog.py, called by frame.py.

The range from lowest low to highest high of the window is cut into `bins`; each bar's volume lies evenly between its low and its
high. Computed for many bars at a time, each window's bars one after another: the same bits however many bars there are.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from engine.features.feature import PRICE, Array, empty, feature
from engine.features.ta import least, most

HLV = ("high", "low", "volume")
BARS_MAX, BINS_MAX = 1_000, 200  # bars x bins are computed at every bar
CELLS = 32_768  # bars of all windows at a time: they stay in a core's cache
VALUE_AREA = 0.70  # share of the volume
NARROWEST = 1e-6  # a bar of one price is this wide, as a share of it
ALIKE = 1.0 - 1e-6  # bins that one bar covers are equal but for rounding


class Profiles(NamedTuple):
    """Profiles of windows that end one after another: bins x windows, from the lowest price up."""

    volume: Array
    bottom: Array  # lowest price of each window
    step: Array  # height of one bin


def _bounded(bars: int, bins: int) -> None:
    if not 2 <= bars <= BARS_MAX:
        raise ValueError(f"bars = {bars} is outside 2 to {BARS_MAX:,}")
    if not 2 <= bins <= BINS_MAX:
        raise ValueError(f"bins = {bins} is outside 2 to {BINS_MAX}")


def _first(_tf: int, bars: int, _bins: int) -> int:
    return bars - 1


@feature(HLV, _first, PRICE, _bounded)
def poc(high: Array, low: Array, volume: Array, bars: int = 96, bins: int = 24) -> Array:
    """Point of control: middle of the bin with the most volume of the last `bars` bars, the lowest of equals (Steidlmayer).

    NaN where nothing traded.
    """
    return _each(high, low, volume, bars, bins, lambda p: p.bottom + (_fullest(p.volume) + 0.5) * p.step)


@feature(HLV, _first, PRICE, _bounded)
def value_area_high(high: Array, low: Array, volume: Array, bars: int = 96, bins: int = 24) -> Array:
    """Upper end of the value area: 70 % of the volume of `bars` bars around `poc`, the larger neighbour first (Steidlmayer)."""
    return _each(high, low, volume, bars, bins, lambda p: p.bottom + (_area(p.volume)[1] + 1.0) * p.step)


@feature(HLV, _first, PRICE, _bounded)
def value_area_low(high: Array, low: Array, volume: Array, bars: int = 96, bins: int = 24) -> Array:
    """Lower end of the value area: 70 % of the volume of `bars` bars around `poc`, the larger neighbour first (Steidlmayer)."""
    return _each(high, low, volume, bars, bins, lambda p: p.bottom + _area(p.volume)[0] * p.step)


def _each(high: Array, low: Array, volume: Array, bars: int, bins: int, of: Callable[[Profiles], Array]) -> Array:
    """`of` the profile of every window; NaN before the first and where nothing traded."""
    out, some = empty(len(high)), max(CELLS // bars, 1)
    top, bottom = most(high, bars), least(low, bars)
    wide = np.maximum(high - low, low * NARROWEST)
    views = [sliding_window_view(values, bars) for values in (low, low + wide, volume / wide, volume)]
    for begin in range(bars - 1, len(high), some):
        ends = slice(begin, min(begin + some, len(high)))
        step = np.maximum(top[ends] - bottom[ends], bottom[ends] * NARROWEST) / bins
        windows = [view[ends.start - bars + 1 : ends.stop - bars + 1] for view in views]
        out[ends] = of(Profiles(_profiles(*windows, bottom[ends], step, bins), bottom[ends], step))
    out[most(volume, bars) == 0.0] = np.nan
    return np.minimum(out, top, out=out)  # a window of one price has no height


def _profiles(low: Array, high: Array, dense: Array, volume: Array, bottom: Array, step: Array, bins: int) -> Array:
    """Volume of each bin and window. Below a price p a bar has its `dense` volume times (p - low) less that times (p - high),
    both from 0 up: so each end of a bar is put into the bin where its slope begins, and slopes are summed upwards.
    """
    windows, edges, dense = len(low), np.arange(bins + 1), dense.ravel()
    first = (np.arange(windows) * (bins + 1) + 1)[:, None]
    slope, offset = np.zeros(windows * (bins + 1)), np.zeros(windows * (bins + 1))
    for ends, add in ((low, np.add), (high, np.subtract)):
        at = ends - bottom[:, None]
        at /= step[:, None]
        cell = at.astype(np.int64)
        np.minimum(cell, bins - 1, out=cell)
        cell += first
        add(slope, np.bincount(cell.ravel(), dense, slope.size), out=slope)
        add(offset, np.bincount(cell.ravel(), dense * at.ravel(), slope.size), out=offset)
    slope, offset = slope.reshape(windows, -1), offset.reshape(windows, -1)
    below = (np.cumsum(slope, axis=1) * edges - np.cumsum(offset, axis=1)) * step[:, None]
    below[:, -1] = np.cumsum(volume, axis=1)[:, -1]
    return np.maximum(below[:, 1:] - below[:, :-1], 0.0).T


def _fullest(profile: Array) -> npt.NDArray[np.int64]:
    """The bin with the most volume, the lowest of equals."""
    return (profile >= profile.max(axis=0) * ALIKE).argmax(axis=0)


def _area(profile: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(lowest, highest) bin of each value area: the larger neighbour joins the fullest bin until the share is there."""
    bins, windows = profile.shape
    padded = np.full((bins + 2, windows), -1.0)  # no neighbour beyond the ends
    padded[1:-1] = profile
    column, wanted = np.arange(windows), VALUE_AREA * np.add.reduce(list(profile))
    low = _fullest(profile)
    high, inside = low.copy(), profile[low, column]
    for _ in range(bins - 1):
        short = inside < wanted
        if not short.any():
            break
        above, beneath = padded[high + 2, column], padded[low, column]
        up = short & (above >= beneath * ALIKE)
        down = short & ~up
        inside = inside + np.where(up, above, np.where(down, beneath, 0.0))
        high, low = high + up, low - down
    return low, high
