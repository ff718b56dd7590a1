"""Two API processes behind one port: what they share holds across both. Real processes and sockets, so all of it is long."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from agents.spending import spend_of
from app.client import Client
from app.home.home import open_home
from app.jobs.queue import JobQueue
from app.people.sessions import Sessions
from app.processes.children import allowed_api, api_command
from engine.control import proposals
from engine.control.config import active
from engine.store import db
from engine.store.journal import read, verify
from engine.store.tables import Job, Turn, TurnEvent
from tests.fakes.gates import gated
from tests.fakes.model_server import ModelServer, Say
from tests.fakes.waiting import WAIT_S, free_port, until

pytestmark = pytest.mark.long  # each starts three processes, and that takes seconds
AT_ONCE = 20
ASKED = ("What positions are open?", "Is anything wrong?", "Which proposals are pending?", "What happened since yesterday?")


class TwoProcesses:
    """`nightdesk api` of a home whose desk.toml wants two."""

    def __init__(self, home: Path, toml: str = "", **environment: str) -> None:
        open_home()
        with (home / "desk.toml").open("a") as file:
            file.write(f"\n[api]\nprocesses = 2\n{toml}")
        self.home, self.port = home, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        seen = allowed_api(
            {"NIGHTDESK_MODEL": "offline", **os.environ, "NIGHTDESK_API_PORT": str(self.port), **environment}, home
        )
        self.parent = subprocess.Popen(api_command(home), env=seen)
        until(lambda: len(self.pids()) == 2 and self.served_by_both(), "two API processes never answered")

    def pids(self) -> list[int]:
        """The processes that serve."""
        return [int(pid) for pid in Path(f"/proc/{self.parent.pid}/task/{self.parent.pid}/children").read_text().split()]

    def served_by_both(self) -> bool:
        """Whether turns of new connections run in both."""
        try:
            self.all_at_once(lambda client, _: client.ask("operator", ASKED[0], "new"), 8)
        except Exception:  # noqa: BLE001 - they are starting
            return False
        return len(self.ran()) == 2

    def ran(self) -> set[int]:
        """The processes that turns ran in."""
        with db.read(open_home().engine) as session:
            return {json.loads(body)["pid"] for body in session.exec(select(Turn.body)).all()} & set(self.pids())

    def connections(self) -> list[int]:
        """How many connections each process has open."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        inodes = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{self.port:04X}") and row[3] == "01"}
        links = [
            [os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir() if os.path.lexists(file)] for pid in self.pids()
        ]
        return [len(inodes & set(names)) for names in links]

    def client(self) -> Client:
        """A client with a session and connections of its own."""
        return Client(
            self.url, Sessions(self.home).open("ann", "all", time.time_ns() // 1_000_000)[0], self.home, timeout_s=WAIT_S
        )

    def all_at_once(self, act: Callable[[Client, int], Any], count: int = AT_ONCE) -> list[Any]:
        """What so many clients get who do the same at the same time."""

        def one(n: int) -> Any:
            client = self.client()
            try:
                return act(client, n)
            finally:
                client.close()

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, range(count)))

    def end(self) -> int:
        """Stop them; the parent's exit code."""
        self.parent.send_signal(signal.SIGTERM)
        return self.parent.wait(WAIT_S)


@pytest.fixture
def two(own_home: Path) -> Iterator[TwoProcesses]:
    """Two processes of a synthetic desk."""
    made = TwoProcesses(own_home)
    yield made
    made.end()


def status(answer: httpx.Response) -> str:
    """How a decision went: its status, or 409."""
    return "applied" if answer.is_success else str(answer.status_code)


def test_twenty_ask_at_once_and_each_gets_its_answer_once(two: TwoProcesses) -> None:
    """Whichever process runs a turn, and whichever is asked for its events: every event in order, one answer, one record."""

    def ask(client: Client, n: int) -> tuple[str, list[list[Any]]]:
        begun = client.ask("operator", ASKED[n % len(ASKED)], "new")
        told = []
        for reader in (client, two.client(), two.client()):  # a new connection may be the other process's
            told.append([(event.get("n"), event["kind"]) for event in reader.follow(begun["turn"])])
        return begun["turn"], told

    done = two.all_at_once(ask)
    assert two.ran() == set(two.pids()), "one of them answered nobody"
    for _, told in done:
        assert told[0][-2][1] == "answer"
        assert told[0][-1][1] == "end"
        assert [n for n, _ in told[0][:-1]] == list(range(1, len(told[0])))
        assert told[1] == told[2] == told[0]
    home, turns = open_home(), [turn for turn, _ in done]
    with db.read(home.engine) as session:
        answers = session.exec(select(TurnEvent.turn).where(col(TurnEvent.turn).in_(turns), TurnEvent.kind == "answer")).all()
    assert sorted(answers) == sorted(turns)
    journaled = [event.body["turn"] for event in read(home.people_journal, {"answer"})]
    assert [journaled.count(turn) for turn in turns] == [1] * len(turns)
    assert verify(home.people_journal).ok


