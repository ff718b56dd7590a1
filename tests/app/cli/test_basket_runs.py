"""A basket's run is a run like every other: stored, listed, compared, exported, explained, counted, repeated; from a chat too."""

import json
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.home.home import Home, open_home
from app.jobs import kinds
from app.jobs.queue import JobQueue
from app.notebook import backtest as notebook
from app.views.candles import run_candles
from app.views.run_export import exported
from app.views.run_figures import figures_of
from app.views.run_list import run_lines
from app.views.run_pair import pair_of
from engine.core.row_fields import KIND_OF, FillRow, FundingRow
from engine.errors import BadInput
from engine.sim import explain
from engine.sim.basket import BasketRun
from engine.sim.run_code import files_sha256
from engine.sim.trips import COSTS
from engine.store.runs import Runs
from engine.store.trials import hypotheses
from tests.app.cli.test_cli_basket import COINS, folder  # noqa: F401 - a fixture
from tests.fakes.waiting import WAIT_S
from tests.tools.conftest import FakeJobs
from tools.catalog import call
from tools.common.contract import JobView, ToolContext

PARAMS = {"window_days": 10.0, "step_days": 2.0}
ASKED = {
    "strategy": "pairs",
    "symbol": ",".join(COINS),
    "timeframe": "1h",
    "funding": "assume=3",
    "cash": 100_000.0,
    "params": PARAMS,
}


@pytest.fixture
def home(folder: Path) -> Home:  # noqa: F811 - the fixture
    """A home over three coins."""
    assert folder.is_dir()
    return open_home()


def runs_in(home: Home) -> Runs:
    """Its run store."""
    return Runs(home.runs, home.engine)


def test_it_is_stored_once_and_listed_with_all_of_its_legs(home: Home) -> None:
    """The second time it comes from the store; in the list, and beside another run, its legs are its symbol."""
    first = kinds.backtest(home, ASKED)
    again = kinds.backtest(home, ASKED)
    assert (again["run_id"], again["cached"], first["cached"]) == (first["run_id"], True, False)
    other = kinds.backtest(home, ASKED | {"params": PARAMS | {"enter": 2.5}})
    lines = run_lines(runs_in(home), 5)
    assert {line["symbol"] for line in lines} == {",".join(COINS)}
    assert sorted(line["label"] for line in lines) == ["enter 2", "enter 2.5"]
    pair = pair_of(runs_in(home), first["run_id"], other["run_id"])
    assert [key for key, *_ in pair["differs"]] == ["enter"]
    assert pair["runs"][0]["heading"] == f"pairs on binance {', '.join(COINS)} 1h"


@pytest.mark.slow
def test_each_counts_as_a_trial_of_its_hypothesis(home: Home) -> None:
    """Other parameters are another one, the same again is not."""
    found = [kinds.backtest(home, ASKED | {"params": PARAMS | {"enter": enter}}) for enter in (2.0, 2.5, 2.0)]
    (tried,) = hypotheses(home.engine, 5)
    assert tried.trials == 2
    assert all(coin in tried.name for coin in COINS)
    assert "variant 2 of 2" in found[1]["trial"]["text"]
    assert any("variant 2 of 2" in note for note in found[1]["notes"])


