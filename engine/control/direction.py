"""Does a change tighten or loosen? Computed on the whole diff by code, never claimed by a model (law 8).

Called by proposals (create, apply) and the cards that show them. Two measures, and the worse one wins: how each changed key is
declared to move risk (engine.strategies.params), and the worst case of the sleeve before and after. A direction that cannot
be determined is `unknown`, and unknown or mixed is treated as loosening.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from engine.book.bodies import RESTING
from engine.control.config import DeskConfig, SleeveConfig
from engine.control.limits import HardLimits
from engine.control.stages import LADDER
from engine.strategies.params import StrategyParams, choices, risk_move

Label = Literal["tightens", "loosens", "neutral", "unknown"]
STOPS = ("stop_atr", "stop_frac")
STAGES = ("retired", "draft", *LADDER)  # each nearer to live than the one before
PLACE = ("strategy", "venue", "symbol", "legs", "market", "timeframe", "account")  # another market or rule: direction unknown


class WorstCase(NamedTuple):
    """The most a sleeve may lose and hold, as multiples of its equity; None where not computable."""

    risk_frac: float | None  # lost if every layer stops out
    gross_frac: float | None  # open notional
    leverage: float | None  # its leverage cap

    def as_json(self) -> dict[str, float | None]:
        """For cards and the proposal's row."""
        return self._asdict()


class Direction(NamedTuple):
    """What a change does to risk: the label, the label of each changed key, the worst cases, and the reason. `neutral` is a
    change that leaves the most that can be lost or held as it is."""

    label: Label
    keys: dict[str, Label]
    before: WorstCase
    after: WorstCase
    why: str


def direction(old: SleeveConfig, new: SleeveConfig, params_class: type[StrategyParams], hard: HardLimits) -> Direction:
    """The direction of going from `old` to `new`, both with all parameters spelled out."""
    keys = {**_params(old.params, new.params, params_class), **_sleeve(old, new)}
    before, after = worst_case(old, hard), worst_case(new, hard)
    label, why = _of_keys(keys)
    for name in WorstCase._fields:
        was, will = getattr(before, name), getattr(after, name)
        if was is not None and will is not None and will > was:
            return Direction("loosens", keys, before, after, f"worst-case {name} rises from {was:g} to {will:g}")
        if (was is None) != (will is None) and label != "loosens":
            label, why = "unknown", f"worst-case {name} cannot be computed on both sides"
    return Direction(label, keys, before, after, why)


def desk_direction(parts: Iterable[Direction]) -> tuple[Label, str]:
    """The direction of several sleeves' changes together: the worst of them."""
    found = list(parts)
    for label in ("loosens", "unknown", "tightens"):
        for part in found:
            if part.label == label:
                return part.label, part.why
    return "neutral", "nothing changes risk"


def directions_by_sleeve(
    old: DeskConfig, new: DeskConfig, classes: Mapping[str, type[StrategyParams]], hard: HardLimits
) -> dict[str, Direction]:
    """Direction of each sleeve that both desks have, by name; `classes` holds each sleeve's Params."""
    return {s.name: direction(s, new.sleeve(s.name), classes[s.name], hard) for s in old.sleeves}


def worst_case(sleeve: SleeveConfig, hard: HardLimits) -> WorstCase:
    """The worst case that the sleeve's parameters and the hard limits allow; zero while it enters nothing."""
    if (sleeve.paused and sleeve.resumes_ms is None) or sleeve.stage in RESTING:  # a pause with an end enters again by itself
        return WorstCase(0.0, 0.0, 0.0)
    take = {name: finite_number(sleeve.params.get(name)) for name in StrategyParams.model_fields}
    leverage = _least(take["leverage_max"], hard.leverage_max)
    part = 1.0 if sleeve.size_part is None else sleeve.size_part
    notional = _least(take["notional_frac_max"], leverage)
    gross = None if notional is None else part * notional
    risk, layers = _least(take["risk_max_frac"], hard.risk_frac_max), take["layers_max"]
    if risk is None or layers is None:
        return WorstCase(None, gross, leverage)
    # what a fixed quantity loses at the stop depends on the price, up to the limit of the whole position
    fixed = take["fixed_qty"] != 0.0
    return WorstCase(hard.risk_frac_max if fixed else min(part * risk * max(layers, 1.0), hard.risk_frac_max), gross, leverage)


