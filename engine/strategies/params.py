"""Strategy parameters: numbers within bounds, words out of a list, how each moves risk. Turns text (`stop_atr=3`) into values.

StrategyParams is the base of every strategy's Params (through base.py). parse_params is called by the CLI, the tools, control/
and sim/; params_table by the docs and `list_strategies`; risk_move by control/direction.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from engine.errors import BadInput

Risk = Literal["up", "down", "neutral"] | None
PARSES = "__parses__"  # a described strategy (isolated/described.py) keeps here what runs its file's own checks
KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


def knob(default: float, low: float, high: float, unit: str, risk: Risk, about: str, zero: str | None = None) -> Any:
    """A bounded field. `risk`: a larger value raises ("up") or lowers ("down") risk; "neutral": no value moves the most that
    can be lost or held; None: unknown.

    `zero` says what 0 switches off; `risk` then does not describe a step to or from 0.
    """
    extra: dict[str, Any] = {"unit": unit, "risk": risk, "zero": zero}
    return Field(default, ge=low, le=high, description=about, json_schema_extra=extra)


def choice(default: str, risk: Literal["neutral"] | None, about: str) -> Any:
    """A field annotated with its words, as in Literal["market", "limit"]. `risk`: as for knob()."""
    return Field(default, description=about, json_schema_extra={"unit": "", "risk": risk, "zero": None})


class StrategyParams(BaseModel):
    """Parameters of every strategy. Distances add up: `*_atr` counts ATRs, `*_frac` is a fraction of the entry price (D13)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)

    atr_bars: int = knob(14, 2, 400, "bars", None, "window of the ATR that stops, targets and trails are measured in")
    stop_atr: float = knob(2.0, 0.0, 20.0, "ATR", "up", "initial stop, distance from the entry")
    stop_frac: float = knob(0.0, 0.0, 0.5, "of price", "up", "initial stop, added to stop_atr")
    target_atr: float = knob(4.0, 0.0, 50.0, "ATR", None, "target, distance from the entry", zero="no target in ATRs")
    target_frac: float = knob(0.0, 0.0, 5.0, "of price", None, "target, added to target_atr", zero="none as a fraction")
    arm_atr: float = knob(1.5, 0.0, 20.0, "ATR", "up", "profit at which the trail arms; 0 with arm_frac 0: at once")
    arm_frac: float = knob(0.0, 0.0, 0.5, "of price", "up", "profit at which the trail arms, added to arm_atr")
    trail_atr: float = knob(2.5, 0.0, 20.0, "ATR", "up", "trail behind the best price", zero="no trail in ATRs")
    trail_frac: float = knob(0.0, 0.0, 0.5, "of price", "up", "trail, added to trail_atr", zero="none as a fraction")
    fade_below: float = knob(0.0, 0.0, 1.0, "strength", "down", "leave when the signal is weaker", zero="no fade exit")
    layers_max: int = knob(1, 1, 5, "layers", "up", "entries one position may hold")
    add_atr: float = knob(1.0, 0.1, 20.0, "ATR", "down", "progress since the last entry before another layer")
    risk_start_frac: float = knob(0.0025, 0.0001, 0.02, "of equity", "up", "risk at the stop, for the first 30 round trips")
    risk_floor_frac: float = knob(0.001, 0.0001, 0.02, "of equity", "up", "smallest risk at the stop after that")
    risk_max_frac: float = knob(0.02, 0.0001, 0.02, "of equity", "up", "largest risk at the stop")
    kelly_part: float = knob(0.25, 0.0, 0.5, "of Kelly", "up", "share of the Kelly fraction's lower bound")
    vol_target: float = knob(0.2, 0.0, 2.0, "a year", "up", "target volatility of the notional", zero="no volatility cap")
    vol_halflife_days: float = knob(3.0, 0.25, 60.0, "days", None, "memory of the volatility estimate")
    notional_frac_max: float = knob(1.5, 0.01, 10.0, "of equity", "up", "largest notional of the sleeve")
    leverage_max: float = knob(3.0, 0.1, 10.0, "x", "up", "largest leverage of the sleeve")
    participation_max: float = knob(0.05, 0.0001, 1.0, "of volume", "up", "largest share of one bar's volume")
    fixed_qty: float = knob(0.0, 0.0, 1e6, "base units", None, "fixed size, within the caps", zero="sized by risk at the stop")

    @model_validator(mode="before")
    @classmethod
    def no_switches(cls, values: Any) -> Any:
        """Booleans are refused where a number is expected."""
        for key, value in values.items() if isinstance(values, Mapping) else ():
            field = cls.model_fields.get(key)
            if isinstance(value, bool) and field is not None and field.annotation in {int, float}:
                raise ValueError(f"{key} = {value} is not a number")
        return values

    @model_validator(mode="after")
    def fit_together(self) -> Self:
        """Constraints between parameters."""
        if not (self.stop_atr > 0.0 or self.stop_frac > 0.0):
            raise ValueError("stop_atr and stop_frac are both 0: every position needs a stop")
        if not self.risk_floor_frac <= self.risk_start_frac <= self.risk_max_frac:
            raise ValueError(
                f"risk_floor_frac = {self.risk_floor_frac:g}, risk_start_frac = {self.risk_start_frac:g},"
                f" risk_max_frac = {self.risk_max_frac:g} must be in ascending order"
            )
        return self