@pytest.mark.slow
def test_it_is_repeated_bit_for_bit_and_other_code_is_another_run(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journal, data, code and configuration are compared; the code of baskets is in the key."""
    found = kinds.backtest(home, ASKED)
    again = kinds.rerun(home, found["run_id"])
    names = ("journal_hash", "config_hash", "code_hash", "data_sha256")
    assert all(again[name]["equal"] for name in names)
    before = files_sha256
    monkeypatch.setattr("engine.sim.request.files_sha256", lambda names: "x" * 64 if "sim/basket.py" in names else before(names))
    changed = kinds.rerun(home, found["run_id"])
    assert changed["code_that_differs"] == ["basket"]
    assert kinds.backtest(home, ASKED)["cached"] is False


def test_its_page_and_files_have_what_each_pair_and_leg_made(home: Home) -> None:
    """The lines of the legs sum to their pair's, those of all pairs to the net profit; funding of both legs is in them."""
    found = kinds.backtest(home, ASKED)
    page = exported(runs_in(home), found["run_id"], "report.html").decode()
    assert "What each pair made" in page
    assert "By pair" in page
    shown = figures_of(runs_in(home), found["run_id"])
    assert next((row["name"], row["leg"]) for row in shown["pairs"]) == (
        max(found["pairs"], key=lambda p: p["net"])["name"],
        "both",
    )
    assert len(shown["pairs"]) == 3 * 3 + 3
    assert sum(leg["net"] for leg in found["legs"]) == pytest.approx(found["metrics"]["net_profit"], abs=0.01)
    assert all(leg["funding"] != 0.0 for row in found["pairs"] for leg in row["legs"])
    assert sum(leg["funding"] for leg in found["legs"]) == pytest.approx(found["metrics"]["funding"], abs=1e-6)
    head, *lines = exported(runs_in(home), found["run_id"], "trips.csv").decode().splitlines()
    assert {"a", "b", "net_a", "net_b", "entry_a", "exit_b"} <= set(head.split(","))
    kept = json.loads(exported(runs_in(home), found["run_id"], "run.json"))
    assert len(kept["trips"]) == len(lines) == sum(row["trips"] + row["open"] for row in found["pairs"])
    for trip in kept["trips"]:
        assert trip["net_a"] + trip["net_b"] == pytest.approx(trip["net"], abs=1e-9)


@pytest.mark.slow
def test_a_round_trip_is_explained_by_leg(home: Home) -> None:
    """Every fill and settlement of both legs, none of another pair's; they sum to what it cost."""
    found = kinds.backtest(home, ASKED)
    trips, rows = runs_in(home).frame(found["run_id"], "trips"), runs_in(home).frame(found["run_id"], "rows")
    seen = {FillRow: 0, FundingRow: 0}
    for name in trips["trip"]:
        story = explain.trip(runs_in(home), found["run_id"], name)
        steps = [step["fill"] for step in (*story["entries"], *story["exits"])]
        assert {fill["leg"] for fill in steps} <= {story["trip"]["a"], story["trip"]["b"]}
        assert sum(fill["fee"] for fill in steps) == pytest.approx(story["costs"]["fees"])
        assert sum(fill["slippage"] for fill in steps) == pytest.approx(story["costs"]["slippage"])
        assert sum(paid["cash"] for paid in story["funding"]) == pytest.approx(story["costs"]["funding"])
        assert all(step["decision"]["features"]["spread_z"] * step["decision"]["signal"]["side"] < 0 for step in story["entries"])
        seen = {FillRow: seen[FillRow] + len(steps), FundingRow: seen[FundingRow] + len(story["funding"])}
    assert seen == {kind: rows.filter(pl.col("kind") == KIND_OF[kind]).height for kind in seen}
    with pytest.raises(BadInput, match="decides by pairs"):
        explain.at(runs_in(home), found["run_id"], None, 0, home.catalog)


def test_a_leg_draws_the_trips_of_its_pairs_at_its_own_prices(home: Home) -> None:
    """The second leg of a pair is on the other side."""
    found = kinds.backtest(home, ASKED)
    trips = runs_in(home).frame(found["run_id"], "trips")
    for sleeve, coin in zip(found["sleeves"], COINS, strict=True):
        drawn = json.loads(run_candles(home.setup, home.catalog, runs_in(home), found["run_id"], sleeve["name"], (None, None)))
        own = trips.filter((pl.col("a") == coin) | (pl.col("b") == coin))
        assert drawn["trips"]["trip"] == own.sort("entry_ms")["trip"].to_list()
        for n, row in enumerate(own.sort("entry_ms").to_dicts()):
            end = "a" if row["a"] == coin else "b"
            assert drawn["trips"]["entry_price"][n] == pytest.approx(row[f"entry_{end}"], rel=1e-8)
            assert (drawn["trips"]["side"][n] == row["side"]) is (end == "a")


def test_a_notebook_has_it_and_a_wrong_argument_is_refused(home: Home) -> None:
    """The same run, as frames; no argument of a request is dropped in silence."""
    stored = kinds.backtest(home, ASKED)
    run = notebook("pairs", ",".join(COINS), timeframe="1h", funding="assume=3", cash=100_000.0, params=PARAMS)
    assert isinstance(run, BasketRun)
    assert run.journal_hash == stored["journal_hash"]
    assert list(run.round_trips.select(COSTS).sum().row(0))[-1] == pytest.approx(run.metrics["net_profit"], abs=0.01)
    with pytest.raises(BadInput, match="unknown argument 'windows'"):
        notebook("pairs", ",".join(COINS), windows=3)
    with pytest.raises(BadInput, match="it is the only sleeve of one"):
        kinds.planned(home, ASKED)


def test_a_chat_runs_one_as_a_job(home: Home) -> None:
    """What the developer's tool submits is run by the job, and what it answers names legs and figures."""
    jobs = FakeJobs()

    def ends(job: str, args: Any) -> JobView:
        return JobView(job, "done", 1.0, kinds.backtest(home, args)["run_id"], None)

    jobs.ends = ends
    base: dict[str, Any] = {
        "engine": home.engine,
        "home": home.path,
        "catalog": home.catalog,
        "jobs": jobs,
        "record": lambda *_: "p-1",
    }
    about: dict[str, Any] = {"role": "developer", "thread": "t1", "turn": "u1", "person": "mara", "desk_ms": None}
    ctx = ToolContext(**base, **about, now_ms=time.time_ns() // 1_000_000)
    changes = [{"key": key, "value": value} for key, value in PARAMS.items()]
    args = {"strategy": "pairs", "symbol": ",".join(COINS), "timeframe": "1h", "funding": "none", "changes": changes}
    answer = call(ctx, "backtest", args)
    assert answer.status == "ok", answer.text
    assert ", ".join(COINS) in answer.text
    assert {fact.metric for fact in answer.facts} >= {"total_return_frac", "sharpe", "funding", "trades"}
    handle = answer.data["run_id"]
    trip = call(ctx, "round_trip", {"run_id": handle, "number": "worst"})
    assert trip.status == "ok", trip.text
    assert {fact.metric for fact in trip.facts} >= {"net", "entry_a", "exit_b", "net_b"}
    assert not any(fact.value is None for fact in trip.facts if fact.metric != "r"), "a pair has no price of its own"
    assert call(ctx, "run", {"run_id": handle}).status == "ok"
    alone = call(ctx, "backtest", args | {"symbol": "BTC-USDT"})
    assert (alone.status, "a basket of 1 leg" in alone.text) == ("failed", True)


@pytest.mark.usefixtures("jobs_here")
def test_a_job_leaves_the_run(home: Home) -> None:
    """As page and chat queue one; the same again has ended at once, and what no basket can be is refused before a process."""
    jobs = JobQueue(home, "mara")
    sleeve = {"strategy": "pairs", "symbol": ",".join(COINS), "venue": "", "market": "perp", "side": "both", "params": PARAMS}
    args = {"sleeves": [sleeve], "timeframe": "1h", "start": None, "end": None, "fills": "pessimistic", "funding": "none"}
    view = jobs.wait(jobs.submit("backtest", args), WAIT_S)
    assert (view.state, view.error) == ("done", None)
    again = jobs.view(jobs.submit("backtest", args))
    assert (again.state, again.run_id) == ("done", view.run_id)
    with pytest.raises(BadInput, match="a basket of 1 leg"):
        jobs.submit("backtest", {"sleeves": [sleeve | {"symbol": "BTC-USDT"}], "timeframe": "1h"})
    with pytest.raises(BadInput, match="is the only sleeve of one"):
        jobs.submit("backtest", {"sleeves": [sleeve, sleeve], "timeframe": "1h"})
