"""The tool `parity`: what a job found, as facts, a sentence and a table of the classes that hold anything."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.parity.comparison import CLASSES
from tests.tools.conftest import NOW_MS
from tools.catalog import call
from tools.common.contract import JobView, ToolContext

DAY = 86_400_000
DESK_MS = 1_741_219_200_000 + 5_400_000
FOUND = {
    "from_ms": DESK_MS - 7 * DAY,
    "to_ms": DESK_MS,
    "source": "recorded",
    "desk_usd": 120.5,
    "replay_usd": 100.25,
    "difference_usd": 20.25,
    "unexplained_usd": 0.25,
    "unexplained_frac": 0.0005,
    "unexplained_frac_max": 0.01,
    "gross_usd": 500.0,
    "differing": 3,
    "classes": {name: {"count": 0, "usd": 0.0} for name in CLASSES},
}
MOVED = {"fee": {"count": 3, "usd": 21.5}, "missed": {"count": 1, "usd": -1.5}, "unexplained": {"count": 1, "usd": 0.25}}


@pytest.fixture
def ctx(make_ctx: Callable[..., ToolContext]) -> ToolContext:
    """A developer at the desk's time."""
    return make_ctx("developer", desk_ms=DESK_MS, now_ms=NOW_MS)


def ending(ctx: ToolContext, result: dict[str, Any] | None, state: str = "done") -> None:
    """Jobs end like this."""
    ctx.jobs.ends = lambda job, _args: JobView(job, state, 1.0, None, None, result)  # type: ignore[attr-defined, arg-type]


def test_a_difference_is_facts_and_a_table(ctx: ToolContext) -> None:
    """The largest class first; every figure with its receipt; a span begins with its day."""
    ending(ctx, FOUND | {"classes": FOUND["classes"] | MOVED})  # type: ignore[operator]
    result = call(ctx, "parity", {"since": "7d", "sleeve": None})
    assert ctx.jobs.asked == [("parity", {"since": (DESK_MS - 7 * DAY) // DAY * DAY})]  # type: ignore[attr-defined]
    values = {fact.metric: fact.value for fact in result.facts}
    assert (values["difference_usd"], values["fee_usd"], values["fee_trips"]) == (20.25, 21.5, 3)
    assert result.table is not None
    assert [row[0] for row in result.table.rows] == ["fee", "missed", "unexplained"]
    assert "alert" not in result.text
    assert {cell.strip("{}") for row in result.table.rows for cell in row[1:]} <= {fact.ref for fact in result.facts}


def test_paper_says_nothing_differs(ctx: ToolContext) -> None:
    """No table of zeros: one sentence."""
    ending(ctx, FOUND | {"difference_usd": 0.0, "replay_usd": 120.5, "unexplained_usd": 0.0})
    result = call(ctx, "parity", {"since": None, "sleeve": None})
    assert "to the cent" in result.text
    assert result.table is None


def test_what_nothing_explains_is_said(ctx: ToolContext) -> None:
    """Above 1 % of what the round trips moved it is an alert."""
    moved = {"unexplained": {"count": 2, "usd": 20.25}}
    ending(ctx, FOUND | {"unexplained_usd": 20.25, "classes": FOUND["classes"] | moved})  # type: ignore[operator]
    result = call(ctx, "parity", {"since": None, "sleeve": None})
    assert result.text.endswith("that is an alert.")
    assert result.data["alert"]


def test_an_unfinished_job_is_started_and_a_desk_that_never_ran_has_nothing(ctx: ToolContext, make_ctx: Any) -> None:
    """The answer follows when the job has ended; without a bar no job is queued."""
    assert call(ctx, "parity", {"since": None, "sleeve": None}).status == "started"
    idle = make_ctx("developer")
    assert call(idle, "parity", {"since": None, "sleeve": None}).status == "no_data"
    assert idle.jobs.asked == []
