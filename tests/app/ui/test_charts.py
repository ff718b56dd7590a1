"""What a chart of runs draws, and what stands under it."""

from app.ui.charts import lives, spec
from tests.app.ui.fake_shapes import curve

STOPPED = {"life": "stopped by its own desk drawdown breaker on 2023-11-05, traded 308 of 1,096 days", "stopped_ms": 1}


def test_a_stopped_run_and_one_beyond_the_desks_time_are_said_under_the_chart() -> None:
    """A line for each run with something to say; a run that traded all its days, and a desk's own curve, have none."""
    past = {"life": "traded all 30 days", "stopped_ms": None, "beyond": "includes 3 days the desk has not lived yet"}
    whole = {"life": "traded all 30 days", "stopped_ms": None, "beyond": ""}
    found = lives([("base", STOPPED | {"beyond": ""}), ("changed", past), ("other", whole), ("desk", {"equity": [1.0]})])
    assert found == [f"base: {STOPPED['life']}", "changed: includes 3 days the desk has not lived yet"]
    assert lives([("base", STOPPED | {"beyond": past["beyond"]})]) == [f"base: {STOPPED['life']}; {past['beyond']}"]


def test_several_runs_are_compared_by_their_return_under_their_names() -> None:
    """Each starts at zero, whatever its money; a run that stopped has a mark with its name; missing values stay missing."""
    small = {"close_ms": [1, 2, 3], "equity": [100.0, None, 90.0], "drawdown_frac": [0, None, 0.1], "stopped_ms": 3}
    made = spec([("stop 2", curve()), ("stop 3", small)], 200)
    assert [(line["name"], line["tone"]) for line in made["lines"]] == [("stop 2", "accent"), ("stop 3", "hold")]
    assert (made["unit"], made["lines"][1]["y"][:2]) == ("percent", [0.0, None])
    assert round(made["lines"][1]["y"][2], 9) == -0.1
    assert made["marks"] == [{"x": 3, "text": "stop 3 stopped"}]
    assert (made["from"], made["until"]) == (1, curve()["close_ms"][-1])
    assert "fall" not in made


def test_one_run_has_its_money_its_other_fills_and_its_drawdown() -> None:
    """Drawdown below zero; the optimistic fills dotted."""
    made = spec([("r-1", curve())], 200)
    assert [line["dash"] for line in made["lines"]] == ["", "dotted"]
    assert made["unit"] == "equity"
    assert max(made["fall"]) <= 0
