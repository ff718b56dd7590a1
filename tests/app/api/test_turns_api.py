"""Turns over HTTP: begun, followed, followed again, cancelled, one a thread; what a restart and a kill leave behind."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents import threads
from agents.model import Reply
from agents.offline.model import OfflineModel
from app import wiring
from app.api import running
from app.client import ApiError, Client
from app.home.home import open_home
from app.people.sessions import Sessions
from app.processes.children import allowed_api, one_api_command
from app.processes.connections import BoundedConnection
from engine.control import halt
from engine.store import db
from engine.store.journal import read, verify
from engine.store.tables import Turn
from tests.app.typed import typed
from tests.fakes.offices import ScriptedModel, calls
from tests.fakes.waiting import WAIT_S, free_port, until

ASKED = {"role": "operator", "text": "is anything wrong?"}


def events(client: httpx.Client, turn: str, headers: dict[str, str] | None = None, most: int = 1000) -> list[dict[str, Any]]:
    """The stream of a turn as (id, event, data), to its end or so many."""
    found: list[dict[str, Any]] = []
    with client.stream("GET", f"/api/turns/{turn}/events", headers=headers or {}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        one: dict[str, Any] = {}
        for line in answer.iter_lines():
            if line and not line.startswith(":"):
                key, _, value = line.partition(": ")
                one[key] = json.loads(value) if key == "data" else value
            elif one:
                found.append(one)
                one = {}
                if len(found) >= most:
                    break
    return found


class Waiting:
    """A model that answers when it is let."""

    name, api_format = "waiting", "test"

    def __init__(self) -> None:
        self.offline = False
        self.go, self.asked = threading.Event(), threading.Event()

    def complete(self, *_: Any, **_more: Any) -> Reply:
        """Wait, then say nothing much."""
        self.asked.set()
        assert self.go.wait(WAIT_S)
        return Reply("All is well.")


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    """Turns of this test ask that model."""
    model = Waiting()
    monkeypatch.setattr(wiring, "model_of", lambda *_: model)
    yield model
    model.go.set()


def test_a_turn_is_begun_and_followed_to_its_answer(api: httpx.Client) -> None:
    """202 with ids at once; numbered events in order, the answer with the keys of `chat --json`, then the end."""
    begun = api.post("/api/turns", json=ASKED)
    assert begun.status_code == 202
    told = events(api, begun.json()["turn"])
    numbered = [e for e in told if "id" in e]
    assert [int(e["id"]) for e in numbered] == list(range(1, len(numbered) + 1))
    assert [e["event"] for e in told][:1] == ["begun"]
    assert told[-1] == {"event": "end", "data": {"state": "done"}}
    answer = numbered[-1]["data"]
    keys = {"thread", "turn", "role", "model", "answer_md", "state_line", "acts_line", "unused", "asked_back", "read_as"}
    assert keys | {"facts", "struck", "unchecked", "tool_calls", "jobs", "proposals", "usage"} <= set(answer)
    turn = api.get(f"/api/turns/{answer['turn']}").json()
    assert (turn["state"], turn["answer"]["answer_md"], turn["last_n"]) == ("done", answer["answer_md"], len(numbered))
    line = api.get("/api/threads").json()["items"][0]
    assert (line["id"], line["title"], line["turns"], line["running"]) == (answer["thread"], ASKED["text"], 1, None)
    whole = api.get(f"/api/threads/{answer['thread']}").json()
    assert [t["id"] for t in whole["turns"]] == [answer["turn"]]


def test_a_reader_attaches_where_it_left(api: httpx.Client) -> None:
    """Last-Event-ID (or `after`) gives what follows, once; from the end there is only the end."""
    turn = api.post("/api/turns", json=ASKED).json()["turn"]
    whole = [e for e in events(api, turn) if "id" in e]
    for n in range(len(whole) + 1):
        rest = events(api, turn, {"last-event-id": str(n)})
        assert [e for e in rest if "id" in e] == whole[n:]
        assert rest[-1]["event"] == "end"
    assert api.get(f"/api/turns/{turn}/events.json", params={"after": 2}).json()["items"] == [e["data"] for e in whole[2:]]


def test_one_turn_a_thread(served: Any, api: httpx.Client, waiting: Waiting) -> None:
    """409 while it runs, in one line; another thread is free; afterwards the thread is, too."""
    first = api.post("/api/turns", json=ASKED).json()
    assert waiting.asked.wait(WAIT_S)
    again = api.post("/api/turns", json={**ASKED, "thread": first["thread"]})
    assert (again.status_code, again.json()["error"]["kind"]) == (409, "Busy")
    other = api.post("/api/turns", json={**ASKED, "thread": "new"})
    assert other.status_code == 202
    assert other.json()["thread"] != first["thread"]
    assert api.get("/api/desk").json()["running_turns"] == 2
    waiting.go.set()
    assert events(api, first["turn"])[-1]["data"] == {"state": "done"}
    until(lambda: first["turn"] not in served.desk.running.live, "the turn never let go")
    assert api.post("/api/turns", json={**ASKED, "thread": first["thread"]}).status_code == 202


def test_a_turn_goes_on_without_a_reader(api: httpx.Client, waiting: Waiting) -> None:
    """The stream is cut after its first event; the answer is there all the same, for whoever comes later."""
    turn = api.post("/api/turns", json=ASKED).json()["turn"]
    assert [e["event"] for e in events(api, turn, most=1)] == ["begun"]
    waiting.go.set()
    until(lambda: api.get(f"/api/turns/{turn}").json()["state"] == "done", "nobody read, and nobody answered")
    assert "All is well" in api.get(f"/api/turns/{turn}").json()["answer"]["answer_md"]


def test_a_cancelled_turn_ends_though_its_model_does_not_answer(served: Any, api: httpx.Client, waiting: Waiting) -> None:
    """Cancel answers within seconds, frees the thread, and what the model says later changes nothing."""
    begun = api.post("/api/turns", json=ASKED).json()
    assert waiting.asked.wait(WAIT_S)
    said = api.post(f"/api/turns/{begun['turn']}/cancel", json={})
    assert (said.status_code, said.json()["state"]) == (200, "cancelled")
    assert events(api, begun["turn"], {"last-event-id": "1"})[-1]["data"] == {"state": "cancelled"}
    assert api.post("/api/turns", json={**ASKED, "thread": begun["thread"]}).status_code == 202
    waiting.go.set()
    until(lambda: begun["turn"] not in served.desk.running.live, "the turn's thread never ended")
    assert api.get(f"/api/turns/{begun['turn']}").json()["state"] == "cancelled"
    assert api.post(f"/api/turns/{begun['turn']}/cancel", json={}).json()["state"] == "cancelled"


def test_our_own_mistake_is_a_failed_turn_with_one_line(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that is no DeskError: the row says so, the traceback lies in the logs and not in the answer."""
    monkeypatch.setattr(wiring, "model_of", lambda *_: ScriptedModel(RuntimeError("boom")))
    turn = api.post("/api/turns", json=ASKED).json()["turn"]
    assert events(api, turn)[-1]["data"] == {"state": "failed"}
    said = api.get(f"/api/turns/{turn}").json()["answer"]["answer_md"]
    assert "internal error (our bug), RuntimeError" in said
    assert "boom" not in said


