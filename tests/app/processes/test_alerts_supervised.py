"""`nightdesk up` with Slack: a killed worker is paged while the API stands still, /halt works, tokens stay where they belong."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine.control import halt
from engine.watch.heartbeat import heartbeat_of
from tests.fakes.papers import furnished
from tests.fakes.slack_desks import ANN, slack_home
from tests.fakes.slack_server import APP, BOT, SECRET, SlackServer
from tests.fakes.waiting import WAIT_S, free_port, until

NIGHTDESK = [sys.executable, "-P", "-c", "from app.cli.main import run; run()"]


def children_of(pid: int) -> dict[int, str]:
    """Living children of a process with their command lines."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except (OSError, IndexError):
            continue
    return found


@pytest.fixture
def server() -> Iterator[SlackServer]:
    """Slack, locally."""
    with SlackServer() as slack:
        yield slack


@pytest.fixture
def desk(own_home: Path, server: SlackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A desk that is connected to it, running, with its Socket Mode line open."""
    furnished(own_home, 24)
    slack_home(own_home, server)
    for name in ("NIGHTDESK_API_PORT", "NIGHTDESK_UI_PORT"):
        monkeypatch.setenv(name, str(free_port()))
    environment = {**os.environ, **server.environment()}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    up = subprocess.Popen([*NIGHTDESK, "up", "--bars-per-second", "2"], env=environment, **pipes)
    until(lambda: heartbeat_of(own_home).get("phase") == "running", "the worker never ran", lambda: heartbeat_of(own_home))
    server.wait_line()
    yield up, own_home
    if up.poll() is None:
        up.send_signal(signal.SIGTERM)
        try:
            up.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            up.kill()
            up.wait(WAIT_S)


def test_a_killed_worker_is_paged_and_halt_works_while_the_api_stands_still(desk: Any, server: SlackServer) -> None:
    """The API is stopped as a whole, which is worse than a blocked loop: the page comes within seconds, /halt latches at once."""
    up, home = desk
    stopped = [pid for pid, line in children_of(up.pid).items() if "app.api" in line]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    os.kill(int(heartbeat_of(home)["pid"]), signal.SIGKILL)
    page = server.wait_for(lambda body: "killed by signal 9" in json.dumps(body))
    assert "PAGE" in page["text"]
    server.send("slash_commands", server.slash(ANN, "too odd"), "h-1")
    assert "HALTED" in server.wait_ack("h-1")["text"]
    assert halt.read(home).reason == "too odd"
    until(lambda: heartbeat_of(home).get("halted"), "the worker did not follow", lambda: heartbeat_of(home))
    listed = subprocess.run([*NIGHTDESK, "alerts", "list", "--json"], capture_output=True, text=True, timeout=WAIT_S, check=True)
    worker = [item for item in json.loads(listed.stdout)["items"] if item["kind"] == "worker"]
    assert len(worker) == 1
    assert worker[0]["deliveries"][0]["state"] == "sent"
    acked = subprocess.run(
        [*NIGHTDESK, "alerts", "ack", worker[0]["id"]], capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert acked.returncode == 1  # people.toml has entries: a name needs its token
    for pid in stopped:
        with suppress(ProcessLookupError):  # it was silent for so long that the supervisor began it anew
            os.kill(pid, signal.SIGCONT)


def test_slack_tokens_reach_neither_worker_nor_page_and_it_stops_at_once(desk: Any, server: SlackServer) -> None:
    """/proc/PID/environ of every child; the app token is nobody's but the supervisor's; Ctrl-C ends all of it within seconds."""
    up, _ = desk
    secrets = [word.encode() for word in (BOT, APP, SECRET)]
    seen = {line: Path(f"/proc/{pid}/environ").read_bytes() for pid, line in children_of(up.pid).items()}
    assert any("app.processes.worker" in line for line in seen)
    for line, environment in seen.items():
        if "app.api" in line:
            assert secrets[1] not in environment
        else:
            assert not any(secret in environment for secret in secrets), line
    up.send_signal(signal.SIGINT)
    said, _ = up.communicate(timeout=WAIT_S)
    assert up.returncode == 0
    assert not any(secret.decode() in said for secret in secrets)
