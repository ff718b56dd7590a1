"""What a strategy's signals() returned, checked: arrays of the right length, kind and bounds, or one line on what is wrong.

Called by signals.evaluate, so by every backtest, strategy process and look-ahead check. Nothing is clipped or guessed.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import utc
from engine.errors import StrategyError
from engine.features.feature import Array
from engine.features.frame import FeatureFrame
from engine.strategies.base import SignalFrame

VALUE_MAX = 60  # characters of a wrong value in a message
GOOD_FOR_MAX = 10_000  # bars a limit entry may rest
HOLD_MAX = 1_000_000  # bars
SIZE_MAX = 100.0  # of sleeve equity; leverage_max is far below
NUMBERS = ("limit_price", "limit_offset_atr", "stop_price", "target_price", "size_frac")  # one a bar, if a strategy says them
ALONE = ("limit_offset_atr", "size_frac", "reverse")  # may be one value for all bars
LEVELS = ("stop_price", "target_price", "size_frac")  # never negative, with or without a signal
FLAGS = ("exit_long", "exit_short", "reverse")
FIXED = ("post_only", "good_for_bars", "hold_bars")  # one for all bars


def as_arrays(name: str, out: Any, count: int) -> tuple[SignalFrame, npt.NDArray[Any], Array]:
    """(the whole answer, direction, strength), arrays of the right length and kind. A pair is direction and strength alone."""
    try:
        if not isinstance(out, SignalFrame):
            direction, strength = out
            out = SignalFrame(direction, strength)
        direction, strength = np.asarray(out.direction), np.asarray(out.strength)
    except (TypeError, ValueError) as error:
        raise StrategyError(f"strategy {name} returned {type(out).__name__}", "return SignalFrame(...)") from error
    for label, values in (("direction", direction), ("strength", strength)):
        check_shape(name, label, values, count)
    if direction.dtype.kind != "i":
        raise StrategyError(f"strategy {name}: direction is {direction.dtype}", "make it int8: -1, 0 or 1")
    if strength.dtype.kind != "f":
        raise StrategyError(f"strategy {name}: strength is {strength.dtype}", "make it float64, 0 to 1")
    return hinted(name, out, count), direction, strength.astype(np.float64, copy=False)


def hinted(name: str, out: SignalFrame, count: int) -> SignalFrame:
    """The answer with what it says beside direction and strength as arrays."""
    if out.limit_price is not None and out.limit_offset_atr is not None:
        raise StrategyError(f"strategy {name}: limit_price and limit_offset_atr are both given", "give one of them")
    found: dict[str, Any] = {}
    for label in (*NUMBERS, *FLAGS):
        if (given := getattr(out, label)) is None:
            continue
        values = np.asarray(given)
        if values.ndim or label not in ALONE:
            check_shape(name, label, values, count)
        if values.dtype.kind not in ("b" if label in FLAGS else "fiu"):
            raise StrategyError(
                f"strategy {name}: {label} is {values.dtype}", f"make it {'bool' if label in FLAGS else 'float64'}"
            )
        found[label] = values if label in FLAGS else values.astype(np.float64, copy=False)
    if not isinstance(out.post_only, bool | np.bool_):
        raise StrategyError(f"strategy {name}: post_only is {short(out.post_only)}", "True or False")
    for label, least, most in (("good_for_bars", 1, GOOD_FOR_MAX), ("hold_bars", 0, HOLD_MAX)):
        bars = getattr(out, label)
        if not (isinstance(bars, int | np.integer) and not isinstance(bars, bool) and least <= bars <= most):
            raise StrategyError(f"strategy {name}: {label} is {short(bars)}", f"a whole number, {least} to {most:,}")
    return out._replace(**found)


def check_shape(name: str, label: str, values: npt.NDArray[Any], count: int) -> None:
    """Raises StrategyError unless there is one entry a bar."""
    if values.shape != (count,):
        shape = "x".join(f"{size:,}" for size in values.shape)
        said = f"has {shape} entries" if shape else "is a single value"
        raise StrategyError(f"strategy {name}: {label} {said} for {count:,} bars", "one entry per bar")


def short(value: Any) -> str:
    """A value of a stranger's code as text, cut."""
    text = str(value) if isinstance(value, int | float | np.number) else repr(value)
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}..."


def value_range(values: npt.NDArray[Any]) -> tuple[Any, Any]:
    """(least, largest); NaN when any value is; (0, 0) for an empty array. A broadcast scalar is read once."""
    if not values.size:
        return 0, 0
    seen = values[:1] if values.strides == (0,) else values
    return seen.min(), seen.max()


def check_values(name: str, frame: FeatureFrame, direction: npt.NDArray[Any], strength: Array) -> None:
    """Raises StrategyError at the first bar whose direction or strength is out of range (NaN included)."""
    low, high = value_range(direction)
    if not (low >= -1 and high <= 1):
        at = int(np.argmax((direction < -1) | (direction > 1)))
        raise StrategyError(f"strategy {name}: direction is {direction[at]} at {bar_text(frame, at)}", "-1, 0 or 1")
    low, high = value_range(strength)
    if not (low >= 0.0 and high <= 1.0):
        at = int(np.argmax(~((strength >= 0.0) & (strength <= 1.0))))
        raise StrategyError(f"strategy {name}: strength is {strength[at]} at {bar_text(frame, at)}", "finite, 0 to 1")


def check_numbers(name: str, frame: FeatureFrame, direction: npt.NDArray[Any], out: SignalFrame) -> None:
    """Raises StrategyError at the first bar whose limit is infinite where there is a signal (NaN alone says that there is none),
    or whose own level or size is negative or infinite.
    """
    for label in NUMBERS:
        if (found := getattr(out, label)) is None:
            continue
        values = np.broadcast_to(found, direction.shape)
        wrong = np.isinf(values) if label in LEVELS else np.isinf(values) & (direction != 0)
        wrong = wrong | (values < 0.0) if label in LEVELS else wrong
        wrong = wrong | (values > SIZE_MAX) if label == "size_frac" else wrong
        if wrong.any():
            at = int(np.argmax(wrong))
            said = "infinite" if np.isinf(values[at]) else f"{values[at]:g}"
            hint = "NaN where there is none" if label not in LEVELS else "0 where it is not wanted, NaN where it is not known"
            raise StrategyError(f"strategy {name}: {label} is {said} at {bar_text(frame, at)}", hint)


def bar_text(frame: FeatureFrame, at: int) -> str:
    """A bar as text: `bar 4,181 (2025-02-13 13:30Z)`; the time is that of its close."""
    return f"bar {at:,} ({utc(int(frame.close_ms[at]))})"
