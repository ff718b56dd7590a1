"""The list of threads on SQLite and PostgreSQL: order, names, words of any alphabet, taken off; and a job that waits."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import select

from agents import threads
from app.home.home import Home, open_home
from app.jobs.queue import JobQueue
from engine.store import db
from engine.store.journal import read
from engine.store.tables import Thread

HOUR = 3_600_000


@pytest.fixture(params=["sqlite", "postgres"])
def home(request: pytest.FixtureRequest, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A synthetic desk on each database in turn."""
    if request.param == "postgres":
        monkeypatch.setenv("NIGHTDESK_DATABASE_URL", request.getfixturevalue("postgres_url"))
    return open_home()


def answered(home: Home, thread: str, text: str, at_ms: int) -> None:
    """A question and its answer, with facts that make the thread's row long."""
    turn = threads.begin(home.engine, thread, "operator", text, "offline", at_ms)
    kept: Any = ({"r1": "x" * 2_000}, {})
    threads.end(home.engine, turn, "done", {"answer_md": "fine"}, [], at_ms + 1, kept)


def listed(api: httpx.Client, **query: Any) -> list[str]:
    """Ids of the list, in its order."""
    answer = api.get("/api/threads", params=query)
    assert answer.status_code == 200, answer.text
    return [line["id"] for line in answer.json()["items"]]


def test_threads_are_named_searched_and_taken_off_alike(api: httpx.Client, home: Home) -> None:
    """Last used first; a name outlives the next turn; words of a question or a name find it in any case and alphabet."""
    old, mid, new = (threads.find(home.engine, "operator", "ann", "new", n * HOUR) for n in (1, 2, 3))
    answered(home, mid, "Is the 100% hedge_ratio on? ÄNDERUNG", 2 * HOUR)
    answered(home, new, "what about ETH", 3 * HOUR)
    answered(home, old, "Is anything wrong?", 4 * HOUR)
    assert listed(api) == [old, new, mid]
    assert listed(api, limit=2) == [old, new]
    assert listed(api, role="advisor") == []
    assert api.post(f"/api/threads/{new}/name", json={"name": "  Nachtwächter \n ÖL "}).json()["name"] == "Nachtwächter ÖL"
    answered(home, new, "and now", 5 * HOUR)
    assert [(line["id"], line["name"], line["turns"]) for line in api.get("/api/threads").json()["items"]] == [
        (new, "Nachtwächter ÖL", 2),
        (old, "", 1),
        (mid, "", 1),
    ]
    for words, found in {
        "ANYTHING": [old],
        "öl": [new],
        "eth": [new],
        "änderung": [mid],
        "100%": [mid],
        "hedge_": [mid],
        "e_h": [],
        "\\": [],
        "'": [],
        "x" * 80: [],
        "a\0b": [],
    }.items():
        assert listed(api, text=words) == found, words
    assert api.delete(f"/api/threads/{new}").json() == {"id": new, "name": "Nachtwächter ÖL", "hidden": True}
    assert listed(api) == [old, mid]
    assert listed(api, text="eth") == []
    assert threads.find(home.engine, "operator", "ann", "last", 0) != new
    assert len(api.get(f"/api/threads/{new}").json()["turns"]) == 2
    assert [(e.body["thread"], e.body.get("hidden")) for e in read(home.people_journal, {"thread"})] == [(new, None), (new, True)]
    with db.read(home.engine) as session:
        assert len(session.exec(select(Thread)).all()) == 3


def test_what_no_database_holds_is_refused_before_it_is_asked(api: httpx.Client) -> None:
    """A NUL in what a rollback goes back to: the request is at fault, not the database."""
    assert api.get("/api/proposals/rollback", params={"target": "a\0b"}).status_code in (400, 422)
    assert api.get("/api/proposals/rollback", params={"target": "1", "sleeve": "a\0b"}).status_code in (400, 422)


@pytest.mark.sample(1)
def test_a_job_that_waits_is_listed_and_cancelled(api: httpx.Client, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live until it is cancelled; an unknown one is not found."""
    monkeypatch.setattr(JobQueue, "spawn", lambda *_: None)
    job = JobQueue(home, "ann").submit("backtest", {"strategy": "trend", "symbol": "BTC-USDT", "venue": "synthetic"})
    (item,) = api.get("/api/jobs", params={"live": True}).json()["items"]
    assert (item["id"], item["state"], item["person"]) == (job, "queued", "ann")
    assert api.post(f"/api/jobs/{job}/cancel", json={}).json()["state"] == "cancelled"
    assert api.get("/api/jobs", params={"live": True}).json()["items"] == []
    assert api.get("/api/jobs/j-unknown").status_code == 404
