"""Reading the desk and deciding over HTTP: proposals, versions, journal, runs, jobs; what was shown is what is approved."""

import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.home.home import Home, open_home
from app.views.proposal_card import card
from engine.control import proposals
from engine.control.config import active
from engine.control.halt import read as latch
from engine.store.journal import Event, Journal, read
from engine.store.tables import Proposal
from tests.fakes.papers import advanced, feed_of, furnished, loop_of


def propose(home: Home, changes: dict[str, Any], now_ms: int) -> Proposal:
    """A pending change of btc-trend with runs of both configurations."""
    config, evidence = active(home.engine, home.path)[1].sleeve("btc-trend"), []
    for n, (role, params) in enumerate((("base", {}), ("changed", changes))):
        run_id = f"r-20231114-{n:08x}"
        (home.runs / run_id).mkdir(exist_ok=True)
        ran = {"strategy": config.strategy, "symbol": config.symbol, "params": {**config.params, **params}}
        (home.runs / run_id / "run.json").write_text(json.dumps({"sleeves": [ran], "data": {}, "code_hash": "c"}))
        evidence.append({"role": role, "run_id": run_id})
    who = {"role": "developer", "thread": "t-1", "person": "ann"}
    kept = {"sleeve": "btc-trend", "rationale": "<script>alert(1)</script>", "requester": who, "now_ms": now_ms}
    return proposals.create(home.engine, home.path, changes=changes, evidence=evidence, **kept)


def paused(home: Home, sleeve: str, now_ms: int) -> Proposal:
    """A pending pause of a sleeve."""
    who = {"role": "operator", "thread": "t-1", "person": "ann"}
    kept = {"evidence": [], "rationale": "calm", "requester": who, "now_ms": now_ms}
    return proposals.create(home.engine, home.path, sleeve=sleeve, changes={"paused": True}, **kept)


def now_ms(api: httpx.Client) -> int:
    """The machine's time, as the API tells it."""
    return int(api.get("/api/desk").json()["now_ms"])


def test_two_sleeves_cards_are_both_approved_and_one_is_rolled_back(api: httpx.Client, home: Home) -> None:
    """The second card lives on after the first approval; versions list each sleeve's own; a rollback moves one sleeve."""
    rows = [propose(home, {"stop_atr": 3.0}, now_ms(api)), paused(home, "eth-trend", now_ms(api))]
    for n, row in enumerate(rows):
        held = api.get(f"/api/proposals/{row.id}").json()
        assert held["act"] == ("loosen", "tighten")[n]
        assert (held["state"], held["parts"][0]["from_version"], held["parts"][0]["to_version"]) == ("pending", 1, None)
        done = api.post(f"/api/proposals/{row.id}/approve", json={"diff_sha256": held["diff_sha256"]}).json()
        assert (done["version"], done["sleeves"]) == (n + 2, {row.sleeve: 2})
    shown = api.get("/api/proposals/rollback", params={"target": "1", "sleeve": "btc-trend"}).json()
    assert [(c["key"], c["old"], c["value"]) for c in shown["diff"]["changes"]] == [("stop_atr", 3.0, 2.0)]
    assert (shown["verdict"], shown["act"]) == ("MIXED, treated as loosening", "loosen")
    other = {"target": "1", "sleeve": "btc-trend", "diff_sha256": "0" * 64}
    assert api.post("/api/proposals/rollback", json=other).status_code == 409
    back = api.post("/api/proposals/rollback", json={**other, "diff_sha256": shown["diff_sha256"]}).json()
    first = api.get(f"/api/proposals/{rows[0].id}").json()
    assert first["runs_now"]["text"] == "applied as version 2, rolled back; version 4 runs now: stop_atr 2"
    assert first["rows"] == json.loads(json.dumps(card(home, proposals.get(home.engine, rows[0].id), now_ms(api))["rows"]))
    assert (back["state"], back["version"], back["sleeves"]) == ("applied", 4, {"btc-trend": 3})
    lines = api.get("/api/versions").json()["items"]
    assert [(line["version"], line["sleeves"]["btc-trend"], line["sleeves"]["eth-trend"]) for line in lines] == [
        (4, 3, 2),
        (3, 2, 2),
        (2, 2, 1),
        (1, 1, 1),
    ]
    assert [line["active"] for line in lines] == [True, False, False, False]
    stages = {s["name"]: (s["stage"], s["stage_reached"]) for s in api.get("/api/sleeves").json()["items"]}
    assert stages["eth-trend"] == ("paper", None)


