"""Posting with API processes of their own: killed between the question and its answer; two of them on one home."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from agents import owed, threads
from app.home.home import Home, open_home
from app.jobs.queue import JobQueue
from app.people.sessions import Sessions
from engine.store import db
from engine.store.journal import read, verify
from engine.store.tables import Job, Turn
from tests.fakes.gates import done, gated, posted
from tests.fakes.waiting import WAIT_S, until

# an API process of its own in which a call waits for a job as good as not at all
QUICK = "from app import wiring; wiring.WAIT_S = 0.0; from app.api import __main__ as api; raise SystemExit(api.main([]))"


@pytest.fixture
def gate(own_home: Path) -> Iterator[Path]:
    """A strategy `slow` that waits for this file."""
    with gated(own_home) as path:
        yield path


class Process:
    """The API in a process of its own, in which a turn does not wait for its job."""

    def __init__(self, home: Path, port: int) -> None:
        seen = {**os.environ, "NIGHTDESK_HOME": str(home), "NIGHTDESK_API_PORT": str(port), "NIGHTDESK_MODEL": "offline"}
        self.process = subprocess.Popen([sys.executable, "-P", "-c", QUICK], env=seen)
        secret, _ = Sessions(home).open("ann", "all", int(time.time() * 1000))
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {secret}"}, timeout=WAIT_S
        )
        until(self.answers, "the API never answered")

    def answers(self) -> bool:
        """It does."""
        try:
            return self.client.get("/api/health").status_code == 200
        except httpx.HTTPError:
            return False

    def end(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        self.process.send_signal(number)
        self.process.wait(WAIT_S)
        self.client.close()


def ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on."""
    import socket

    found = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers = [one.getsockname()[1] for one in found]
    for one in found:
        one.close()
    return numbers


def ask_slow(one: Process) -> dict[str, Any]:
    """The turn of a slow backtest, asked in words, when it has ended with `started`."""
    body = {"role": "developer", "text": "Backtest slow on BTC-USDT 15m", "thread": "new"}
    first = done(one.client, one.client.post("/api/turns", json=body).json()["turn"])
    assert [call["status"] for call in first["answer"]["tool_calls"]] == ["started"], first["answer"]["answer_md"]
    assert "will be posted in this thread when it ends" in first["answer"]["answer_md"]
    return first


@pytest.mark.long
def test_killed_in_between_the_next_api_posts_it(own_home: Path, gate: Path) -> None:
    """kill -9 after the question; the job ends with no API there; the next start finds what is owed. Also from a dead claim."""
    home, (a, b) = open_home(), ports(2)
    one = Process(own_home, a)
    first = ask_slow(one)
    one.end()
    gate.touch()
    ended(home, first["answer"]["jobs"][0])
    (mine,) = owed.all_pending(home.engine)
    assert owed.claim(home.engine, mine, time.time_ns() // 1_000_000)
    dead_claim(home, mine.id)
    other = Process(own_home, b)
    try:
        (turn,) = posted(other.client, first["thread"])
        assert "| sharpe |" in turn["answer"]["answer_md"]
    finally:
        other.end(signal.SIGTERM)
    assert verify(home.people_journal).ok


def ended(home: Home, job: str) -> None:
    """Wait until the job is done."""
    until(lambda: JobQueue(home).view(job).state == "done", "the job did not end")


def dead_claim(home: Home, turn: str) -> None:
    """The claim of a process that is gone, with an event that it had told."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    threads.store_events(home.engine, turn, [{"n": 1, "kind": "begun"}], 1)
    with db.write(home.engine) as session:
        row = session.get(Turn, turn)
        assert row is not None
        row.body = json.dumps(json.loads(row.body) | {"pid": gone.pid, "born": "1"})
        session.add(row)


@pytest.mark.long  # the default suite has the two of the next test, one of them killed in between
def test_two_processes_post_it_once(own_home: Path, gate: Path) -> None:
    """Two APIs of one home, several threads: each answer is there once, in the thread, among the jobs and in the journal."""
    home, (a, b) = open_home(), ports(2)
    one, other = Process(own_home, a), Process(own_home, b)
    try:
        firsts = [ask_slow(process) for process in (one, other, one)]
        gate.touch()
        for first in firsts:
            posted(one.client, first["thread"])
            posted(other.client, first["thread"])
        with db.read(home.engine) as session:
            assert len(session.exec(select(Turn.id).where(Turn.model == "code")).all()) == 3
            again = session.exec(select(Job.id).where(col(Job.turn).like("%-p%"))).all()
        assert again == []
    finally:
        one.end(signal.SIGTERM)
        other.end(signal.SIGTERM)
    answers = [e.body["turn"] for e in read(home.people_journal) if e.kind == "answer" and e.body["model"] == "code"]
    assert sorted(answers) == sorted(f"{first['id']}-p1" for first in firsts)
    assert verify(home.people_journal).ok
