"""The tool `judge`: a kill page as a verdict, facts and a table of its checks."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.research.kill.limits import LIMITS
from tests.tools.conftest import NOW_MS
from tools.catalog import call
from tools.common.contract import JobView, ToolContext

ASKED = {"strategy": "trend", "symbol": "btc-usdt", "start": "2025", "end": "2026", "fixed": ["stop_atr=3"]}
COSTS = [{"times": times, "net_frac": 0.1 / times} for times in (0.5, 1.0, 2.0, 3.0)]


def check(name: str, value: float | None, *, passed: bool = True, kills: bool = False) -> dict[str, Any]:
    """A check as the job gives it."""
    limit = next(one for one in LIMITS if one.name == name)
    reason = "" if value is not None else "no regime has 10 trips"
    own = {"name": name, "passed": passed, "value": value, "limit": limit.limit, "kills": kills}
    return own | {"text": "", "why": limit.why, "reason": reason}


def found(verdict: str, *checks: dict[str, Any]) -> dict[str, Any]:
    """A page as the job gives it."""
    about = {"strategy": "trend", "instrument": "binance:BTC-USDT:perp", "timeframe": "15m", "verdict": verdict}
    page = {"costs": COSTS, "deflated": {"trials": 47, "benchmark": 0.9}}
    data = {"first_ms": 1_735_689_600_000, "last_ms": 1_767_225_599_999, "source": "recorded"}
    return about | {"checks": list(checks), "page": page, "run_id": "r-20250101-00000001", "data": data}


@pytest.fixture
def ctx(make_ctx: Callable[..., ToolContext]) -> ToolContext:
    """A developer."""
    return make_ctx("developer", now_ms=NOW_MS)


def ending(ctx: ToolContext, result: dict[str, Any] | None) -> None:
    """Jobs end like this."""
    ctx.jobs.ends = lambda job, _args: JobView(job, "done", 1.0, None, None, result)  # type: ignore[attr-defined]


def test_the_verdict_comes_first_and_what_kills_with_its_limit(ctx: ToolContext) -> None:
    """Only what kills is named before the table; every figure is a fact, its limit beside it."""
    checks = (check("net", -0.1, passed=False, kills=True), check("costs_x2", -0.2, passed=False), check("too_good", 1.0))
    ending(ctx, found("kill", *checks))
    result = call(ctx, "judge", ASKED)
    kind, args = ctx.jobs.asked[0]  # type: ignore[attr-defined]
    assert (kind, args["symbol"], args["params"]) == ("judge", "BTC-USDT", {"stop_atr": "3"})
    assert result.text.startswith("KILL, trend on binance:BTC-USDT:perp 15m, stop_atr 3.")
    assert "What kills it: net after all costs" in result.text
    assert "twice" not in result.text
    values = {fact.metric: (fact.value, fact.unit) for fact in result.facts}
    assert values["net"] == (-0.1, "frac")
    assert values["net_limit"] == (0.0, "frac")
    assert values["costs_times_2"] == (0.05, "frac")
    assert "above {" in result.text
    assert result.text.count(" is needed") == 1
    assert values["trials"] == (47, "count")
    assert result.table is not None
    assert [row[:2] for row in result.table.rows] == [("net", "KILLS"), ("costs x2", "no"), ("too good", "yes")]
    shown = {cell.partition("{")[2].rstrip("}") for row in result.table.rows for cell in row[2:] if "{" in str(cell)}
    assert shown <= {fact.ref for fact in result.facts}
    assert result.data["run_id"] == "r-20250101-00000001"


def test_a_result_too_good_to_believe_is_not_asked_for_more(ctx: ToolContext) -> None:
    """A limit from above is believable or allowed, never needed; the deflated ratio is a ratio, not percent."""
    ending(ctx, found("weak", check("too_good", 6.2, passed=False), check("deflated_sharpe", 0.07, passed=False)))
    result = call(ctx, "judge", ASKED)
    assert "_limit} is believable" in result.text or "4.00 is believable" in result.text
    assert {fact.metric: fact.unit for fact in result.facts}["deflated_sharpe"] == "ratio"


def test_a_check_that_is_undefined_says_why_and_shows_no_number(ctx: ToolContext) -> None:
    """Not passed, and not a zero."""
    ending(ctx, found("weak", check("regimes", None, passed=False)))
    result = call(ctx, "judge", ASKED)
    assert result.text.startswith("WEAK: not killed, and not worth paper yet")
    assert "is undefined (no regime has 10 trips)" in result.text
    assert result.table is not None
    assert result.table.rows[0][1:3] == ("undefined", "no regime has 10 trips")


def test_a_strategy_that_looks_ahead_has_no_page(ctx: ToolContext) -> None:
    """Nothing else was run, and that is said."""
    ahead = found("kill", check("look_ahead", 0.5, passed=False, kills=True)) | {"page": None, "run_id": None, "data": None}
    ending(ctx, ahead)
    result = call(ctx, "judge", ASKED)
    assert "It looks ahead, so nothing else was run." in result.text
    assert "run_id" not in result.data


def test_worth_paper_is_a_short_answer(ctx: ToolContext) -> None:
    """With every check passed there is nothing to name."""
    ending(ctx, found("paper", check("net", 0.1)))
    assert call(ctx, "judge", ASKED).text.startswith("WORTH PAPER, trend on binance:BTC-USDT:perp 15m, stop_atr 3. Every check")


def test_a_job_without_a_page_is_a_failure(ctx: ToolContext) -> None:
    """No verdict is made up."""
    ending(ctx, None)
    assert call(ctx, "judge", ASKED).status == "failed"
