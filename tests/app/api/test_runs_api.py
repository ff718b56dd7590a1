"""Stored runs over HTTP: the list with what differs, a name that is journaled, and the figures of the report."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from app.jobs.queue import JobQueue
from app.views.run_export import csv_of
from engine.clock import utc
from engine.sim import trips
from engine.store.journal import read
from engine.store.runs import Runs, sha256_of_json
from engine.strategies import cross
from engine.watch.outside_status import FILE
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
    assert lines[ids[0]]["span"].startswith("2025-")
    assert (lines[ids[0]]["first_ms"], lines[ids[0]]["fees"]) == (START, 31.2)
    answer = api.post(f"/api/runs/{ids[0]}/name", json={"name": "  wide \n stop "}).json()
    assert answer == {"run_id": ids[0], "name": "wide stop"}
    shown = api.get(f"/api/runs/{ids[0]}").json()
    assert (shown["name"], shown["trial"]) == ("wide stop", None)  # it was stored by hand: no ledger knows it
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


def test_two_runs_side_by_side(served: Any, api: Any) -> None:
    """Each run keeps its side; what differs is a row, what they share is not; other bars are a warning; both must exist."""
    one, other = stored(served.home, stop_atr=2.0), stored(served.home, stop_atr=3.0)
    found = api.get("/api/runs/compare", params={"one": one, "other": other}).json()
    assert [run["id"] for run in found["runs"]] == [one, other]
    assert found["differs"] == [["stop_atr", "2", "3"]]
    assert ["fast", "40"] in found["same"]
    assert [row[0] for row in found["figures"][:2]] == ["traded", "return"]
    assert found["word"] == "not comparable"  # of one day
    assert found["warnings"] == []
    turned = api.get("/api/runs/compare", params={"one": other, "other": one}).json()
    assert turned["differs"] == [["stop_atr", "3", "2"]]
    for missing in ({"one": one, "other": "r-20250101-00000000"}, {"one": "r-20250101-00000000", "other": one}):
        assert api.get("/api/runs/compare", params=missing).status_code == 404
    assert api.get("/api/runs/compare", params={"one": one}).status_code == 422


def test_a_run_is_saved_as_a_file(served: Any, api: Any) -> None:
    """CSV of all trips with times in ms and words, JSON with the name, the report as it was made; nothing else is a file."""
    run = stored(served.home)
    api.post(f"/api/runs/{run}/name", json={"name": "wide"})
    answer = api.get(f"/api/runs/{run}/export/trips.csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="{run}-trips.csv"'
    trips = pl.read_csv(answer.content)
    assert trips.height == 300
    assert trips["entry_utc"][0] == utc(trips["entry_ms"][0])
    assert trips["net"].sum() == pytest.approx(many(300)["net"].sum())
    assert pl.read_csv(api.get(f"/api/runs/{run}/export/equity.csv").content).height == 96
    whole = api.get(f"/api/runs/{run}/export/run.json").json()
    assert (whole["name"], len(whole["trips"]), whole["run_id"], "folder" in whole) == ("wide", 300, run, False)
    assert api.get(f"/api/runs/{run}/export/report.html").content == b"<p></p>"
    for name in ("rows.parquet", "desk.db", "..%2Frun.json", "trips.csv%00"):
        assert api.get(f"/api/runs/{run}/export/{name}").status_code in (404, 422)


def test_a_cell_is_no_formula() -> None:
    """What a spreadsheet would run stays text; numbers stay numbers."""
    frame = pl.DataFrame({"reason": ["=1+1", "@x", "-2", "stop"], "net": [-1.0, 2.0, 3.0, 4.0]})
    assert csv_of(frame).decode().splitlines() == ["reason,net", "'=1+1,-1.0", "'@x,2.0", "'-2,3.0", "stop,4.0"]


def test_a_backtest_is_begun_from_the_form(served: Any, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not a strategy or has no bars is refused in words before a process starts; a job belongs to who began it."""
    begun: list[str] = []
    monkeypatch.setattr(JobQueue, "spawn", lambda self, job: begun.append(f"{self.person} {job}"))
    ask = {"strategy": "trend", "symbol": "BTC-USDT", "venue": "synthetic", "changes": [{"key": "stop_atr", "value": 3.0}]}
    job = api.post("/api/runs", json=ask)
    assert (job.status_code, job.json()["state"], begun) == (202, "queued", [f"ann {job.json()['id']}"])
    for wrong in (
        {"strategy": "nothing"},
        {"symbol": "XYZ-USDT"},
        {"start": "gestern"},
        {"changes": [{"key": "stop_atr", "value": 99}]},
    ):
        answer = api.post("/api/runs", json={**ask, **wrong})
        assert answer.status_code in (400, 404, 422), wrong
        assert answer.json()["error"]["what"]
    assert len(begun) == 1
    with served.client(scope="read") as reader:
        assert reader.post("/api/runs", json=ask).status_code == 403


def test_strategies_say_what_their_parameters_are(served: Any, api: Any) -> None:
    """Shipped and own alike; a person's file runs in a process of its own, and one that is broken says why, alone."""
    folder = served.home.strategies
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.py").write_text(Path(cross.__file__).read_text().replace('NAME = "cross"', 'NAME = "mine"'))
    (folder / "broken.py").write_text("raise RuntimeError('x')\n")
    names = {s["name"]: s["shipped"] for s in api.get("/api/strategies").json()["items"]}
    assert {"trend": True, "mine": False, "broken": False}.items() <= names.items()
    stop = next(p for p in api.get("/api/strategies/trend").json()["params"] if p["key"] == "stop_atr")
    assert [api.get(f"/api/strategies/{name}").json()["basket"] for name in ("trend", "pairs", "mine")] == [False, True, False]
    assert (stop["default"], stop["low"], stop["high"], stop["unit"]) == (2.0, 0.0, 20.0, "ATR")
    own = {p["key"]: p["default"] for p in api.get("/api/strategies/mine").json()["params"]}
    assert own == {p["key"]: p["default"] for p in api.get("/api/strategies/cross").json()["params"]}
    answer = api.get("/api/strategies/broken")
    assert answer.status_code in (400, 409, 422)
    assert "broken" in answer.json()["error"]["what"]
    assert api.get("/api/strategies/nothing").status_code == 404


def test_outside_series_and_trained_models_are_listed(served: Any, api: Any) -> None:
    """As app/views/inputs.py has them; empty in a home without either, and only for a session."""
    assert api.get("/api/outside").json() == api.get("/api/trained-models").json() == {"items": []}
    status = {"oi/okx/BTC-USDT": {"last_ms": START, "too_old_ms": START, "error": "okx sent no rows", "scheduled": True}}
    (served.home.path / "data").mkdir(exist_ok=True)
    (served.home.path / FILE).write_text(json.dumps({"feeds": status}))
    (line,) = api.get("/api/outside").json()["items"]
    assert (line["name"], line["fresh"], line["why"]) == ("oi/okx/BTC-USDT", False, "okx sent no rows")
