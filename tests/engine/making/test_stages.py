"""What keeps a maker in simulation: too few days, too few windows above the fees, a tape that is mostly unusable, a no."""

from typing import Any

import pytest

from engine.errors import Refused
from engine.making.stages import refusals_of, require_ground, windows_above

FLOOR = 4.0


def cell(*folds: float | None) -> dict[str, Any]:
    """A cell with these folds, bps."""
    return {"feature": "flow", "horizon_s": 5.0, "folds": [{"bps": bps} for bps in folds]}


def ground(
    days: float = 7.0, usable: float = 0.99, verdict: str = "yes", cells: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The JSON of a feasibility that lets a maker go, but for what is given."""
    found = [cell(5.0, 5.0, 5.0, 5.0, None)] if cells is None else cells
    substrate = {"days": days, "usable_frac": usable}
    return {"floor_bps": FLOOR, "cells": found, "together": [], "substrate": substrate, "verdict": verdict, "why": "because"}


def test_enough_of_everything_may_leave() -> None:
    """Seven days, four of five windows above the fees, a yes."""
    assert refusals_of(ground()) == []
    require_ground(ground())


@pytest.mark.parametrize(
    ("short", "named"),
    [
        ({"days": 6.99}, "6.99 recorded days"),
        ({"days": float("nan")}, "recorded days"),
        ({"usable": 0.89}, "usable book"),
        ({"cells": [cell(5.0, 5.0, 5.0, 4.0, None)]}, "the best in 3"),
        ({"cells": []}, "the best in 0"),
        ({"verdict": "no"}, "feasibility says no"),
        ({"verdict": "not enough tape"}, "feasibility says not enough tape"),
    ],
)
def test_each_condition_refuses_alone(short: dict[str, Any], named: str) -> None:
    """One reason each, and the door is shut by it."""
    assert len(refusals_of(ground(**short))) == 1
    with pytest.raises(Refused, match=named):
        require_ground(ground(**short))


def test_windows_of_different_cells_do_not_add_up() -> None:
    """Two cells with three windows each are three, not six."""
    both = ground(cells=[cell(5.0, 5.0, 5.0, 0.0, 0.0), cell(0.0, 0.0, 5.0, 5.0, 5.0)])
    assert windows_above(both)[0] == 3
