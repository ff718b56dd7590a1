"""A basket's run over HTTP and by the tools that read runs: every route that takes a run takes this one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.home.home import Home, open_home
from app.jobs import kinds
from app.jobs.queue import JobQueue
from tests.app.api.conftest import Served
from tests.app.cli.test_cli_pairs import write
from tests.fakes.waiting import WAIT_S
from tests.tools.conftest import FakeJobs
from tools.catalog import call
from tools.common.contract import ToolContext

COINS = ("SOL-USDT", "BTC-USDT", "ETH-USDT")  # not in the order of the alphabet
ASKED = {"strategy": "pairs", "symbol": ",".join(COINS), "timeframe": "1h", "funding": "none"}
PARAMS = {"window_days": 10.0, "step_days": 2.0}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A desk over three coins of which two return to each other; the first ends a third before the others."""
    dice, bars = np.random.default_rng(7), 1_800
    btc, spread = np.cumsum(dice.normal(0, 0.004, bars)), np.zeros(bars)
    for t in range(1, bars):
        spread[t] = 0.95 * spread[t - 1] + dice.normal(0.0, 0.006)
    sol = np.cumsum(dice.normal(0, 0.006, bars * 2 // 3))
    for name, path in zip(COINS, (4.0 + sol, 8.0 + btc, 7.0 + 0.9 * btc + spread), strict=True):
        write(tmp_path / "bars", name, path)
    monkeypatch.setenv("NIGHTDESK_DATA", str(tmp_path / "bars"))
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / "home"))
    return open_home()


@pytest.fixture
def served(home: Home) -> Iterator[Served]:
    """Its API."""
    found = Served(home)
    yield found
    found.stop()


@pytest.mark.usefixtures("jobs_here")
def test_every_route_of_a_run_takes_a_basket(served: Served, api: Any) -> None:
    """Begun like any from the form; list, page, figures, trips, breakdown, candles, one trip."""
    changes = [{"key": key, "value": value} for key, value in PARAMS.items()]
    job = api.post("/api/runs", json=ASKED | {"changes": changes}).json()
    run_id = JobQueue(served.home).wait(job["id"], WAIT_S).run_id
    assert run_id
    (line,) = api.get("/api/runs").json()["items"]
    assert (line["id"], line["symbol"], line["strategy"]) == (run_id, ",".join(COINS), "pairs")
    run = api.get(f"/api/runs/{run_id}").json()
    assert [row["name"] for row in run["pairs"]] == ["SOL-USDT BTC-USDT", "SOL-USDT ETH-USDT", "BTC-USDT ETH-USDT"]
    assert "pairs SOL-USDT stopped by the end of its bars" in run["life"]["text"]
    made = {row["name"]: row["net"] for row in run["pairs"]}
    assert max(made, key=lambda name: made[name]) == "BTC-USDT ETH-USDT", "the planted pair, whatever the order of the legs"
    assert {row["trips"] for row in run["pairs"]} != {0}
    trips = api.get(f"/api/runs/{run_id}/trips").json()["items"]
    assert sum(trip["net"] for trip in trips) == pytest.approx(run["metrics"]["net_profit"], abs=0.01)
    for path in (
        "figures",
        "equity",
        "breakdown",
        "report",
        *(f"export/{name}" for name in ("run.json", "trips.csv", "report.html")),
    ):
        answer = api.get(f"/api/runs/{run_id}/{path}")
        assert answer.status_code == 200, (path, answer.text)
    for leg in run["sleeves"]:
        answer = api.get(f"/api/runs/{run_id}/candles", params={"sleeve": leg["name"]})
        assert answer.status_code == 200, answer.text
    story = api.get(f"/api/runs/{run_id}/trips/t1").json()
    assert {step["fill"]["leg"] for step in story["trip"]["entries"]} <= set(COINS)


def test_every_tool_that_reads_a_run_takes_a_basket(home: Home) -> None:
    """Trips by pair and exit, performance, excursions that are not kept: answered, nothing raises."""
    run_id = kinds.backtest(home, ASKED | {"params": PARAMS})["run_id"]
    base: dict[str, Any] = {
        "engine": home.engine,
        "home": home.path,
        "catalog": home.catalog,
        "jobs": FakeJobs(),
        "record": lambda *_: "p-1",
    }
    ctx = ToolContext(**base, role="developer", thread="t1", turn="u1", person="mara", desk_ms=None, now_ms=1_800_000_000_000)
    for name, args in {
        "trips": {"subject": run_id, "by": "exit"},
        "performance": {"subject": run_id},
        "excursions": {"subject": run_id},
        "run": {"run_id": run_id},
        "trials": {"hypothesis": run_id},
        "round_trip": {"run_id": run_id, "number": 1},
    }.items():
        answer = call(ctx, name, args)
        assert answer.status in ("ok", "no_data"), (name, answer.text)
    by_pair = call(ctx, "trips", {"subject": run_id, "sleeve": "BTC-USDT ETH-USDT"})
    assert by_pair.status == "ok", by_pair.text
