"""The hard limits of a desk (DEFINITIONS D19). Read from desk.toml at start by app.home.settings; no proposal can touch them.

Turned into the core's Limits and each sleeve's SleeveLimits by sim, live and jobs; proposals are checked against them. A field
here is a promise to the person who reads desk.toml: each is read by a guardrail or a detector, and a test keeps it so.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from engine.clock import MINUTE_MS
from engine.core.state import Hours, Limits
from engine.errors import BadInput
from engine.strategies.rules import SleeveLimits

RETIRED = {  # keys that earlier versions wrote into desk.toml and no code enforced -> what is true instead
    "stale_bars_max": "an entry needs a bar at most 1.5 timeframes old; this is fixed",
    "rejections_minute_max": "rejections are counted in a row (rejections_row_max)",
    "null_features_max": "one missing feature that the strategy reads already refuses the entry",
}


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WINDOW = re.compile(r"(?:([A-Za-z]{3,9})\s*)?(?:(\d{1,2})\s*-\s*(\d{1,2}))?")


def hours_of(windows: Sequence[str]) -> Hours:
    """Windows as hours of the week: `Sat` a day, `Sun 20-24` hours of one (UTC, the end excluded), `22-2` of every day.

    Raises ValueError naming the first that is not one, or when no hour is left for entries.
    """
    masks = [0] * 7
    for text in windows:
        for day, hour in _hours(text):
            masks[(day + hour // 24) % 7] |= 1 << (hour % 24)
    if all(mask == (1 << 24) - 1 for mask in masks):
        raise ValueError("the windows leave no hour for entries; pause the sleeves instead")
    return (masks[0], masks[1], masks[2], masks[3], masks[4], masks[5], masks[6])


def _hours(text: str) -> Iterator[tuple[int, int]]:
    """(weekday, hour) of a window; an hour from 24 on is the next day's."""
    found = WINDOW.fullmatch(text.strip())
    name = (found[1] or "").lower() if found else ""
    days = [n for n, day in enumerate(WEEKDAYS) if name and day.startswith(name)]
    first, last = (int(found[2]), int(found[3])) if found and found[2] else (0, 24)
    if not found or not text.strip() or (name and not days) or first > 23 or last > 24 or first == last:
        raise ValueError(f"{text!r}: write a weekday, hours of a day, or both, as in 'Sat', '22-2', 'Sun 20-24' (UTC)")
    span = last - first if last > first else last + 24 - first
    for day in days or range(7):
        yield from ((day, hour) for hour in range(first, first + span))


def _readable(windows: tuple[str, ...]) -> tuple[str, ...]:
    hours_of(windows)
    return windows


NoEntry = Annotated[tuple[Annotated[str, Field(max_length=40)], ...], Field(max_length=50), AfterValidator(_readable)]


class HardLimits(BaseModel):
    """Fractions are of equity unless the name says otherwise. Bounds keep a typing error from switching a limit off.

    Keys of RETIRED are dropped unread; `retired_in` names those that a home's desk.toml still has.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    drawdown_frac_max: float = Field(0.15, gt=0, le=0.9, description="desk drawdown since start or release: halt, flatten, latch")
    gross_frac_max: float = Field(3.0, gt=0, le=10, description="open and working notional of all sleeves")
    instrument_frac_max: float = Field(1.8, gt=0, le=10, description="the same on one instrument (60 % of gross)")
    orders_minute_max: int = Field(10, ge=1, le=1000, description="position-increasing orders a minute, whole desk")
    day_loss_frac_max: float = Field(0.03, gt=0, le=0.5, description="a sleeve's loss in a UTC day: no entries for 24 h")
    streak_max: int = Field(3, ge=1, le=100, description="losing round trips in a row: no entries for pause_hours")
    pause_hours: float = Field(24.0, ge=1, le=24 * 30, description="how long a pause of entries lasts, desk time")
    day_entries_max: int = Field(20, ge=1, le=1000, description="entries of a sleeve in a UTC day")
    risk_frac_max: float = Field(0.02, gt=0, le=0.05, description="of sleeve equity that a position may lose at its stops")
    leverage_max: float = Field(10.0, gt=0, le=20, description="of a sleeve, whatever its parameters say")
    spread_frac_max: float = Field(0.005, gt=0, le=0.1, description="no entry while the spread is estimated wider, of price")
    range_times_max: float = Field(12.0, gt=1, le=1000, description="no entry after a bar of this many times the usual range")
    volume_times_max: float = Field(50.0, gt=1, le=1e5, description="no entry after a bar of this many times the usual volume")
    volume_times_min: float = Field(0.0, ge=0, lt=1, description="no entry after a bar of less than this share of it")
    positions_max: int = Field(20, ge=1, le=300, description="sleeves with an open position or a working entry")
    family_frac_max: float = Field(3.0, gt=0, le=10, description="open and working notional of all sleeves of one strategy")
    correlated_frac_max: float = Field(2.5, gt=0, le=10, description="the same of all, weighted by 30 days of correlation")
    no_entry: NoEntry = Field((), description='windows (UTC) without entries, as in ["Sat", "Sun 20-24", "22-2"]')
    no_entry_funding_minutes: int = Field(0, ge=0, le=240, description="no entry so close to a settlement, before or after")
    rejections_row_max: int = Field(5, ge=1, le=100, description="venue rejections in a row: alert (page); nothing is paused")

    @model_validator(mode="before")
    @classmethod
    def drop_retired(cls, values: Any) -> Any:
        """A desk.toml of an earlier version is still read."""
        return {k: v for k, v in values.items() if k not in RETIRED} if isinstance(values, Mapping) else values

    def desk(self) -> Limits:
        """The core's limits of the whole desk."""
        own = {name: getattr(self, name) for name in Limits._fields if name in HardLimits.model_fields}
        windows = {"no_entry": hours_of(self.no_entry), "funding_quiet_ms": self.no_entry_funding_minutes * MINUTE_MS}
        return Limits(**{**own, **windows})

    def sleeve(self) -> SleeveLimits:
        """The core's limits of each sleeve."""
        return SleeveLimits(**{name: getattr(self, name) for name in SleeveLimits._fields})


def limits_of(home: Path) -> HardLimits:
    """The hard limits in a home's desk.toml; the defaults where it says nothing.

    Raises BadInput for a faulty file (app.home.settings names the line). Tools, which are below app, read the limits here.
    """
    path = home / "desk.toml"
    try:
        return HardLimits.model_validate(_table(path))
    except (OSError, ValueError) as error:
        raise BadInput(f"the hard limits in {path} cannot be read", "`nightdesk doctor` names the line") from error


def retired_in(home: Path) -> list[str]:
    """A note for each RETIRED key that the home's desk.toml still has: it is ignored, and what holds instead."""
    return [f"{key} is ignored: {truth}" for key, truth in RETIRED.items() if key in _table(home / "desk.toml")]


def _table(path: Path) -> dict[str, Any]:
    """The [limits] table of a desk.toml; empty without a file. Raises OSError or ValueError for one that cannot be read."""
    found = tomllib.loads(path.read_text(encoding="utf-8")).get("limits", {}) if path.exists() else {}
    if not isinstance(found, dict):
        raise ValueError("[limits] is not a table")
    return found
