"""A gate stops a model with its figures, and one that cannot be computed stops it too."""

import math

import pytest

from engine.models import gates
from engine.models.leak_check import Leak, LeakCheck
from engine.models.scores import Score

CLEAN = LeakCheck((), (0, 1), 4, 6)
GOOD = Score(0.45, 0.41, 0.48, 0.4, 0.1, 0.7, 5_000)
BETTER = {"HAR": Score(0.02, 0.01, 0.03, 0.0, 0.0, 0.0, 5_000), "last known": Score(0.3, 0.2, 0.4, 0.0, 0.0, 0.0, 5_000)}


def stopped(test: Score = GOOD, training: float = 0.5, better=BETTER, leaks=CLEAN, direction: bool = False) -> list[str]:
    """The names of the gates that did not pass."""
    return [gate.name for gate in gates.failed(gates.gates_of("R2", test, training, better, leaks, direction=direction))]


def test_a_model_that_is_good_passes() -> None:
    """All five are listed with their figures."""
    found = gates.gates_of("R2", GOOD, 0.5, BETTER, CLEAN, direction=False)
    assert [gate.name for gate in found] == ["gap", "baseline", "too_good", "rows", "leaks"]
    assert gates.as_json(found)["promotable"] is True
    assert gates.verdict(found) == "Every gate passed: it may be proposed."


@pytest.mark.parametrize(
    ("given", "gate"),
    [
        ({"training": 0.5501}, "gap"),
        ({"training": math.nan}, "gap"),
        ({"better": {**BETTER, "HAR": BETTER["HAR"]._replace(low=-0.001)}}, "baseline"),
        ({"better": {**BETTER, "HAR": BETTER["HAR"]._replace(low=math.nan)}}, "baseline"),
        ({"better": {}}, "baseline"),
        ({"test": GOOD._replace(value=0.581), "training": 0.6, "direction": True}, "too_good"),
        ({"test": GOOD._replace(rows=1_999)}, "rows"),
        ({"leaks": None}, "leaks"),
        ({"leaks": CLEAN._replace(leaks=(Leak("model", 1, 0),))}, "leaks"),
        ({"leaks": CLEAN._replace(models=0)}, "leaks"),
    ],
)
def test_each_gate_stops_alone(given: dict, gate: str) -> None:
    """What is missing counts as not passed."""
    assert stopped(**given) == [gate]


def test_a_model_without_figures_passes_nothing_it_has_to_show() -> None:
    """No test row at all."""
    nothing = Score(*[math.nan] * 6, rows=0)
    assert stopped(test=nothing, direction=True, better={"base rate": nothing}) == ["gap", "baseline", "too_good", "rows"]


def test_the_verdict_says_which_and_why() -> None:
    """In points, and with the interval."""
    found = gates.gates_of("accuracy", GOOD._replace(value=0.516), 0.807, BETTER, CLEAN, direction=True)
    assert gates.verdict(found) == (
        "Not to be promoted: gap: accuracy 0.807 on training rows, 0.516 after them: 29.1 points, at most 10"
    )
