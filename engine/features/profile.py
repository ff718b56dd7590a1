"""The rolling volume profile: at which prices the volume of the last bars traded. Listed in catalog.py, called by frame.py.

As in a market profile, prices are cut into rows of one height, here a share of the price: row k begins at exp(k * height). The
volume of a bar lies evenly between its low and its high. Rows do not move with the window, so a profile is a difference of
running sums; they begin anew every SOME windows, counted from the run's first bar: the same bits however many bars there are.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.features.feature import PRICE, Array, empty, feature
from engine.features.ta import least, most, ta

HLV = ("high", "low", "volume")
BARS_MAX, HEIGHT_MIN, HEIGHT_MAX = 2_000, 0.0005, 0.1
SOME = 512  # windows at a time
VALUE_AREA = 0.70  # share of the volume
NARROWEST = 1e-6  # of a row: a bar of one price
ALIKE = 1.0 - 1e-9  # rows that one bar covers are equal but for rounding
Rows = npt.NDArray[np.int64]


class Profiles(NamedTuple):
    """Volume of windows that end one after another: windows x rows, beginning with row `base`."""

    ends: slice
    volume: Array
    base: int


def _bounded(bars: int, height: float) -> None:
    if not 2 <= bars <= BARS_MAX:
        raise ValueError(f"bars = {bars} is outside 2 to {BARS_MAX:,}")
    if not HEIGHT_MIN <= height <= HEIGHT_MAX:
        raise ValueError(f"height = {height} is outside {HEIGHT_MIN} to {HEIGHT_MAX}")


def _first(_tf: int, bars: int, _height: float) -> int:
    return bars - 1


@feature(HLV, _first, PRICE, _bounded)
def poc(high: Array, low: Array, volume: Array, bars: int = 96, height: float = 0.002) -> Array:
    """Point of control: middle of the price row with the most volume of the last `bars` bars, the lowest of equals (Steidlmayer).

    A row is `height` of the price, 0.2 % by default. NaN where nothing traded.
    """
    out = empty(len(high))
    for found in _profiles(high, low, volume, bars, height):
        out[found.ends] = found.base + _fullest(found.volume) + 0.5
    return _prices(out, high, low, volume, bars, height)


@feature(HLV, _first, PRICE, _bounded)
def value_area_high(high: Array, low: Array, volume: Array, bars: int = 96, height: float = 0.002) -> Array:
    """Upper end of the value area: 70 % of the volume of `bars` bars around `poc`, the larger neighbour first (Steidlmayer)."""
    out = empty(len(high))
    for found in _profiles(high, low, volume, bars, height):
        out[found.ends] = found.base + _area(found.volume)[1] + 1.0
    return _prices(out, high, low, volume, bars, height)


@feature(HLV, _first, PRICE, _bounded)
def value_area_low(high: Array, low: Array, volume: Array, bars: int = 96, height: float = 0.002) -> Array:
    """Lower end of the value area: 70 % of the volume of `bars` bars around `poc`, the larger neighbour first (Steidlmayer)."""
    out = empty(len(high))
    for found in _profiles(high, low, volume, bars, height):
        out[found.ends] = found.base + _area(found.volume)[0]
    return _prices(out, high, low, volume, bars, height)


def _profiles(high: Array, low: Array, volume: Array, bars: int, height: float) -> Iterator[Profiles]:
    """The profiles of all windows, some at a time."""
    bottom, top = ta().LN(low) / height, ta().LN(high) / height  # in rows
    wide = np.maximum(top - bottom, NARROWEST)
    for begin in range(bars - 1, len(high), SOME):
        ends = slice(begin, min(begin + SOME, len(high)))
        at = slice(begin - bars + 1, ends.stop)
        base = int(np.floor(bottom[at].min()))
        edges = np.arange(base, int(np.floor(top[at].max())) + 2, dtype=np.float64)
        below = edges - bottom[at, None]  # of each bar below each edge: share, then volume, then running sum
        below /= wide[at, None]
        np.minimum(np.maximum(below, 0.0, out=below), 1.0, out=below)
        below *= volume[at, None]
        below[:, -1] = volume[at]
        np.cumsum(below, axis=0, out=below)
        inside = below[bars - 1 :].copy()
        inside[1:] -= below[:-bars]
        yield Profiles(ends, inside[:, 1:] - inside[:, :-1], base)


def _prices(rows: Array, high: Array, low: Array, volume: Array, bars: int, height: float) -> Array:
    """Places in rows as prices within the window's own; NaN where nothing traded in it."""
    out = np.clip(ta().EXP(rows * height), least(low, bars), most(high, bars))
    out[most(volume, bars) == 0.0] = np.nan
    return out


def _fullest(profile: Array) -> Rows:
    """The row with the most volume, the lowest of equals."""
    return (profile >= profile.max(axis=1, keepdims=True) * ALIKE).argmax(axis=1)


def _area(profile: Array) -> tuple[Rows, Rows]:
    """(lowest, highest) row of each value area: the larger neighbour joins the fullest row until the share is there."""
    windows, rows = profile.shape
    padded = np.full((windows, rows + 2), -1.0)  # no neighbour beyond the ends
    padded[:, 1:-1] = profile
    line = np.arange(windows)
    low = _fullest(profile)
    high, inside = low.copy(), profile[line, low]
    wanted = VALUE_AREA * ALIKE * np.cumsum(profile, axis=1)[:, -1]
    short = np.flatnonzero(inside < wanted)
    while len(short):
        above, beneath = padded[short, high[short] + 2], padded[short, low[short]]
        up = above >= beneath * ALIKE
        high[short] += up
        low[short] -= ~up
        inside[short] += np.where(up, above, beneath)
        short = short[inside[short] < wanted[short]]
    return low, high
