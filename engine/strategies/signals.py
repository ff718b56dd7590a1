"""One sleeve's inputs to the core: the strategy's signal, and what sizing and slippage need at each close.

Called by sim/ and live/ before the core runs. Turns strategy + params + frame + costs into `Signals`, whose arrays are the
fields of core.state.Signal. evaluate() is the only place that runs a person's code; the look-ahead check calls it too.
"""

from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.core.state import LEAVE_LONG, LEAVE_SHORT
from engine.errors import BadInput, DeskError, StrategyError
from engine.features.feature import Array
from engine.features.frame import FeatureFrame
from engine.strategies.answer import FLAGS, as_arrays, check_numbers, check_values, value_range
from engine.strategies.base import SignalFrame, StrategyParams, error_line, is_its_own

if TYPE_CHECKING:
    from engine.venues.instruments import Costs

SIDES = ("both", "long", "short")
YEAR_DAYS = 365.0


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
    stop: Array  # the strategy's own levels (quote units); 0: none
    target: Array
    leave: npt.NDArray[np.int8]  # bits: a long, a short is to be left
    hold: npt.NDArray[np.int64]  # bars; 0: not by time
    size_frac: Array  # of sleeve equity; 0: the rules alone size
    reverse: npt.NDArray[np.int8]  # 1: the other side is left for this one
    used: dict[str, Array]  # every feature read, by label


class Evaluation(NamedTuple):
    """A strategy's checked output: direction in -1, 0, 1; strength in 0..1.

    Where a feature is missing: direction 0 and strength 0, or strength NaN when the sleeve uses `fade_below`.
    """

    direction: npt.NDArray[np.int8]
    strength: Array
    used: dict[str, Array]
    hints: SignalFrame  # how to enter and to leave: everything else that it returned, checked


Change = Callable[[Evaluation], Evaluation]


def signals_of(
    strategy: Any,
    params: StrategyParams,
    frame: FeatureFrame,
    costs: "Costs",
    side: str = "both",
    *,
    judged: bool = True,
    change: Change | None = None,
) -> Signals:
    """The core's inputs at each close of `frame`, all arrays as long as it.

    `side` ("long", "short") silences the other direction; `judged` False leaves out whether range and volume are usual, for
    limits that do not ask. `change`: what a simulation makes of the strategy's answer (late, at random); nothing live has one.
    Raises StrategyError when the strategy breaks its contract.
    """
    output = evaluate(strategy, params, frame)
    output = output if change is None else change(output)
    return core_inputs(output, params, frame, costs, side, judged=judged)


def core_inputs(
    output: Evaluation, params: StrategyParams, frame: FeatureFrame, costs: "Costs", side: str = "both", *, judged: bool = True
) -> Signals:
    """The same of what a strategy said before. Reads of `params` no more than `read_of` gives."""
    if side not in SIDES:
        raise BadInput(f"side = {side!r} is not one of {', '.join(SIDES)}")
    direction, strength = output.direction, output.strength
    stop, target, leave, hold, size_frac, reverse = exits_of(output.hints, len(frame))
    if side != "both":
        keep = direction == (1 if side == "long" else -1)
        leave = leave | silenced_reversal(direction, reverse, side).astype(np.int8) if reverse.any() else leave
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
    more = (stop, target, leave, hold, size_frac, reverse)
    figures = direction, strength, atr, vol, slip, impact, limit
    return Signals._make((*figures, *rest, *usual, *more, output.used | own.used))


def silenced_reversal(direction: Any, reverse: Any, side: str) -> Any:
    """Bits of Signal.leave: a sleeve that trades one side alone makes an exit of a reversal to the other. Arrays or numbers."""
    kept, bit = (1, LEAVE_LONG) if side == "long" else (-1, LEAVE_SHORT)
    return bit * (reverse * (direction == -kept))


def exits_of(
    hints: SignalFrame, count: int
) -> tuple[Array, Array, npt.NDArray[np.int8], npt.NDArray[np.int64], Array, npt.NDArray[np.int8]]:
    """(stop, target, leave, hold, size_frac, reverse) at each close: what the strategy says of its exits and its size; 0 where
    nothing."""
    off = np.broadcast_to(0.0, count)
    stop, target = (off if values is None else values for values in (hints.stop_price, hints.target_price))
    sides = [
        np.asarray(values, np.int8) * np.int8(bit)
        for values, bit in ((hints.exit_long, LEAVE_LONG), (hints.exit_short, LEAVE_SHORT))
        if values is not None
    ]
    leave = sum(sides[1:], sides[0]) if sides else np.broadcast_to(np.int8(0), count)
    size = off if hints.size_frac is None else np.broadcast_to(np.asarray(hints.size_frac, np.float64), count)
    reverse = np.broadcast_to(np.asarray(hints.reverse is not None and hints.reverse, np.int8), count)
    return stop, target, leave, np.broadcast_to(np.int64(hints.hold_bars), count), size, reverse


def limits_of(
    hints: SignalFrame, direction: npt.NDArray[np.int8], frame: FeatureFrame, atr: Array | None, own: Any, atr_bars: int
) -> Array:
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


def read_of(params: StrategyParams) -> tuple[Any, ...]:
    """What evaluate and core_inputs themselves read of the parameters: equal for two sets whose signals differ by the strategy's
    own reads alone."""
    distances = any((params.stop_atr, params.target_atr, params.arm_atr, params.trail_atr))
    return distances, params.fade_below > 0.0, params.vol_target > 0.0, params.atr_bars, params.vol_halflife_days


def evaluate(strategy: Any, params: StrategyParams, frame: FeatureFrame, shown: Any = None) -> Evaluation:
    """Run the strategy over the frame and check what it returns; StrategyError says what is wrong and at which bar.

    `shown`: what the strategy gets for its params, where a caller watches what it reads of them.
    """
    f = frame.reader(strategy.FEATURES)
    try:
        with np.errstate(all="ignore"):
            out = strategy.signals(f, params if shown is None else shown)
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
    check_numbers(strategy.NAME, frame, direction, out)
    flagged = any(getattr(out, label) is not None for label in FLAGS)
    if f.used and (params.fade_below > 0.0 or flagged):  # a missing value must not look like a decayed signal, or an exit
        missing = any_missing(list(f.used.values()))
        strength = np.where(missing, np.nan, strength) if params.fade_below > 0.0 else strength
        kept = {label: values & ~missing for label in FLAGS if (values := getattr(out, label)) is not None}
        out = out._replace(**kept)
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
    return np.logical_or.reduce([np.isnan(values) for values in used])