def finite_number(value: Any) -> float | None:
    """A finite number, given as one or as text; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _params(old: Mapping[str, Any], new: Mapping[str, Any], params_class: type[StrategyParams]) -> dict[str, Label]:
    """Each parameter that differs, and how it moves risk."""
    both = sorted(set(old) & set(new))
    moves: dict[str, Label | None] = dict.fromkeys(sorted(set(old) ^ set(new)), "unknown")
    moves |= {key: _param(key, old[key], new[key], params_class) for key in both}
    return {key: label for key, label in moves.items() if label is not None}


def _param(key: str, old: Any, new: Any, params_class: type[StrategyParams]) -> Label | None:
    """How one parameter's change moves risk; None: it is no change."""
    if old == new and type(old) is type(new):
        return None
    # common parameters mean the same in every strategy, whatever a user's file declares
    declared_by = StrategyParams if key in StrategyParams.model_fields else params_class
    words = choices(declared_by.model_fields[key]) if key in declared_by.model_fields else ()
    was, will = (old, new) if {str(old), str(new)} <= set(words) else (finite_number(old), finite_number(new))
    if was is None or will is None:
        return "unknown"
    if was == will:
        return None
    if key in STOPS and will < was:
        return "unknown"  # the position is sized by risk at the stop: a closer stop means a larger position
    move = risk_move(declared_by, key, was, will)
    return "unknown" if move is None else "neutral" if move == 0 else "loosens" if move > 0 else "tightens"


def _sleeve(old: SleeveConfig, new: SleeveConfig) -> dict[str, Label]:
    """The same for fields that are not parameters."""
    found: dict[str, Label] = {key: "unknown" for key in PLACE if getattr(old, key) != getattr(new, key)}
    if old.paused != new.paused:
        found["paused"] = "tightens" if new.paused else "loosens"
    elif old.resumes_ms != new.resumes_ms:
        longer = new.resumes_ms is None or (old.resumes_ms is not None and new.resumes_ms > old.resumes_ms)
        found["resumes_ms"] = "tightens" if longer else "loosens"
    if old.stage != new.stage:
        found["stage"] = "tightens" if STAGES.index(new.stage) < STAGES.index(old.stage) else "loosens"
    if old.execution != new.execution:  # slices never come to more than the entry that was reviewed
        found["execution"] = "neutral"
    if old.models != new.models:  # neither a tightening nor a size: what it will say is for a person to judge
        found["models"] = "unknown"
    if old.size_part != new.size_part:
        found["size_part"] = "tightens" if (new.size_part or 1.0) < (old.size_part or 1.0) else "loosens"
    if old.cash != new.cash:
        found["cash"] = "tightens" if new.cash < old.cash else "loosens"
    if old.side != new.side:
        found["side"] = "tightens" if old.side == "both" else "loosens" if new.side == "both" else "unknown"
    return found


def _of_keys(keys: Mapping[str, Label]) -> tuple[Label, str]:
    """The direction of the whole diff by its keys: loosening outweighs everything, then unknown."""
    loosens = [key for key, found in keys.items() if found == "loosens"]
    unknown = [key for key, found in keys.items() if found == "unknown"]
    tightens = [key for key, found in keys.items() if found == "tightens"]
    if loosens:
        return "loosens", f"{', '.join(loosens)} raises risk"
    if unknown and set(unknown) <= set(STOPS):
        return "unknown", f"{', '.join(unknown)}: a closer stop means a larger position for the same risk"
    if unknown:
        return "unknown", f"unknown how {', '.join(unknown)} moves risk"
    if tightens:
        return "tightens", f"{', '.join(tightens)} lowers risk"
    if keys:
        return "neutral", f"{', '.join(keys)} leaves the most that can be lost or held unchanged"
    return "neutral", "nothing changes risk"


def _least(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else min(one, other)
