"""Settings near the judged one: each numeric parameter moved a little, and each part of it taken away. Called by page.py.

These are candidates: someone could choose any of them, so each counts as a trial of the hypothesis.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from engine.errors import BadInput
from engine.research.kill.judged_bars import CANDIDATE, JudgedBars, Probe
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


class ParamStep(NamedTuple):
    """One changed parameter. `how`: -25 %, +10 %, off, default."""

    key: str
    value: Any
    how: str

    @property
    def name(self) -> str:
        """`slow_bars 220 (+10 %)`."""
        shown = f"{self.value:g}" if isinstance(self.value, int | float) else str(self.value)
        return f"{self.key} {shown} ({self.how})"


def neighbours(judged: JudgedBars) -> list[ParamStep]:
    """Each numeric parameter but those of sizing, 10 and 25 % down and up, rounded where whole; those that are valid and new."""
    return list(valid(judged, _moved(judged)))[:VARIANTS_MAX]


def _moved(judged: JudgedBars) -> Iterator[ParamStep]:
    """Every step of every parameter, valid or not."""
    for entry, value in _numeric(judged):
        seen = {value}
        for step in STEPS:
            near = value * (1.0 + step)
            near = round(near) if isinstance(value, int) else near
            if near not in seen:
                seen.add(near)
                yield ParamStep(entry["key"], near, f"{step * 100:+.0f} %")


def ablations(judged: JudgedBars) -> list[ParamStep]:
    """Each filter or exit switched off where its parameter says that 0 does so, or allows 0; each changed one set back to its
    default. An `off` and a default that are the same value are one."""
    return list(valid(judged, _taken_away(judged)))[:VARIANTS_MAX]


def _taken_away(judged: JudgedBars) -> Iterator[ParamStep]:
    """Every parameter without its part."""
    for entry, value in _numeric(judged):
        own = entry["key"] not in StrategyParams.model_fields
        can_be_off = entry["zero"] is not None or (own and entry["low"] == 0)
        if can_be_off and value != 0:
            yield ParamStep(entry["key"], type(value)(0), "off")
        if value != entry["default"] and not (can_be_off and entry["default"] == 0):
            yield ParamStep(entry["key"], entry["default"], "default")


def _numeric(judged: JudgedBars) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """The declared numeric parameters that are not of sizing, each with its value here."""
    values = judged.sleeve.params.model_dump()
    for entry in params_table(judged.sleeve.strategy):
        value = values[entry["key"]]
        if entry["key"] not in SIZING and isinstance(value, int | float) and not isinstance(value, bool):
            yield entry, value


def valid(judged: JudgedBars, found: Iterator[ParamStep]) -> Iterator[ParamStep]:
    """Those that the strategy accepts."""
    for variant in found:
        try:
            if judged.params_with({variant.key: variant.value}) != judged.sleeve.params:
                yield variant
        except BadInput:
            continue


def probe_variant(judged: JudgedBars, variant: ParamStep) -> Probe:
    """Its run."""
    return judged.probe(CANDIDATE, variant.name, params={variant.key: variant.value})
