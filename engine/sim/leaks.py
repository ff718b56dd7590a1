"""Does a strategy look ahead? Told before its first number.

Called by sim/backtest (before a run), `nightdesk leaks` and the tool of that name. Turns a strategy and its bars into a Report:
the strategy is run again on the bars up to t, for 200 bars t drawn from a seed, and everything it said about those bars -
direction, strength, each feature read, NaN mask included - must be what it said about them with the whole history, bit for bit
(law 2). A value that differs has used a bar that was not there yet.

Half of the bars are drawn among those with a signal, where a leak pays; the last bars are always among them. A person's file
is run afresh for the check: what a first run remembers of the whole history would hide the leak.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.errors import StrategyError
from engine.features.frame import FeatureFrame
from engine.strategies.base import StrategyParams, fresh
from engine.strategies.signals import Evaluated, evaluate, where

BARS = 200
LAST = 8  # this many bars before the last one are always looked at
ROUNDING = 1e-9  # a smaller difference is arithmetic that depends on the history's length, not foresight


class Report(NamedTuple):
    """What the check found. `bar` is -1 and `output` empty when the strategy is clean."""

    clean: bool
    bar: int  # the first bar whose value needed a later one
    close_ms: int
    output: str  # "direction", "strength", or a feature's label
    text: str  # one line for people
    checked: int  # prefixes compared


class Difference(NamedTuple):
    """The first bar at which two evaluations disagree, and in what."""

    bar: int
    output: str
    whole: float
    then: float


def check(
    strategy: Any,
    params: StrategyParams,
    frame: FeatureFrame,
    bars: int = BARS,
    seed: int = 0,
    progress: Callable[[float], None] = lambda _done: None,
) -> Report:
    """Report on the strategy over the frame; `progress` is told the share done, 0..1.

    Raises StrategyError when the strategy breaks its contract on the whole history or on a prefix of it.
    """
    whole = evaluate(fresh(strategy), params, frame.prefix(len(frame)))
    again = fresh(strategy)
    counts = prefixes(whole.direction, bars, seed)
    for done, count in enumerate(counts, start=1):
        part = on_prefix(again, params, frame, count)
        found = difference(whole, part, count)
        if found is not None:
            return leak(frame, found, count, done)
        progress(done / len(counts))
    found = difference(whole, evaluate(again, params, frame.prefix(len(frame))), len(frame))
    if found is not None:
        return unsteady(frame, found, len(counts))
    return Report(True, -1, 0, "", f"no look-ahead: {len(counts)} prefixes of {len(frame):,} bars agree", len(counts))


def prefixes(direction: npt.NDArray[np.int8], bars: int, seed: int) -> list[int]:
    """Lengths of history to try, ascending: half of them end at a bar with a signal, the last ones are always there."""
    count = len(direction)
    if count < 2:
        return []
    rng = np.random.default_rng(seed)
    last = np.arange(max(count - 1 - LAST, 0), count - 1)
    spoken = np.flatnonzero(direction[: count - 1])
    chosen = rng.choice(spoken, min(bars // 2, len(spoken)), replace=False)
    picked = np.union1d(last, chosen)
    rest = np.setdiff1d(np.arange(count - 1), picked)
    picked = np.union1d(picked, rng.choice(rest, min(max(bars - len(picked), 0), len(rest)), replace=False))
    return [int(bar) + 1 for bar in picked]


def on_prefix(strategy: Any, params: StrategyParams, frame: FeatureFrame, count: int) -> Evaluated:
    """What the strategy says when history ends after `count` bars."""
    try:
        return evaluate(strategy, params, frame.prefix(count))
    except StrategyError as error:
        first = f"with only the first {count:,} bars: {error.what}"
        raise StrategyError(first, "signals() must work on a history of any length") from error


def difference(whole: Evaluated, part: Evaluated, count: int) -> Difference | None:
    """Where the first `count` bars of `whole` are not `part`, earliest bar first; None when they are the same bit for bit."""
    found: list[Difference] = []
    for output in ("direction", "strength", *whole.used):
        a, b = values(whole, output)[:count], values(part, output)
        if b is None or same(a, b):  # a short history may have been answered without that feature
            continue
        at = int(np.argmax(~equal(a, b)))
        found.append(Difference(at, output, float(a[at]), float(b[at])))
    return min(found, key=lambda d: d.bar, default=None)


def values(said: Evaluated, output: str) -> Any:
    """One output of an evaluation; None for a feature it did not read."""
    if output == "direction":
        return said.direction
    return said.strength if output == "strength" else said.used.get(output)


def same(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    """Equal bit for bit but for what a NaN carries; the cheap test first."""
    return bool(np.array_equal(bits(a), bits(b))) or bool(equal(a, b).all())


def equal(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which entries are the same bits, a NaN the same as a NaN."""
    return (bits(a) == bits(b)) | (np.isnan(a) & np.isnan(b))


def bits(a: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The bits of floats; whole numbers are theirs."""
    return a.view(np.int64) if a.dtype == np.float64 else a


def leak(frame: FeatureFrame, found: Difference, count: int, checked: int) -> Report:
    """The report on a value that needed a later bar."""
    at = where(frame, found.bar)
    text = f"leaks at {at}: {found.output} is {found.whole:g} knowing what came later, {found.then:g} at the time"
    if found.bar < count - 1:
        text += f" (up to {where(frame, count - 1)})"
    if abs(found.whole - found.then) <= ROUNDING * max(abs(found.whole), abs(found.then)):
        text += "; the difference is rounding, as of a running sum or transform over the whole history"
    return Report(False, found.bar, int(frame.close_ms[found.bar]), found.output, text, checked)


def unsteady(frame: FeatureFrame, found: Difference, checked: int) -> Report:
    """The report on a strategy that says two things about the same bars."""
    text = (
        f"unsteady at {where(frame, found.bar)}: {found.output} is {found.whole:g}, then {found.then:g} on the same bars:"
        " it draws random numbers or remembers earlier calls"
    )
    return Report(False, found.bar, int(frame.close_ms[found.bar]), found.output, text, checked)
