"""What a sentence wants varied: `stop_atr from 1 to 4`, `fast 20, 30, 40`, `the stop`. Called by slots.py and research_plans.py.

A tidy text comes in, values of each key go out as the tools take them: `stop_atr=1:4:0.5`. A range without a step, and a
parameter without values, get some that the answer then names.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from agents.offline.params import ParamNumber, keys_named, read_params, value_text
from agents.offline.words import PATTERNS, Param

# verbs and nouns of a search; `try` is one where it lists three values or a range
_RANGE, _UNIT = PATTERNS["ranges.range"], PATTERNS["ranges.unit"]
STEPS = 6  # of a range without a step
FACTORS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)  # of a value, where a parameter is to be varied and no value is named


class Wanted(NamedTuple):
    """Key -> its values as text; keys set to one value; ranges whose step is ours; and what a key stands in the text."""

    axes: Mapping[str, str]
    fixed: Mapping[str, Any]
    stepped: tuple[str, ...]
    named: tuple[str, ...]  # keys without a value
    unclear: tuple[str, ...]
    places: tuple[tuple[int, int], ...]


def read_wanted(text: str, params: Mapping[str, Param], given: Mapping[str, str]) -> Wanted:
    """What is to be varied and what is set, of a text from which dates, ids and names have been blanked out. `given`:
    keys whose values were written out."""
    ranges: dict[int, re.Match[str]] = {}
    for found in _RANGE.finditer(text):
        if " and " in f" {found['rest'].strip()} " and "between" not in (found["lead"] or ""):
            continue  # `2 and 3` are two values
        ranges[found.start("low")] = found
        text = _blanked(text, found)
    read = read_params(text, params)
    axes = dict(given)
    fixed: dict[str, Any] = {}
    stepped: list[str] = []
    for key, numbers in groupby(sorted(read.numbers, key=lambda n: str(n.key)), key=lambda n: str(n.key)):
        listed = sorted(numbers, key=lambda n: n.start)
        one = ranges.get(listed[0].start)
        if one is not None and len(listed) == 1:
            axes[key] = _range_text(listed[0], one, params.get(key))
            stepped += [] if one["step"] else [key]
        elif len({n.value for n in listed}) > 1:
            axes[key] = ",".join(value_text(n.value) for n in listed)
        else:
            fixed[key] = listed[0].value
    order = [*given, *(str(n.key) for n in read.numbers)]
    said = {key: [p for p in places if p not in read.places] for key, places in keys_named(text, params).items()}
    named = tuple(key for key, places in said.items() if places and key not in axes and key not in fixed)
    unclear = read.unclear
    later = [key for key in named if (param := params.get(key)) and param.default] if len(unclear) > 1 and not axes else []
    if later:  # `the trail on eth, 1.5 2 2.5`
        axes, order, unclear, named, stepped = {later[0]: ",".join(unclear)}, later[:1], (), (), []
    spans = [found.span() for found in ranges.values()]
    places = (*read.places, *spans, *(place for key in named for place in said[key]), *(() if unclear else read.unplaced))
    axes = {key: axes[key] for key in dict.fromkeys(order) if key in axes}
    return Wanted(axes, fixed, tuple(stepped), named, unclear, places)


def written(text: str, params: Mapping[str, Param]) -> dict[str, tuple[str, tuple[int, int]]]:
    """`stop_atr=1,2,3`, `fast_bars=10:50:10` as the command line takes them: key -> its values and where they stand."""
    return {m[1]: (m[2], m.span()) for m in PATTERNS["ranges.written"].finditer(text) if m[1] in params}


def _blanked(text: str, found: re.Match[str]) -> str:
    """The text with a range as its low end alone, its unit after it."""
    unit = found["unit"] or _UNIT.match(found["tail"])[0]  # type: ignore[index]  # the pattern may be empty, never absent
    low = " " * (found.start("low") - found.start()) + found["low"] + unit
    size = found.end() - found.start()
    return text[: found.start()] + low[:size].ljust(size, "|") + text[found.end() :]  # no list goes on across a range


def _range_text(number: ParamNumber, found: re.Match[str], param: Param | None) -> str:
    """`1:4:0.5`; a percentage as the fraction it is."""
    low, high = Decimal(found["low"]), Decimal(found["high"])
    scale = Decimal(str(number.value)) / low if low else Decimal(1)
    low, high = sorted((low * scale, high * scale))
    step = Decimal(found["step"]) * scale if found["step"] else step_of(low, high, whole=_is_whole(param))
    return ":".join(f"{part.normalize():f}" for part in (low, high, step))


def step_of(low: Decimal, high: Decimal, *, whole: bool) -> Decimal:
    """A step of 1, 2 or 5 times a power of ten that makes at most STEPS steps of a range; at least 1 for a whole number."""
    least = max((high - low) / STEPS, Decimal("1e-6"))
    power = Decimal(10) ** least.adjusted()
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= least)
    return max(step, Decimal(1)) if whole else step


def _is_whole(param: Param | None) -> bool:
    return param is not None and isinstance(param.default, int) and not isinstance(param.default, bool)


def around(param: Param, now: Any) -> str:
    """Values around the present one, within the parameter's bounds: `1,1.5,2,2.5,3,4`; its words; empty where there is no value
    to go around: off, a switch."""
    if param.choices:
        return ",".join(param.choices)
    if isinstance(now, bool) or not isinstance(now, int | float) or not now:
        return ""
    values = [round(now * times) if _is_whole(param) else round(now * times, 6) for times in FACTORS]
    fit = [v for v in values if (param.low is None or v >= param.low) and (param.high is None or v <= param.high)]
    fit = list(dict.fromkeys(fit))
    return ",".join(map(value_text, fit)) if len(fit) > 1 else ""


def count_of(axes: Mapping[str, str]) -> int:
    """How many combinations there are."""
    total = 1
    for text in axes.values():
        low, _, rest = text.partition(":")
        high, _, step = rest.partition(":")
        total *= int((Decimal(high) - Decimal(low)) / Decimal(step)) + 1 if step else text.count(",") + 1
    return total
