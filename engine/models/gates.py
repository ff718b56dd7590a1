"""Whether a trained model may be proposed at all, decided by figures and not by whoever trained it.

Called by the trainer, and by whoever proposes a promotion. Turns the figures of a model into Gates; one that did not pass stops
it. A gate whose figure is missing has not passed.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from engine.models.labels import SIDED
from engine.models.leak_check import LeakCheck
from engine.models.scores import Score
from engine.models.side_trades import SideTrades

GAP_MAX = 0.10  # of a figure on its training rows over the same on its test rows
DIRECTION_MAX = 0.58  # what a direction is right in; above it something is wrong until it is found
ROWS_MIN = 2_000
OF_PREDICTIONS = ("gap", "baseline", "too_good", "rows", "leaks")
OF_SIDES = (*OF_PREDICTIONS, "costs")  # of a label by which a side can be taken
OF_REGIMES = ("rows", "changes", "states", "leaks")  # train_regime.py


class Gate(NamedTuple):
    """One condition of a promotion."""

    name: str  # gap | baseline | too_good | rows | leaks | costs; of regimes changes | states
    passed: bool
    text: str  # with its figures


def gates_of(
    figure: str,
    test: Score,
    training: float,
    better: Mapping[str, Score],
    leaks: LeakCheck | None,
    *,
    right: float | None = None,
    trades: SideTrades | None = None,
) -> tuple[Gate, ...]:
    """All gates of a model. `figure`: what `test` and `training` are of; `better`: by baseline, how much better it is; of a label
    with sides `right`: how often the side is, and `trades`: what they earn.
    """
    found = (
        _gap(figure, test.value, training),
        _baseline(figure, better),
        _too_good(right),
        Gate("rows", test.rows >= ROWS_MIN, f"{test.rows:,} evaluation rows, at least {ROWS_MIN:,} are asked for"),
        Gate("leaks", leaks is not None and leaks.clean, "the leak check was not run" if leaks is None else leaks.text),
    )
    return found if trades is None else (*found, Gate("costs", trades.passed, trades.text))


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


def _too_good(right: float | None) -> Gate:
    if right is None:
        return Gate("too_good", True, "no direction")
    return Gate("too_good", right <= DIRECTION_MAX, f"a direction right in {right:.3f}; above {DIRECTION_MAX:g} is an alarm")


def failed(gates: Iterable[Gate]) -> list[Gate]:
    """Those that stop a promotion."""
    return [gate for gate in gates if not gate.passed]


def asked_of(label: str) -> tuple[str, ...]:
    """The gates that a model of this label has to have passed; `regime` has no label."""
    if label == "regime":
        return OF_REGIMES
    return OF_SIDES if label.rpartition("_")[0] in SIDED else OF_PREDICTIONS


def judged_of(metrics: Mapping[str, Any]) -> list[Gate]:
    """Every gate that a stored model's metrics have."""
    listed = metrics.get("gates")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [Gate(str(one.get("name"))[:40], one.get("passed") is True, str(one.get("text"))[:300]) for one in found]


def stopped_by(metrics: Mapping[str, Any], label: Mapping[str, Any]) -> list[Gate]:
    """What stops a stored model, of its metrics and its label: gates that failed, and those that were never judged."""
    found = {gate.name: gate for gate in judged_of(metrics)}
    names = dict.fromkeys((*asked_of(str(label.get("name"))), *found))
    return failed(found.get(name, Gate(name, False, "it was not judged")) for name in names)


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
