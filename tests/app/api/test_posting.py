"""What takes longer than a turn is posted to its thread when its job ends: once, whatever ran, failed or was asked meanwhile."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import col, update

from agents import owed, posting
from agents.model import Reply
from app import wiring
from app.jobs import queue
from app.jobs.queue import JobQueue
from app.wiring import Wiring
from engine.store.db import write
from engine.store.journal import read
from engine.store.tables import Job
from tests.fakes import recordings
from tests.fakes.gates import GATED, done, gated, posted
from tests.fakes.offices import ScriptedModel, calls
from tests.fakes.waiting import WAIT_S, until

KEYS = ["thread", "turn", "role", "model", "answer_md", "state_line", "acts_line", "unused", "asked_back", "read_as"]
KEYS += ["facts", "struck", "unchecked", "tool_calls", "jobs", "proposals", "usage"]


@pytest.fixture
def gate(own_home: Path) -> Iterator[Path]:
    """A strategy `slow` that waits for this file."""
    with gated(own_home) as path:
        yield path


@pytest.fixture
def asleep(gate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Jobs whose processes have their names and do nothing: for those that are never to end. Each would load for a second."""
    begun: list[subprocess.Popen[bytes]] = []

    def spawn(jobs: JobQueue, job_id: str) -> None:
        words = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", job_id]
        begun.append(subprocess.Popen(words, start_new_session=True))
        queue._CHILDREN[begun[-1].pid] = begun[-1]
        with write(jobs.home.engine) as session:
            session.exec(update(Job).where(col(Job.id) == job_id).values(pid=begun[-1].pid))

    monkeypatch.setattr(JobQueue, "spawn", spawn)
    yield
    for child in begun:
        child.kill()
        child.wait(WAIT_S)


def model_calling(*wanted: tuple[str, dict[str, Any]]) -> ScriptedModel:
    """A model that makes these calls at once and then says that they run."""
    return ScriptedModel(calls(*wanted), Reply("It runs."), Reply("All is well."))


SLOW = ("backtest", {"strategy": "slow", "symbol": "BTC-USDT"})


