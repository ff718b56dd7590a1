"""How far a sentence moves a setting: `5 lower`, `half an ATR wider`, `by a quarter`, `halve`, `tighter`. Called by slots.py,
run_plans.py and changes.py.

A size is read once, before any number is read as a value; which setting is meant, and where it is now, is the plan's to say.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from agents.offline.params import keys_named
from agents.offline.words import PATTERNS, Param, says

_WORDS = {"half": 0.5, "a quarter": 0.25, "quarter": 0.25, "a third": 1 / 3, "third": 1 / 3, "an": 1.0, "a": 1.0, "one": 1.0}
_WORDS |= {"two": 2.0, "three": 3.0, "half an": 0.5, "half a": 0.5}
_RISK = ("risk_start_frac", "risk_floor_frac", "risk_max_frac")
_SIZED = (PATTERNS["moves.sized"], PATTERNS["moves.verb"])
_TIMES, _BARE = PATTERNS["moves.times"], PATTERNS["moves.bare"]


class SettingMove(NamedTuple):
    """Up or down, by how much (None: no size is named), and whether that is a share of the value."""

    up: bool
    by: float | None
    share: bool = True

    def of(self, value: float, otherwise: float = 0.25) -> float:
        """The value moved; by the share `otherwise` where no size is named."""
        by = otherwise if self.by is None else self.by
        moved = value * (1 + by if self.up else 1 - by) if self.share else value + (by if self.up else -by)
        return round(moved) if isinstance(value, int) else round(moved, 8)


def read_move(text: str) -> tuple[SettingMove | None, list[tuple[int, int]]]:
    """The move of a tidy text, and where its size stands; nothing where it has none."""
    if (times := _TIMES.search(text)) and not says("account.other_costs", text):
        return SettingMove("double" in times[0], 1.0 if "double" in times[0] else 0.5), []
    for pattern in _SIZED:
        if found := pattern.search(text):
            size, unit = found["n"], found["unit"] or ""
            share = unit.startswith(("%", "p")) or size.endswith(("quarter", "third")) or (size == "half" and not unit)
            by = _WORDS.get(size) or float(size) * (0.01 if share else 1)
            return SettingMove(bool(says("moves.up", found["way"])), by, share), [found.span("size")]
    bare = _BARE.search(text)
    return (SettingMove(bool(says("moves.up", bare[0])) != bool(says("moves.small", bare[0])), None), []) if bare else (None, [])


def unsized(text: str) -> str:
    """The text without the size of its move: `half an atr wider` names no `atr_bars`."""
    found = next((found for pattern in _SIZED if (found := pattern.search(text))), None)
    return text if found is None else text[: found.start("size")] + text[found.end("size") :]


def moved(
    move: SettingMove,
    text: str,
    own: Mapping[str, Param],
    now: Mapping[str, Any],
    otherwise: float = 0.25,
    keys: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The settings that a text names, moved from where they are now, within their bounds. `keys`: those that are meant."""
    at = {key: now.get(key, param.default) for key, param in own.items()}
    at = {key: value for key, value in at.items() if isinstance(value, int | float) and not isinstance(value, bool) and value}
    text = unsized(text)
    named = keys_named(text, {key: param for key, param in own.items() if key in at})
    first = sorted((key for key in named if key in at), key=lambda key: named[key][0])[:1]
    entry = ["enter_below"] if "enter_below" in at and re.search(r"\bentr(?:y|ies)\b|\benter\b", text) else []
    risk = [key for key in _RISK if key in at] if says("moves.of_risk", text) else []
    chosen = {key: move.of(at[key], otherwise) for key in keys or risk or entry or first if key in at}
    return {key: _within(value, own[key]) for key, value in chosen.items()}


def _within(value: float, param: Param) -> float:
    low = value if param.low is None else max(value, type(value)(param.low))
    return low if param.high is None else min(low, type(value)(param.high))
