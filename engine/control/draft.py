"""A requested change, computed but not stored: checked keys and bounds, the sleeve before and after, its direction.

Called by proposals and by the tools that run the evidence first. Turns `{key: value}` from anyone, a model included, into
a Draft or one clear refusal.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from sqlalchemy import Engine

from engine.clock import timeframe_text, utc
from engine.control.config import INSTANT_MAX_MS, DeskVersion, SleeveConfig, Stage, active, with_defaults, with_params
from engine.control.direction import Direction, direction, finite_number
from engine.control.limits import HardLimits, limits_of
from engine.control.model_pins import changed_models, promoted, require_models
from engine.data.schedules import clock_fits, execution_of, too_coarse
from engine.errors import BadInput, Refused
from engine.strategies.params import bounds, choices, extra

CHANGES_MAX = 30
PART_MIN = 0.01  # of a sleeve's size
CODE_KEY, CODE_SHOWN = "strategy_code", 12  # of a change of code that the desk has noted itself; letters of a digest
# parameter -> the hard limit above it
HARD_LIMIT_OF = {
    "leverage_max": "leverage_max",
    "risk_max_frac": "risk_frac_max",
    "risk_start_frac": "risk_frac_max",
    "risk_floor_frac": "risk_frac_max",
}
SETTABLE = ("paused", "resumes_ms", "stage", "execution", "models", "size_part")  # what a proposal may change beside parameters
FIXED = tuple(key for key in SleeveConfig.model_fields if key not in {"params", *SETTABLE})


class Draft(NamedTuple):
    """The change of one sleeve, made against its `from_version`: `changes` is [{key, old, value, low, high, unit}], with
    `choices` where a word is chosen; `models`: versions of models that it would read anew, with their digests."""

    base_version: int  # of the desk
    from_version: int
    from_sha256: str
    old: SleeveConfig
    new: SleeveConfig
    changes: list[dict[str, Any]]
    direction: Direction
    models: dict[str, str]


def draft(
    engine: Engine,
    home: Path,
    sleeve: str,
    changes: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    apply_to_open: bool = False,
) -> Draft:
    """Compute `changes` ({key: value} or [{key, value}]) of a sleeve of the configuration in force.

    Raises BadInput (unknown sleeve, key or value, out of bounds) or Refused (hard limit, a model's gates, nothing changes).
    """
    return draft_against(active(engine, home), sleeve, changes, home, limits_of(home), apply_to_open=apply_to_open)


def draft_against(
    desk: DeskVersion,
    sleeve: str,
    changes: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    home: Path,
    hard: HardLimits,
    *,
    apply_to_open: bool = False,
) -> Draft:
    """The same against a configuration that is already at hand."""
    from engine.strategies.isolated.described import read_strategy  # brings numpy, which a supervisor need not hold

    wanted = _as_mapping(changes)
    strategy = read_strategy(desk.config.sleeve(sleeve).strategy, home / "strategies")
    old = with_defaults(desk.config.sleeve(sleeve), strategy.Params)
    for key in wanted:
        _check_key(key, old, hard, strategy.Params.model_fields)
    own: dict[str, Any] = {}
    if "paused" in wanted or "resumes_ms" in wanted:
        own |= _pause(old, wanted.pop("paused", old.paused), wanted.pop("resumes_ms", None))
    if "stage" in wanted:
        own["stage"] = _as_stage(wanted.pop("stage"))
    if "execution" in wanted:
        own["execution"] = _as_schedule(wanted.pop("execution"))
    if "size_part" in wanted:
        own["size_part"] = _as_part(wanted.pop("size_part"))
    if "models" in wanted:
        own["models"] = changed_models(old.models, wanted.pop("models"))
    new = with_params(old.model_copy(update=own), {**old.params, **wanted}, home / "strategies")
    if new.execution != old.execution:
        _require_clock(home, new)
    anew: dict[str, str] = {}
    if new.models != old.models:
        require_models([new], home / "strategies")
        anew = promoted(old.models, new.models, home / "strategies")
    found = _changes(old, new, strategy.Params.model_fields)
    if not found:
        raise Refused(f"nothing would change: {sleeve} already has these values", "propose other values")
    for key, limit in HARD_LIMIT_OF.items():
        if key in {c["key"] for c in found} and (high := getattr(hard, limit)) < new.params[key]:
            what = f"{key} = {new.params[key]:g} is above the desk's hard limit {limit} = {high:g}"
            raise Refused(what, "hard limits are changed in desk.toml by a person, never by a proposal")
    moves = direction(old, new, strategy.Params, hard)
    if apply_to_open and moves.label != "tightens":
        raise Refused(f"only a change that tightens may apply to open positions; this one: {moves.label}", moves.why)
    return Draft(desk.version, desk.sleeves[sleeve], desk.digest(sleeve), old, new, found, moves, anew)


def _as_mapping(changes: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One value per key; a key given twice is refused."""
    pairs = list(changes.items()) if isinstance(changes, Mapping) else [(c.get("key"), c.get("value")) for c in changes]
    if not pairs or len(pairs) > CHANGES_MAX:
        raise BadInput(f"{len(pairs)} changes", f"propose 1 to {CHANGES_MAX} changes of one sleeve")
    found: dict[str, Any] = {}
    for key, value in pairs:
        if not isinstance(key, str):
            raise BadInput(f"{key!r} is not a valid parameter name", "name it as `nightdesk proposals` shows it")
        if key in found:
            raise BadInput(f"{key} is given twice", "give one value")
        found[key] = value
    return found


def _check_key(key: str, sleeve: SleeveConfig, hard: HardLimits, params: Mapping[str, Any]) -> None:
    """Refuse keys that no proposal may change: hard limits in any spelling, and what defines the sleeve."""
    if key in params or key in SETTABLE:
        return
    bare = re.sub(r"[^a-z0-9]+", "_", key.rpartition(".")[2].lower()).strip("_")
    if bare in type(hard).model_fields and bare not in params:
        raise Refused(f"{key} is a hard limit", "hard limits are changed in desk.toml by a person, never by a proposal")
    if bare in FIXED:
        raise Refused(
            f"{bare} of sleeve {sleeve.name} cannot be proposed",
            "a proposal changes parameters, stage, execution, models, size_part, paused, resumes_ms",
        )


def _as_bool(value: Any) -> bool:
    """A boolean as people and models write it."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    found = value if isinstance(value, bool) else words.get(str(value).strip().lower())
    if found is None:
        raise BadInput(f"paused = {value!r} is not a boolean", "give true or false")
    return found


def _pause(old: SleeveConfig, paused: Any, resumes_ms: Any) -> dict[str, Any]:
    """`paused` and its end together: a pause without one is until a person resumes."""
    found = _as_bool(paused)
    end = None if resumes_ms is None else finite_number(resumes_ms)
    if resumes_ms is not None and (end is None or end != int(end) or not 0 < end <= INSTANT_MAX_MS):
        raise BadInput(f"resumes_ms = {resumes_ms!r} is not a time", "give the end of the pause in UTC milliseconds of desk time")
    if end is not None and not found:
        raise BadInput(f"resumes_ms is the end of a pause, and {old.name} would not be paused", "give paused = true with it")
    return {"paused": found, "resumes_ms": None if end is None else int(end)}


def _as_stage(value: Any) -> str:
    """One of the stages."""
    found = str(value).strip().lower()
    if found not in get_args(Stage):
        raise BadInput(f"stage = {value!r} is not a valid stage", f"available: {', '.join(get_args(Stage))}")
    return found


def _as_schedule(value: Any) -> str | None:
    """An execution schedule; none, off or nothing takes it away."""
    found = str(value or "").strip().lower()
    return None if found in ("", "none", "off", "whole") else found


def _as_part(value: Any) -> float | None:
    """A part of the sleeve's size; 1, whole or nothing is all of it."""
    if value is None or str(value).strip().lower() in ("", "whole", "none", "1"):
        return None
    found = finite_number(value)
    if found is None or not PART_MIN <= found <= 1.0:
        raise BadInput(f"size_part = {value!r} is not a part of a size", f"give {PART_MIN:g} to 1; 1 is the whole size")
    return None if found == 1.0 else found


def _require_clock(home: Path, sleeve: SleeveConfig) -> None:
    """Raise BadInput for a schedule that the home's clock, which it keeps for its life, has no bar a slice for."""
    from engine.store.journal import read

    path, execution = home / "journal" / "desk.jsonl", execution_of(sleeve.execution or "")
    began = next(read(path, {"config"}), None) if path.exists() else None
    if began is not None and execution is not None:
        clock = timeframe_text(int(began.body["start"]["timeframe_ms"]))
        if not clock_fits(execution, sleeve.timeframe, clock):
            raise too_coarse(sleeve.name, str(sleeve.execution), sleeve.clocks[-1], clock)


def _changes(old: SleeveConfig, new: SleeveConfig, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What differs, with its bounds, in the order of the parameters."""
    found = []
    for key in [*fields, *(key for key in old.params if key not in fields)]:
        was, will = old.params.get(key), new.params.get(key)
        if was != will:
            found.append({"key": key, "old": was, "value": will, **limits_in(fields, key)})
    for key in SETTABLE:
        was, will = getattr(old, key), getattr(new, key)
        if was != will:
            found.append({"key": key, "old": was, "value": will, **limits_in({}, key)})
    return found


def value_text(key: str, value: Any) -> Any:
    """A changed value as people read it: a time as one, a switch as a word, everything else as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    bare = key.rpartition(".")[2]
    if bare == "execution":
        return value or "whole"
    if bare == "size_part":
        return "whole" if value is None else f"{100 * value:g} %"
    if bare != "resumes_ms":
        return value
    return "no end" if value is None else utc(value)


def key_text(key: str) -> str:
    """A changed key as people read it: a parameter by its own name, which is what a person types; the end of a pause in words."""
    front, dot, name = key.rpartition(".")
    words = {"resumes_ms": "pause ends", "size_part": "part of the size", CODE_KEY: "code of the strategy"}
    return f"{front}{dot}{words[name]}" if name in words else key


def limits_in(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Bounds and unit of a changed parameter as a diff carries them, or the words it may be; none for what is no parameter."""
    if key not in fields:
        return {"low": None, "high": None, "unit": ""}
    low, high = bounds(fields[key])
    words = {"choices": list(choices(fields[key]))} if choices(fields[key]) else {}
    return {"low": low, "high": high, "unit": extra(fields[key]).get("unit", ""), **words}
