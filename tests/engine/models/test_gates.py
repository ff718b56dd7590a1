"""A gate stops a model with its figures, and one that cannot be computed stops it too."""

import math

import pytest

from engine.models import gates
from engine.models.leak_check import Leak, LeakCheck
from engine.models.scores import Score
from engine.models.side_trades import SideTrades

CLEAN = LeakCheck((), (0, 1), 4, 6)
GOOD = Score(0.45, 0.41, 0.48, 0.4, 0.1, 0.7, 5_000)
BETTER = {"HAR": Score(0.02, 0.01, 0.03, 0.0, 0.0, 0.0, 5_000), "last known": Score(0.3, 0.2, 0.4, 0.0, 0.0, 0.0, 5_000)}


PAYS = SideTrades("when sure", 10.5, Score(3.0, 1.0, 5.0, 2.0, -9.0, 20.0, 400), 13.5, 0.6, 0.55, 30)


def stopped(test: Score = GOOD, training: float = 0.5, better=BETTER, leaks=CLEAN, right=None, trades=PAYS) -> list[str]:
    """The names of the gates that did not pass."""
    return [gate.name for gate in gates.failed(gates.gates_of("R2", test, training, better, leaks, right=right, trades=trades))]


def test_a_model_that_is_good_passes() -> None:
    """All are listed with their figures; what has no side has no costs to pay."""
    found = gates.gates_of("R2", GOOD, 0.5, BETTER, CLEAN)
    assert [gate.name for gate in found] == ["gap", "baseline", "too_good", "rows", "leaks"]
    found = gates.gates_of("accuracy", GOOD, 0.5, BETTER, CLEAN, right=0.52, trades=PAYS)
    assert [gate.name for gate in found] == ["gap", "baseline", "too_good", "rows", "leaks", "costs"]
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
        ({"right": 0.581}, "too_good"),
        ({"right": math.nan}, "too_good"),
        ({"trades": PAYS._replace(net=PAYS.net._replace(low=-0.01))}, "costs"),
        ({"trades": PAYS._replace(net=PAYS.net._replace(low=math.nan))}, "costs"),
        ({"trades": PAYS._replace(net=PAYS.net._replace(rows=99))}, "costs"),
        ({"trades": PAYS._replace(folds=9)}, "costs"),
        ({"trades": PAYS._replace(cost_bps=None)}, "costs"),
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
    assert stopped(test=nothing, right=math.nan, better={"base rate": nothing}) == ["gap", "baseline", "too_good", "rows"]


def test_the_verdict_says_which_and_why() -> None:
    """In points, and with the interval."""
    found = gates.gates_of("accuracy", GOOD._replace(value=0.516), 0.807, BETTER, CLEAN, right=0.516)
    assert gates.verdict(found) == (
        "Not to be promoted: gap: accuracy 0.807 on training rows, 0.516 after them: 29.1 points, at most 10"
    )
    loses = PAYS._replace(net=PAYS.net._replace(value=-9.1, low=-10.0, high=-8.2))
    found = gates.gates_of("accuracy", GOOD, 0.5, BETTER, CLEAN, right=0.516, trades=loses)
    assert gates.verdict(found) == (
        "Not to be promoted: costs: a trade earns -9.10 bps (-10.00 to -8.20) after 10.5 of costs, which has to be above 0: "
        "400 trades in 30 folds, when sure, right in 0.600"
    )


def test_a_stored_model_from_before_a_gate_was_never_judged_by_it() -> None:
    """A direction has to show what it earns; a volatility and a regime have no side, and are asked for nothing more."""
    passed = {"gates": [{"name": name, "passed": True, "text": "fine"} for name in gates.OF_PREDICTIONS]}
    for label in ("direction_4", "return_4", "triple_barrier_16"):
        assert [(gate.name, gate.text) for gate in gates.stopped_by(passed, {"name": label})] == [("costs", "it was not judged")]
    assert gates.stopped_by(passed, {"name": "log_vol_4"}) == []
    assert [gate.name for gate in gates.stopped_by(passed, {"name": "regime"})] == ["changes", "states"]
