"""An API that hangs is killed and started again, a few times; then it stays down, and a page says so."""

import math
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.processes import pulse
from app.processes.pulse import HANG_S, RESTARTS_MAX, RESTARTS_S, START_S, Pulse, address
from app.processes.supervisor import Supervisor
from engine.watch.observation import ProcessExit
from tests.fakes.waiting import free_port


class Hanging:
    """A process that runs until it is killed."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.pid = 1

    def poll(self) -> int | None:
        """Its exit code."""
        return self.code

    def kill(self) -> None:
        """It ends."""
        self.code = -9


@pytest.fixture
def supervisor(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """A supervisor whose API is a process that hangs, on a clock of its own."""
    own_home.mkdir()
    made = Supervisor(own_home, [])
    made.now = 1_000.0  # type: ignore[attr-defined]  # the test's clock
    monkeypatch.setattr(time, "monotonic", lambda: made.now)  # type: ignore[attr-defined]
    made.died = []  # type: ignore[attr-defined]
    made.watch = SimpleNamespace(died=lambda *words: made.died.append(ProcessExit(words[0], words[1], 0, words[2])))  # type: ignore[assignment, attr-defined]
    assert made.api is not None

    def start() -> None:
        made.api.process, made.api.began = Hanging(), made.now  # type: ignore[union-attr, assignment, attr-defined]

    made.api.start = start  # type: ignore[method-assign]
    return made


def looked(supervisor: Any, seconds: float) -> None:
    """Some time later the supervisor looks twice: once that kills, once that starts anew."""
    supervisor.now += seconds
    supervisor.check_api()
    supervisor.attend(supervisor.api)


def test_it_is_started_again_a_few_times_and_then_stays_down(supervisor: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Each hang is told with its seconds; after the last restart of the hour it is left alone, which a page names."""
    looked(supervisor, 0.0)
    for n in range(RESTARTS_MAX):
        supervisor.pulse._answered = supervisor.now + 1.0
        looked(supervisor, HANG_S)
        assert len(supervisor.died) == n, "one that answers within the time is left alone"
        looked(supervisor, 10.0)
        assert len(supervisor.died) == n + 1
        assert supervisor.died[-1].why == f"it did not answer for {HANG_S + 9:.0f} s"
        looked(supervisor, 70.0)
        assert supervisor.api.process is not None
    supervisor.pulse._answered = supervisor.now + 1.0
    looked(supervisor, HANG_S + 10.0)
    assert supervisor.died[-1].stays_down
    assert supervisor.api.due == math.inf
    looked(supervisor, 10_000.0)
    assert supervisor.api.process is None
    said = capsys.readouterr().out
    assert said.count("Starting it again") == RESTARTS_MAX
    assert "It stays down; trading goes on without it." in said


def test_one_that_never_answered_gets_longer_and_an_hour_forgives(own_home: Path) -> None:
    """It loads its libraries first; hangs of long ago count no more."""
    asked = Pulse(own_home)
    assert asked.silent_s(100.0, 100.0 + START_S) is None
    assert asked.silent_s(100.0, 101.0 + START_S) == START_S + 1.0
    assert all(asked.may_restart(float(n)) for n in range(RESTARTS_MAX))
    assert not asked.may_restart(RESTARTS_S - 1.0)
    assert asked.may_restart(2 * RESTARTS_S + 10.0)


def test_it_asks_where_the_api_listens(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Port and host of desk.toml; a server that takes the connection and says nothing has not answered, nor has none at all."""
    own_home.mkdir()
    port = free_port()
    monkeypatch.delenv("NIGHTDESK_API_PORT", raising=False)
    monkeypatch.setattr(pulse, "ANSWER_S", 0.05)
    for host, reached in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.7", "10.0.0.7")):
        (own_home / "desk.toml").write_text(f'[api]\nhost = "{host}"\nport = {port}\n')
        assert address(own_home) == (reached, port)
    (own_home / "desk.toml").write_text(f"[api]\nport = {port}\n")
    assert not Pulse(own_home).ask()
    with socket.create_server(("127.0.0.1", port)):
        assert not Pulse(own_home).ask()
