"""Backtest and compare: row 0 is what runs, an interval on each difference, and the truth when it says nothing."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from engine.control.config import DeskConfig, SleeveConfig, validated, write_first
from tests.tools.stored_runs import DAY, START, keep_run
from tools.catalog import call
from tools.common.contract import JobView

DAYS = 200


def returns(mean: float, seed: int = 1) -> list[float]:
    """Daily returns of 1 % volatility around `mean`, the same noise for the same seed."""
    return list(np.random.default_rng(seed).normal(0.0, 0.01, DAYS) + mean)


@pytest.fixture
def desk(make_ctx: Any, db: Any) -> Callable[..., Any]:
    """A desk with one live sleeve; jobs end at once with the daily returns that `by` gives for the params."""
    sleeve = SleeveConfig(name="trend-btc", strategy="trend", venue="binance", symbol="BTC-USDT", params={"stop_atr": 2.0})
    write_first(db, validated(DeskConfig(sleeves=(sleeve,))), 0, "test")

    def make(by: Callable[[Mapping[str, Any]], list[float]], role: str = "developer", **more: Any) -> Any:
        ctx = make_ctx(role)

        def ends(job: str, args: Mapping[str, Any]) -> JobView:
            run_id = keep_run(ctx.home / "runs", db, args, by(args["sleeves"][0]["params"]), **more)
            return JobView(job, "done", 1.0, run_id, None)

        ctx.jobs.ends = ends
        return ctx

    return make


def variants(*stops: float) -> list[dict[str, Any]]:
    """One variant a stop."""
    return [{"changes": [{"key": "stop_atr", "value": stop}]} for stop in stops]


def test_row_zero_is_the_live_configuration(desk: Any) -> None:
    """The sleeve is found by what it trades; its parameters run first; a variant equal to it is left out and said."""
    ctx = desk(lambda p: returns(0.004 if p["stop_atr"] == 3 else 0.0))
    result = call(ctx, "compare", {"variants": variants(2, 3), "strategy": "trend", "symbol": "btc-usdt"})
    assert result.status == "ok"
    assert [row[0] for row in result.table.rows] == [0, 1]
    assert "live configuration (v1)" in result.table.rows[0][1]
    assert ctx.jobs.asked[0][1]["sleeves"][0]["params"]["stop_atr"] == 2.0
    assert ctx.jobs.asked[1][1]["sleeves"][0]["params"]["stop_atr"] == 3
    assert "stop_atr 2" in result.text.split("Left out")[1]
    assert result.data["sleeve"] == "trend-btc"
    assert result.data["best"] == 1
    assert result.data["rows"][1]["changes"] == [{"key": "stop_atr", "value": 3}]


def test_a_sharpe_ratio_comes_with_its_interval(desk: Any) -> None:
    """Beside it in the table and behind it in the sentence; a run too short for one has a dash and no bracket."""
    asked = {"variants": variants(3), "sleeve": "trend-btc"}
    figures = {"total_return_frac": 0.1, "sharpe": 1.2, "max_drawdown_frac": 0.1, "trades": 12, "fees": 34.5}
    known = figures | {"sharpe_low": -0.4, "sharpe_high": 2.8}
    result = call(desk(lambda p: returns(0.0, int(p["stop_atr"])), metrics=known), "compare", asked)
    at = result.table.columns.index("Sharpe, 95 % interval")
    assert result.table.columns[at - 1] == "Sharpe"
    assert [row[at] for row in result.table.rows] == [f"{{r{n}.sharpe_low}} to {{r{n}.sharpe_high}}" for n in (1, 2)]
    assert "Sharpe {r2.sharpe} ({r2.sharpe_low} to {r2.sharpe_high})" in result.text
    short = call(desk(lambda p: returns(0.0, int(p["stop_atr"])), metrics=known | {"sharpe_low": None}), "compare", asked)
    assert [row[at] for row in short.table.rows] == ["-", "-"]
    assert "sharpe_low" not in short.text


def test_an_edge_is_called_better_and_noise_is_not(desk: Any) -> None:
    """Half a percent a day is told apart; a hundredth of it is not, and the text says so."""
    better = call(
        desk(lambda p: returns(0.005 if p["stop_atr"] == 3 else 0.0)), "compare", {"variants": variants(3), "sleeve": "trend-btc"}
    )
    assert better.table.rows[1][-1] == "better"
    assert better.data["told_apart"]
    ctx = desk(lambda p: returns(0.00005 if p["stop_atr"] == 3 else 0.0, int(p["stop_atr"])))
    unclear = call(ctx, "compare", {"variants": variants(3), "sleeve": "trend-btc"})
    assert unclear.table.rows[1][-1] == "cannot be told apart"
    assert "cannot be told apart from row 0" in unclear.text
    assert not unclear.data["told_apart"]
    assert ctx.facts["x1.low_bps"].value < 0 < ctx.facts["x1.high_bps"].value


def test_every_number_of_the_text_is_a_reference(desk: Any) -> None:
    """Figures of runs come as facts: each reference of text and table resolves."""
    import re

    ctx = desk(lambda p: returns(p["stop_atr"] / 1000))
    result = call(ctx, "compare", {"variants": variants(3, 4, 5), "sleeve": "trend-btc"})
    shown = result.text + str(result.table)
    for ref in re.findall(r"\{(\w+\.\w+)\}", shown):
        assert ref in ctx.facts
    assert "98.3 %" in shown


BREAKER = "desk drawdown"


def stopped(day: int) -> dict[str, Any]:
    """What a stored run has more when the desk's breaker ended it after so many days."""
    return {"breakers": [{"sleeve": "desk", "breaker": BREAKER, "times": 1, "first_ms": START + day * DAY + 1}]}


