"""One sleeve's inputs to the core: the strategy's signal, and what sizing and slippage need at each close.

Called by sim/ and live/ before the core runs. Turns strategy + params + frame + costs into `Signals`, whose arrays are the
fields of core.state.Signal. evaluate() is the only place that runs a person's code; the look-ahead check calls it too.
"""

from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import utc
from engine.errors import BadInput, DeskError, StrategyError
from engine.features.feature import Array
from engine.features.frame import FeatureFrame
from engine.strategies.base import SignalFrame, StrategyParams, error_line, is_its_own

if TYPE_CHECKING:
    from engine.venues.instruments import Costs

SIDES = ("both", "long", "short")
YEAR_DAYS = 365.0
VALUE_MAX = 60  # characters of a wrong value in a message
GOOD_FOR_MAX = 10_000  # bars a limit entry may rest


class Signals(NamedTuple):
    """One entry per bar, 1-d. 0 where not needed (the rule is off), NaN where unknown (the core refuses an entry)."""

    side: npt.NDArray[np.int8]
    strength: Array
    atr: Array  # quote units
    vol_annual: Array  # fraction
    slip_frac: Array  # of price
    impact: Array  # of price, per square root of base units
    limit: Array  # quote units; 0: a market entry
    post_only: npt.NDArray[np.int8]
    good_for: npt.NDArray[np.int64]  # bars
    range_times: Array
    volume_times: Array
    used: dict[str, Array]  # every feature read, by label


class Evaluation(NamedTuple):
    """A strategy's checked output: direction in -1, 0, 1; strength in 0..1.

    Where a feature is missing: direction 0 and strength 0, or strength NaN when the sleeve uses `fade_below`.
    """

    direction: npt.NDArray[np.int8]
    strength: Array
    used: dict[str, Array]
    hints: SignalFrame  # how to enter: limit_price, limit_offset_atr, post_only, good_for_bars


def signals_of(
    strategy: Any, params: StrategyParams, frame: FeatureFrame, costs: "Costs", side: str = "both", *, judged: bool = True
) -> Signals:
    """The core's inputs at each close of `frame`, all arrays as long as it.

    `side` ("long", "short") silences the other direction; `judged` False leaves out whether range and volume are usual, for
    limits that do not ask. Raises StrategyError when the strategy breaks its contract.
    """
    if side not in SIDES:
        raise BadInput(f"side = {side!r} is not one of {', '.join(SIDES)}")
    output = evaluate(strategy, params, frame)
    direction, strength = output.direction, output.strength
    if side != "both":
        keep = direction == (1 if side == "long" else -1)
        direction, strength = np.where(keep, direction, 0).astype(np.int8), np.where(keep, strength, 0.0)
    own = frame.reader()
    off = np.broadcast_to(0.0, len(frame))  # a broadcast scalar avoids allocating zeros (2 ns a bar)
    counts = (params.stop_atr, params.target_atr, params.arm_atr, params.trail_atr)
    atr = own.atr(params.atr_bars) if any(counts) else off
    vol = own.vol(params.vol_halflife_days) if params.vol_target > 0.0 else off
    slip, impact = slippage(params, own, costs, off)
    limit = limits_of(output.hints, direction, frame, atr if any(counts) else None, own, params.atr_bars)
    rest = (
        np.broadcast_to(np.int8(output.hints.post_only), len(frame)),
        np.broadcast_to(np.int64(output.hints.good_for_bars), len(frame)),
    )
    usual = (own.range_times(), own.volume_times()) if judged else (off, off)
    return Signals(direction, strength, atr, vol, slip, impact, limit, *rest, *usual, output.used | own.used)


def limits_of(hints: SignalFrame, direction: Array, frame: FeatureFrame, atr: Array | None, own: Any, atr_bars: int) -> Array:
    """Price of a limit entry at each close (quote units); 0: market. NaN where it is wanted and not known."""
    if hints.limit_price is not None:
        return np.where(hints.limit_price == 0.0, np.nan, hints.limit_price)  # no price is no market order
    if hints.limit_offset_atr is None:
        return np.broadcast_to(0.0, len(frame))
    reach = own.atr(atr_bars) if atr is None else atr
    return frame.close - direction * (hints.limit_offset_atr * reach)


