"""A sleeve's page and a person's proposals over HTTP: unknown ids are named, bounds hold, nothing changes without approval."""

import json
from typing import Any

import pytest

from app.api import proposing, under_way
from app.api.under_way import KeptRequest, UnderWay
from app.home.home import Home
from engine.control.config import active
from engine.errors import BadInput
from engine.store import db
from engine.store.journal import read
from engine.store.tables import Job
from tests.fakes.waiting import until

UNKNOWN = ("/api/sleeves/nobody", "/api/sleeves/nobody/trips", "/api/desk/trips/t1", "/api/desk/equity?sleeve=nobody")


def body(**more: Any) -> dict[str, Any]:
    """A pause of btc-trend, or what else is given."""
    return {"sleeve": "btc-trend", "changes": [{"key": "paused", "value": True}], "rationale": "three losses"} | more


def test_a_desk_that_has_not_begun_has_settings_and_no_position(api: Any) -> None:
    """Its page is there before the first bar; unknown sleeves and trips are not found, in words."""
    found = api.get("/api/sleeves/btc-trend").json()
    assert (found["desk_ms"], found["position"], found["closes"], found["version"]) == (None, None, [], 1)
    params = {row["key"]: row for row in found["params"]}
    assert (params["stop_atr"]["value"], params["stop_atr"]["high"], params["stop_atr"]["version"]) == (2.0, 20.0, 1)
    assert params["entry"]["choices"] == ["market", "limit"]
    assert api.get("/api/sleeves/btc-trend/trips").json()["rows"] == []
    for path in UNKNOWN:
        answer = api.get(path)
        assert (answer.status_code, bool(answer.json()["error"]["what"])) == (404, True), path


def test_a_person_proposes_a_pause(api: Any, home: Home) -> None:
    """A card of a person, tightening, journaled before it existed; the configuration is as it was until somebody approves."""
    answer = api.post("/api/proposals", json=body())
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert (made["state"], made["jobs"]) == ("made", [])
    card = made["proposal"]
    assert (card["direction"], card["state"], card["rationale"]) == ("tightens", "pending", "three losses")
    assert (card["requester"]["role"], card["requester"]["person"], card["requester"]["model"]) == ("person", "ann", "none")
    assert not active(home.engine, home.path).config.sleeve("btc-trend").paused
    kinds = [e.kind for e in read(home.people_journal)]
    assert kinds.index("tool") < kinds.index("proposal")
    done = api.post(f"/api/proposals/{card['id']}/approve", json={"diff_sha256": card["diff_sha256"]})
    assert done.status_code == 200
    assert active(home.engine, home.path).config.sleeve("btc-trend").paused
    assert api.get("/api/sleeves/btc-trend").json()["versions"][0]["changes"] == [{"key": "paused", "old": False, "value": True}]


