"""TA-Lib, loaded at its first use and without pandas, and which windows did not move. Called by the feature functions.

The package imports pandas only to accept its Series; this desk passes numpy arrays. Leaving it out saves 0.5 s of start-up
and 70 MB in every process (measured), so it is hidden during the import unless it is loaded already.
"""

import sys
from functools import cache
from types import ModuleType

import numpy as np
import numpy.typing as npt

from engine.features.feature import Array


@cache
def ta() -> ModuleType:
    """The TA-Lib module."""
    hide = "pandas" not in sys.modules
    if hide:
        sys.modules["pandas"] = None  # type: ignore[assignment]  # the import system's own mark for "not to be found"
    try:
        import talib
    finally:
        if hide:
            del sys.modules["pandas"]
    return talib


def most(values: Array, bars: int) -> Array:
    """Largest of the last `bars` values (TA-Lib MAX, which takes two bars and more)."""
    return ta().MAX(values, bars) if bars > 1 else values


def least(values: Array, bars: int) -> Array:
    """Smallest of the last `bars` values (TA-Lib MIN, which takes two bars and more)."""
    return ta().MIN(values, bars) if bars > 1 else values


def flat(high: Array, low: Array, bars: int) -> npt.NDArray[np.bool_]:
    """Where `bars` bars in a row stood at one value: nothing can be said of their movement. False before there are as many.

    Exact, unlike a running sum, which keeps the rounding of what it has dropped.
    """
    return most(high, bars) == least(low, bars)


def blank(values: Array, where: npt.NDArray[np.bool_]) -> Array:
    """`values` with NaN where said, in place."""
    values[where] = np.nan
    return values
