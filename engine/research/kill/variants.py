"""Settings near the judged one: each numeric parameter moved a little, and each part of it taken away. Called by page.py.

These are candidates: someone could choose any of them, so each counts as a trial of the hypothesis.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from engine.errors import BadInput
from engine.research.kill.ground import CANDIDATE, Ground, Probe
from engine.strategies.base import params_table
from engine.strategies.params import StrategyParams

STEPS = (-0.25, -0.10, 0.10, 0.25)
VARIANTS_MAX = 200
# how much is traded, not whether the idea is right: their optimum is the desk's appetite
SIZING = (
    "risk_start_frac",
    "risk_floor_frac",
    "risk_max_frac",
    "kelly_part",
    "vol_target",
    "vol_halflife_days",
    "notional_frac_max",
    "leverage_max",
    "participation_max",
    "fixed_qty",
    "layers_max",
)


class Variant(NamedTuple):
    """One changed parameter. `how`: -25 %, +10 %, off, default."""

    key: str
    value: Any
    how: str

    @property
    def name(self) -> str:
        """`slow_bars 220 (+10 %)`."""
        shown = f"{self.value:g}" if isinstance(self.value, int | float) else str(self.value)
        return f"{self.key} {shown} ({self.how})"


def neighbours(ground: Ground) -> list[Variant]:
    """Each numeric parameter but those of sizing, 10 and 25 % down and up, rounded where whole; those that are valid and new."""
    return list(valid(ground, _moved(ground)))[:VARIANTS_MAX]


def _moved(ground: Ground) -> Iterator[Variant]:
    """Every step of every parameter, valid or not."""
    for entry, value in _numeric(ground):
        seen = {value}
        for step in STEPS:
            near = value * (1.0 + step)
            near = round(near) if isinstance(value, int) else near
            if near not in seen:
                seen.add(near)
                yield Variant(entry["key"], near, f"{step * 100:+.0f} %")


def ablations(ground: Ground) -> list[Variant]:
    """Each filter or exit switched off where its parameter says that 0 does so, or allows 0; each changed one set back to its
    default. An `off` and a default that are the same value are one."""
    return list(valid(ground, _taken_away(ground)))[:VARIANTS_MAX]


def _taken_away(ground: Ground) -> Iterator[Variant]:
    """Every parameter without its part."""
    for entry, value in _numeric(ground):
        own = entry["key"] not in StrategyParams.model_fields
        can_be_off = entry["zero"] is not None or (own and entry["low"] == 0)
        if can_be_off and value != 0:
            yield Variant(entry["key"], type(value)(0), "off")
        if value != entry["default"] and not (can_be_off and entry["default"] == 0):
            yield Variant(entry["key"], entry["default"], "default")


def _numeric(ground: Ground) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """The declared numeric parameters that are not of sizing, each with its value here."""
    values = ground.sleeve.params.model_dump()
    for entry in params_table(ground.sleeve.strategy):
        value = values[entry["key"]]
        if entry["key"] not in SIZING and isinstance(value, int | float) and not isinstance(value, bool):
            yield entry, value


def valid(ground: Ground, found: Iterator[Variant]) -> Iterator[Variant]:
    """Those that the strategy accepts."""
    for variant in found:
        try:
            if ground.params_with({variant.key: variant.value}) != ground.sleeve.params:
                yield variant
        except BadInput:
            continue


def probe_variant(ground: Ground, variant: Variant) -> Probe:
    """Its run."""
    return ground.probe(CANDIDATE, variant.name, params={variant.key: variant.value})