def slippage(params: StrategyParams, f: FeatureFrame, costs: "Costs", off: Array) -> tuple[Array, Array]:
    """(slip_frac, impact): slippage = slip_frac + impact * sqrt(base units), as a fraction of price.

    slip_frac is the half-spread; impact is Y * sigma_daily / sqrt(daily volume) (D3); both widened by vol_ratio (D16). Where
    one of them is unknown both are NaN: half a cost is not a cost. `off` is used for what is not charged.
    """
    if costs.half_spread_frac == 0.0 and costs.impact_y == 0.0:
        return off, off
    wide = f.vol_ratio(params.atr_bars)
    if costs.impact_y == 0.0:
        return costs.half_spread_frac * wide, off
    volume = f.day_volume()
    daily = f.vol(params.vol_halflife_days) / sqrt(YEAR_DAYS)
    impact = np.full(len(f), np.nan)
    np.divide(costs.impact_y * daily * wide, np.sqrt(volume), out=impact, where=volume > 0.0)
    return np.where(np.isnan(impact), np.nan, costs.half_spread_frac * wide), impact


def evaluate(strategy: Any, params: StrategyParams, frame: FeatureFrame) -> Evaluation:
    """Run the strategy over the frame and check what it returns; StrategyError says what is wrong and at which bar."""
    f = frame.reader(strategy.FEATURES)
    try:
        with np.errstate(all="ignore"):
            out = strategy.signals(f, params)
    except BaseException as error:
        if not is_its_own(error, getattr(strategy, "__name__", "")):
            raise
        path = Path(getattr(strategy, "__file__", "") or strategy.NAME)
        said = ":" if isinstance(error, DeskError) else " raised"  # a sentence of ours, or an exception
        line = f"strategy {strategy.NAME}{said} {error_line(error, path)} on {len(frame):,} bars"
        raise StrategyError(line, f"fix {path.name}") from error
    out, direction, strength = as_arrays(strategy.NAME, out, len(frame))
    direction, strength = mask_missing(direction, strength, list(f.used.values()))
    check_values(strategy.NAME, frame, direction, strength)
    check_limits(strategy.NAME, frame, direction, out)
    if params.fade_below > 0.0 and f.used:  # a missing value must not look like a decayed signal
        strength = np.where(any_missing(list(f.used.values())), np.nan, strength)
    return Evaluation(direction.astype(np.int8, copy=False), strength, f.used, out)


def mask_missing(direction: npt.NDArray[Any], strength: Array, used: list[Array]) -> tuple[npt.NDArray[Any], Array]:
    """No signal where a feature that was read is missing. Checks the bars with a signal first: usually that suffices."""
    signalled = np.flatnonzero(direction != 0)  # booleans: 1.5 ns a bar less than int8
    unknown = [signalled[missing] for values in used if (missing := np.isnan(values[signalled])).any()]
    if not unknown and value_range(strength)[0] >= 0.0:
        return direction, strength
    missing = any_missing(used) if used else np.zeros(len(strength), np.bool_)
    return np.where(missing, 0, direction).astype(direction.dtype), np.where(missing, 0.0, strength)


def any_missing(used: list[Array]) -> npt.NDArray[np.bool_]:
    """Bars at which one of the features read is missing."""
    return np.logical_or.reduce([np.isnan(values) for values in used])  # type: ignore[no-any-return]  # ufunc.reduce is untyped


