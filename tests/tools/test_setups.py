"""One shared setup of a run: what a tool is told of venue, span, costs and limits is what its job gets."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.clock import DAY_MS
from engine.control.config import DeskConfig, SleeveConfig, validated, write_first
from tests.tools.conftest import NOW_MS
from tools.catalog import TOOLS, call
from tools.common.contract import ToolContext
from tools.setups import CostArgs, SetupArgs

FIRST = 1_735_689_600_000
SAID = {"venue": "okx", "start": "2025", "end": "2025-02", "fills": "vwap", "funding": "none"}
NAMED = {"strategy": "trend", "symbol": "btc-usdt", "timeframe": "1h", "limits": "wide", **SAID}
OWN: dict[str, dict[str, Any]] = {"backtest": {}, "sweep": {"vary": ["stop_atr=1,2"]}, "walkforward": {"vary": ["stop_atr=1,2"]}}
OWN |= {"judge": {}}


@pytest.mark.parametrize("name", OWN)
def test_every_search_and_run_takes_the_same_setup(name: str, make_ctx: Callable[..., ToolContext]) -> None:
    """Its arguments hold the shared ones, and each of them reaches the job."""
    assert issubclass(TOOLS[name].tool.args, SetupArgs)
    ctx = make_ctx("developer", now_ms=NOW_MS)
    call(ctx, name, {**NAMED, **OWN[name]})
    kind, job = ctx.jobs.asked[0]  # type: ignore[attr-defined]
    assert kind == name
    about = (job.get("sleeves") or [job])[0]
    assert (about["strategy"], about["venue"], job["timeframe"]) == ("trend", "okx", "1h")
    assert (job["start"], job["end"]) == (FIRST, FIRST + 31 * DAY_MS)
    assert (job["fills"], job["funding"], job["limits"]) == ("vwap", "none", "wide")


def test_a_comparison_takes_costs_and_never_other_limits(make_ctx: Callable[..., ToolContext], db: Any) -> None:
    """Every run of it has them; the live configuration is compared under the limits that it trades under."""
    assert issubclass(TOOLS["compare"].tool.args, CostArgs)
    sleeve = SleeveConfig(name="trend-btc", strategy="trend", venue="binance", symbol="BTC-USDT")
    write_first(db, validated(DeskConfig(sleeves=(sleeve,))), 0, "test")
    ctx = make_ctx("developer", now_ms=NOW_MS)
    variants = [{"changes": [{"key": "stop_atr", "value": 3.0}]}]
    call(ctx, "compare", {"variants": variants, "strategy": "trend", "symbol": "XRP-USDT", **SAID})
    jobs = [job for _, job in ctx.jobs.asked]  # type: ignore[attr-defined]
    assert len(jobs) == 2
    assert {(job["fills"], job["funding"], job["sleeves"][0]["venue"]) for job in jobs} == {("vwap", "none", "okx")}
    assert not any("limits" in job for job in jobs)
    refused = call(ctx, "compare", {"variants": variants, "strategy": "trend", "symbol": "XRP-USDT", "limits": "wide"})
    assert (refused.status, "limits" in refused.text) == ("refused", True)


def test_what_is_not_said_is_left_to_the_job(make_ctx: Callable[..., ToolContext]) -> None:
    """No default of a chat hides one of the desk."""
    ctx = make_ctx("developer", now_ms=NOW_MS)
    call(ctx, "judge", {"strategy": "trend", "symbol": "BTC-USDT"})
    _, job = ctx.jobs.asked[0]  # type: ignore[attr-defined]
    assert set(job) == {"strategy", "symbol", "timeframe", "params"}
