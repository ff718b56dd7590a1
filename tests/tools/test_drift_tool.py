"""The tool `drift`: pairs of sides as facts, the first cause in the sentence, a table of causes; no folder comes from a model."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.parity.drift import CAUSES
from tests.tools.conftest import NOW_MS
from tools.catalog import call
from tools.common.contract import JobView, ToolContext

DAY = 86_400_000
DESK_MS = 1_741_219_200_000 + 5_400_000
STATS = {"trips": 40, "mean": -0.5, "low": -0.8, "high": -0.2, "verdict": "worse", "needed": 31, "since_ms": DESK_MS - DAY}
PAIR = {
    "one": "live",
    "other": "paper",
    "sleeve": "trend-btc",
    "one_usd": 100.0,
    "other_usd": 120.0,
    "difference_usd": -20.0,
    "causes": {"fee": -18.0, "price": -2.0} | {cause: 0.0 for cause in CAUSES if cause not in ("fee", "price")},
    "first_cause": "fee",
    "worse": STATS,
}
FOUND = {"from_ms": DESK_MS - 7 * DAY, "to_ms": DESK_MS, "source": "recorded", "pairs": [PAIR]}


@pytest.fixture
def ctx(make_ctx: Callable[..., ToolContext]) -> ToolContext:
    """A developer at the desk's time."""
    return make_ctx("developer", desk_ms=DESK_MS, now_ms=NOW_MS)


def ending(ctx: ToolContext, result: dict[str, Any] | None) -> None:
    """Jobs end like this."""
    ctx.jobs.ends = lambda job, _args: JobView(job, "done", 1.0, None, None, result)  # type: ignore[attr-defined, arg-type]


def test_the_first_cause_and_every_figure_have_receipts(ctx: ToolContext) -> None:
    """Only causes that hold anything; a change has its time."""
    ending(ctx, FOUND)
    result = call(ctx, "drift", {"since": "7d", "sleeve": None})
    assert ctx.jobs.asked == [("desk_drift", {"since": (DESK_MS - 7 * DAY) // DAY * DAY})]  # type: ignore[attr-defined]
    values = {fact.metric: fact.value for fact in result.facts}
    assert (values["difference_usd"], values["fee_usd"], values["needed"], values["changed"]) == (-20.0, -18.0, 31, DESK_MS - DAY)
    assert "first fee" in result.text
    assert "worse" in result.text
    assert result.table is not None
    assert [row[1] for row in result.table.rows] == ["fee", "price"]
    assert {row[2].strip("{}") for row in result.table.rows} <= {fact.ref for fact in result.facts}


def test_equal_sides_have_no_table(ctx: ToolContext) -> None:
    """And no first cause."""
    same = PAIR | {"causes": dict.fromkeys(CAUSES, 0.0), "first_cause": None, "difference_usd": 0.0}
    ending(ctx, FOUND | {"pairs": [same | {"worse": STATS | {"verdict": "the same", "since_ms": None, "needed": None}}]})
    result = call(ctx, "drift", {"since": None, "sleeve": None})
    assert result.table is None
    assert "the same" in result.text


def test_no_folder_can_be_named(ctx: ToolContext) -> None:
    """Other homes are those of desk.toml."""
    assert call(ctx, "drift", {"since": None, "sleeve": None, "homes": ["/"]}).status == "refused"
