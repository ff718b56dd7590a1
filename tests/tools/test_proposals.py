"""A wish becomes a proposal with evidence, or one clear refusal; nothing becomes a change."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.clock import utc
from engine.control.canary import CanaryPlan
from engine.control.config import DeskConfig, SleeveConfig, active, validated, write_first
from engine.control.proposals import list_proposals
from engine.store.db import write
from engine.store.tables import Job
from tests.fakes.versions import put_in_force
from tests.tools.stored_runs import DAY, START, keep_run
from tools import proposals as proposals_tool
from tools.catalog import call
from tools.common.contract import JobView

WHOLE = CanaryPlan(1.0, 10, None, shortens=True)


@pytest.fixture
def desk(make_ctx: Any, db: Any) -> Callable[..., Any]:
    """A desk with one live trend sleeve, and jobs whose runs move by the stop."""
    return desk_of(make_ctx, db, "BTC")


@pytest.fixture
def two_sleeves(make_ctx: Any, db: Any) -> Callable[..., Any]:
    """The same with a second sleeve."""
    return desk_of(make_ctx, db, "BTC", "ETH")


def desk_of(make_ctx: Any, db: Any, *coins: str) -> Callable[..., Any]:
    """A desk with a trend sleeve a coin; makes contexts whose jobs end at once."""
    sleeves = [SleeveConfig(name=f"trend-{c.lower()}", strategy="trend", venue="binance", symbol=f"{c}-USDT") for c in coins]
    write_first(db, validated(DeskConfig(sleeves=tuple(sleeves))), 0, "test")

    def make(role: str = "developer", mean: float = 0.0, turn: str = "u1", **more: Any) -> Any:
        ctx = make_ctx(role, turn=turn)

        def ends(job: str, args: Mapping[str, Any]) -> JobView:
            stop = args["sleeves"][0]["params"]["stop_atr"]
            noise = np.random.default_rng(int(stop * 100)).normal(0.0, 0.01, 200)
            run_id = keep_run(ctx.home / "runs", db, args, list(noise + (mean if stop != 2.0 else 0.0)), **more)
            return JobView(job, "done", 1.0, run_id, None)

        ctx.jobs.ends = ends
        return ctx

    return make


def wish(key: str = "stop_atr", value: Any = 3, **more: Any) -> dict[str, Any]:
    """Arguments of a propose tool."""
    return {"sleeve": "trend-btc", "changes": [{"key": key, "value": value}], "rationale": "wider"} | more


def test_a_proposal_has_both_runs_and_the_truth(desk: Any, db: Any) -> None:
    """Base and changed run are evidence, the direction is computed, and noise is called noise on the card."""
    before = active(db, Path())
    result = call(desk(), "propose_config", wish())
    assert result.status == "ok"
    (row,) = list_proposals(db, 0)
    assert (row.state, row.direction, row.base_version) == ("pending", "loosens", 1)
    assert "cannot be told apart" in result.text
    assert "loosens" in result.text
    assert "Reason given" in result.text
    assert sum(e.kind == "run" for e in result.evidence) == 2
    assert result.table.rows[0][:4] == ("stop_atr", "2", "3", "0 to 20")
    assert active(db, Path()) == before


def test_a_proposal_of_two_sleeves_runs_both_and_is_one_card(two_sleeves: Any, db: Any) -> None:
    """Base and changed run of each, one row of both; the same sleeve named twice is refused."""
    also = [{"sleeve": "trend-eth", "changes": [{"key": "stop_atr", "value": 4}]}]
    result = call(two_sleeves(), "propose_config", wish(also=also))
    assert result.status == "ok", result.text
    (row,) = list_proposals(db, 0)
    assert (row.state, row.sleeve) == ("pending", "trend-btc, trend-eth")
    assert [r[0] for r in result.table.rows] == ["trend-btc.stop_atr", "trend-eth.stop_atr"]
    assert sum(e.kind == "run" for e in result.evidence) == 4
    assert "On the evidence of trend-eth the change" in result.text
    twice = call(two_sleeves(turn="u2"), "propose_config", wish(also=[{"sleeve": "trend-btc", "changes": wish()["changes"]}]))
    assert (twice.status, "named twice" in twice.text) == ("failed", True)


def test_bars_that_change_between_the_runs_are_no_evidence(desk: Any, db: Any) -> None:
    """A file that is written anew between base and changed run refuses both."""
    contents = iter(("ab" * 32, "cd" * 32))
    ctx = desk()

    def ends(job: str, args: Mapping[str, Any]) -> JobView:
        return JobView(job, "done", 1.0, keep_run(ctx.home / "runs", db, args, [0.0, 0.01], content=next(contents)), None)

    ctx.jobs.ends = ends
    result = call(ctx, "propose_config", wish())
    assert (result.status, "changed between the runs: binance_BTC-USDT_perp_15m.parquet" in result.text) == ("failed", True)
    assert list_proposals(db, 0) == []


def test_all_sleeves_are_paused_on_one_card(two_sleeves: Any, db: Any) -> None:
    """An operator's pause of several: a tightening without evidence."""
    args = {"sleeve": "trend-btc", "rationale": "storm", "also": ["trend-eth", "trend-btc"]}
    assert call(two_sleeves("operator"), "propose_pause", args).status == "ok"
    (row,) = list_proposals(db, 0)
    assert (row.sleeve, row.kind, row.direction) == ("trend-btc, trend-eth", "pause", "tightens")


