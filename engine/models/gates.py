"""Whether a trained model may be proposed at all, decided by figures and not by whoever trained it.

Called by the trainer, and by whoever proposes a promotion. Turns the figures of a model into Gates; one that did not pass stops
it. A gate whose figure is missing has not passed.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from engine.models.leak_check import LeakCheck
from engine.models.scores import Score

GAP_MAX = 0.10  # of a figure on its training rows over the same on its test rows
DIRECTION_MAX = 0.58  # what a direction is right in; above it something is wrong until it is found
ROWS_MIN = 2_000
OF_PREDICTIONS = ("gap", "baseline", "too_good", "rows", "leaks")
OF_REGIMES = ("rows", "changes", "states", "leaks")  # train_regime.py


class Gate(NamedTuple):
    """One condition of a promotion."""

    name: str  # gap | baseline | too_good | rows | leaks
    passed: bool
    text: str  # with its figures


def gates_of(
    figure: str, test: Score, training: float, better: Mapping[str, Score], leaks: LeakCheck | None, *, direction: bool
) -> tuple[Gate, ...]:
    """All gates of a model. `figure`: what `test` and `training` are of; `better`: by baseline, how much better it is."""
    return (
        _gap(figure, test.value, training),
        _baseline(figure, better),
        _too_good(test.value, direction),
        Gate("rows", test.rows >= ROWS_MIN, f"{test.rows:,} evaluation rows, at least {ROWS_MIN:,} are asked for"),
        Gate("leaks", leaks is not None and leaks.clean, "the leak check was not run" if leaks is None else leaks.text),
    )


def _gap(figure: str, test: float, training: float) -> Gate:
    gap = training - test
    text = f"{figure} {training:.3f} on training rows, {test:.3f} after them: {100 * gap:.1f} points, at most {100 * GAP_MAX:g}"
    return Gate("gap", math.isfinite(gap) and gap <= GAP_MAX, text)


def _baseline(figure: str, better: Mapping[str, Score]) -> Gate:
    """Every baseline counts: the interval of the difference has to be above 0."""
    if not better:
        return Gate("baseline", False, "no baseline was computed")
    hardest = min(better, key=lambda name: better[name].low if math.isfinite(better[name].low) else -math.inf)
    one = better[hardest]
    text = f"{figure} over {hardest}: {one.value:+.4f} ({one.low:+.4f} to {one.high:+.4f})"
    return Gate("baseline", one.low > 0.0, text if one.low > 0.0 else f"{text}, which has to be above 0")


def _too_good(value: float, direction: bool) -> Gate:
    if not direction:
        return Gate("too_good", True, "no direction")
    return Gate("too_good", value <= DIRECTION_MAX, f"a direction right in {value:.3f}; above {DIRECTION_MAX:g} is an alarm")


def failed(gates: Iterable[Gate]) -> list[Gate]:
    """Those that stop a promotion."""
    return [gate for gate in gates if not gate.passed]


def stopped_by(metrics: Mapping[str, Any], *, regime: bool) -> list[Gate]:
    """What stops a stored model, of its metrics: gates that failed, and those that were never judged."""
    listed = metrics.get("gates")
    found = {str(one.get("name")): one for one in listed if isinstance(one, dict)} if isinstance(listed, list) else {}
    stopped = []
    for name in dict.fromkeys((*(OF_REGIMES if regime else OF_PREDICTIONS), *found)):
        one = found.get(name, {"text": "it was not judged"})
        if one.get("passed") is not True:
            stopped.append(Gate(name[:40], False, str(one.get("text"))[:300]))
    return stopped


def verdict(gates: Iterable[Gate]) -> str:
    """One line."""
    stopped = failed(gates)
    if not stopped:
        return "Every gate passed: it may be proposed."
    return "Not to be promoted: " + "; ".join(f"{gate.name}: {gate.text}" for gate in stopped)


def as_json(gates: Iterable[Gate]) -> dict[str, Any]:
    """As metrics keep it."""
    listed = list(gates)
    return {"promotable": not failed(listed), "text": verdict(listed), "gates": [gate._asdict() for gate in listed]}
