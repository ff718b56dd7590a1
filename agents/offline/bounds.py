"""A bound that a sentence sets to a figure: `above 2r`, `longer than 6 hours`. Called by account.py, talk.py and remainder.py."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from agents.offline.slots import Slots
from agents.offline.tables import AT_A_LOSS, Facts, column_of, heads_of, number_of
from agents.offline.words import PATTERNS, says
from tools.common.contract import Table

_SIZES = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Bound(NamedTuple):
    """A bound of a figure: below or above a level, in a unit (r, %, h ...)."""

    below: bool
    level: float
    unit: str

    def holds(self, value: float) -> bool:
        """Whether a value keeps it."""
        return value < self.level if self.below else value > self.level


def bound_of(text: str) -> Bound | None:
    """`below 2r`, `longer than 6 hours`: the level in the unit of the facts (milliseconds, fractions)."""
    found = re.search(
        r"(-?\d[\d,.]*|an?|one|half an?)\s?(r\b|%|percent|bps|usdt?|dollars?|hours?|hrs?|h\b|minutes?|mins?|days?|d\b)?",
        PATTERNS["bounds.bound"].sub("", text).strip(),
    )
    sense = says("bounds.bound", text)
    if found is None or sense is None or not found[1]:
        return None
    words = {"a": 1.0, "an": 1.0, "one": 1.0, "half a": 0.5, "half an": 0.5}
    try:
        level = words[found[1]] if found[1] in words else float(found[1].replace(",", "").rstrip("."))
    except ValueError:
        return None
    unit = (found[2] or "")[:1].replace("p", "%")
    scale = _SIZES.get(unit, 0.01 if unit == "%" else 1)
    return Bound(sense["low"] is not None, level * scale, unit)


def bound_column(text: str, table: Table, bound: Bound) -> int | None:
    """The column that a bound is of: that of its unit; without a unit that of the figure named, or of P&L."""
    of = {"r": ("r", "mean_r"), "h": ("lasted", "median_hold_ms"), "m": ("lasted", "median_hold_ms"), "d": ("lasted",)}
    wanted = of.get(bound.unit, ("net", "change", "return") if bound.unit in ("u", "") else ())
    at = next((i for i, head in enumerate(table.columns) if head in wanted), None)
    named = column_of(table, text) if bound.unit in ("", "%", "b") else 0
    return named or at


def bounded(slots: Slots, table: Table, facts: Facts, rows: Sequence[int], used: set[str]) -> tuple[list[int], str] | None:
    """The rows within a bound that the sentence sets: `above 2r`, `under an hour`."""
    said = bound_said(slots)
    bound = bound_of(said) if said else None
    named = next(iter(heads_of(table, slots.text.replace(said, ""))), None) if said and bound and not bound.unit else None
    at = named or (bound_column(slots.text, table, bound) if bound is not None else None)
    if bound is None or at is None:
        return None
    if AT_A_LOSS.search(slots.text) and not bound.below and bound.level > 0 and bound.unit in ("r", "u", ""):
        bound = bound._replace(below=True, level=-bound.level)  # `lost more than 1r`
    kept = [n for n in rows if (value := number_of(table.rows[n][at], facts)) is not None and bound.holds(value)]
    used |= set(said.split())
    return kept, f"{table.columns[at]} {said}"


def bound_said(slots: Slots) -> str:
    """The one bound in a sentence, also where its number might be a parameter's; empty for none."""
    found = slots.filters or [m[0] for m in PATTERNS["slots.beyond"].finditer(slots.text)]
    return found[0] if len(found) == 1 else ""


def numbers_in(text: str) -> list[float]:
    """The levels that a text names: `80,000`, `70k`; no per cent, and no length of time."""
    scale = {"k": 1e3, "m": 1e6, None: 1.0}
    return [float(re.sub("[,_]", "", m[1])) * scale[m[2]] for m in PATTERNS["page_plans.number"].finditer(text)]
