"""What `nightdesk up` starts: what of the environment each child may see, and ports that are taken.

The desk that runs is in test_worker_supervised.py.
"""

import socket
import sys
from pathlib import Path

import pytest

from app.home.home import open_home
from app.processes.children import allowed, allowed_api, allowed_ui, worker_command
from tests.fakes.canaries import MODEL_KEYS, OWN_MODEL, SECRETS
from tests.fakes.running_desk import nightdesk


def test_a_taken_port_is_one_clear_line(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which port, whose, and how to choose another; nothing is started."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("NIGHTDESK_API_PORT", str(port))
        for words in (["up"], ["api"]):
            done = nightdesk(*words)
            assert done.returncode == 1
            assert f"port {port}" in done.stderr
            assert "NIGHTDESK_API_PORT" in done.stderr
            assert len(done.stderr.splitlines()) == 1


def test_what_each_may_see_is_a_list(own_home: Path) -> None:
    """By name: no variable passes that is not listed, whatever desk.toml calls a key."""
    open_home()
    with (own_home / "desk.toml").open("a") as file:
        file.write(OWN_MODEL)
    everything = {**SECRETS, "PATH": "/bin", "LD_PRELOAD": "x", "PYTHONPATH": "y", "LANGSMITH_TRACING": "true"}
    assert set(allowed_api(everything, own_home)) & set(everything) == {"PATH", *MODEL_KEYS}
    assert set(allowed(everything)) & set(everything) == {"PATH"}
    assert set(allowed_ui(everything)) & set(everything) == {"PATH"}


def test_the_python_that_runs_it_is_ours() -> None:
    """The worker's command keeps the current folder off the import path."""
    assert worker_command([])[:2] == [sys.executable, "-P"]
    assert allowed({"OPENAI_API_KEY": "x", "PATH": "/bin"}) == allowed({"PATH": "/bin"})
