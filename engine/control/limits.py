"""The hard limits of a desk (DEFINITIONS D19). Read from desk.toml at start by app.home.settings; no proposal can touch them.

Turned into the core's Limits and each sleeve's SleeveLimits by sim, live and jobs; proposals are held against them.
"""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from engine.core.state import Limits
from engine.errors import BadInput
from engine.strategies.rules import SleeveLimits


class HardLimits(BaseModel):
    """Fractions are of equity unless the name says otherwise. Bounds keep a typing error from switching a limit off."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    drawdown_frac_max: float = Field(0.15, gt=0, le=0.9, description="desk drawdown from its peak: halt, flatten, latch")
    gross_frac_max: float = Field(3.0, gt=0, le=10, description="open and working notional of all sleeves")
    instrument_frac_max: float = Field(1.8, gt=0, le=10, description="the same on one instrument (60 % of gross)")
    orders_minute_max: int = Field(10, ge=1, le=1000, description="position-increasing orders a minute, whole desk")
    day_loss_frac_max: float = Field(0.03, gt=0, le=0.5, description="a sleeve's loss in a UTC day: no entries for 24 h")
    streak_max: int = Field(3, ge=1, le=100, description="losing round trips in a row: no entries for pause_hours")
    pause_hours: float = Field(24.0, ge=1, le=24 * 30, description="how long a pause of entries lasts, desk time")
    day_entries_max: int = Field(20, ge=1, le=1000, description="entries of a sleeve in a UTC day")
    risk_frac_max: float = Field(0.02, gt=0, le=0.05, description="of sleeve equity lost at the stop")
    leverage_max: float = Field(10.0, gt=0, le=20, description="of a sleeve, whatever its parameters say")
    stale_bars_max: float = Field(1.5, gt=0, le=10, description="a bar older than this many bars allows no entry")
    rejections_row_max: int = Field(5, ge=1, le=100, description="rejections by the venue in a row: sleeve paused")
    rejections_minute_max: int = Field(10, ge=1, le=1000, description="rejections within 60 s: sleeve paused")
    null_features_max: int = Field(3, ge=1, le=100, description="features missing at a bar: alert and no entry")

    def desk(self) -> Limits:
        """What the core watches over the whole desk."""
        return Limits(self.drawdown_frac_max, self.gross_frac_max, self.instrument_frac_max, self.orders_minute_max)

    def sleeve(self) -> SleeveLimits:
        """What the core watches in every sleeve."""
        return SleeveLimits(**{name: getattr(self, name) for name in SleeveLimits._fields})


def limits_of(home: Path) -> HardLimits:
    """The hard limits in a home's desk.toml; the defaults when it says nothing of them.

    Raises BadInput for a file with a fault (app.home.settings tells its line). Tools, which stand below app, read them here.
    """
    path = home / "desk.toml"
    if not path.exists():
        return HardLimits.model_validate({})
    try:
        return HardLimits.model_validate(tomllib.loads(path.read_text(encoding="utf-8")).get("limits", {}))
    except (OSError, ValueError) as error:
        raise BadInput(f"the hard limits in {path} cannot be read", "`nightdesk doctor` tells the line") from error