@pytest.fixture
def ended(make_ctx: Any, db: Any, desk: Any) -> Callable[..., Any]:
    """The same desk; `stops` maps a stop_atr to the day on which the breaker ended its run."""

    def make(by: Callable[[Mapping[str, Any]], list[float]], stops: Mapping[float, int], **more: Any) -> Any:
        ctx = make_ctx("developer", **more)

        def ends(job: str, args: Mapping[str, Any]) -> JobView:
            params = args["sleeves"][0]["params"]
            day = stops.get(params["stop_atr"])
            run_id = keep_run(ctx.home / "runs", db, args, by(params), **({} if day is None else stopped(day)))
            return JobView(job, "done", 1.0, run_id, None)

        ctx.jobs.ends = ends
        return ctx

    return make


def test_a_comparison_is_over_the_days_that_both_traded(ended: Any) -> None:
    """Row 0 earns half a percent a day less while it trades and nothing after its breaker: dead days do not dilute that. Each
    run says when it stopped, and that the days favour the other one."""

    def by(params: Mapping[str, Any]) -> list[float]:
        edge = returns(0.005)
        return edge if params["stop_atr"] == 3 else [x - 0.005 for x in edge[:60]] + [0.0] * (DAYS - 60)

    ctx = ended(by, {2.0: 60})
    result = call(ctx, "compare", {"variants": variants(3), "sleeve": "trend-btc"})
    assert ctx.facts["x1.compared_days"].value == 59  # the first of these days has no midnight before it
    assert ctx.facts["x1.difference_bps"].value == pytest.approx(50.0)
    assert result.table.rows[1][-1] == "cannot be told apart"  # those days end at the live run's worst
    assert "Stopped by its own desk drawdown breaker on 2024-03-01, traded 60 of 199 days" in result.text
    assert "over the {x1.compared_days} whole days that both traded" in result.text
    assert "those days end where the live run was stopped, which favours the other one" in result.text
    traded = result.table.columns.index("traded")
    assert [row[traded] for row in result.table.rows] == [
        "60 of 199 days; stopped 2024-03-01, desk drawdown breaker",
        "199 of 199 days",
    ]
    assert ctx.facts["r1.traded_days"].value == 60
    assert "r2.stopped" not in ctx.facts


def test_too_few_common_days_are_not_comparable(ended: Any) -> None:
    """Twelve days are no comparison, whatever their mean: it is said, and such a variant is never the better one."""
    ctx = ended(lambda p: returns(0.01 if p["stop_atr"] == 3 else 0.0), {3: 12})
    result = call(ctx, "compare", {"variants": variants(3), "sleeve": "trend-btc"})
    assert result.table.rows[1][-1] == "not comparable"
    assert "not comparable with row 0: both traded on 11 whole days only, and an interval needs 30" in result.text
    assert (result.data["best"], result.data["told_apart"]) == (0, False)


LIVED = START + 120 * DAY + 5 * 3_600_000  # the desk's time: in the middle of a day


@pytest.mark.parametrize(
    ("asked", "end"),
    [
        ({}, START + 120 * DAY),  # the last whole day that the desk has lived
        ({"start": "2024-02"}, START + 120 * DAY),
        ({"end": "2024-07"}, 1_719_792_000_000),  # asked for
        ({"start": "2024-06"}, None),  # nothing of it has been lived
    ],
)
def test_evidence_ends_at_the_desks_time_unless_more_is_asked_for(ended: Any, asked: dict[str, Any], end: int | None) -> None:
    """By default no bar that the desk has not reached; whoever names an end, or a later start, gets it."""
    ctx = ended(lambda p: returns(0.0), {}, desk_ms=LIVED)
    call(ctx, "compare", {"variants": variants(3), "sleeve": "trend-btc", **asked})
    assert [args["end"] for _, args in ctx.jobs.asked] == [end, end]


