"""Another version of a stored model is proposed in chat like a parameter, on two runs that differ in it alone."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.control.config import DeskConfig, SleeveConfig, validated, write_first
from engine.control.proposals import list_proposals
from tests.fakes.stored_models import store
from tests.tools.stored_runs import keep_run
from tools.catalog import call
from tools.common.contract import JobView


def test_a_models_version_is_proposed_with_both_runs(make_ctx: Any, db: Any) -> None:
    """One run with each version; the card says what changes and that no code can tell its direction."""
    ctx = make_ctx("developer", turn="u1")
    for version in ("1.0.0", "1.0.1"):
        store(ctx.home / "models", "vol-btc-usdt", version, instrument="binance:BTC-USDT:perp")
    sleeve = SleeveConfig(name="calm", strategy="volscaled", venue="binance", symbol="BTC-USDT", models="vol-btc-usdt=1.0.0")
    write_first(db, validated(DeskConfig(sleeves=(sleeve,)), ctx.home / "strategies"), 0, "test")

    def ends(job: str, args: Mapping[str, Any]) -> JobView:
        moves = list(np.random.default_rng(1).normal(0.0, 0.01, 200))
        return JobView(job, "done", 1.0, keep_run(ctx.home / "runs", db, args, moves), None)

    ctx.jobs.ends = ends
    change = {"key": "models", "value": "vol-btc-usdt=1.0.1"}
    result = call(ctx, "propose_config", {"sleeve": "calm", "changes": [change], "rationale": "trained on a later month"})
    assert result.status == "ok", result.text
    asked = [args["sleeves"][0]["models"] for _, args in ctx.jobs.asked]
    assert asked == ["vol-btc-usdt=1.0.0", "vol-btc-usdt=1.0.1"]
    (row,) = list_proposals(db, 0)
    assert (row.state, row.direction) == ("pending", "unknown")
    (stored,) = json.loads(row.diff)["changes"]
    assert (stored["key"], stored["old"], stored["value"]) == ("models", "vol-btc-usdt=1.0.0", "vol-btc-usdt=1.0.1")
    refused = call(
        make_ctx("operator", turn="u2"), "propose_tightening", {"sleeve": "calm", "changes": [change], "rationale": "x"}
    )
    assert "does not count as a tightening" in refused.text
