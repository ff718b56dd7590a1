"""MAE and MFE as a tool: run and desk are asked alike, figures are those of the trips, and equity by day is the curve's own."""

from typing import Any

import polars as pl
import pytest

from engine.store.runs import Runs
from tests.tools.desk_journal import END, write_desk
from tests.tools.stored_runs import keep_run
from tools.catalog import call
from tools.common.contract import ToolResult

ARGS = {"sleeves": [{"strategy": "trend", "symbol": "BTC-USDT"}]}


@pytest.fixture
def ctx(make_ctx: Any) -> Any:
    """A context on the hand-made desk of two days."""
    made = make_ctx("advisor", desk_ms=END)
    write_desk(made.home)
    return made


def values(result: Any, subject: str) -> dict[str, Any]:
    """The facts about a subject."""
    return {fact.metric: fact.value for fact in result.facts if fact.subject == subject}


def rows_of(result: ToolResult) -> Any:
    """The rows of its table."""
    assert result.table is not None, result.text
    return result.table.rows


def columns_of(result: ToolResult) -> Any:
    """The heads of its table."""
    assert result.table is not None, result.text
    return result.table.columns


def reaching(ctx: Any, monkeypatch: pytest.MonkeyPatch, **columns: Any) -> str:
    """A stored run whose trips keep how far they went, as runs do; its id."""
    run_id = keep_run(ctx.home / "runs", ctx.engine, ARGS, [0.01, -0.0095] * 20)
    stored = Runs.frame

    def frame(self: Runs, run: str, name: str) -> pl.DataFrame:
        found = stored(self, run, name)
        return found.with_columns(**columns) if name == "trips" else found

    monkeypatch.setattr(Runs, "frame", frame)
    return run_id


def test_a_run_s_excursions_are_those_of_its_trips(ctx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Median, mean and most in money and R, of winners, losers and each way out; the receipt is the run."""
    columns = {"mae": pl.Series([-4.0, -30.0]), "mfe": pl.Series([15.0, 6.0]), "risk": pl.Series([10.0, 20.0])}
    run_id = reaching(ctx, monkeypatch, **columns)
    result = call(ctx, "excursions", {"subject": run_id})
    assert result.status == "ok", result.text
    assert result.evidence == (("run", run_id),)
    every = values(result, f"excursions of all round trips of {run_id}")
    assert (every["trips"], every["mae_median"], every["mae_mean"], every["mae_worst"]) == (2, 17.0, 17.0, 30.0)
    assert (every["mfe_median"], every["mfe_best"], every["mae_worst_r"], every["mfe_best_r"]) == (10.5, 15.0, 1.5, 1.5)
    assert values(result, f"excursions of winners round trips of {run_id}")["mae_worst"] == 4.0
    assert values(result, f"excursions of losers round trips of {run_id}")["mfe_best"] == 6.0
    assert [row[0] for row in rows_of(result)] == ["all", "winners", "losers", "stop", "target"]
    listed = call(ctx, "excursions", {"subject": run_id, "worst": 1})
    assert rows_of(listed)[0][:4] == ("t2", "trend", "short", "stop")
    assert values(listed, f"round trip t2 of {run_id}")["mae"] == 30.0
    assert values(listed, f"excursions of all round trips of {run_id}") == every
    only = call(ctx, "excursions", {"subject": run_id, "side": "long"})
    assert [row[0] for row in rows_of(only)] == ["all", "winners", "target"]
    assert call(ctx, "excursions", {"subject": run_id, "exit": "trail"}).status == "no_data"


def test_a_run_that_kept_none_says_what_to_do(ctx: Any) -> None:
    """One line, no figure; no trip without a planned risk has a figure in R."""
    run_id = keep_run(ctx.home / "runs", ctx.engine, ARGS, [0.01, -0.0095] * 20)
    result = call(ctx, "excursions", {"subject": run_id})
    assert result.status == "failed"
    assert "run the backtest again" in result.text


def test_no_planned_risk_gives_no_figure_in_r(ctx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing is null: money alone is given."""
    run_id = reaching(ctx, monkeypatch, mae=pl.Series([-4.0, -30.0]), mfe=pl.Series([15.0, 6.0]), risk=pl.Series([0.0, None]))
    found = values(call(ctx, "excursions", {"subject": run_id}), f"excursions of all round trips of {run_id}")
    assert found["mae_median_r"] is None
    assert found["mae_median"] == 17.0


def test_the_desk_s_are_of_its_own_journal(ctx: Any, make_ctx: Any) -> None:
    """Which bars is said; a desk without a bar has none, an unknown sleeve is named with those that are there."""
    result = call(ctx, "excursions", {})
    assert result.status == "ok", result.text
    assert "the desk's own journal" in result.text
    assert result.evidence[0].kind == "event"
    every = values(result, "excursions of all round trips of desk")
    assert every["mae_worst"] >= 0.0 <= every["mfe_best"]
    assert "available: trend-btc" in call(ctx, "excursions", {"sleeve": "nobody"}).text


def test_equity_at_each_end_is_the_marks_and_the_curve_s(ctx: Any) -> None:
    """The desk's equity ends where its last mark is and changes by each day's net; a run's is its curve, from its own cash on."""
    result = call(ctx, "pnl", {"equity": True})
    assert columns_of(result) == ("day", "net", "equity")
    days = [values(result, f"day from {day} 00:00Z of the desk") for day in ("2025-03-04", "2025-03-05")]
    assert days[1]["equity"] == pytest.approx(1000.0 - 5.41, abs=0.006)
    assert days[1]["equity"] - days[0]["equity"] == pytest.approx(days[1]["net"], abs=0.006)
    assert columns_of(call(ctx, "pnl", {})) == ("day", "realised", "unrealised", "fees", "funding", "slippage", "net")
    run_id = keep_run(ctx.home / "runs", ctx.engine, ARGS, [0.01, -0.0095] * 20)
    by_run = call(ctx, "pnl", {"subject": run_id, "limit": 60})
    assert columns_of(by_run) == ("day", "net", "equity")
    assert by_run.evidence == (("run", run_id),)
    first = values(by_run, f"day from 2024-01-01 00:00Z of {run_id}")
    assert (first["net"], first["equity"]) == (pytest.approx(100.0), pytest.approx(10_100.0))
    assert len(rows_of(by_run)) == 40
    assert "the desk" not in by_run.text
    months = call(ctx, "pnl", {"subject": run_id, "unit": "month"})
    nets, equities = ([float(fact.value or 0.0) for fact in months.facts if fact.metric == name] for name in ("net", "equity"))
    assert len(nets) == 2
    assert 10_000.0 + sum(nets) == pytest.approx(equities[-1], abs=0.01)
    assert "all its sleeves" in call(ctx, "pnl", {"subject": run_id, "sleeve": "trend"}).text