def test_a_stage_is_proposed_like_a_parameter(desk: Any, db: Any) -> None:
    """`stage retired` tightens and is the operator's to propose; towards live it is not."""
    assert call(desk("operator"), "propose_tightening", wish("stage", "retired")).status == "ok"
    (row,) = list_proposals(db, 0)
    assert row.direction == "tightens"
    refused = call(desk("operator", turn="u2"), "propose_tightening", wish("stage", "live"))
    assert (refused.status, "does not count as a tightening" in refused.text) == ("refused", True)


def test_a_word_is_proposed_with_its_choices(desk: Any) -> None:
    """The choices take the place of the bounds."""
    result = call(desk(), "propose_config", wish("entry", "limit"))
    assert result.status == "ok"
    assert result.table.rows[0] == ("entry", "market", "limit", "market or limit", "-", "neutral")
    assert "it leaves risk as it is: entry leaves the most that can be lost or held unchanged" in result.text


def test_evidence_ends_at_the_desks_time_or_is_stamped(desk: Any, db: Any) -> None:
    """Both runs end with the last day the desk has lived; with a later end the card says how many days it has not. A call that
    is made again keeps the end it began with."""
    ctx = desk()
    ctx.desk_ms = START + 150 * DAY + 1
    assert call(ctx, "propose_config", wish()).status == "ok"
    assert {args["end"] for _, args in ctx.jobs.asked} == {START + 150 * DAY}
    late = desk(turn="u2")
    late.desk_ms = START + 150 * DAY + 1
    text = call(late, "propose_config", wish(value=4, end="2025")).text
    assert "includes 50 days the desk has not lived yet (desk time 2024-05-30 00:00Z)" in text
    with write(db) as session:
        session.add(Job(id="j1", state="done", kind="backtest", args='{"end": 77}', thread="t1", created_ms=1))
    again = desk(turn="u3")
    again.desk_ms, again.earlier_jobs = START + 199 * DAY, ("j1",)
    call(again, "propose_config", wish(value=5))
    assert {args["end"] for _, args in again.jobs.asked} == {77}


def test_the_card_in_words_has_interval_and_worst_case(desk: Any) -> None:
    """What a person reads in the chat: the interval with its days, why an equal worst case loosens, that the desk never ran."""
    ctx = desk()
    text = call(ctx, "propose_config", wish()).text
    assert "{q1.difference_bps} a day ({q1.low_bps} to {q1.high_bps}) over the {q1.compared_days} whole days" in text
    assert ctx.facts["q1.low_bps"].value < ctx.facts["q1.difference_bps"].value < ctx.facts["q1.high_bps"].value
    assert "The worst case is equal before and after" in text
    assert "the desk has not started yet" in text


def test_a_real_edge_is_said(desk: Any) -> None:
    """Half a percent a day is better, and the card says so."""
    result = call(desk(mean=0.005), "propose_config", wish())
    assert "better than the live configuration" in result.text
    assert result.data["verdict"] == "better"