def test_what_the_desk_has_not_lived_is_stamped(ended: Any) -> None:
    """A run that goes on for eleven weeks after the desk's time says so, wherever it is read; one within it says nothing."""
    ctx = ended(lambda p: returns(0.0), {}, desk_ms=LIVED)
    stamp = "The span includes 79 days the desk has not lived yet."
    made = call(ctx, "backtest", {"strategy": "trend", "symbol": "BTC-USDT", "changes": [{"key": "stop_atr", "value": 3}]})
    assert stamp in made.text
    assert stamp in call(ctx, "run", {"run_id": made.data["run_id"]}).text
    assert ctx.facts["r1.days_not_lived"].value == 79
    later = ended(lambda p: returns(0.0), {}, desk_ms=START + 300 * DAY)
    assert "not lived yet" not in call(later, "run", {"run_id": made.data["run_id"]}).text


def test_the_variants_keep_the_persons_order(desk: Any) -> None:
    """`2, 2.5 and 3 ATR` where 2 is live: the second one is 2.5, though the table has it in row 1."""
    result = call(desk(lambda p: returns(0.0)), "compare", {"variants": variants(2, 2.5, 3), "sleeve": "trend-btc"})
    assert result.data["listed"] == [0, 1, 2]
    assert result.data["rows"][1]["changes"] == [{"key": "stop_atr", "value": 2.5}]


def test_a_job_that_takes_longer_is_started(desk: Any) -> None:
    """No answer yet is said as such, with the job's id; the same question asks for the same jobs."""
    ctx = desk(lambda p: returns(0.0))
    ctx.jobs.ends = lambda job, _args: JobView(job, "running", 0.4, None, None)
    result = call(ctx, "compare", {"variants": variants(3), "sleeve": "trend-btc"})
    assert (result.status, result.job) == ("started", "j1")
    assert "2 jobs are still running" in result.text
    assert not result.facts


def test_a_failed_job_is_one_clear_line(desk: Any) -> None:
    """The job's own words come through; nothing is compared."""
    ctx = desk(lambda p: returns(0.0))
    ctx.jobs.ends = lambda job, _args: JobView(job, "failed", 0.0, None, "no data for binance BTC-USDT perp 15m")
    result = call(ctx, "backtest", {"strategy": "trend", "symbol": "BTC-USDT"})
    assert result.status == "failed"
    assert "no data for binance" in result.text


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"variants": variants(99)}, "out of bounds"),
        ({"variants": [{"changes": [{"key": "stop_atrr", "value": 1}]}]}, "stop_atr"),
        ({"variants": variants(3), "sleeve": "trend-eth"}, "no sleeve"),
        ({"variants": variants(3), "sleeve": None}, "needs a sleeve"),
        ({"variants": variants(3), "start": "2025-03", "end": "2025-01"}, "reversed"),
        ({"variants": variants(3), "start": "soon"}, "not a valid time"),
        ({"variants": [{"changes": [{"key": "stop_atr", "value": 3}] * 2}]}, "twice"),
        ({"variants": variants(3, 4, 5, 6)}, "variants"),
        ({"variants": [{"changes": [{"key": "stop_atr", "value": float("inf")}]}]}, "value"),
    ],
)
def test_bad_words_are_one_line_and_start_nothing(desk: Any, args: dict[str, Any], word: str) -> None:
    """Unknown, out of bounds, reversed: said before any job is asked for."""
    ctx = desk(lambda p: returns(0.0))
    result = call(ctx, "compare", {"sleeve": "trend-btc"} | args)
    assert result.status in ("failed", "refused")
    assert word in result.text
    assert ctx.jobs.asked == []


def test_a_backtest_gives_facts_and_what_is_undefined(desk: Any) -> None:
    """Figures by reference, the optimistic scenario beside, an undefined figure named with its reason and no value."""
    ctx = desk(lambda p: returns(0.001))
    result = call(ctx, "backtest", {"strategy": "trend", "symbol": "BTC-USDT", "changes": [{"key": "stop_atr", "value": 3}]})
    assert result.status == "ok"
    assert ctx.facts["r1.trades"].value == 12
    assert ctx.facts["r1.trades"].subject == "trend on binance BTC-USDT 15m, stop_atr 3"
    assert ctx.facts["r1.cagr_frac"].value is None
    assert "{r1.optimistic_return_frac}" in result.text
    assert "fewer than 30 days" in result.text