def test_a_person_proposes_a_pause_with_an_end(api: Any, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is counted from the desk's time by the tool that roles use; the card names it, and an approval puts it in force."""
    monkeypatch.setattr(proposing.ToolWiring, "desk_ms", lambda _: 1_800_000_000_000)
    answer = api.post("/api/proposals", json=body(ends="for 24h"))
    assert answer.status_code == 200, answer.text
    card = answer.json()["proposal"]
    until = 1_800_000_000_000 + 86_400_000
    assert {c["key"]: c["value"] for c in card["diff"]["changes"]} == {"paused": True, "resumes_ms": until}
    assert any("2027-01-16 08:00Z" in cell for row in card["rows"] for cell in row["cells"])
    api.post(f"/api/proposals/{card['id']}/approve", json={"diff_sha256": card["diff_sha256"]})
    assert active(home.engine, home.path).config.sleeve("btc-trend").resumes_ms == until
    for ends, words in (("91d", "at most 90 days"), ("soonish", "not a valid time"), ("2020", "after desk time")):
        refused = api.post("/api/proposals", json=body(sleeve="eth-trend", ends=ends))
        assert (refused.status_code, words in json.dumps(refused.json())) == (400, True), refused.text
        assert "propose_pause" not in refused.text  # a tool's name is no word for who pressed a button


REFUSED: tuple[tuple[dict[str, Any], int, str], ...] = (
    ({"sleeve": "nobody"}, 400, "nobody"),
    ({"changes": []}, 422, "changes"),
    ({"changes": [{"key": "stop_atr", "value": 99}]}, 400, "stop_atr = 99"),
    ({"changes": [{"key": "stop_atr", "value": "wide"}]}, 400, "stop_atr = 'wide'"),
    ({"changes": [{"key": "drawdown_frac_max", "value": 1}]}, 409, "hard limit"),
    ({"changes": [{"key": "cash", "value": 1e9}]}, 409, "cannot be proposed"),
    ({"changes": [{"key": "stop_atr", "value": 2.0}]}, 409, "nothing would change"),
    ({"changes": [{"key": "__class__", "value": 1}]}, 422, "key"),
    ({"changes": [{"key": f"k{n}", "value": 1} for n in range(31)]}, 422, "changes"),
    ({"rationale": " "}, 422, "rationale"),
    ({"rationale": "x" * 1001}, 422, "rationale"),
    ({"apply": True}, 422, "apply"),
    ({"ends": "24h", "changes": [{"key": "stop_atr", "value": 3.0}]}, 400, "only a pause has an end"),
    ({"ends": "x" * 61}, 422, "ends"),
    ({"ends": "24h"}, 400, "not processed a bar yet"),
)


def test_what_cannot_be_proposed_is_refused_in_words_and_starts_no_job(served: Any) -> None:
    """Out of bounds, a hard limit, what defines the sleeve, no change, no reason, too much; and a session that may only read."""
    with served.client() as api:
        for more, status, words in REFUSED:
            answer = api.post("/api/proposals", json=body(**more))
            assert answer.status_code == status, (more, answer.text)
            assert words in json.dumps(answer.json()["error"]), (more, answer.text)
        assert api.get("/api/jobs").json()["items"] == []
        assert api.get("/api/proposals").json()["items"] == []
    with served.client(scope="read") as reader:
        assert reader.post("/api/proposals", json=body()).status_code == 403


@pytest.mark.long  # two backtests in processes of their own
def test_a_proposal_is_made_though_its_page_was_left(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent once: whoever comes back finds it under way, then its card; the same request finds that card and makes no second."""
    monkeypatch.setattr(proposing, "WAIT_S", 0.0)
    monkeypatch.setattr(under_way, "LEFT_S", 0.0)
    wanted = body(changes=[{"key": "stop_atr", "value": 3.0}], rationale="noise")
    assert api.post("/api/proposals", json=wanted).status_code == 202
    (mine,) = api.get("/api/proposing").json()["items"]
    assert {key: mine[key] for key in wanted} == wanted
    until(lambda: api.get("/api/proposals").json()["items"], "the card")
    (card,) = api.get("/api/proposals").json()["items"]
    assert (card["requester"]["person"], card["rationale"], len(card["evidence_runs"])) == ("ann", "noise", 2)
    until(lambda: not api.get("/api/proposing").json()["items"], "nothing under way")
    again = api.post("/api/proposals", json=wanted).json()
    assert (again["state"], again["proposal"]["id"]) == ("made", card["id"])
    assert len(api.get("/api/proposals").json()["items"]) == 1


def test_a_request_is_kept_for_its_person_until_it_is_made_refused_or_given_up(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process finds it; a page that sends it is left alone; a cancelled job ends it, and so does time."""
    monkeypatch.setattr(under_way, "LOOK_S", 0.01)
    now, sent, seen = under_way.now_ms(), {"sleeve": "btc-trend"}, list[str]()

    def refuse(asked: KeptRequest) -> bool:
        seen.append(asked.turn)
        raise BadInput("no")

    kept, other = UnderWay(home.path, home.engine), UnderWay(home.path, home.engine)
    kept.keep(KeptRequest("page-1", "ann", "page", now, sent), refuse)
    assert [asked.turn for asked in other.of("ann")] == ["page-1"]
    assert other.of("bob") == []
    assert not seen
    monkeypatch.setattr(under_way, "LEFT_S", 0.0)
    until(lambda: seen, "it is sent once its page was left")
    assert [asked.turn for asked in other.of("ann")] == ["page-1"], "a refusal waits for who comes back"
    kept.forget("page-1")
    assert other.of("ann") == []
    kept.keep(KeptRequest("page-2", "ann", "page", now, sent), lambda _: True)
    until(lambda: other.of("ann") == [], "made")
    for turn, since in (("page-3", now), ("page-4", now - under_way.KEPT_MS - 1)):
        kept.keep(KeptRequest(turn, "ann", "page", since, sent), lambda _: False)
    assert [asked.turn for asked in other.of("ann")] == ["page-3"]
    with db.write(home.engine) as session:
        session.add(Job(id="j-1", kind="backtest", turn="page-3", state="cancelled", created_ms=now - 9, ended_ms=now + 1))
    assert other.of("ann") == []


@pytest.mark.long  # two backtests in processes of their own
def test_evidence_is_run_first_and_the_same_request_takes_it_up(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """202 with its two jobs while they run, no third one however often it is sent; then the card with both runs."""
    monkeypatch.setattr(proposing, "WAIT_S", 0.0)
    wanted = body(changes=[{"key": "stop_atr", "value": 3.0}], rationale="noise")
    first = api.post("/api/proposals", json=wanted)
    assert (first.status_code, first.json()["state"], len(first.json()["jobs"])) == (202, "evidence", 2)
    until(lambda: all(job["state"] not in ("queued", "running") for job in api.get("/api/jobs").json()["items"]), "jobs")
    last = api.post("/api/proposals", json=wanted)
    assert last.status_code == 200, last.text
    card = last.json()["proposal"]
    assert {"base", "changed"} <= set(card["evidence_runs"])
    assert card["requester"]["role"] == "person"
    assert len(api.get("/api/jobs").json()["items"]) == 2
