"""Look-ahead check of a strategy.

Called by sim/checked.py (before a run's figures, `nightdesk leaks`, the tool of that name). Turns a strategy and its bars into a
LeakReport: the strategy is run again on the bars up to t, for 200 bars t (prefixes.py), and its whole output for those bars -
direction, strength, limit, each feature read, NaN mask included - must equal that of the whole history, bit for bit (law 2). A
value that differs has used a bar from its future. A person's file is loaded again for the check: state kept from a first run over
the whole history would hide the leak.

On paper a strategy sees the bars since the anchor of features alone (features/anchor.py), so its values there must not depend on
earlier ones: it is run once more on a history that begins at the last bar's anchor.

A few prefixes are run before anything in this process has seen the whole history: an answer kept from it, wherever in memory,
is not theirs. No comparison of prefixes can see what comes from elsewhere: a file answers every prefix alike. So what the code
opens is watched (access.py), where its source reads the wall clock is looked up (clock_reads.py), and a strategy that opens
anything but its libraries cannot be vouched for.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import utc
from engine.errors import StrategyError
from engine.features.anchor import anchor_ms
from engine.features.frame import FeatureFrame
from engine.sim import access
from engine.sim.clock_reads import clock_reads
from engine.sim.prefixes import BARS, power, prefixes
from engine.strategies.answer import FIXED, FLAGS, NUMBERS, bar_text
from engine.strategies.base import SOURCE, StrategyParams, fresh_copy
from engine.strategies.signals import Evaluation, evaluate

NATIVE = "opens files or sockets in native code"
EARLY = 12  # prefixes that are run before the whole history
KEPT = "is an answer kept between calls? signals() must depend on its bars alone"
SHOWN_MAX = 3  # of what it opens, in the line for people
HINTS = (*NUMBERS, *FLAGS, *FIXED)  # what a strategy may say beside direction and strength
ROUNDING = 1e-9  # a smaller difference is arithmetic that depends on the history's length, not foresight


class LeakReport(NamedTuple):
    """The result of the check. `bar` is -1 and `output` empty unless it looks ahead.

    Not `clean` and not `looks_ahead`: it cannot be vouched for, because of what it `opened`.
    """

    clean: bool
    bar: int  # the first bar whose value needed a later one
    close_ms: int
    output: str  # "direction", "strength", or a feature's label
    text: str  # one line for people
    checked: int  # prefixes compared
    looks_ahead: bool = False
    opened: tuple[str, ...] = ()  # `reads FILE`, `writes FILE`, `connects to HOST`, `starts PROGRAM`
    power: tuple[tuple[str, float], ...] = ()  # (a leak, how likely these prefixes find it)


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
    opened: Iterable[str] = (),
    first: int = 0,
) -> LeakReport:
    """Report on the strategy over the frame; `progress` is called with the fraction done, 0..1. `opened`: what its file has
    opened when it was loaded; `first`: the first bar asked about, those before it are its warm-up.

    Raises StrategyError when the strategy breaks its contract on the whole history, or on a prefix in which the whole history
    has a signal (before its first signal a strategy may be warming up).
    """
    seen = dict.fromkeys((*opened, *clock_reads(getattr(strategy, SOURCE, ""))))
    try:
        with access.watched(seen):
            report = compared(strategy, params, frame, first, (bars, seed), progress)
    except StrategyError as error:
        if seen:
            raise StrategyError(f"{error.what}; it {', '.join(list(seen)[:SHOWN_MAX])}", KEPT) from error
        raise
    if report.clean and not seen and opens_unseen(strategy, params, frame):
        seen[NATIVE] = None
    return report._replace(opened=tuple(seen)) if report.looks_ahead else vouched(report, tuple(seen))


def vouched(report: LeakReport, opened: tuple[str, ...]) -> LeakReport:
    """The report of a strategy that agrees with itself, when it has opened something: not clean."""
    if not opened:
        return report
    more = f" and {len(opened) - SHOWN_MAX} more" if len(opened) > SHOWN_MAX else ""
    text = f"{', '.join(opened[:SHOWN_MAX])}{more}: cannot be vouched for"
    agree = "" if report.opened else f" ({report.checked} prefixes agree, which says nothing about what comes from there)"
    return report._replace(clean=False, text=f"{text}{agree}", opened=opened)


def opens_unseen(strategy: Any, params: StrategyParams, frame: FeatureFrame) -> bool:
    """Whether its output needs something opened that no audit event has named: run once more where nothing can be opened."""
    whole = evaluate(fresh_copy(strategy), params, frame.prefix(len(frame)))
    try:
        with access.sealed():
            alone = evaluate(fresh_copy(strategy), params, frame.prefix(len(frame)))
    except StrategyError:
        return True
    return first_mismatch(whole, alone, len(frame)) is not None


def compared(
    strategy: Any,
    params: StrategyParams,
    frame: FeatureFrame,
    first: int,
    drawn: tuple[int, int],
    progress: Callable[[float], None],
) -> LeakReport:
    """The report of the prefixes, of a second run, and of the history that paper has. `drawn`: number of prefixes, seed."""
    early = early_answers(strategy, params, frame, first, drawn[1])
    whole = evaluate(fresh_copy(strategy), params, frame.prefix(len(frame)))
    again = fresh_copy(strategy)
    ends = prefixes(whole.direction, frame.close, *drawn, first)
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
    for at, output, then in early:
        known = float(np.asarray(values(whole, output), np.float64)[at])
        if not same(np.array([known]), np.array([then])):
            return leak_report(frame, Mismatch(at, output, known, then), at + 1, len(ends))
    found = first_mismatch(whole, evaluate(again, params, frame.prefix(len(frame))), len(frame))
    if found is not None:
        return unsteady_report(frame, found, len(ends))
    late = memory_report(whole, again, params, frame, len(ends))
    if late is not None:
        return late
    found_fracs = power(whole.direction, ends, first)
    text = f"no look-ahead: {len(ends)} prefixes of {len(frame) - first:,} bars agree"
    if found_fracs:
        text += "; they would find " + ", ".join(f"{leak} with {share * 100:.0f} %" for leak, share in found_fracs)
    return LeakReport(True, -1, 0, "", text, len(ends), power=found_fracs)


def early_answers(
    strategy: Any, params: StrategyParams, frame: FeatureFrame, first: int, seed: int
) -> list[tuple[int, str, float]]:
    """(bar, output, value) at the last bars of a few prefixes, the shortest first; none of a prefix that it cannot answer."""
    own, span = fresh_copy(strategy), len(frame) - first
    found: list[tuple[int, str, float]] = []
    if span < EARLY:
        return found
    for count in np.unique(first + np.random.default_rng(seed).integers(span // 4, span, EARLY)).tolist():
        with suppress(StrategyError):
            part = evaluate(own, params, frame.prefix(count))
            found += [(count - 1, output, float(values(part, output)[-1])) for output in ("direction", "strength")]
    return found


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
    return LeakReport(False, at, int(frame.close_ms[at]), found.output, text, checked, True)


def bars_from(evaluation: Evaluation, first: int) -> Evaluation:
    """The evaluation's values from bar `first` on."""
    used = {label: values[first:] for label, values in evaluation.used.items()}
    hinted: dict[str, Any] = {name: np.asarray(x)[first:] for name in HINTS if np.ndim(x := getattr(evaluation.hints, name)) > 0}
    cut = evaluation._replace(direction=evaluation.direction[first:], strength=evaluation.strength[first:], used=used)
    return cut._replace(hints=evaluation.hints._replace(**hinted))


