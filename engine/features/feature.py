"""What a feature is: a function of one unbroken run of bars, with declared inputs, unit and warm-up.

Used by the feature files (price, momentum, ...), which catalog.py lists; frame.py calls them. Turns a plain function into
a `Feature` value. Law 2: the value at bar t depends on bars up to t alone, bit for bit.
"""

import inspect
from collections.abc import Callable
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS

COLUMNS = ("open", "high", "low", "close", "volume")  # of a bar
TAKER_BUY = "taker_buy_volume"  # of a bar, where it was recorded: base units that takers bought
OTHERS_CLOSE = "others.close"  # closes of the declared INSTRUMENTS, one column each
SERIES = "series."  # and a name of SERIES: that outside series as of each close
WITH_HOLES = (*COLUMNS, TAKER_BUY, OTHERS_CLOSE)  # inputs that a missing bar lacks; close_ms and timeframe_ms are always there
WINDOW_MAX = 100_000  # TA-Lib's largest period
USUAL_MIN = 24

PRICE = "price"  # a level that is drawn over the candles
QUOTE, BASE, FRACTION, PERCENT, ANNUAL = "quote units", "base units", "fraction", "percent", "fraction a year"
BPS, ROUND = "bps", "-1 to 1"
SCORE, DEVIATIONS, TIMES, SIDE = "0 to 100", "deviations", "times", "-1 or 1"

Array = npt.NDArray[np.float64]


class Feature(NamedTuple):
    """One feature: `compute(*inputs, *args)` gives one float64 value a bar of an unbroken run."""

    name: str
    inputs: tuple[str, ...]  # WITH_HOLES, SERIES and a name, "close_ms" or "timeframe_ms"
    first: Callable[..., int]  # first(timeframe_ms, *args): index in a run of the first value; NaN before it
    compute: Callable[..., Array]
    signature: inspect.Signature  # of the arguments that follow the inputs
    about: str
    unit: str
    check: Callable[..., None] | None = None  # raises ValueError for arguments that do not go together

    @property
    def columns(self) -> tuple[str, ...]:
        """The inputs whose missing bars end a run."""
        return tuple(name for name in self.inputs if name in WITH_HOLES or name.startswith(SERIES))

    @property
    def series(self) -> tuple[str, ...]:
        """The outside series among the inputs, by the name that SERIES has to give them."""
        return tuple(name.removeprefix(SERIES) for name in self.inputs if name.startswith(SERIES))

    def bind(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[int | float, ...]:
        """The arguments in order, defaults filled in; TypeError or ValueError when they do not fit."""
        bound = self.signature.bind(*args, **named)
        bound.apply_defaults()
        found = tuple(coerce_argument(self.signature.parameters[name], value) for name, value in bound.arguments.items())
        if self.check is not None:
            self.check(*found)
        return found

    def of(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple["Feature", "Feature", tuple[int | float, ...]]:
        """(what FEATURES lists, what is computed, its arguments) of a call; errors as bind."""
        return self, self, self.bind(args, named)


def coerce_argument(parameter: inspect.Parameter, value: Any) -> int | float:
    """`value` as the parameter's own type (whole bars, or a number); TypeError or ValueError when it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{parameter.name} = {value!r} is not a number")
    if not 0 < value <= WINDOW_MAX:
        raise ValueError(f"{parameter.name} = {value!r} is outside 0 to {WINDOW_MAX:,}")
    if parameter.annotation is int and value != int(value):
        raise ValueError(f"{parameter.name} = {value!r} is not a whole number of bars")
    return parameter.annotation(value)


def feature(
    inputs: tuple[str, ...], first: Callable[..., int], unit: str, check: Callable[..., None] | None = None
) -> Callable[[Callable[..., Array]], Feature]:
    """Declare a feature: `inputs` are the leading arguments of the function that follows."""

    def declare(function: Callable[..., Array]) -> Feature:
        own = list(inspect.signature(function).parameters.values())[len(inputs) :]
        about = " ".join((function.__doc__ or "").split())
        return Feature(function.__name__, inputs, first, function, inspect.Signature(own), about, unit, check)

    return declare


def label(feature: Feature, args: tuple[Any, ...]) -> str:
    """A feature's name on screens and in the journal: `sma(40)`, `day_volume`."""
    shown = ",".join(f"{a:g}" if isinstance(a, int | float) else repr(a) for a in args)
    return f"{feature.name}({shown})" if args else feature.name


def faster_first(fast: int, slow: int, *_rest: int) -> None:
    """Raises ValueError unless the fast window is the shorter one: TA-Lib would swap them without a word."""
    if fast >= slow:
        raise ValueError(f"fast = {fast} is not shorter than slow = {slow}")


def unbroken_runs(masks: list[npt.NDArray[np.bool_]]) -> list[tuple[int, int]]:
    """The runs in which all of `masks` are true, as (start, end) with the end excluded."""
    complete = np.logical_and.reduce(masks).astype(np.int8)
    edges = np.flatnonzero(np.diff(complete, prepend=0, append=0))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def day_bars(timeframe_ms: int) -> int:
    """Bars in a UTC day."""
    return DAY_MS // timeframe_ms


def days_bars(timeframe_ms: int, days: float) -> int:
    """Bars in so long a time, at least two."""
    return max(2, ceil(days * day_bars(timeframe_ms)))


def two_bars(bars: int) -> None:
    """Raises ValueError for a window that has no spread."""
    if bars < 2:
        raise ValueError("a spread needs 2 bars and more")


def usual_bars(timeframe_ms: int) -> int:
    """Bars before this one that say what is usual: those of a day, at least USUAL_MIN."""
    return max(day_bars(timeframe_ms), USUAL_MIN)


def empty(count: int) -> Array:
    """`count` values, all missing."""
    return np.full(count, np.nan)