def test_two_people_approve_two_sleeves_at_once(api: httpx.Client, home: Home) -> None:
    """Both win, whichever comes first; twice the same card, one wins."""
    rows = [paused(home, name, now_ms(api)) for name in ("btc-trend", "eth-trend")]
    codes: list[int] = []

    def approve(row: Proposal) -> None:
        codes.append(api.post(f"/api/proposals/{row.id}/approve", json={"diff_sha256": row.diff_sha256}).status_code)

    threads = [threading.Thread(target=approve, args=(row,)) for row in (rows[0], rows[1], rows[0])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, 200, 409]
    assert active(home.engine, home.path).sleeves == {"btc-trend": 2, "eth-trend": 2, "sol-reversion": 1}


def test_what_was_shown_is_what_is_approved(api: httpx.Client, home: Home) -> None:
    """Another hash is refused with 409 and changes nothing; the shown one makes the version and names the person."""
    row = propose(home, {"stop_atr": 3.0}, now_ms(api))
    card = api.get("/api/proposals/prop-1").json()
    assert (card["state"], card["diff"]["changes"][0]["value"], card["adoption"]) == ("pending", 3.0, None)
    assert card["expires_in_s"] > 80_000
    other = api.post("/api/proposals/prop-1/approve", json={"diff_sha256": "0" * 64})
    assert (other.status_code, other.json()["error"]["kind"]) == (409, "Refused")
    assert active(home.engine, home.path)[0] == 1
    done = api.post(f"/api/proposals/{row.id}/approve", json={"diff_sha256": card["diff_sha256"]}).json()
    assert (done["state"], done["version"], done["actor"]["name"], done["actor"]["channel"]) == ("applied", 2, "ann", "api")
    after = api.get("/api/proposals/prop-1").json()
    follows = after["adoption"].pop("follows")
    assert follows == "NO WORKER RUNS: until one does (nightdesk up), the desk runs the version before."
    assert after["adoption"] == {"active_version": 2, "desk_version": None, "adopted": False, "waiting": [], "event": None}
    assert after["decided_by"]["assurance"] == "claimed"
    assert [(v["version"], v["active"]) for v in api.get("/api/versions").json()["items"]] == [(2, True), (1, False)]
    again = api.post("/api/proposals/prop-1/approve", json={"diff_sha256": card["diff_sha256"]})
    assert again.status_code == 409