def test_approvals_raced_between_both_are_applied_once(two: TwoProcesses) -> None:
    """A card a sleeve, each approved by eight clients at once: one application, one version, once in the journal."""
    home = open_home()
    sleeves = [sleeve.name for sleeve in active(home.engine, home.path).config.sleeves]
    for n, sleeve in enumerate(sleeves):
        who = {"role": "operator", "thread": "t-1", "person": "ann"}
        kept = {"evidence": [], "rationale": "calm", "requester": who, "now_ms": time.time_ns() // 1_000_000}
        row = proposals.create(home.engine, home.path, sleeve=sleeve, changes={"paused": True}, **kept)
        path, body = f"/api/proposals/{row.id}/approve", {"diff_sha256": row.diff_sha256}
        ways = two.all_at_once(lambda client, _, at=path, said=body: status(client.http.post(at, json=said)), 8)
        assert sorted(ways) == ["409"] * 7 + ["applied"], ways
        assert active(home.engine, home.path).version == n + 2
    applied = [event for event in read(home.people_journal, {"decision"}) if event.body.get("version") is not None]
    assert len(applied) == len(sleeves) > 1


def test_jobs_are_counted_across_both(own_home: Path) -> None:
    """Twenty backtests at once: one runs and three wait, whichever process took the question; the others are refused."""
    with gated(own_home) as gate:
        two = TwoProcesses(own_home)
        try:

            def ask(client: Client, n: int) -> None:
                text = f"Backtest slow on BTC-USDT 15m from 2024-01-0{n % 9 + 1} to 2024-02-{n + 1:02d}"
                client.ask("developer", text, "new")

            two.all_at_once(ask)
            home, seen = open_home(), set[int]()

            def live() -> int:
                with db.read(home.engine) as session:
                    seen.add(len(session.exec(select(Job.id).where(col(Job.state).in_(("queued", "running")))).all()))
                    return len(session.exec(select(Turn.id).where(Turn.text.like("Backtest%"), Turn.state == "running")).all())  # type: ignore[attr-defined]

            until(lambda: max(seen, default=0) == 4 or (live() and False), "four jobs never lived")
            time.sleep(1.0)  # what would be too many would come now
            live()
            assert max(seen) == 4
            assert len(JobQueue(home).live()) == 4
            gate.touch()
        finally:
            two.end()


def test_a_days_budget_is_counted_across_both(own_home: Path) -> None:
    """A model is asked while the day's tokens last: what all turns used and reserved is never more, whoever ran them."""
    limit = 60_000
    with ModelServer(Say("All is well.")) as server:
        toml = f"[budgets]\nday_tokens = {limit}\nperson_tokens = {limit}\nturn_tokens = {limit}\n"
        real = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-canary-1234567890", "OPENAI_MODEL": "small"}
        two = TwoProcesses(own_home, toml, NIGHTDESK_MODEL="", **real)
        try:
            two.all_at_once(lambda client, n: list(client.follow(client.ask("operator", ASKED[n % 4], "new")["turn"])))
        finally:
            two.end()
        with db.read(open_home().engine) as session:
            spends = [spend_of(body) for body in session.exec(select(Turn.body)).all()]
        assert sum(spend.tokens + spend.held_tokens for spend in spends) <= limit
        assert len(server.posts) == sum(spend.calls for spend in spends)
        assert 0 < len(server.posts) < len(spends), "the budget refused nobody"


def test_one_that_is_killed_is_started_again_and_the_other_goes_on(two: TwoProcesses) -> None:
    """kill -9 of one: health answers all the while, a new one takes its place, its metrics still count, and all stop cleanly."""
    for _ in range(6):
        with two.client().http as http:
            assert http.get("/api/health").status_code == 200
    before = set(two.pids())
    os.kill(min(before), signal.SIGKILL)

    def replaced() -> bool:
        with two.client().http as http:
            return http.get("/api/health").status_code == 200 and len(set(two.pids()) - before) == 1

    until(replaced, "it was not started again")
    said = two.client().http.get("/metrics").text
    counted = sum(float(line.split()[-1]) for line in said.splitlines() if line.startswith("nightdesk_http_requests_total"))
    assert counted >= 14  # those of both and of the dead one: eight questions, six looks
    assert "nightdesk_proposals_pending 0.0" in said
    assert two.end() == 0
    assert verify(open_home().people_journal).ok


def test_connections_are_shared_out_evenly_and_one_that_hangs_is_passed_by(two: TwoProcesses) -> None:
    """By chance one of two takes up to 17 of 20, and who is on it waits twice as long."""
    until(lambda: two.connections() == [0, 0], "connections of the start stay open")
    kept = [two.client() for _ in range(12)]
    for client in kept:
        client.health()
    assert two.connections() == [6, 6]
    os.kill(two.pids()[0], signal.SIGSTOP)
    later = [two.client() for _ in range(3)]
    assert [client.health()["ok"] for client in later] == [True] * 3
    assert two.connections() == [6, 9]
    os.kill(two.pids()[0], signal.SIGCONT)
    for client in (*kept, *later):
        client.close()