def as_arrays(name: str, out: Any, count: int) -> tuple[SignalFrame, npt.NDArray[Any], Array]:
    """(the whole answer, direction, strength), arrays of the right length and kind. A pair is direction and strength alone."""
    try:
        if not isinstance(out, SignalFrame):
            direction, strength = out
            out = SignalFrame(direction, strength)
        direction, strength = np.asarray(out.direction), np.asarray(out.strength)
    except (TypeError, ValueError) as error:
        raise StrategyError(f"strategy {name} returned {type(out).__name__}", "return SignalFrame(...)") from error
    whole = [("direction", direction), ("strength", strength)]
    hinted = [(label, getattr(out, label)) for label in ("limit_price", "limit_offset_atr")]
    whole += [
        (label, np.asarray(values))
        for label, values in hinted
        if values is not None and (np.ndim(values) or label == "limit_price")
    ]
    for label, values in whole:
        if values.shape != (count,):
            shape = "x".join(f"{size:,}" for size in values.shape)
            said = f"has {shape} entries" if shape else "is a single value"
            raise StrategyError(f"strategy {name}: {label} {said} for {count:,} bars", "one entry per bar")
    if direction.dtype.kind != "i":
        raise StrategyError(f"strategy {name}: direction is {direction.dtype}", "make it int8: -1, 0 or 1")
    if strength.dtype.kind != "f":
        raise StrategyError(f"strategy {name}: strength is {strength.dtype}", "make it float64, 0 to 1")
    check_hints(name, out)
    return out, direction, strength.astype(np.float64, copy=False)


def check_hints(name: str, out: SignalFrame) -> None:
    """Raises StrategyError for a way to enter that is of another kind than it says, or for two prices of one entry."""
    if out.limit_price is not None and out.limit_offset_atr is not None:
        raise StrategyError(f"strategy {name}: limit_price and limit_offset_atr are both given", "give one of them")
    for label in ("limit_price", "limit_offset_atr"):
        values = getattr(out, label)
        if values is not None and (kind := np.asarray(values).dtype).kind not in "fiu":
            raise StrategyError(f"strategy {name}: {label} is {kind}", "make it float64")
    if not isinstance(out.post_only, bool | np.bool_):
        raise StrategyError(f"strategy {name}: post_only is {short(out.post_only)}", "True or False")
    bars = out.good_for_bars
    if not (isinstance(bars, int | np.integer) and not isinstance(bars, bool) and 1 <= bars <= GOOD_FOR_MAX):
        raise StrategyError(f"strategy {name}: good_for_bars is {short(bars)}", f"a whole number, 1 to {GOOD_FOR_MAX:,}")


def short(value: Any) -> str:
    """A value of a stranger's code as text, cut."""
    text = str(value) if isinstance(value, int | float | np.number) else repr(value)
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}..."


def value_range(values: npt.NDArray[Any]) -> tuple[Any, Any]:
    """(least, largest); NaN when any value is; (0, 0) for an empty array. A broadcast scalar is read once."""
    if not values.size:
        return 0, 0
    seen = values[:1] if values.strides == (0,) else values
    return seen.min(), seen.max()


def check_values(name: str, frame: FeatureFrame, direction: npt.NDArray[Any], strength: Array) -> None:
    """Raises StrategyError at the first bar whose direction or strength is out of range (NaN included)."""
    low, high = value_range(direction)
    if not (low >= -1 and high <= 1):
        at = int(np.argmax((direction < -1) | (direction > 1)))
        raise StrategyError(f"strategy {name}: direction is {direction[at]} at {bar_text(frame, at)}", "-1, 0 or 1")
    low, high = value_range(strength)
    if not (low >= 0.0 and high <= 1.0):
        at = int(np.argmax(~((strength >= 0.0) & (strength <= 1.0))))
        raise StrategyError(f"strategy {name}: strength is {strength[at]} at {bar_text(frame, at)}", "finite, 0 to 1")


def check_limits(name: str, frame: FeatureFrame, direction: npt.NDArray[Any], out: SignalFrame) -> None:
    """Raises StrategyError at the first bar with a signal whose limit is infinite: NaN alone says that there is none."""
    for label in ("limit_price", "limit_offset_atr"):
        if (found := getattr(out, label)) is None:
            continue
        endless = np.isinf(np.broadcast_to(np.asarray(found, np.float64), direction.shape)) & (direction != 0)
        if endless.any():
            at = int(np.argmax(endless))
            raise StrategyError(f"strategy {name}: {label} is infinite at {bar_text(frame, at)}", "NaN where there is none")


def bar_text(frame: FeatureFrame, at: int) -> str:
    """A bar as text: `bar 4,181 (2025-02-13 13:30Z)`; the time is that of its close."""
    return f"bar {at:,} ({utc(int(frame.close_ms[at]))})"
