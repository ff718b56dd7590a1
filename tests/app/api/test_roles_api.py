"""Roles over HTTP: what each may send, a halt for everyone, and a route without a row is refused."""

from typing import Any

import pytest
from fastapi import APIRouter

from app.people.authority import ACTS, DECIDE, MAYBE_HALT, ROUTES, may
from app.people.identity import ROLES, Role, add_person

IDS = {
    "turn_id": "u-1",
    "thread_id": "t-1",
    "run_id": "r-20261120-0a1b2c3d",
    "job_id": "j-1",
    "proposal_id": "prop-1",
    "alert_id": "al-1",
    "watch_id": "w-1",
    "checklist_id": "cl-1",
}


def _prove(client: Any, name: str, token: str) -> None:
    """From here on the session is that person's."""
    assert client.post("/api/session", json={"name": name, "token": token}).status_code == 200


@pytest.fixture
def people(served: Any) -> dict[str, str]:
    """One person of each role, named like it: their tokens."""
    return {role: add_person(served.home.path, role, role=role) for role in reversed(ROLES)}


def test_each_role_gets_through_to_its_routes_alone(served: Any, people: dict[str, str]) -> None:
    """403 before the route looks at anything; else whatever the route says of a body that is not its own."""
    roles: tuple[Role, ...] = ROLES
    for role in roles:
        with served.client(role) as client:
            _prove(client, role, people[role])
            for (method, path), act in ROUTES.items():
                if act in ("session", "signed", "halt", MAYBE_HALT):
                    continue
                least = "tighten" if act == DECIDE else act
                status = client.request(method, path.format(**IDS), json={"surprise": 1}).status_code
                assert (status != 403) is may(role, least), (role, method, path, status)


def test_a_viewer_halts_and_asks_nothing(served: Any, people: dict[str, str]) -> None:
    """By button and by a text; the same text without the word is refused."""
    with served.client("viewer") as client:
        _prove(client, "viewer", people["viewer"])
        mine = client.get("/api/session").json()
        assert mine["role"] == "viewer"
        assert mine["refused"]["release"] == "needs an approver: admin, approver"
        assert "halt" not in mine["refused"]
        assert client.get("/api/desk").status_code == 200
        refused = client.post("/api/turns", json={"role": "operator", "text": "how are we doing?", "thread": "new"})
        assert refused.status_code == 403
        assert "viewer is a viewer and may not ask a role" in refused.json()["error"]["what"]
        assert client.post("/api/turns", json={"role": "operator", "text": "/halt odd fills", "thread": "new"}).status_code == 202
        assert client.get("/api/halt").json()["halted"] is True
        assert client.delete("/api/halt").status_code in (403, 422)
        assert client.request("DELETE", "/api/halt", json={"reason": "fine"}).status_code == 403
    with served.client("a stranger") as client:  # of no entry: may look, and halt
        assert client.get("/api/session").json()["role"] == "viewer"
        assert client.post("/api/halt", json={"reason": "odd"}).status_code == 200
        assert client.post("/api/threads", json={"role": "operator"}).status_code == 403


def test_a_route_without_a_row_is_refused(served: Any) -> None:
    """Even of a desk of one person: what nobody has put into the table does nothing."""
    router = APIRouter()

    @router.post("/api/unheard-of")
    def forgotten() -> dict[str, bool]:
        raise AssertionError("it was let through")

    served.door.app.include_router(router)
    with served.client() as client:
        answer = client.post("/api/unheard-of", json={})
    assert answer.status_code == 403
    assert "has no row" in answer.json()["error"]["what"]


def test_every_act_of_a_row_is_in_the_table() -> None:
    """Written here again, beside what uses it."""
    assert {act for act in ROUTES.values() if act not in ACTS} == {DECIDE, MAYBE_HALT}
