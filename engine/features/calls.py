"""Features by their text, as journals, configurations and manifests write them: `realised_vol(96)`, `ETH-USDT.4h.rsi(14)`.

Called by manifest.py and by whoever has a list of features, not a strategy's code. Turns a text into a FeatureCall and calls into
the columns of a matrix, through the frame like a strategy's own: there is one way to compute a feature. The text of a call is the
label that the frame notes for it.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from engine.errors import BadInput
from engine.features.catalog import BY_NAME
from engine.features.feature import Array, Feature, label
from engine.features.frame import FeatureFrame
from engine.features.normalised import NORMAL_FORMS

TEXT_MAX, CALLS_MAX = 200, 500
NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
PLACE = r"(?:(?P<instrument>[A-Za-z0-9:]+-[A-Za-z0-9:-]+)\.)?(?:(?P<timeframe>[1-9]\d{0,3}[mhd])\.)?"
OWN = rf"(?P<name>[a-z][a-z0-9_]*)(?:\((?P<args>{NUMBER}(?:,{NUMBER})*)?\))?"
CALL = re.compile(rf"{PLACE}{OWN}")
NORMAL = re.compile(rf"{PLACE}(?P<form>{'|'.join(NORMAL_FORMS)})\({OWN},(?P<over>\d{{1,6}})\)")
HINT = "write realised_vol(96), 4h.ema(50), ETH-USDT.rsi(14) or zscored(rsi(14),96)"


class FeatureCall(NamedTuple):
    """A feature with all its arguments, of the frame's own bars or of others."""

    name: str
    args: tuple[int | float, ...] = ()
    instrument: str = ""  # empty: the frame's own
    timeframe: str = ""  # empty: the frame's own
    form: str = ""  # a normal form over `over` bars, or empty
    over: int = 0

    @property
    def text(self) -> str:
        """As the frame labels it."""
        own = label(BY_NAME[self.name], self.args)
        place = "".join(f"{part}." for part in (self.instrument, self.timeframe) if part)
        return f"{place}{self.form}({own},{self.over})" if self.form else place + own

    @property
    def feature(self) -> Feature:
        """What FEATURES of a strategy would list."""
        return BY_NAME[self.name]

    @property
    def computed(self) -> tuple[Feature, tuple[int | float, ...]]:
        """(what the frame computes, its arguments): the feature itself, or its normal form."""
        if not self.form:
            return self.feature, self.args
        return NORMAL_FORMS[self.form].of((self.name, *self.args), {"over": self.over})[1:]


def call_of(text: Any) -> FeatureCall:
    """The call that a text writes, defaults filled in. Raises BadInput naming the text and what is wrong with it."""
    shown = repr(text)[:TEXT_MAX]
    if not isinstance(text, str) or len(text) > TEXT_MAX:
        raise BadInput(f"{shown} is not a feature", HINT)
    found = NORMAL.fullmatch(text) or CALL.fullmatch(text)
    if found is None:
        raise BadInput(f"{shown} is not a feature", HINT)
    part = found.groupdict()
    name, form = part["name"], part.get("form") or ""
    if name not in BY_NAME:
        raise BadInput(f"{shown}: no feature {name!r}", f"available: {', '.join(BY_NAME)}")
    given = tuple(float(number) for number in (part["args"] or "").split(",") if number)
    try:
        args = BY_NAME[name].bind(given, {})
        over = int(part["over"]) if form else 0
        if form:
            NORMAL_FORMS[form].of((name, *args), {"over": over})
    except (TypeError, ValueError) as error:
        raise BadInput(f"{shown}: {error}", f"it is called {name}{BY_NAME[name].signature}") from error
    return FeatureCall(name, args, part["instrument"] or "", part["timeframe"] or "", form, over)


def calls_of(texts: Iterable[Any]) -> tuple[FeatureCall, ...]:
    """The calls of a list of texts, in their order. Raises BadInput for none, too many, and one that is there twice."""
    listed = list(texts) if isinstance(texts, list | tuple) else []
    if not 0 < len(listed) <= CALLS_MAX:
        raise BadInput(f"{len(listed)} features", f"list 1 to {CALLS_MAX} of them: {HINT}")
    calls = tuple(map(call_of, listed))
    seen: set[str] = set()
    for call in calls:
        if call.text in seen:
            raise BadInput(f"{call.text} is listed twice", "list each feature once")
        seen.add(call.text)
    return calls


def column_of(frame: FeatureFrame, call: FeatureCall) -> Array:
    """The values of a call at each bar of the frame; NaN where it has none. Errors as a strategy's own reading."""
    bars: Any = frame.of(call.instrument) if call.instrument else frame
    bars = bars.at(call.timeframe) if call.timeframe else bars
    found: Array = (
        getattr(bars, call.form)(call.name, *call.args, over=call.over) if call.form else (getattr(bars, call.name)(*call.args))
    )
    return found


def matrix_of(frame: FeatureFrame, calls: Iterable[FeatureCall]) -> Array:
    """The values of all calls, bars x calls, float64."""
    return np.column_stack([column_of(frame, call) for call in calls])