def first_mismatch(whole: Evaluation, part: Evaluation, count: int) -> Mismatch | None:
    """Where the first `count` bars of `whole` are not `part`, earliest bar first; None when they are the same bit for bit."""
    found: list[Mismatch] = []
    for output in ("direction", "strength", *HINTS, *whole.used):
        a, b = values(whole, output), values(part, output)
        if a is None or b is None or same(a := a[:count], b):  # on a short history it may not read that feature
            continue
        at = int(np.argmax(~equal(a, b)))
        found.append(Mismatch(at, output, float(a[at]), float(b[at])))
    return min(found, key=lambda d: d.bar, default=None)


def values(evaluation: Evaluation, output: str) -> Any:
    """One output of an evaluation; None for a feature it did not read."""
    if output == "direction":
        return evaluation.direction
    if output in HINTS:
        found = getattr(evaluation.hints, output)
        return None if found is None else np.broadcast_to(np.asarray(found, np.float64), len(evaluation.direction))
    return evaluation.strength if output == "strength" else evaluation.used.get(output)


def same(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    """Equal bit for bit, any NaN equal to any other; the cheap test first."""
    return bool(np.array_equal(bits(a), bits(b))) or bool(equal(a, b).all())


def equal(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which entries have equal bits, any NaN equal to any other."""
    return (bits(a) == bits(b)) | (np.isnan(a) & np.isnan(b))


def bits(a: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The bits of floats; integers as they are."""
    return np.ascontiguousarray(a).view(np.int64) if a.dtype == np.float64 else a


def leak_report(frame: FeatureFrame, found: Mismatch, count: int, checked: int) -> LeakReport:
    """The report on a value that needed a later bar."""
    at = bar_text(frame, found.bar)
    text = f"leaks at {at}: {found.output} is {found.whole:g} with later bars known, {found.then:g} at the time"
    if found.bar < count - 1:
        text += f" (up to {bar_text(frame, count - 1)})"
    if abs(found.whole - found.then) <= ROUNDING * max(abs(found.whole), abs(found.then)):
        text += "; the difference is rounding, as from a running sum or transform over the whole history"
    return LeakReport(False, found.bar, int(frame.close_ms[found.bar]), found.output, text, checked, True)


def unsteady_report(frame: FeatureFrame, found: Mismatch, checked: int) -> LeakReport:
    """The report on a strategy whose output differs between two runs on the same bars."""
    text = (
        f"unsteady at {bar_text(frame, found.bar)}: {found.output} is {found.whole:g}, then {found.then:g} on the same bars:"
        " it uses random numbers or keeps state between calls"
    )
    return LeakReport(False, found.bar, int(frame.close_ms[found.bar]), found.output, text, checked, True)


def leaks_of(found: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The look-ahead check as JSON; None when every strategy is a shipped one, which tests check."""
    if not found:
        return None
    worst = min(found, key=lambda f: (not f["looks_ahead"], f["clean"]))
    ahead = any(f["looks_ahead"] for f in found)
    return {"clean": all(f["clean"] for f in found), "looks_ahead": ahead, "text": worst["text"], "strategies": found}


def verdict(found: Mapping[str, Any] | None) -> str:
    """What is said before any figure of a run: "" without a fault, else LOOKS AHEAD or CANNOT BE VOUCHED FOR."""
    if not found or found["clean"]:
        return ""
    ahead = found.get("looks_ahead", True)  # a run stored before the second verdict existed
    return "LOOKS AHEAD, its figures are not reliable" if ahead else "CANNOT BE VOUCHED FOR"