def begin(served: Any, api: httpx.Client, monkeypatch: pytest.MonkeyPatch, *wanted: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A turn whose calls were answered `started`, as the API tells it."""
    served.desk.running.wait_s = 0.0
    monkeypatch.setattr(wiring, "model_of", lambda *_: model_calling(*(wanted or (SLOW,))))
    begun = api.post("/api/turns", json={"role": "developer", "text": "Backtest slow on BTC-USDT", "thread": "new"}).json()
    return done(api, begun["turn"])


def test_a_slow_backtest_is_posted_when_it_ends(
    served: Any, gate: Path, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started with its job; then a turn of its own with table, facts and links, said to be code's, and no model asked."""
    first = begin(served, api, monkeypatch)
    (job,) = first["answer"]["jobs"]
    assert [call["status"] for call in first["answer"]["tool_calls"]] == ["started"]
    whole = api.get(f"/api/threads/{first['thread']}").json()
    assert [(o["turn"], o["tool"], o["jobs"]) for o in whole["owed"]] == [(first["id"], "backtest", [job])]
    assert [turn["id"] for turn in whole["turns"]] == [first["id"]]
    assert api.get("/api/threads").json()["items"][0]["turns"] == 1
    assert api.get(f"/api/turns/{whole['owed'][0]['id']}").json()["state"] == "owed"
    gate.touch()
    (turn,) = posted(api, first["thread"])
    answer = turn["answer"]
    assert (turn["id"], turn["state"], turn["model"]) == (whole["owed"][0]["id"], "done", "code")
    assert turn["posts"] == whole["owed"][0]
    assert list(answer) == KEYS
    assert answer["model"] == {"name": "code", "api_format": "none", "offline": True}
    assert answer["usage"] == {"input_tokens": 0, "output_tokens": 0, "tool_calls": 1}
    assert [(c["name"], c["args"], c["status"]) for c in answer["tool_calls"]] == [(*SLOW, "ok")]
    text = answer["answer_md"]
    assert text.startswith(f'**Posted by code** now that its job {job} has ended: backtest for "Backtest slow on BTC-USDT".')
    run = api.get(f"/api/jobs/{job}").json()["run_id"]
    assert "| sharpe |" in text
    assert f"](run:{run})" in text
    assert "posted by code, no model" in text
    assert not answer["struck"]
    assert {fact["evidence"]["id"] for fact in answer["facts"]} == {run}
    assert [j["id"] for j in api.get(f"/api/threads/{first['thread']}").json()["jobs"]] == [job], "it was run again"


@pytest.mark.slow
def test_the_thread_knows_what_was_posted(served: Any, gate: Path, api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next question finds the run by its handle, and it is journaled as other answers are."""
    gate.touch()
    first = begin(served, api, monkeypatch)
    (turn,) = posted(api, first["thread"])
    monkeypatch.setattr(wiring, "model_of", lambda *_: ScriptedModel(Reply("Its Sharpe was {r1.sharpe}.")))
    body = {"role": "developer", "text": "and its Sharpe?", "thread": first["thread"]}
    answer = done(api, api.post("/api/turns", json=body).json()["turn"])["answer"]
    run = turn["answer"]["facts"][0]["evidence"]["id"]
    assert f"](run:{run})" in answer["answer_md"]
    assert not answer["struck"]

    def journaled() -> Any:
        found = [event for event in read(served.home.people_journal) if event.body.get("turn") == turn["id"]]
        return found if any(event.kind == "answer" for event in found) else None

    mine = until(journaled, "the answer was never journaled")
    assert [(e.kind, e.body["model"]) for e in mine] == [("tool", "code"), ("answer", "code")]
    assert mine[1].body["state"] == "done"


def test_a_failed_job_is_one_clear_line(served: Any, gate: Path, api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason stands in the thread, without a table, and nothing is run again."""
    text = recordings.LEAKING.replace("    later =", GATED.format(gate=str(gate)).replace("later =", "1 / 0\n    later ="))
    recordings.strategy(served.home.strategies, "slow", text)
    first = begin(served, api, monkeypatch)
    gate.touch()
    (turn,) = posted(api, first["thread"])
    (job,) = first["answer"]["jobs"]
    said = turn["answer"]["answer_md"]
    assert said.startswith('**Posted by code:** backtest for "Backtest slow on BTC-USDT" ended without a result: ')
    assert "ZeroDivisionError" in said
    assert job in said
    assert "\n" not in said
    assert not turn["answer"]["facts"]
    assert len(api.get(f"/api/threads/{first['thread']}").json()["jobs"]) == 1


@pytest.mark.usefixtures("asleep")
def test_a_cancelled_job_is_one_line_too(served: Any, api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled on the page while it ran: the thread says so."""
    first = begin(served, api, monkeypatch)
    api.post(f"/api/jobs/{first['answer']['jobs'][0]}/cancel", json={})
    (turn,) = posted(api, first["thread"])
    assert "ended without a result: cancelled" in turn["answer"]["answer_md"]


@pytest.mark.usefixtures("asleep")
@pytest.mark.parametrize("late", [False, True], ids=["it answers just then", "it does not answer"])
def test_a_cancelled_turn_owes_nothing(served: Any, api: httpx.Client, monkeypatch: pytest.MonkeyPatch, *, late: bool) -> None:
    """Its call was answered `started`, then the turn is cancelled: its job too, and nothing is posted."""
    asked_again, go = threading.Event(), threading.Event()

    def slow(_messages: Any) -> Reply:
        asked_again.set()
        (live,) = served.desk.running.live.values()
        assert (go if late else live.stop).wait(WAIT_S)
        return Reply("Too late.")

    served.desk.running.wait_s = 0.0
    served.desk.running.posting.close()  # it must find nothing, not come too late
    monkeypatch.setattr(wiring, "model_of", lambda *_: ScriptedModel(calls(SLOW), slow))
    begun = api.post("/api/turns", json={"role": "developer", "text": "slow?", "thread": "new"}).json()
    assert asked_again.wait(WAIT_S)
    said = api.post(f"/api/turns/{begun['turn']}/cancel", json={}).json()
    assert said["state"] == "cancelled" or not late
    go.set()
    until(lambda: begun["turn"] not in served.desk.running.live, "the turn's thread never ended")
    whole = api.get(f"/api/threads/{begun['thread']}").json()
    assert [job["state"] for job in whole["jobs"]] == ["cancelled"]
    assert (whole["owed"], owed.all_pending(served.home.engine)) == ([], [])
    assert [turn["id"] for turn in whole["turns"]] == [begun["turn"]]


@pytest.mark.slow
def test_a_comparison_waits_for_all_its_jobs(served: Any, gate: Path, api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """One posting for its jobs together, with every run in the table; a second slow call is posted by itself."""
    variants = [{"changes": [{"key": "stop_atr", "value": 3.0}]}]
    compare = ("compare", {"strategy": "slow", "symbol": "BTC-USDT", "variants": variants})
    other = ("leaks", {"strategy": "slow", "symbol": "ETH-USDT"})
    first = begin(served, api, monkeypatch, compare, other)
    jobs = first["answer"]["jobs"]
    assert [o["jobs"] for o in api.get(f"/api/threads/{first['thread']}").json()["owed"]] == [jobs[:2], jobs[2:]]
    gate.touch()
    turns = posted(api, first["thread"], 2)
    assert [turn["posts"]["tool"] for turn in turns] == ["compare", "leaks"]
    runs = [job["run_id"] for job in api.get(f"/api/threads/{first['thread']}").json()["jobs"]]
    assert len(runs) == 3, "something was run again"
    assert all(run in turns[0]["answer"]["answer_md"] for run in runs[:2])
    assert "looks ahead" in turns[1]["answer"]["answer_md"] or "leaks" in turns[1]["answer"]["answer_md"]


PROPOSED = ("propose_config", {"sleeve": "btc-trend", "rationale": "a test", "changes": [{"key": "stop_atr", "value": 1.5}]})


@pytest.mark.slow
def test_a_proposal_is_made_when_its_evidence_is_there(
    served: Any, gate: Path, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its two runs took longer than the turn: the card is posted, pending, asked for by the person who asked."""
    first = begin(served, api, monkeypatch, PROPOSED)
    (turn,) = posted(api, first["thread"])
    (made,) = turn["answer"]["proposals"]
    card = api.get(f"/api/proposals/{made}").json()
    assert (card["state"], card["sleeve"], card["requester"]["person"]) == ("pending", "btc-trend", "ann")
    assert card["requester"]["thread"] == first["thread"]


@pytest.mark.slow
def test_a_late_proposal_pushes_no_newer_one_aside(
    served: Any, gate: Path, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody proposed for the same sleeve while its evidence was computed: that one stays, and the thread is told."""
    served.desk.running.posting.close()
    first = begin(served, api, monkeypatch, PROPOSED)
    pause = ("propose_pause", {"sleeve": "btc-trend", "rationale": "a test"})
    monkeypatch.setattr(wiring, "model_of", lambda *_: model_calling(pause))
    body = {"role": "operator", "text": "pause it", "thread": "new"}
    (newer,) = done(api, api.post("/api/turns", json=body).json()["turn"])["answer"]["proposals"]
    served.stop()
    served.start()
    with served.client() as client:
        (turn,) = posted(client, first["thread"])
        assert client.get(f"/api/proposals/{newer}").json()["state"] == "pending"
    assert turn["answer"]["proposals"] == []
    assert f"{newer} has since been proposed for the same sleeve" in turn["answer"]["answer_md"]


@pytest.mark.slow
def test_a_busy_thread_is_waited_for(served: Any, gate: Path, api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job ends while another question of the thread is answered: it is posted after that one."""
    first = begin(served, api, monkeypatch)
    seen = []

    def answers(_messages: Any) -> Reply:
        gate.touch()
        job = first["answer"]["jobs"][0]
        until(lambda: api.get(f"/api/jobs/{job}").json()["state"] == "done", "the job did not end")
        office = Wiring(served.home, "ann", "test", 0.0, posting.CodeModel())
        seen.extend(posting.post(office, one) for one in owed.all_pending(served.home.engine))
        office.close()
        return Reply("All is well.")

    monkeypatch.setattr(wiring, "model_of", lambda *_: ScriptedModel(answers))
    body = {"role": "developer", "text": "all well?", "thread": first["thread"]}
    second = done(api, api.post("/api/turns", json=body).json()["turn"])
    assert seen == [False]
    (turn,) = posted(api, first["thread"])
    assert turn["created_ms"] > second["created_ms"]
    assert [t["id"] for t in api.get(f"/api/threads/{first['thread']}").json()["turns"]] == [
        first["id"],
        second["id"],
        turn["id"],
    ]


def test_asked_again_and_answered_nothing_is_posted_twice(
    served: Any, gate: Path, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same call gave its answer in a later turn of the thread: what was owed is paid."""
    served.desk.running.posting.close()
    first = begin(served, api, monkeypatch)
    gate.touch()
    served.desk.running.wait_s = WAIT_S
    body = {"role": "developer", "text": "Backtest slow on BTC-USDT", "thread": first["thread"]}
    monkeypatch.setattr(wiring, "model_of", lambda *_: model_calling(SLOW))
    again = done(api, api.post("/api/turns", json=body).json()["turn"])
    assert [call["status"] for call in again["answer"]["tool_calls"]] == ["ok"]
    served.stop()
    served.start()
    with served.client() as client:
        until(lambda: owed.all_pending(served.home.engine) == [], "it is still owed")
        assert len(client.get(f"/api/threads/{first['thread']}").json()["turns"]) == 2


@pytest.mark.usefixtures("asleep")
def test_one_of_many_posts_it(served: Any, api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever claims it first is the only one; the others find nothing to do."""
    served.desk.running.posting.close()
    first = begin(served, api, monkeypatch)
    (one,) = owed.all_pending(served.home.engine)
    now = time.time_ns() // 1_000_000
    assert [owed.claim(served.home.engine, one, now) for _ in range(3)] == [True, False, False]
    owed.put_back(served.home.engine, one)
    assert owed.claim(served.home.engine, one, now)
    assert first["id"] == one.question