def test_a_newer_proposal_supersedes(desk: Any, db: Any) -> None:
    """A model holds at most one pending proposal a sleeve."""
    call(desk(turn="u1"), "propose_config", wish(value=3))
    call(desk(turn="u2"), "propose_config", wish(value=4))
    assert sorted(row.state for row in list_proposals(db, 0)) == ["pending", "superseded"]


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (wish(value=99), "out of bounds"),
        (wish(value=-3), "out of bounds"),
        (wish("stop_atrr"), "stop_atr"),
        (wish("entry", "limt"), "is not one of market, limit"),
        (wish(value="banana"), "not a number"),
        (wish(value=2.0), "nothing would change"),
        (wish("drawdown_frac_max", 0.9), "hard limit"),
        (wish("limits.gross_frac_max", 9), "hard limit"),
        (wish("cash", 1e6), "cannot be proposed"),
        (wish("risk_max_frac", 0.5), "out of bounds"),
        (wish(sleeve="nobody"), "no sleeve"),
        (wish(start="2025", end="2024"), "reversed"),
        (wish(apply_to_open=True), "open positions"),
    ],
)
def test_what_is_refused_starts_no_run(desk: Any, db: Any, args: dict[str, Any], word: str) -> None:
    """Out of bounds, unknown, hard limit, nothing new: refused with the reason before any job."""
    ctx = desk()
    result = call(ctx, "propose_config", args)
    assert result.status in ("refused", "failed")
    assert word in result.text
    assert ctx.jobs.asked == []
    assert list_proposals(db, 0) == []


def test_no_proposal_without_its_evidence(desk: Any, db: Any) -> None:
    """A run that is not done or failed leaves nothing; one that looks ahead is refused."""
    ctx = desk()
    ctx.jobs.ends = lambda job, _args: JobView(job, "running", 0.1, None, None)
    assert call(ctx, "propose_config", wish()).status == "started"
    ctx = desk()
    ctx.jobs.ends = lambda job, _args: JobView(job, "failed", 0.1, None, "missing funding")
    failed = call(ctx, "propose_config", wish()).text
    assert (failed.startswith("The evidence cannot be made."), "missing funding" in failed) == (True, True)
    assert call(desk(leaks={"clean": False, "text": "leaks at bar 9"}), "propose_config", wish()).status == "refused"
    assert list_proposals(db, 0) == []


def test_what_cannot_be_vouched_for_is_on_the_card_and_the_raw_signal_is_refused(desk: Any, db: Any) -> None:
    """A strategy that reads a file may be proposed with a warning that names it; a run with wide limits is no evidence."""
    text = "reads /data/later.csv: cannot be vouched for (200 prefixes agree)"
    found = {"clean": False, "looks_ahead": False, "text": text}
    result = call(desk(leaks=found), "propose_config", wish())
    assert result.status == "ok", result.text
    (row,) = list_proposals(db, 0)
    warnings = [e["text"] for e in json.loads(row.evidence) if e["role"] == "warning"]
    assert f"the strategy {text}" in warnings
    raw = call(desk(raw_signal={"text": "LIMITS WIDE"}, turn="u2"), "propose_config", wish(value=4))
    assert (raw.status, "not evidence: LIMITS WIDE" in raw.text) == ("refused", True)


def test_a_tightening_tightens_or_is_refused(desk: Any, db: Any) -> None:
    """The direction is the code's: what loosens, or nobody can say, is no tightening whatever it is called."""
    for key, value in (("risk_max_frac", 0.02), ("leverage_max", 5), ("stop_atr", 1), ("fast_bars", 30)):
        result = call(desk("operator"), "propose_tightening", wish(key, value, rationale="this tightens, trust me"))
        assert result.status in ("refused", "failed")
    result = call(desk("operator"), "propose_tightening", wish("leverage_max", 1))
    assert result.status == "ok"
    assert [row.direction for row in list_proposals(db, 0)] == ["tightens"]


def test_a_pause_needs_no_evidence(desk: Any, db: Any) -> None:
    """Pausing is easy: one call, a pending proposal, no run."""
    ctx = desk("operator")
    result = call(ctx, "propose_pause", {"sleeve": "trend-btc", "rationale": "feed looks odd"})
    assert result.status == "ok"
    assert ctx.jobs.asked == []
    (row,) = list_proposals(db, 0)
    assert (row.kind, row.direction, row.state) == ("pause", "tightens", "pending")


