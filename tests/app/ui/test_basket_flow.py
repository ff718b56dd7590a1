"""A basket from the form to its finished run: two instruments, a job of the real API, then page, list, report and trips."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.client import Client
from app.home.home import Home, open_home
from app.ui.page_client import PageClient
from tests.app.api.conftest import Served
from tests.app.ui.looking import page, texts_of
from tests.app.ui.test_page_runs import drawn
from tests.fakes.papers import furnished
from tests.fakes.waiting import until

DAYS = 30
CHANGED = {"window_days": "3", "enter": "1.5", "step_days": "1"}  # so that pairs trade and leave within the few days
COINS = ("BTC-USDT", "ETH-USDT")
NAME = " ".join(COINS)


@pytest.fixture
def served(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The API of a synthetic desk, and a page whose browser has a session in it."""
    furnished(own_home, DAYS)
    home: Home = open_home()
    made = Served(home)
    secret, _ = made.desk.sessions.open("ann", "all", time.time_ns() // 1_000_000)
    monkeypatch.setattr("app.ui.page_client.open_client", lambda: PageClient(Client(made.url, secret), known=True))
    monkeypatch.setenv("NIGHTDESK_API_URL", made.url)
    yield made
    made.stop()
    home.engine.dispose()


def begun(api: Any) -> dict[str, Any]:
    """The form as a person fills it in: the strategy, its two instruments as they are offered, three parameters, go."""
    at = page(tab="runs")
    at.selectbox(key="bt_strategy").select("pairs").run()
    chosen = at.multiselect(key="bt_instruments")
    assert [name.partition(" ")[0] for name in chosen.value] == list(COINS)
    for key, text in CHANGED.items():
        at.text_input(key=f"bt_pairs_{key}").set_value(text)
    at.run()
    assert "Changed: " in texts_of(at)
    at.button(key="bt_run").click().run()
    assert not at.exception, at.exception
    (job,) = api.get("/api/jobs", params={"limit": 5}).json()["items"]
    assert job["kind"] == "backtest"
    return dict(job)


def test_a_basket_goes_from_the_form_to_its_run(served: Served) -> None:
    """What was asked is what was run; pairs, legs, trips and costs add up on the page, in the list, the report and the export."""
    with served.client() as api:
        job = begun(api)
        until(lambda: api.get(f"/api/jobs/{job['id']}").json()["state"] not in ("queued", "running"), "the job never ended")
        job = api.get(f"/api/jobs/{job['id']}").json()
        assert (job["state"], job["error"]) == ("done", None), job
        run_id = job["run_id"]
        run, found = (api.get(f"/api/runs/{run_id}{end}").json() for end in ("", "/figures"))
        _adds_up(run)
        _shown(run_id, run, found)
        report = api.get(f"/api/runs/{run_id}/report").text
        assert all(words in report for words in ("What each pair made", NAME, "SYNTHETIC"))
        trips = api.get(f"/api/runs/{run_id}/export/trips.csv").text.splitlines()
        assert len(trips) == 1 + len(found["drawn"]["trips"]["rows"]) > 2
        explained = api.get(f"/api/runs/{run_id}/trips/t1", params={"sleeve": run["sleeves"][0]["name"]}).json()
        assert [explained["trip"]["trip"][leg] for leg in "ab"] == list(COINS)


def _adds_up(run: dict[str, Any]) -> None:
    """One pair of two legs, each leg of it the leg over all pairs; gross less costs plus funding is net."""
    assert (run["strategy"], run["symbols"], run["timeframe"]) == ("pairs", list(COINS), "15m")
    assert {key: run["sleeves"][0]["params"][key] for key in CHANGED} == {key: float(text) for key, text in CHANGED.items()}
    (pair,) = run["pairs"]
    for part in ("gross", "slippage", "fees", "funding", "net"):
        assert sum(leg[part] for leg in pair["legs"]) == pytest.approx(pair[part], abs=1e-6), part
        assert sum(leg[part] for leg in run["legs"]) == pytest.approx(pair[part], abs=1e-6), part
    assert pair["net"] == pytest.approx(pair["gross"] - pair["slippage"] - pair["fees"] + pair["funding"], abs=1e-6)
    assert run["metrics"]["net_profit"] == pytest.approx(pair["net"], abs=1e-6)
    assert run["metrics"]["fees"] == pytest.approx(pair["fees"], abs=1e-6)
    assert pair["fees"] > 0


def _shown(run_id: str, run: dict[str, Any], found: dict[str, Any]) -> None:
    """The page of the run, and its line in the list."""
    at = page(tab="runs", run=run_id)
    text = texts_of(at)
    for words in (
        f"pairs on synthetic {', '.join(COINS)} 15m",
        "What each pair made",
        NAME,
        "Costs",
        "Max drawdown",
        "By exit path",
    ):
        assert words in text, words
    assert f"{run['metrics']['trades']:,}" in text
    first = run["verdict"].partition(": ")[0]
    assert text.count(first) == 1, "the verdict is first, and said once"
    assert text.index(first) < text.index("Max drawdown")
    kinds = [data["kind"] for data in drawn(at)]
    (listed,) = [data for data in drawn(at) if data["kind"] == "table"]
    heads = [column[0] for column in listed["spec"]["columns"]]
    assert {"entry a", "exit b", "net", "fees"} <= set(heads)
    rows = [dict(zip(heads, row, strict=True)) for row in listed["spec"]["rows"]]
    assert len(rows) == len(found["drawn"]["trips"]["rows"])
    assert sum(row["net"] for row in rows) == pytest.approx(run["pairs"][0]["net"], abs=0.01)
    assert kinds.count("chart") >= 3
    (lines,) = drawn(page(tab="runs"))
    (line,) = [dict(zip([c[0] for c in lines["spec"]["columns"]], row, strict=True)) for row in lines["spec"]["rows"]]
    assert (line["run"], line["trips"]) == ("pairs BTC+ETH (SYNTHETIC)", run["metrics"]["trades"])
    assert line["Sharpe (95 %)"][0] == run["metrics"]["sharpe"]