def test_ten_clicks_at_once_apply_once(served: Any, home: Home, api: httpx.Client) -> None:
    """One 200, nine 409, one new version."""
    row = propose(home, {"stop_atr": 1.5}, now_ms(api))
    seen: list[int] = []

    def click() -> None:
        with served.client() as client:
            seen.append(client.post(f"/api/proposals/{row.id}/approve", json={"diff_sha256": row.diff_sha256}).status_code)

    threads = [threading.Thread(target=click) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [200, *[409] * 9]
    assert active(home.engine, home.path)[0] == 2


def test_reject_refresh_and_roll_back(api: httpx.Client, home: Home) -> None:
    """A rejected one stays so; a stale one is proposed anew; a rollback is a new version."""
    propose(home, {"stop_atr": 3.0}, now_ms(api))
    said = api.post("/api/proposals/prop-1/reject", json={"reason": "too wide"}).json()
    assert said["state"] == "rejected"
    assert api.post("/api/proposals/prop-1/refresh", json={}).status_code == 409
    propose(home, {"stop_atr": 3.0}, now_ms(api))
    assert api.post("/api/halt", json={"reason": "look"}).status_code == 200
    assert api.request("DELETE", "/api/halt", json={"reason": "looked"}).status_code == 200
    assert not latch(home.path, home.engine).halted
    assert api.get("/api/proposals/prop-2").json()["state"] == "stale"
    fresh = api.post("/api/proposals/prop-2/refresh", json={}).json()
    assert (fresh["id"], fresh["state"], fresh["requester"]["role"]) == ("prop-3", "pending", "person")
    assert api.post("/api/proposals/prop-3/approve", json={"diff_sha256": fresh["diff_sha256"]}).json()["version"] == 2
    back = api.post("/api/proposals/rollback", json={"target": "1"}).json()
    assert (back["state"], back["version"]) == ("applied", 3)
    assert active(home.engine, home.path)[1].sleeve("btc-trend").params["stop_atr"] == 2.0


def test_a_halt_is_in_file_database_and_journal(api: httpx.Client, home: Home) -> None:
    """The answer comes after the file; row and journal follow, and say who."""
    said = api.post("/api/halt", json={"reason": "  smoke \n on the line "}).json()
    assert (said["halted"], said["reason"], said["by"]) == (True, "smoke on the line", "ann")
    released = api.request("DELETE", "/api/halt", json={"reason": "gone"}).json()
    assert released["released"]["where"] == ["file", "database"]
    kinds = [event.kind for event in read(home.people_journal)]
    assert kinds == ["halt", "release", "decision"]
    assert api.request("DELETE", "/api/halt", json={"reason": "gone"}).status_code == 409


def test_ids_that_lead_elsewhere_are_no_ids(api: httpx.Client) -> None:
    """Paths in the place of ids reach no file."""
    for path in ("runs/..%2f..%2fetc%2fpasswd", "runs/r-20231114-0000000g/report", "journal/d-1%00", "jobs/..%2fx"):
        assert api.get(f"/api/{path}").status_code in (404, 422)


def test_the_journal_is_read_in_pages_from_its_end(api: httpx.Client, home: Home) -> None:
    """All events once, newest first, whatever the page; filters by kind and time; one event with its story."""
    journal = Journal(home.desk_journal, "worker")
    for n in range(120):
        kind = "fill" if n % 3 == 0 else "mark"
        body = {"sleeve": "btc-trend", "side": "buy", "quantity": 1.0, "price": 10.0 + n, "slot": "entry"}
        journal.append([Event(kind, 1000 * n, body)], sync=False)
    journal.close()
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get("/api/journal", params={"limit": 7, "cursor": cursor}).json()
        seen += [e["id"] for e in page["items"]]
        cursor = page["next"]
    assert seen == [f"d-{n}" for n in range(120, 0, -1)]
    fills = api.get("/api/journal", params={"kinds": "fill", "since_ms": 9_000, "until_ms": 30_000}).json()["items"]
    assert [e["t_event_ms"] for e in fills] == [30_000, 27_000, 24_000, 21_000, 18_000, 15_000, 12_000, 9_000]
    assert "buy 1 at" in fills[0]["told"]
    assert api.get("/api/journal/d-61").json()["event"]["t_event_ms"] == 60_000
    assert api.get("/api/journal", params={"cursor": "-1"}).status_code == 400


def test_the_report_is_served_in_a_sandbox(api: httpx.Client, home: Home) -> None:
    """It may run its own scripts, reach nothing, and be framed by the desk's page alone."""
    folder = home.runs / "r-20231114-00000000"
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    (folder / "report.html").write_text("<p>a run</p>")
    answer = api.get("/api/runs/r-20231114-00000000/report")
    policy = answer.headers["content-security-policy"]
    assert "sandbox allow-scripts" in policy
    assert "default-src 'none'" in policy
    assert "allow-same-origin" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_desk_that_runs_is_told_whole(own_home: Path, request: pytest.FixtureRequest) -> None:
    """Sleeves with positions, equity over time, guards with how near they are, checks, stamps."""
    furnished(own_home)
    home = open_home()
    loop = advanced(loop_of(home, feed_of(home)), 300)
    loop.journal.close()
    api = request.getfixturevalue("api")
    desk, sleeves, curve = api.get("/api/desk").json(), api.get("/api/sleeves").json(), api.get("/api/desk/equity").json()
    assert desk["desk_ms"] == sleeves["desk_ms"] == curve["close_ms"][-1]
    assert desk["equity"] == pytest.approx(curve["equity"][-1])
    assert {"drawdown since release, halts the desk", "gross exposure, times equity"} <= {g["name"] for g in desk["guards"]}
    assert [s["name"] for s in sleeves["items"]] == ["btc-trend", "eth-trend", "sol-reversion"]
    assert sum(s["equity"] for s in sleeves["items"]) == pytest.approx(desk["equity"])
    layers = [layer for s in sleeves["items"] for layer in (s["position"] or {}).get("layers", [])]
    assert {layer["covered"] for layer in layers} == {True}, "the page calls what is not known a missing stop"
    assert curve["close_ms"] == sorted(set(curve["close_ms"]))
