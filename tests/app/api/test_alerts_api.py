"""Alerts, runbooks and handovers over HTTP: with what became of their messages, taken under a person's name."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.api.context import now_ms
from app.home.home import Home
from engine.control import watches
from engine.store import db
from engine.store.tables import Delivery, Handover
from engine.watch import alert_rows
from engine.watch.alert_rows import AlertPolicy
from engine.watch.observation import Finding

NOW_MS = 1_760_000_000_000
Client = Callable[..., httpx.Client]


@pytest.fixture
def opened(home: Home) -> str:
    """A page about missing bars, owed to Slack, which did not take it; its id."""
    finding = Finding("bars", "bars", "page", "No bar for 3 minutes", "binance:BTC-USDT:perp", NOW_MS, "look", {"age_s": 180})
    (change,) = alert_rows.apply_findings(home.engine, [finding], (), NOW_MS, AlertPolicy(), ["slack"])
    with db.write(home.engine) as session:
        row = session.get(Delivery, 1)
        assert row is not None
        row.state, row.attempts, row.error = "failed", 8, "channel_not_found"
        session.add(row)
    return change.alert


def test_an_alert_comes_with_numbers_runbook_and_what_became_of_its_messages(api: httpx.Client, opened: str) -> None:
    """All that a message in Slack would say, and why it was not said there."""
    (item,) = api.get("/api/alerts").json()["items"]
    assert (item["id"], item["severity"], item["state"]) == (opened, "page", "open")
    assert item["numbers"]["age_s"] == 180
    (delivery,) = item["deliveries"]
    assert (delivery["sink"], delivery["state"], delivery["error"]) == ("slack", "failed", "channel_not_found")
    page = api.get(f"/api/runbooks/{item['runbook'].rpartition('/')[2].removesuffix('.md')}").json()
    assert page["text"].startswith("# ")


def test_an_acknowledgement_bears_the_name_of_the_session(api: httpx.Client, opened: str) -> None:
    """Who, how sure, by which way; the second changes nothing; an unknown alert is 404."""
    said = api.post(f"/api/alerts/{opened}/ack", json={}).json()
    assert said["acked_by"]["name"] == "ann"
    assert said["acked_by"]["assurance"] == "claimed"
    assert api.post(f"/api/alerts/{opened}/ack", json={}).json()["acked_ms"] == said["acked_ms"]
    assert api.post("/api/alerts/al-99/ack", json={}).status_code == 404


@pytest.mark.parametrize("name", ["nothing-here", "..%2f..%2fREADME", "%2e%2e", "a/b", "A"])
def test_only_runbooks_are_read(api: httpx.Client, name: str) -> None:
    """No other file, however it is named."""
    assert api.get(f"/api/runbooks/{name}").status_code in (404, 422)


def test_handovers_are_read_newest_first(api: httpx.Client, home: Home) -> None:
    """The text as it was made, its figures, what became of its message, and the hour of the next."""
    assert api.get("/api/handovers").json() == {"items": [], "at": "06:00"}
    body: dict[str, Any] = {"fills": 3}
    with db.write(home.engine) as session:
        for day in ("2026-11-19", "2026-11-20"):
            session.add(Handover(day=day, created_ms=NOW_MS, text=f"Desk day of {day}", body=json.dumps(body)))
        session.add(Delivery(subject="handover 2026-11-20", step="handover", sink="slack", created_ms=NOW_MS, due_ms=NOW_MS))
    items = api.get("/api/handovers").json()["items"]
    assert [item["day"] for item in items] == ["2026-11-20", "2026-11-19"]
    assert items[0]["body"] == body
    assert [d["state"] for d in items[0]["deliveries"]] == ["waiting"]
    assert items[1]["deliveries"] == []


def test_a_watch_is_added_confirmed_and_removed_by_the_session_and_by_nobody_else(api: httpx.Client, home: Home) -> None:
    """The name of the session is in the row; without one nothing happens; an unknown watch is 404, a bad one 400."""
    body = {"metric": "equity", "subject": "desk", "beyond": "below", "level": 9_000.0}
    assert httpx.post(str(api.base_url.join("/api/watches")), json=body).status_code == 401
    made = api.post("/api/watches", json=body)
    assert (made.status_code, made.json()["state"], made.json()["decided_by"]["name"]) == (201, "active", "ann")
    asked = watches.ask(home.engine, watches.WatchWish("equity", "desk", "above", 1.0), {"role": "operator"}, now_ms()).id
    assert [item["state"] for item in api.get("/api/watches").json()["items"]] == ["asked", "active"]
    assert api.post(f"/api/watches/{asked}/confirm", json={}).json()["decided_by"]["name"] == "ann"
    assert api.post(f"/api/watches/{asked}/remove", json={}).json()["state"] == "removed"
    assert api.post("/api/watches/w-99/confirm", json={}).status_code == 404
    assert api.post("/api/watches", json=body | {"metric": "luck"}).status_code == 400
