"""The rolling volume profile: at which prices the volume of the last bars traded. Listed in catalog.py, called by frame.py.

The range from lowest low to highest high of the window is cut into `bins`; each bar's volume lies evenly between its low and its
high. Computed for many bars at a time, bar of the window after bar of the window: the same bits however many bars there are.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.features.feature import PRICE, Array, empty, feature
from engine.features.ta import least, most

HLV = ("high", "low", "volume")
BARS_MAX, BINS_MAX = 1_000, 200  # bars x bins are computed at every bar
CELLS = 16_384  # of a profile at a time: they stay in a core's cache
VALUE_AREA = 0.70  # share of the volume
ALIKE = 1.0 - 1e-9  # bins that one bar covers are equal but for rounding


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
    out, some = empty(len(high)), max(CELLS // bins, 1)
    top, bottom = most(high, bars), least(low, bars)
    for begin in range(bars - 1, len(high), some):
        ends = slice(begin, min(begin + some, len(high)))
        out[ends] = of(_profiles(high, low, volume, top, bottom, bars, bins, ends))
    out[most(volume, bars) == 0.0] = np.nan
    return out


def _profiles(high: Array, low: Array, volume: Array, top: Array, bottom: Array, bars: int, bins: int, ends: slice) -> Profiles:
    """The profiles of the windows that end at `ends`: volume below each edge, summed over the window, then differenced."""
    step = (top[ends] - bottom[ends]) / bins
    edges = bottom[ends] + np.arange(1, bins)[:, None] * step  # between the bins
    below, part = np.zeros((bins + 1, len(step))), np.empty_like(edges)
    dense = volume / np.maximum(high - low, low * 1e-12)  # volume per price; a bar of one price lies just above it
    for back in range(bars - 1, -1, -1):
        at = slice(ends.start - back, ends.stop - back)
        np.subtract(edges, low[at], out=part)
        part *= dense[at]
        np.maximum(part, 0.0, out=part)
        np.minimum(part, volume[at], out=part)
        below[1:-1] += part
        below[-1] += volume[at]
    return Profiles(below[1:] - below[:-1], bottom[ends], step)


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
