"""What stands under a chart of runs."""

from app.ui.charts import lives

STOPPED = {"life": "stopped by the desk drawdown breaker on 2023-11-05, traded 308 of 1,096 days", "stopped_ms": 1}


def test_a_stopped_run_and_one_beyond_the_desks_time_are_said_under_the_chart() -> None:
    """A line for each run with something to say; a run that traded all its days, and a desk's own curve, have none."""
    past = {"life": "traded all 30 days", "stopped_ms": None, "beyond": "includes 3 days the desk has not lived yet"}
    whole = {"life": "traded all 30 days", "stopped_ms": None, "beyond": ""}
    found = lives([("base", STOPPED | {"beyond": ""}), ("changed", past), ("other", whole), ("desk", {"equity": [1.0]})])
    assert found == [f"base: {STOPPED['life']}", "changed: includes 3 days the desk has not lived yet"]
    assert lives([("base", STOPPED | {"beyond": past["beyond"]})]) == [f"base: {STOPPED['life']}; {past['beyond']}"]
