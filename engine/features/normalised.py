"""Normalised forms of any feature: `f.zscored("rsi", 14, over=96)`. Called by frame.py, which looks their names up here.

Turns a feature and its arguments into a feature of its own, `zscored(rsi(14),96)`: the same inputs, runs and anchor, a warm-up
longer by the window. FEATURES lists the inner feature. A missing inner value ends a window, as a missing bar does.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from engine.features import price
from engine.features.catalog import BY_NAME
from engine.features.feature import (
    DEVIATIONS,
    FRACTION,
    WINDOW_MAX,
    Array,
    Feature,
    coerce_argument,
    empty,
    label,
    unbroken_runs,
)
from engine.features.ta import least, most

OVER = 96  # bars, a day of 15m bars
WINDOW = inspect.Parameter("over", inspect.Parameter.KEYWORD_ONLY, annotation=int)


class NormalForm(NamedTuple):
    """One way to normalise: `compute(values, over)` of values without holes."""

    name: str
    compute: Callable[[Array, int], Array]
    unit: str
    about: str

    @property
    def signature(self) -> str:
        """How it is called."""
        return f"(name, *arguments, over={OVER})"

    def of(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Feature, Feature, tuple[()]]:
        """(what FEATURES lists, what is computed, no arguments of its own) of a call: `("rsi", 14), {"over": 96}`.

        Raises ValueError or TypeError for a call that names no feature, or whose arguments do not fit.
        """
        name, rest = (args[0], args[1:]) if args else (None, ())
        if not isinstance(name, str) or name not in BY_NAME:
            raise ValueError(f"no feature {name!r} to normalise; available: {', '.join(BY_NAME)}")
        inner, over = BY_NAME[name], int(coerce_argument(WINDOW, named.get("over", OVER)))
        if over < 2:
            raise ValueError(f"over = {over} is outside 2 to {WINDOW_MAX:,}")
        bound = inner.bind(rest, {key: value for key, value in named.items() if key != "over"})

        def first(timeframe_ms: int) -> int:
            return inner.first(timeframe_ms, *bound) + over - 1

        def compute(*inputs: Any) -> Array:
            return by_part(self.compute, inner.compute(*inputs, *bound), over)

        own = inner.signature.replace(parameters=())
        name = f"{self.name}({label(inner, bound)},{over})"
        return inner, Feature(name, inner.inputs, first, compute, own, self.about, self.unit), ()


def by_part(compute: Callable[[Array, int], Array], values: Array, over: int) -> Array:
    """`compute` of each unbroken part of the values; NaN elsewhere."""
    out = empty(len(values))
    for start, end in unbroken_runs([np.isfinite(values)]):
        if end - start >= over:
            out[start:end] = compute(values[start:end], over)
    return out


def _zscored(values: Array, over: int) -> Array:
    """Counted from the first value, which changes no score: a small spread on a large number keeps its digits."""
    return price.zscore.compute(values - values[0], over)


def _minmaxed(values: Array, over: int) -> Array:
    top, bottom, out = most(values, over), least(values, over), empty(len(values))
    np.divide(values - bottom, top - bottom, out=out, where=top > bottom)
    return out


ZSCORED = "Distance of the value from its mean over the last `over` bars, in standard deviations (ddof 0); NaN if nothing moved."
MINMAXED = "Place of the value between its lowest (0) and highest (1) of the last `over` bars; NaN if nothing moved."
NORMAL_FORMS = {
    "zscored": NormalForm("zscored", _zscored, DEVIATIONS, ZSCORED),
    "minmaxed": NormalForm("minmaxed", _minmaxed, FRACTION, MINMAXED),
}
