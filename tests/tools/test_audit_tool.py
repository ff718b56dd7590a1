"""The tool `audit`: the kept audit as facts and a table of what is open; nothing is audited while a model waits."""

from collections.abc import Callable

from engine.watch.audit_status import keep_audit
from tests.tools.conftest import NOW_MS
from tools.catalog import call
from tools.common.contract import ToolContext

LINES = [
    {"sleeve": "btc-trend", "name": name, "dimension": dimension, "question": "?", "state": state, "why": "why", "evidence": []}
    for name, dimension, state in (
        ("data.gaps", "data", "fails"),
        ("live.compared", "live", "cannot_say"),
        ("live.no_halt", "live", "holds"),
    )
]


def test_the_last_audit_is_facts_and_a_table(make_ctx: Callable[..., ToolContext]) -> None:
    """Counts by state; of one dimension alone; without an audit it says what makes one."""
    ctx = make_ctx("operator", now_ms=NOW_MS)
    assert "nightdesk audit makes one" in call(ctx, "audit", {"sleeve": None, "dimension": None}).text
    keep_audit(ctx.home, {"wall_ms": NOW_MS, "counts": {"fails": 1, "cannot_say": 1}, "points": LINES})
    result = call(ctx, "audit", {"sleeve": None, "dimension": None})
    assert {fact.metric: fact.value for fact in result.facts} == {"fails": 1, "cannot_say": 1, "holds": 1, "does_not_apply": 0}
    assert "(data.gaps)" in result.text
    assert "which is not a pass" in result.text
    assert result.table is not None
    assert [row[:2] for row in result.table.rows] == [("FAILS", "data.gaps"), ("cannot say", "live.compared")]
    assert call(ctx, "audit", {"sleeve": None, "dimension": "training"}).status == "no_data"
