"""Checklists over HTTP: what the page shows and decides, in the session's name; what does not fit is refused in one shape."""

from typing import Any

import httpx
import pytest

from app.home.home import Home
from app.people.identity import add_person
from engine.control import checklists
from engine.watch import alert_rows
from engine.watch.alert_rows import AlertPolicy
from engine.watch.observation import Finding
from tests.app.api.conftest import Served

NOW_MS = 1_760_000_000_000


@pytest.fixture
def opened(home: Home) -> str:
    """An open page about the disk; its id."""
    finding = Finding("disk", "disk", "page", "80 MB are free", "desk", NOW_MS, "free some")
    return alert_rows.apply_findings(home.engine, [finding], (), NOW_MS, AlertPolicy(), [])[0].alert


def act(api: httpx.Client, what: str, **body: Any) -> httpx.Response:
    """An act on cl-1."""
    return api.post(f"/api/checklists/cl-1/{what}", json=body)


def test_a_checklist_is_worked_through_beside_its_alert(api: httpx.Client, opened: str) -> None:
    """The alert's own runbook; each step with who, when and what was read; a step is decided once."""
    assert api.get("/api/checklists").json() == {"items": []}
    begun = api.post("/api/checklists", json={"about": opened})
    assert begun.status_code == 201
    assert (begun.json()["runbook"], begun.json()["current"]) == ("disk-low", 1)
    assert api.post("/api/checklists", json={"about": opened}).status_code == 409
    assert act(api, "done", step=1).status_code == 409  # nobody said what they saw
    assert act(api, "done", step=1, evidence="seen").json()["steps"][0]["by"]["name"] == "ann"
    again = act(api, "done", step=1, evidence="seen, too")
    assert (again.status_code, "step 1 of cl-1 was done by ann" in again.json()["error"]["what"]) == (409, True)
    (item,) = api.get("/api/checklists", params={"about": opened}).json()["items"]
    assert [one["says"] for one in item["steps"][1]["readings"]] == ["yes"]
    assert act(api, "look").json()["current"] == 2
    assert act(api, "done", step=2).json()["current"] == 3
    gated = act(api, "done", step=3, evidence="it runs, trust me")
    assert (gated.status_code, gated.json()["error"]["kind"]) == (409, "Refused")
    assert act(api, "refuse", step=3, reason="it stays down").json()["state"] == "finished"
    assert api.get("/api/checklists", params={"about": opened}).json()["items"] == []
    (over,) = api.get("/api/checklists", params={"open": "false"}).json()["items"]
    assert [step["state"] for step in over["steps"]] == ["done", "done", "refused"]


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/checklists", {"runbook": "../../etc/passwd"}, 422), ("/api/checklists", {"runbook": "nothing"}, 400),
        ("/api/checklists", {"about": "al-99"}, 400), ("/api/checklists", {"about": "x" * 61}, 422),
        ("/api/checklists", {"runbook": "halted", "as": "ann"}, 422), ("/api/checklists/cl-9/done", {"step": 1}, 404),
        ("/api/checklists/cl-1/done", {"step": 0}, 422), ("/api/checklists/cl-1/done", {"step": "two"}, 422),
        ("/api/checklists/cl-1/done", {"step": 1, "evidence": "x" * 1_001}, 422),
        ("/api/checklists/cl-1/done", {"step": 1, "evidence": "a\u0000b"}, 422),
        ("/api/checklists/cl-1/done", {"step": 1, "evidence": "see d-77"}, 400),
        ("/api/checklists/cl-1/refuse", {"step": 1}, 400), ("/api/checklists/cl-1/end", {}, 400),
        ("/api/checklists/cl-1/look", {"step": 1}, 422), ("/api/checklists/..%2fx/look", {}, 404),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_changes_nothing(
    api: httpx.Client, home: Home, path: str, body: dict[str, Any], status: int
) -> None:
    """One shape of error, and the step is open as before."""
    api.post("/api/checklists", json={"runbook": "disk-low"})
    answer = api.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["what"]
    found = checklists.checklists_of(home.path)
    assert list(found) == ["cl-1"]
    assert found["cl-1"].decisions == ()


def test_a_viewer_reads_and_decides_nothing(served: Served, home: Home) -> None:
    """And a session that may only read: 403, also for the beginning."""
    with served.client("ann") as api:
        api.post("/api/checklists", json={"runbook": "disk-low"})
    add_person(home.path, "ann")
    add_person(home.path, "vic", role="viewer")
    for client in (served.client("vic"), served.client("ann", scope="read")):
        with client as api:
            assert len(api.get("/api/checklists").json()["items"]) == 1
            tried = [
                api.post("/api/checklists", json={"runbook": "halted"}),
                act(api, "look"),
                act(api, "done", step=1, evidence="x"),
            ]
            tried += [act(api, "refuse", step=1, reason="x"), act(api, "end", reason="x")]
            assert [answer.status_code for answer in tried] == [403] * 5
    assert checklists.checklists_of(home.path)["cl-1"].decisions == ()
