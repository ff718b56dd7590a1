"""`nightdesk ui`: on this machine alone, no telemetry, a port that is taken is one clear line."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import ui
from tests.fakes.waiting import WAIT_S, free_port

NIGHTDESK = [sys.executable, "-P", "-c", "from app.cli.main import run; run()"]


def test_it_listens_here_alone_and_reports_to_nobody() -> None:
    """What Streamlit is told, whatever folder it is started from."""
    flags = ui.flags()
    told = dict(zip(flags[::2], flags[1::2], strict=True))
    assert told["--server.address"] == "127.0.0.1"
    assert told["--browser.gatherUsageStats"] == "false"
    assert told["--server.headless"] == "true"
    assert flags.count("--server.allowedHosts") == 2
    assert "*" not in flags
    command = ui.command_of(8421)
    assert command[2:4] == ["-m", "app.processes.page"]  # the connections are bounded there
    assert Path(command[4]).is_file()


def test_a_taken_port_is_one_clear_line(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the port and how to choose another; exit 1."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        monkeypatch.setenv("NIGHTDESK_UI_PORT", str(held.getsockname()[1]))
        done = subprocess.run([*NIGHTDESK, "ui"], capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 1
    assert "is in use" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_it_becomes_streamlit_in_a_clean_environment(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of a model or a venue reaches the page; the API's address does."""
    seen: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(ui.os, "execve", lambda _path, command, env: seen.append((command, env)))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("NIGHTDESK_API_PORT", "18420")
    monkeypatch.setenv("NIGHTDESK_UI_PORT", "18421")
    ui.ui(port=None, api="")
    command, env = seen[0]
    assert command[command.index("--server.port") + 1] == "18421"
    assert env["NIGHTDESK_API_URL"] == "http://127.0.0.1:18420"
    assert "OPENAI_API_KEY" not in env


def test_in_a_container_it_listens_where_the_port_is_published_from(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is the container's; the names that a browser may use stay those of loopback."""
    seen: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(ui.os, "execve", lambda _path, command, env: seen.append((command, env)))
    monkeypatch.setenv("NIGHTDESK_LISTEN", "0.0.0.0")
    monkeypatch.setenv("NIGHTDESK_UI_PORT", str(free_port()))
    ui.ui(port=None, api="")
    command, env = seen[0]
    assert command[command.index("--server.address") + 1] == "0.0.0.0"
    assert command.count("--server.allowedHosts") == len(ui.HOSTS) == 2
    assert env["NIGHTDESK_API_URL"].startswith("http://127.0.0.1:")
