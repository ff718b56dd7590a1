"""drill: the report of a job on a copy of the desk, as facts and one row a guard; what never fired is said first."""

from typing import Any

import pytest

from tools.catalog import call
from tools.common.contract import JobView


def one(kind: str, name: str, where: str = "desk", by: str = "a made bar") -> dict[str, str]:
    """A guard of a report."""
    return {"kind": kind, "name": name, "where": where, "by": by}


REPORT = {
    "fired": [one("exit", "stop", "btc-trend"), one("refusal", "gross_frac_max"), one("breaker", "daily loss")],
    "never_fired": [one("exit", "trail", "btc-trend", "a run of 1.75 ATR: still open")],
    "out_of_reach": [one("refusal", "positions_max", by="three sleeves")],
    "off": [one("exit", "fade", "btc-trend", "fade_below is 0")],
}


@pytest.fixture
def ctx(make_ctx: Any) -> Any:
    """An operator whose job ends with REPORT."""
    found = make_ctx("operator")
    found.jobs.ends = lambda job, _args: JobView(job, "done", 1.0, None, None, REPORT)
    return found


def test_a_dead_guard_is_said_first_and_each_guard_has_a_row(ctx: Any) -> None:
    """The counts are facts of the job; nothing but a job row is written."""
    result = call(ctx, "drill", {})
    assert result.text.startswith("NEVER FIRED: trail (btc-trend).")
    assert {fact.metric: fact.value for fact in result.facts} == {"fired": 3, "never_fired": 1, "out_of_reach": 1, "off": 1}
    assert result.table.rows[0] == ("NEVER FIRED", "exit", "trail", "btc-trend", "a run of 1.75 ATR: still open")
    assert len(result.table.rows) == 6
    assert ctx.jobs.asked == [("drill", {})]


@pytest.mark.parametrize(("guard", "state"), [("stop", "fired"), ("daily loss", "fired"), ("gross", "fired"), ("fade", "off")])
def test_one_guard_is_answered_alone(ctx: Any, guard: str, state: str) -> None:
    """By the beginnings of the words of its name."""
    (row,) = call(ctx, "drill", {"guard": guard}).table.rows
    assert row[0] == state


def test_an_unknown_guard_and_an_empty_report_are_said(ctx: Any) -> None:
    """Neither is a clean bill of health."""
    assert call(ctx, "drill", {"guard": "parachute"}).status == "no_data"
    ctx.jobs.ends = lambda job, _args: JobView(job, "done", 1.0, None, None)
    assert call(ctx, "drill", {}).status == "failed"