def test_halt_in_a_chat_comes_before_any_model(served: Any, api: httpx.Client, waiting: Waiting) -> None:
    """Also in a thread that is busy with a model that never answers."""
    first = api.post("/api/turns", json=ASKED).json()
    assert waiting.asked.wait(WAIT_S)
    said = api.post("/api/turns", json={"role": "operator", "text": "/halt it burns", "thread": first["thread"]})
    assert said.status_code == 202
    assert halt.read(served.home.path).reason == "it burns"
    told = events(api, said.json()["turn"])
    assert "HALTED" in next(e for e in told if e["event"] == "answer")["data"]["answer_md"]


def test_a_turn_that_takes_long_holds_up_nobody_for_longer_than_a_place(
    served: Any, api: httpx.Client, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline turns compute a few at a time; while all places are taken for long the next one goes on without one."""
    monkeypatch.setattr(running, "PLACE_S", 0.05)
    waiting.offline = True
    held = [api.post("/api/turns", json={**ASKED, "thread": "new"}).json()["turn"] for _ in range(running.AT_ONCE)]
    until(lambda: not served.desk.running.places.acquire(blocking=False), "the places were never taken")
    monkeypatch.setattr(wiring, "model_of", lambda *_: OfflineModel())
    later = api.post("/api/turns", json={**ASKED, "thread": "new"}).json()["turn"]
    until(lambda: api.get(f"/api/turns/{later}").json()["state"] == "done", "it waited for those that take long")
    assert {api.get(f"/api/turns/{turn}").json()["state"] for turn in held} == {"running"}
    waiting.go.set()
    until(lambda: not served.desk.running.live, "they never ended")
    assert all(served.desk.running.places.acquire(timeout=WAIT_S) for _ in range(running.AT_ONCE))  # given back


def test_a_halt_waits_for_no_turn(served: Any, api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four turns that compute in this very process and do not end: every halt is latched and answered all the same."""
    stop = threading.Event()

    class Busy:
        name, api_format, offline = "busy", "test", False

        def complete(self, *_: Any, **_more: Any) -> Reply:
            while not stop.is_set():
                sum(range(1000))
            return Reply("done")

    monkeypatch.setattr(wiring, "model_of", lambda *_: Busy())
    for _ in range(4):
        assert api.post("/api/turns", json={**ASKED, "thread": "new"}).status_code == 202
    try:
        for n in range(9):
            answer = api.post("/api/halt", json={"reason": f"try {n}"})
            assert answer.status_code == 200
            assert f"try {n}" in (served.home.path / "HALT").read_text()
    finally:
        stop.set()


def test_a_restart_answers_every_open_call(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn of a process that is gone is closed when the API starts: its open call answered, its readers told."""
    engine, now = served.home.engine, 1_800_000_000_000
    thread = threads.find(engine, "operator", "ann", "new", now)
    turn = threads.begin(engine, thread, "operator", "what happened?", "test", now)
    threads.store_events(engine, turn, [{"n": 2, "kind": "tool_started", "id": "c1", "tool": "health", "args": {}}], now)
    dead = subprocess.Popen(["true"])
    dead.wait()
    with db.write(engine) as session:
        row = session.get(Turn, turn)
        assert row is not None
        row.body = json.dumps({"pid": dead.pid, "born": "1"})
        session.add(row)
    served.stop()
    served.start()
    with served.client() as client:
        assert client.get(f"/api/turns/{turn}").json()["state"] == "failed"
        told = events(client, turn)
    assert [e["event"] for e in told] == ["begun", "tool_started", "tool_finished", "interrupted", "end"]
    assert told[2]["data"] | {"id": "c1", "tool": "health", "status": "interrupted"} == told[2]["data"]


def test_a_tool_that_runs_tells_its_progress(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backtest's share done is told while it runs, without a number: it is no row."""
    script = [calls(("backtest", {"strategy": "trend", "symbol": "BTC-USDT"})), Reply("done")]
    monkeypatch.setattr(wiring, "model_of", lambda *_: ScriptedModel(*script))
    turn = api.post("/api/turns", json={"role": "developer", "text": "backtest trend"}).json()["turn"]
    told = events(api, turn)
    kinds = [e["event"] for e in told]
    assert kinds[0] == "begun"
    assert "tool_finished" in kinds
    assert kinds[-1] == "end"
    assert all("id" not in e for e in told if e["event"] == "tool_progress")


# --------------------------------------------------------------------------- a process of its own


@pytest.fixture
def silence() -> Iterator[str]:
    """An endpoint that takes a connection and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"


class Process:
    """The API as its supervisor starts it."""

    def __init__(self, home: Path, port: int, **environment: str) -> None:
        seen = allowed_api({**os.environ, "NIGHTDESK_API_PORT": str(port), **environment}, home)
        self.process = subprocess.Popen(one_api_command(), env=seen)
        secret, _ = Sessions(home).open("ann", "all", int(time.time() * 1000))
        self.client = Client(f"http://127.0.0.1:{port}", secret, home)
        until(self.answers, "the API never answered")

    def answers(self) -> bool:
        """It does."""
        try:
            return bool(self.client.health()["ok"])
        except ApiError:
            return False

    def end(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        self.process.send_signal(number)
        self.process.wait(WAIT_S)


@pytest.mark.slow
def test_kill_in_mid_turn_loses_nothing(own_home: Path, silence: str) -> None:
    """kill -9 while a model is asked: the next API closes the turn and says so, the thread answers again, the chain verifies."""
    home, port = open_home(), free_port()
    real = {"OPENAI_BASE_URL": silence, "OPENAI_API_KEY": "sk-canary-1234567890", "OPENAI_MODEL": "m"}
    first = Process(own_home, port, **real)
    begun = first.client.ask("operator", "is anything wrong?")
    until(lambda: any(e.kind == "ask" for e in read(home.people_journal)), "the question was never journaled")
    first.end()
    second = Process(own_home, port, NIGHTDESK_MODEL="offline")
    try:
        kinds = [event["kind"] for event in second.client.follow(begun["turn"])]
        assert kinds[0] == "begun"
        assert kinds[-2:] == ["interrupted", "end"]
        again = second.client.ask("operator", "is anything wrong?", begun["thread"])
        assert [e["kind"] for e in second.client.follow(again["turn"])][-2:] == ["answer", "end"]
    finally:
        second.end(signal.SIGTERM)
    assert verify(home.people_journal).ok
    assert b"sk-canary" not in b"".join(path.read_bytes() for path in own_home.rglob("*") if path.is_file())


@pytest.mark.slow
def test_a_stopped_api_delays_no_halt(own_home: Path) -> None:
    """The whole process stands still (its event loop too): the client's halt is latched by file."""
    open_home()
    one = Process(own_home, free_port())
    try:
        one.process.send_signal(signal.SIGSTOP)
        said = one.client.halt("the page does not move", "ann")
        assert said["by_file"] is True
        assert halt.read(own_home).reason == "the page does not move"
        assert typed("halt", "--reason", "second").returncode == 0
    finally:
        one.process.send_signal(signal.SIGCONT)
        one.end(signal.SIGTERM)


def test_without_an_api_the_client_halts_by_file(own_home: Path) -> None:
    """Nobody listens: the latch is written, and says who by."""
    open_home()
    said = Client(f"http://127.0.0.1:{free_port()}", "", own_home).halt("no API", "ann")
    assert said["by_file"] is True
    assert (halt.read(own_home).reason, halt.read(own_home).by) == ("no API", "ann")


def test_a_thread_is_named_found_and_taken_off_the_list_but_stays(served: Any, api: httpx.Client, waiting: Waiting) -> None:
    """Its name outlives the next turn; words of a question or of the name find it; off the list it is there, and journaled."""
    waiting.go.set()
    other, one = (api.post("/api/turns", json={**ASKED, "thread": "new"}).json()["thread"] for _ in range(2))
    listed = lambda **query: [line["id"] for line in api.get("/api/threads", params=query).json()["items"]]  # noqa: E731 - asked often below
    assert api.post(f"/api/threads/{one}/name", json={"name": "  night \n watch "}).json()["name"] == "night watch"
    turn = until(lambda: _asked_again(api, one), "the thread never answered")
    until(lambda: api.get(f"/api/turns/{turn}").json()["state"] == "done", "the turn never ended")
    assert {line["id"]: line["name"] for line in api.get("/api/threads").json()["items"]} == {one: "night watch", other: ""}
    assert listed(text="NIGHT") == [one]
    assert set(listed(text="anything wrong")) == {one, other}
    assert listed(text="100%_") == []
    assert api.delete(f"/api/threads/{one}").json() == {"id": one, "name": "night watch", "hidden": True}
    assert listed() == [other]
    assert len(api.get(f"/api/threads/{one}").json()["turns"]) == 2
    assert threads.find(served.home.engine, "operator", "ann", "last", 0) == other
    bodies = [event.body for event in read(served.home.people_journal, {"thread"})]
    assert [(b["thread"], b.get("name"), b.get("hidden"), b["actor"]["name"]) for b in bodies] == [
        (one, "night watch", None, "ann"),
        (one, None, True, "ann"),
    ]
    assert api.post(f"/api/threads/{one}/name", json={"name": "x" * 61}).status_code == 422
    assert api.delete("/api/threads/t-unknown").status_code == 404


def _asked_again(api: httpx.Client, thread: str) -> str:
    """The id of a second turn; empty while the first still runs."""
    answer = api.post("/api/turns", json={**ASKED, "thread": thread})
    return str(answer.json()["turn"]) if answer.status_code == 202 else ""


def test_a_client_keeps_its_connection_and_a_turn_that_owes_nothing_wakes_nobody(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions and their event streams use one connection; the posting thread is left asleep unless a call has started a job."""
    woken, doors = list[bool](), set[Any]()
    monkeypatch.setattr(served.desk.running.posting, "wake", lambda: woken.append(True))
    made = BoundedConnection.connection_made
    monkeypatch.setattr(BoundedConnection, "connection_made", lambda self, by: doors.add(self) or made(self, by))
    secret, _ = served.desk.sessions.open("ann", "all", time.time_ns() // 1_000_000)
    client = Client(served.url, secret, served.home.path)
    for _ in range(3):
        turn = client.ask("operator", "What positions are open?", "new")["turn"]
        kinds = [event["kind"] for event in client.follow(turn)]
        assert kinds[-2:] == ["answer", "end"]
    assert len(doors) == 1
    assert woken == []
