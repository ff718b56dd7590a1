"""Execution schedules as people write them: `twap:6`, the finer bars that a sleeve's slices need, the share of each slice.

Called by sim/execution.py (`--execution`), control/config.py (`execution` of a sleeve) and live/config_event.py, so backtest and
desk read one grammar, refuse the same things and trade the same shares (core/slices.py). Volumes come from recorded bars before
the first one that is traded.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from engine.clock import DAY_MS, timeframe_ms
from engine.core.schedule import SLICES_MAX, SLICES_MIN, almgren_chriss, by_volume, cumulated, twap
from engine.errors import BadInput

if TYPE_CHECKING:  # a configuration is read by processes that hold no arrays
    from engine.data.align import Market

KINDS = ("twap", "vwap", "ac")
HOW = "write twap:6, vwap:6, or ac:6:2 (Almgren-Chriss with its urgency kappa T)"
SLICES, URGENCY, URGENCY_MAX = 6, 2.0, 50.0
CLOCKS = ("15m", "5m", "1m")  # tried in this order: the coarsest that has a bar for each slice is the cheapest to run
CURVE_DAYS = 7  # of bars before the first traded one that a volume curve is learned from, at least


class EntryExecution(NamedTuple):
    """How market entries are worked."""

    kind: str  # twap, vwap, ac
    slices: int
    urgency: float  # kappa T of ac


def execution_of(text: str) -> EntryExecution | None:
    """`twap:6`, `vwap:8`, `ac:6:2.5`; slices and urgency may be left out, "" is none. Raises BadInput for anything else."""
    if not text:
        return None
    kind, *rest = text.split(":")
    try:
        slices = int(rest[0]) if rest else SLICES
        urgency = float(rest[1]) if len(rest) > 1 else URGENCY
    except ValueError:
        raise BadInput(f"execution = {text!r} is not valid", HOW) from None
    if kind not in KINDS or len(rest) > (2 if kind == "ac" else 1):
        raise BadInput(f"execution = {text!r} is not valid", HOW)
    if not SLICES_MIN <= slices <= SLICES_MAX:
        raise BadInput(f"execution = {text!r}: {slices} slices are out of bounds", f"{SLICES_MIN} to {SLICES_MAX}")
    if not 0.0 <= urgency <= URGENCY_MAX:
        raise BadInput(f"execution = {text!r}: urgency {urgency:g} is out of bounds", f"0 to {URGENCY_MAX:g}")
    return EntryExecution(kind, slices, urgency)


def clock_fits(execution: EntryExecution, own: str, clock: str) -> bool:
    """Whether bars of timeframe `clock` give each slice within a bar of timeframe `own` one of its own."""
    own_ms, step = timeframe_ms(own), timeframe_ms(clock)
    return own_ms % step == 0 and own_ms // step >= execution.slices


def coarsest_clock(execution: EntryExecution, own: str) -> str:
    """The coarsest of CLOCKS that fits. Raises BadInput where none does."""
    found = next((clock for clock in CLOCKS if clock_fits(execution, own, clock)), None)
    if found is None:
        what = f"{execution.slices} slices of a {own} bar need {execution.slices} or more finer bars in each"
        raise BadInput(f"{what}, and the finest are of {CLOCKS[-1]}", "use a longer timeframe")
    return found


def too_coarse(name: str, schedule: str, needed: str, clock: str) -> BadInput:
    """What a sleeve is answered whose home has too few bars for its slices."""
    what = f"{name}: {schedule} needs {needed} bars, and this home walks {clock} bars for its life"
    return BadInput(what, "begin a new home with the schedule, or leave it out")


def refuse_limit(name: str) -> BadInput:
    """What a sleeve that enters by limit is answered."""
    return BadInput(f"{name} enters by limit: a schedule works market entries", "leave the execution schedule out")


def refuse_layers(name: str, layers_max: int) -> BadInput:
    """What a sleeve that enters in layers is answered."""
    return BadInput(f"{name}: layers_max = {layers_max}: a schedule works positions of one layer", "set it to 1")


def shares_of(execution: EntryExecution, curve: Callable[[], Sequence[float]], name: str) -> list[float]:
    """The share of an entry of sleeve `name` that is to be done by the end of each slice; the last is 1. `curve`: mean volume of
    each slice, asked for by vwap alone.
    """
    if execution.kind == "twap":
        return cumulated(twap(execution.slices))
    if execution.kind == "ac":
        return cumulated(almgren_chriss(execution.urgency, execution.slices))
    try:
        return cumulated(by_volume(curve()))
    except ValueError as error:
        raise BadInput(f"{name}: {error}", "use twap") from None


def volume_curve(slices: int, market: "Market", instrument: str, own_ms: int, first_ms: int, name: str) -> list[float]:
    """Mean volume of each slice of a bar of `own_ms`, in base units, over the market's bars that close by `first_ms`.

    Raises BadInput for fewer than CURVE_DAYS of them.
    """
    import numpy as np

    step = market.timeframe_ms
    past = market.close_ms <= first_ms
    volume = market.volume[past, market.instruments.index(instrument)]
    opened, known = market.close_ms[past] - step, np.isfinite(volume)
    if known.sum() * step < CURVE_DAYS * DAY_MS:
        what = f"a vwap schedule learns its volume curve from {CURVE_DAYS} days of {step // 60_000}m bars before the run"
        raise BadInput(f"{what}, and {name} has {known.sum() * step / DAY_MS:.1f}", "begin later (--from, start), or use twap")
    part = (opened[known] % own_ms) * slices // own_ms
    total = np.bincount(part, volume[known], slices)
    return [float(x) for x in total / len(np.unique(opened[known] // own_ms))]
