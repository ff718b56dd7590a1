"""What a feature is: a function of one unbroken run of bars, with declared inputs and warm-up.

Used by the feature files (price, spread, volume), which catalog.py lists; frame.py calls them. Turns a plain function into
a `Feature` value. Law 2: the value at bar t depends on bars up to t alone, bit for bit.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS

COLUMNS = ("open", "high", "low", "close", "volume")  # of a bar
WINDOW_MAX = 100_000  # TA-Lib's largest period
USUAL_MIN = 24

Array = npt.NDArray[np.float64]


class Feature(NamedTuple):
    """One feature: `compute(*inputs, *args)` gives one float64 value a bar of an unbroken run."""

    name: str
    inputs: tuple[str, ...]  # columns of the frame, or "timeframe_ms"
    first: Callable[..., int]  # first(timeframe_ms, *args): index in a run of the first value; NaN before it
    compute: Callable[..., Array]
    signature: inspect.Signature  # of the arguments that follow the inputs
    about: str

    def bind(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[int | float, ...]:
        """The arguments in order, defaults filled in; TypeError or ValueError when they do not fit."""
        bound = self.signature.bind(*args, **named)
        bound.apply_defaults()
        return tuple(coerce_argument(self.signature.parameters[name], value) for name, value in bound.arguments.items())


def coerce_argument(parameter: inspect.Parameter, value: Any) -> int | float:
    """`value` as the parameter's own type (whole bars, or a number); TypeError or ValueError when it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{parameter.name} = {value!r} is not a number")
    if parameter.annotation is int and value != int(value):
        raise ValueError(f"{parameter.name} = {value!r} is not a whole number of bars")
    if not 0 < value <= WINDOW_MAX:
        raise ValueError(f"{parameter.name} = {value!r} is outside 0 to {WINDOW_MAX:,}")
    return parameter.annotation(value)


def feature(inputs: tuple[str, ...], first: Callable[..., int]) -> Callable[[Callable[..., Array]], Feature]:
    """Declare a feature: `inputs` are the leading arguments of the function that follows."""

    def declare(function: Callable[..., Array]) -> Feature:
        own = list(inspect.signature(function).parameters.values())[len(inputs) :]
        about = " ".join((function.__doc__ or "").split())
        return Feature(function.__name__, inputs, first, function, inspect.Signature(own), about)

    return declare


def day_bars(timeframe_ms: int) -> int:
    """Bars in a UTC day."""
    return DAY_MS // timeframe_ms


def usual_bars(timeframe_ms: int) -> int:
    """Bars before this one that say what is usual: those of a day, at least USUAL_MIN."""
    return max(day_bars(timeframe_ms), USUAL_MIN)


def empty(count: int) -> Array:
    """`count` values, all missing."""
    return np.full(count, np.nan)
