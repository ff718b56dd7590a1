"""Look-ahead check of a strategy.

Called by sim/backtest (before a run), `nightdesk leaks` and the tool of that name. Turns a strategy and its bars into a
LeakReport: the strategy is run again on the bars up to t, for 200 bars t drawn from a seed, and its whole output for those bars -
direction, strength, each feature read, NaN mask included - must equal that of the whole history, bit for bit (law 2). A value
that differs has used a bar from its future.

Half of the bars are drawn among those with a signal, where a leak pays; the last bars and some missing ones are always included.
A person's file is loaded again for the check: state kept from a first run over the whole history would hide the leak.

On paper a strategy sees the bars since the anchor of features alone (features/anchor.py), so its values there must not depend on
earlier ones: it is run once more on a history that begins at the last bar's anchor.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import utc
from engine.errors import StrategyError
from engine.features.anchor import anchor_ms
from engine.features.frame import FeatureFrame
from engine.strategies.base import StrategyParams, fresh_copy
from engine.strategies.signals import Evaluation, bar_text, evaluate

BARS = 200
LAST = 8  # this many bars before the last one are always checked
HOLES = 8  # and this many missing bars: backward filling shows only there
ROUNDING = 1e-9  # a smaller difference is arithmetic that depends on the history's length, not foresight


class LeakReport(NamedTuple):
    """The result of the check. `bar` is -1 and `output` empty when the strategy is clean."""

    clean: bool
    bar: int  # the first bar whose value needed a later one
    close_ms: int
    output: str  # "direction", "strength", or a feature's label
    text: str  # one line for people
    checked: int  # prefixes compared


class Mismatch(NamedTuple):
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
) -> LeakReport:
    """Report on the strategy over the frame; `progress` is called with the fraction done, 0..1.

    Raises StrategyError when the strategy breaks its contract on the whole history, or on a prefix in which the whole history
    has a signal (before its first signal a strategy may be warming up).
    """
    whole = evaluate(fresh_copy(strategy), params, frame.prefix(len(frame)))
    again = fresh_copy(strategy)
    ends = prefixes(whole.direction, np.isnan(frame.close), bars, seed)
    broken: StrategyError | None = None
    for done, count in enumerate(ends, start=1):
        try:
            found = first_mismatch(whole, evaluate(again, params, frame.prefix(count)), count)
        except StrategyError as error:
            found = None
            if broken is None and whole.direction[:count].any():
                broken = StrategyError(f"with only the first {count:,} bars: {error.what}", "a strategy must work on any history")
        if found is not None:
            return leak_report(frame, found, count, done)
        progress(done / len(ends))
    if broken is not None:
        raise broken
    found = first_mismatch(whole, evaluate(again, params, frame.prefix(len(frame))), len(frame))
    if found is not None:
        return unsteady_report(frame, found, len(ends))
    late = memory_report(whole, again, params, frame, len(ends))
    if late is not None:
        return late
    return LeakReport(True, -1, 0, "", f"no look-ahead: {len(ends)} prefixes of {len(frame):,} bars agree", len(ends))


def memory_report(
    whole: Evaluation, strategy: Any, params: StrategyParams, frame: FeatureFrame, checked: int
) -> LeakReport | None:
    """The report on a strategy whose output in the last quarter needs bars before its anchor; None when it does not."""
    if not len(frame):
        return None
    opens, last = frame.close_ms - frame.timeframe_ms, int(frame.close_ms[-1]) - frame.timeframe_ms
    first = int(np.searchsorted(opens, anchor_ms(last)))
    quarter = int(np.searchsorted(opens, anchor_ms(last, 0)))
    if first == 0:  # the whole history is what paper would see
        return None
    part = evaluate(strategy, params, frame.since(first))
    found = first_mismatch(bars_from(whole, quarter), bars_from(part, quarter - first), len(frame) - quarter)
    if found is None:
        return None
    at = found.bar + quarter
    text = (
        f"remembers too much at {bar_text(frame, at)}: {found.output} is {found.whole:g} on the whole history,"
        f" {found.then:g} on the bars since {utc(int(opens[first]))} that paper has: a sum or average of its own over all bars?"
    )
    return LeakReport(False, at, int(frame.close_ms[at]), found.output, text, checked)


def bars_from(evaluation: Evaluation, first: int) -> Evaluation:
    """The evaluation's values from bar `first` on."""
    used = {label: values[first:] for label, values in evaluation.used.items()}
    return evaluation._replace(direction=evaluation.direction[first:], strength=evaluation.strength[first:], used=used)