def test_a_pause_with_an_end_says_until_when_and_a_shorter_one_is_refused(desk: Any, db: Any) -> None:
    """The end is a time on the card and in the row; what would end a pause earlier is not an operator's to ask."""
    ctx = desk("operator")
    ctx.desk_ms = START
    result = call(ctx, "propose_pause", {"sleeve": "trend-btc", "rationale": "cpi day", "ends": "for 24 hours"})
    assert (result.status, result.table.rows[1][:3]) == ("ok", ("pause ends", "no end", utc(START + DAY)))
    (row,) = list_proposals(db, 0)
    assert (row.kind, row.direction) == ("pause", "tightens")
    paused = active(db, Path()).config.sleeve("trend-btc").model_copy(update={"paused": True})
    put_in_force(db, ctx.home, DeskConfig(sleeves=(paused,)), 0)
    other = desk("operator", turn="u2")
    other.desk_ms = START
    short = call(other, "propose_pause", {"sleeve": "trend-btc", "rationale": "x", "ends": "24h"})
    assert (short.status, "until a person resumes it already" in short.text) == ("refused", True)
    early = call(desk("operator", turn="u3"), "propose_pause", {"sleeve": "trend-btc", "rationale": "x", "ends": "24h"})
    assert "has not processed a bar yet" in early.text


def test_proposals_are_listed_and_read(desk: Any) -> None:
    """By state, by id, and an honest nothing."""
    assert call(desk("advisor"), "proposals", {}).status == "no_data"
    made = call(desk(), "propose_config", wish())
    assert made.data["proposal"] in str(call(desk("advisor"), "proposals", {"state": "pending"}).table)
    assert "stop_atr 2 -> 3" in call(desk("advisor"), "proposals", {"proposal_id": made.data["proposal"]}).text
    assert call(desk("advisor"), "proposals", {"proposal_id": "prop-99"}).status == "failed"


@pytest.mark.parametrize(
    ("args", "plan"),
    [
        (wish(), CanaryPlan(0.25, 10, None)),
        (wish(canary="10% for 500 bars"), CanaryPlan(0.1, None, 500)),
        (wish(canary="none"), None),
        (wish("paused", True), WHOLE),
        (wish("stage", "draft"), WHOLE),
        (wish("leverage_max", 2, apply_to_open=True), WHOLE),
    ],
)
def test_every_change_that_can_have_one_begins_as_the_desks_canary(
    desk: Any, monkeypatch: pytest.MonkeyPatch, args: dict[str, Any], plan: CanaryPlan | None
) -> None:
    """[canary] of desk.toml is for each proposal that does not say its own; a pause, a stage and open positions have no part."""
    seen = list[CanaryPlan | None]()
    kept = proposals_tool.store_proposal

    def stored(*given: Any, canary: CanaryPlan | None, **more: Any) -> Any:
        seen.append(canary)
        return kept(*given, canary=None, **more)  # the made-up runs are too short for the terms of one

    monkeypatch.setattr(proposals_tool, "store_proposal", stored)
    ctx = desk()
    ctx.canary = "25% for 10 trips"
    assert call(ctx, "propose_config", args).status == "ok"
    assert seen == [plan]


@pytest.mark.parametrize(("tool", "role"), [("propose_config", "developer"), ("propose_tightening", "operator")])
def test_what_the_desk_says_of_nothing_is_watched_at_its_whole_size(desk: Any, tool: str, role: str) -> None:
    """By default, of whoever asks; these made-up runs have too few round trips, which the card says and nothing refuses."""
    ctx = desk(role)
    ctx.canary = "100% for 10 trips"
    made = call(ctx, tool, wish("leverage_max", 2))
    assert made.status == "ok", made.text
    assert "Not watched: the evidence has" in made.text


def test_a_poor_reward_is_a_warning(desk: Any) -> None:
    """A target near the stop is allowed and warned of."""
    assert "reward to risk is 1.00" in call(desk(), "propose_config", wish(value=4)).text