def parse_params(strategy: Any, values: Mapping[str, Any] | None = None) -> Any:
    """The strategy's Params from `{key: value}`, numbers, or text as the command line passes it; defaults for the rest.

    Raises BadInput, one line naming key, value and bounds, for the first fault.
    """
    values = dict(values or {})
    values = {key: value.strip() if isinstance(value, str) else value for key, value in values.items()}
    values = getattr(strategy, PARSES, lambda given: given)(values)
    try:
        return strategy.Params(**values)
    except ValidationError as error:
        raise first_error(strategy, error.errors(include_url=False)[0]) from None
    except TypeError as error:
        raise BadInput(f"{strategy.NAME}: parameter names must be text: {error}") from None


def first_error(strategy: Any, error: Mapping[str, Any]) -> BadInput:
    """pydantic's first error as a BadInput."""
    name, fields = strategy.NAME, strategy.Params.model_fields
    if not error["loc"]:
        return BadInput(f"{name}: {error['msg'].removeprefix('Value error, ')}", "change one of them")
    key = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        near = get_close_matches(key, fields, 1)
        hint = f"did you mean {near[0]}?" if near else f"available: {', '.join(fields)}"
        return BadInput(f"{name} has no parameter {key!r}", hint)
    if error["type"] == "missing":
        return BadInput(f"{name}: {key} has no default", f"give it: --set {key}=VALUE")
    given, kind = error["input"], KINDS.get(fields[key].annotation, "a valid value")
    if words := choices(fields[key]):
        near = get_close_matches(str(given), words, 1)
        return BadInput(f"{name}: {key} = {given!r} is not one of {', '.join(words)}", f"did you mean {near[0]}?" if near else "")
    if error["type"] in {"greater_than_equal", "less_than_equal", "greater_than", "less_than"}:
        return BadInput(f"{name}: {key} = {given} is out of bounds", f"allowed is {bounds_text(fields[key])}")
    if error["type"] == "value_error":
        return BadInput(f"{name}: {key} = {given}: {error['msg'].removeprefix('Value error, ')}")
    return BadInput(f"{name}: {key} = {given!r} is not {kind}", f"allowed is {bounds_text(fields[key])}")


def bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    """(lowest, highest) value of a field; None where it has no bound."""
    low = high = None
    for mark in field.metadata:
        low = next((getattr(mark, end) for end in ("ge", "gt") if getattr(mark, end, None) is not None), low)
        high = next((getattr(mark, end) for end in ("le", "lt") if getattr(mark, end, None) is not None), high)
    return low, high


def choices(field: FieldInfo) -> tuple[str, ...]:
    """The words of a choice; empty for a number."""
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def bounds_text(field: FieldInfo) -> str:
    """The bounds as text: `5 to 400 bars`."""
    low, high = bounds(field)
    unit = extra(field).get("unit") or ""
    if low is None and high is None:
        return f"any finite value {unit}".strip()
    ends = ["no lower bound" if low is None else f"{low:g}", "no upper bound" if high is None else f"{high:g}"]
    return f"{ends[0]} to {ends[1]} {unit}".strip()


def extra(field: FieldInfo) -> dict[str, Any]:
    """Unit, risk and zero as `knob` stored them; empty for a field declared without."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def params_table(strategy: Any) -> list[dict[str, Any]]:
    """One row per parameter, the strategy's own first: key, default, low, high, unit, risk, zero, choices, about."""
    fields = strategy.Params.model_fields
    own = [key for key in fields if key not in StrategyParams.model_fields]
    rows = []
    for key in [*own, *(key for key in fields if key not in own)]:
        field, (low, high) = fields[key], bounds(fields[key])
        more = {name: extra(field).get(name) for name in ("unit", "risk", "zero")}
        more |= {"choices": choices(field), "about": field.description}
        rows.append({"key": key, "default": field.default, "low": low, "high": high, **more})
    return rows


def risk_move(params_class: type[StrategyParams], key: str, old: float | str, new: float | str) -> int | None:
    """Does changing `key` from old to new raise (1) or lower (-1) risk, or neither (0)? None: unknown, as for a word that is
    not among the choices.

    Where larger means riskier but 0 means off, smaller is not always safer: switching off is 1, switching on is None, as
    distances in ATRs and in fractions add up (a trail_frac beside a trail_atr widens the trail).
    """
    if old == new:
        return 0
    field = params_class.model_fields.get(key)
    notes, words = (extra(field), choices(field)) if field is not None else ({}, ())
    declared = notes.get("risk")
    if words or isinstance(old, str) or isinstance(new, str):
        return 0 if declared == "neutral" and {old, new} <= set(words) else None
    if declared not in {"up", "down"}:
        return 0 if declared == "neutral" else None
    if declared == "up" and notes.get("zero") and 0 in {old, new}:
        return 1 if new == 0 else None
    return 1 if (new > old) == (declared == "up") else -1