def prefixes(direction: npt.NDArray[np.int8], missing: npt.NDArray[np.bool_], bars: int, seed: int) -> list[int]:
    """Lengths of history to try, ascending: half end at a bar with a signal; the last bars and missing ones are included."""
    count = len(direction)
    if count < 2:
        return []
    rng = np.random.default_rng(seed)

    def draw(among: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
        return rng.choice(among, max(min(most, len(among)), 0), replace=False)

    picked = np.arange(max(count - 1 - LAST, 0), count - 1)
    picked = np.union1d(picked, draw(np.flatnonzero(missing[: count - 1]), HOLES))
    picked = np.union1d(picked, draw(np.flatnonzero(direction[: count - 1]), bars // 2))
    rest = np.setdiff1d(np.arange(count - 1), picked)
    return [int(bar) + 1 for bar in np.union1d(picked, draw(rest, bars - len(picked)))]


def first_mismatch(whole: Evaluation, part: Evaluation, count: int) -> Mismatch | None:
    """Where the first `count` bars of `whole` are not `part`, earliest bar first; None when they are the same bit for bit."""
    found: list[Mismatch] = []
    for output in ("direction", "strength", *whole.used):
        a, b = values(whole, output)[:count], values(part, output)
        if b is None or same(a, b):  # on a short history the strategy may not read that feature
            continue
        at = int(np.argmax(~equal(a, b)))
        found.append(Mismatch(at, output, float(a[at]), float(b[at])))
    return min(found, key=lambda d: d.bar, default=None)


def values(evaluation: Evaluation, output: str) -> Any:
    """One output of an evaluation; None for a feature it did not read."""
    if output == "direction":
        return evaluation.direction
    return evaluation.strength if output == "strength" else evaluation.used.get(output)


def same(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    """Equal bit for bit, any NaN equal to any other; the cheap test first."""
    return bool(np.array_equal(bits(a), bits(b))) or bool(equal(a, b).all())


def equal(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which entries have equal bits, any NaN equal to any other."""
    return (bits(a) == bits(b)) | (np.isnan(a) & np.isnan(b))


def bits(a: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The bits of floats; integers as they are."""
    return a.view(np.int64) if a.dtype == np.float64 else a


def leak_report(frame: FeatureFrame, found: Mismatch, count: int, checked: int) -> LeakReport:
    """The report on a value that needed a later bar."""
    at = bar_text(frame, found.bar)
    text = f"leaks at {at}: {found.output} is {found.whole:g} with later bars known, {found.then:g} at the time"
    if found.bar < count - 1:
        text += f" (up to {bar_text(frame, count - 1)})"
    if abs(found.whole - found.then) <= ROUNDING * max(abs(found.whole), abs(found.then)):
        text += "; the difference is rounding, as from a running sum or transform over the whole history"
    return LeakReport(False, found.bar, int(frame.close_ms[found.bar]), found.output, text, checked)


def unsteady_report(frame: FeatureFrame, found: Mismatch, checked: int) -> LeakReport:
    """The report on a strategy whose output differs between two runs on the same bars."""
    text = (
        f"unsteady at {bar_text(frame, found.bar)}: {found.output} is {found.whole:g}, then {found.then:g} on the same bars:"
        " it uses random numbers or keeps state between calls"
    )
    return LeakReport(False, found.bar, int(frame.close_ms[found.bar]), found.output, text, checked)


def leaks_of(found: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The look-ahead check as JSON; None when every strategy is a shipped one, which tests check."""
    if not found:
        return None
    first = next((f for f in found if not f["clean"]), found[0])
    return {"clean": all(f["clean"] for f in found), "text": first["text"], "strategies": found}