def test_a_leak_is_told_before_the_first_number(desk: Any) -> None:
    """A strategy that looks ahead is called so before any figure."""
    ctx = desk(lambda p: returns(0.001), leaks={"clean": False, "text": "leaks at bar 4,181"})
    text = call(ctx, "backtest", {"strategy": "trend", "symbol": "BTC-USDT"}).text
    assert text.index("leaks at bar 4,181") < text.index("{r1.")


def test_stored_runs_and_round_trips_are_read(desk: Any) -> None:
    """The latest runs, one run, its worst round trip; an id nobody has is one line."""
    ctx = desk(lambda p: returns(0.001))
    run_id = call(ctx, "backtest", {"strategy": "trend", "symbol": "BTC-USDT"}).data["run_id"]
    assert run_id in str(call(ctx, "run", {}).table)
    assert call(ctx, "run", {"run_id": run_id}).data["journal_hash"] == "cd" * 32
    worst = call(ctx, "round_trip", {"run_id": run_id, "number": "worst"})
    assert worst.data["trip"] == f"{run_id}/t2"
    assert ctx.facts["t1.net"].value == -20.85
    assert call(ctx, "round_trip", {"run_id": run_id, "number": 9}).status == "failed"
    assert call(ctx, "run", {"run_id": "r-20250101-00000000"}).status == "failed"
    assert call(ctx, "run", {"run_id": "../../desk.db"}).status == "failed"


def test_leaks_reports_what_the_job_found(desk: Any) -> None:
    """The check's own line, and the number of prefixes as a fact."""
    ctx = desk(lambda p: returns(0.0))
    found = {"clean": False, "bar": 4181, "text": "leaks at bar 4,181 (2025-01-01)", "checked": 7}
    ctx.jobs.ends = lambda job, _args: JobView(job, "done", 1.0, None, None, found)
    result = call(ctx, "leaks", {"strategy": "mine"})
    assert "leaks at bar 4,181" in result.text
    assert ctx.facts["k1.bar"].value == 4181
    assert result.data["clean"] is False


def test_an_open_job_of_the_same_question_is_taken_up(desk: Any, db: Any) -> None:
    """Asking again while the jobs run waits for them; nothing is run twice, and other work finds no room."""
    import json

    from engine.store.db import write
    from engine.store.tables import Job

    ctx = desk(lambda p: returns(0.0))
    question = {"variants": variants(3), "sleeve": "trend-btc"}
    ctx.jobs.ends = lambda job, _args: JobView(job, "running", 0.4, None, None)
    call(ctx, "compare", question)
    with write(db) as session:
        for n, (kind, args) in enumerate(ctx.jobs.asked, start=1):
            row = {"kind": kind, "args": json.dumps(args), "thread": "t1", "created_ms": n}
            session.add(Job(id=f"j{n}", state="running" if n == 1 else "queued", **row))
    assert call(ctx, "compare", question).status == "started"
    assert len(ctx.jobs.asked) == 2
    refused = call(ctx, "compare", {"variants": variants(4, 5, 6), "sleeve": "trend-btc"})
    assert refused.status == "refused"
    assert "2 jobs are open" in refused.text
    assert len(ctx.jobs.asked) == 2


def test_the_same_variant_twice_is_run_once(desk: Any) -> None:
    """A repeated variant is left out and said, not compared twice."""
    ctx = desk(lambda p: returns(0.0))
    result = call(ctx, "compare", {"variants": variants(3, 3), "sleeve": "trend-btc"})
    assert [row[0] for row in result.table.rows] == [0, 1]
    assert len(ctx.jobs.asked) == 2


def test_a_comparison_that_takes_longer_shows_what_is_there(desk: Any) -> None:
    """A row a job: figures of the run that has ended, the share of the one that has not, and no verdict yet."""
    ctx = desk(lambda _: returns(0.001))
    whole = ctx.jobs.ends
    ctx.jobs.ends = lambda job, args: whole(job, args) if job == "j1" else JobView(job, "running", 0.4, None, None)
    result = call(ctx, "compare", {"variants": variants(3), "sleeve": "trend-btc"})
    assert (result.status, result.job) == ("started", "j2")
    assert [row[1] for row in result.table.rows] == ["done", "running, 40 %"]
    assert [row[2:] for row in result.table.rows][1] == ("-",) * 4
    assert ctx.facts["r1.sharpe"].value is not None
    assert [child["state"] for child in result.data["children"]] == ["done", "running"]
    assert "not a comparison yet" in result.text
