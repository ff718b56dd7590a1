"""Stored runs over HTTP: the list with what differs, a name that is journaled, and the figures of the report."""

import time
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.sim import trips
from engine.store.journal import read
from engine.store.runs import Runs, sha256_of_json
from tests.engine.sim.test_report import START, many, run_of

BAR = 900_000


def stored(home: Any, **changes: Any) -> str:
    """A run of 300 trips in the store, without a simulation; `changes` are parameters."""
    of = {key: value for key, value in run_of().items() if key != "run_id"}
    sleeve = of["sleeves"][0] | {"market": "perp", "timeframe": "15m", "params": {"fast": 40, **changes}}
    config = {"sleeves": [sleeve], "instruments": {"binance:BTC-USDT:perp": {"lot_size": 0.001}}}
    about = {
        "strategy": "trend",
        "symbol": "BTC-USDT",
        "venue": "binance",
        "params": sleeve["params"],
        "cache_key": sha256_of_json(changes),
    }
    close_ms = START + BAR * np.arange(1, 97)
    equity = pl.DataFrame({"close_ms": close_ms, "equity": 10_000.0 - np.arange(96), "optimistic": 10_000.0, "hold": 10_100.0})
    frames = {"rows": trips.no_rows(), "equity": equity, "trips": many(300), "decisions": trips.decisions(trips.no_rows(), [])}
    run = of | about | {"sleeves": [sleeve], "config": config}
    return str(Runs(home.runs, home.engine).keep(run, frames, lambda _: "<p></p>", time.time_ns() // 1_000_000)["run_id"])


def test_runs_are_listed_named_and_shown(served: Any, api: Any) -> None:
    """What differs names each; a person's name is kept, journaled and bounded; the figures are the report's."""
    ids = [stored(served.home, stop_atr=2.0), stored(served.home, stop_atr=3.0)]
    lines = {line["id"]: line for line in api.get("/api/runs").json()["items"]}
    assert [lines[i]["label"] for i in ids] == ["stop 2", "stop 3"]
    assert lines[ids[0]]["params"]["stop_atr"] == 2.0
    assert (lines[ids[0]]["first_ms"], lines[ids[0]]["fees"]) == (START, 31.2)
    answer = api.post(f"/api/runs/{ids[0]}/name", json={"name": "  wide \n stop "}).json()
    assert answer == {"run_id": ids[0], "name": "wide stop"}
    assert api.get(f"/api/runs/{ids[0]}").json()["name"] == "wide stop"
    assert {line["id"]: line["name"] for line in api.get("/api/runs").json()["items"]} == {ids[0]: "wide stop", ids[1]: None}
    (event,) = read(served.home.people_journal, {"run_name"})
    assert (event.body["run"], event.body["name"], event.body["before"], event.body["actor"]["name"]) == (
        ids[0],
        "wide stop",
        "",
        "ann",
    )
    assert api.post(f"/api/runs/{ids[0]}/name", json={"name": "x" * 61}).status_code == 422
    assert api.post("/api/runs/r-20250101-00000000/name", json={"name": "x"}).status_code == 404
    with served.client(scope="read") as reader:
        assert reader.post(f"/api/runs/{ids[0]}/name", json={"name": "x"}).status_code == 403
    found = api.get(f"/api/runs/{ids[0]}/figures").json()
    assert len(found["drawn"]["trips"]["rows"]) == 300
    assert [line["name"] for line in found["drawn"]["curve"]["lines"]] == ["this run", "optimistic fills", "hold BTC"]
    assert found["tiles"][0]["note"].startswith("hold BTC +1.00")
    assert api.get("/api/runs/r-20250101-00000000/figures").status_code == 404
    assert api.get(f"/api/runs/{ids[0]}/equity").json()["hold"][0] == pytest.approx(10_100.0)
