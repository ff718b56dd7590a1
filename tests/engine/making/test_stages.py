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


TAPE = {"file": "/tapes/binance_BTC-USDT_perp_1_l2.parquet", "names_previous": True, "repeated_frac": 0.0}


def named(**changed: Any) -> dict[str, Any]:
    """A ground that lets a maker go, of one tape, but for what is changed of its name, fees and tape."""
    about = {"venue": "binance", "symbol": "BTC-USDT", "market": "perp", "fees_bps": FLOOR}
    found = ground() | about | {name: value for name, value in changed.items() if name not in TAPE}
    found["substrate"] |= {"tapes": [TAPE, TAPE | {name: value for name, value in changed.items() if name in TAPE}]}
    return found


@pytest.mark.parametrize(
    ("trick", "words"),
    [
        ({"floor_bps": 3.9}, "judged against 3.9 bps, and both sides cost 4"),
        ({"floor_bps": float("nan")}, "judged against nan bps"),
        ({"fees_bps": None, "venue": "elsewhere"}, "fees of elsewhere are not known"),
        ({"names_previous": False}, "binance_BTC-USDT_perp_1_l2.parquet is not what its name says"),
        ({"market": "spot", "file": "/x_l2.parquet"}, "is not what its name says"),
        ({"repeated_frac": 0.9}, "1 tapes repeat what was recorded before them"),
    ],
    ids=str,
)
def test_a_ground_that_was_made_up_refuses(trick: dict[str, Any], words: str) -> None:
    """Fees typed away, a tape under another market's name, a day that was copied."""
    assert refusals_of(named()) == refusals_of(named(floor_bps=4.5)) == []
    assert any(words in reason for reason in refusals_of(named(**trick)))
