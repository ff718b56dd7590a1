"""What `nightdesk up` starts: what of the environment each child may see, and ports that are taken.

The desk that runs is in test_worker_supervised.py.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.home.home import open_home
from app.processes.children import allowed, allowed_api, allowed_ui, worker_command
from tests.fakes.canaries import MODEL_KEYS, OWN_MODEL, SECRETS
from tests.fakes.running_desk import nightdesk

ROOT = Path(__file__).resolve().parents[3]
CHILDREN = """
import json, os, subprocess, sys, time
from pathlib import Path
from types import SimpleNamespace
from app.jobs import queue
from app.processes import children
from engine.strategies.isolated.process import StrategyProcess

home = Path(os.environ["NIGHTDESK_HOME"])
desk = SimpleNamespace(path=home, settings=SimpleNamespace(data=None))
seen = [children.allowed_worker(os.environ, home), children.allowed_api(os.environ, home), children.allowed_ui(os.environ)]
seen.append(queue.environment(desk))
strategy = StrategyProcess()
while not (given := Path(f"/proc/{strategy._child.pid}/environ").read_text()):
    time.sleep(0.01)  # empty until the kernel has laid out the new program
strategy.close()
seen.append(dict(one.split("=", 1) for one in given.split(chr(0)) if one))
where = "import engine; print(engine.__path__[0], end='')"
found = [subprocess.run([sys.executable, "-P", "-c", where], env=one, capture_output=True, text=True).stdout for one in seen]
print(json.dumps([[one.get("PYTHONPATH"), path] for one, path in zip(seen, found)]))
"""


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_checkout_that_is_run_by_pythonpath_has_children_of_its_own_source(tmp_path: Path) -> None:
    """Worker, page, jobs and strategy processes of a copy run that copy, and see nothing else that PYTHONPATH names."""
    copy, other = tmp_path / "copy", tmp_path / "other"
    for folder in ("app", "engine"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "*.nb?"))
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILDREN],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{other}{os.pathsep}{copy}", "NIGHTDESK_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(done.stdout) == [[str(copy), str(copy / "engine")]] * 5


def test_a_pythonpath_that_is_not_ours_passes_to_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does an empty one, which would be the current folder."""
    for value in ("", os.pathsep, "/elsewhere", str(ROOT / "app"), str(ROOT.parent)):
        assert "PYTHONPATH" not in allowed({"PATH": "/bin", "PYTHONPATH": value})
    assert allowed({"PYTHONPATH": f"/elsewhere{os.pathsep}{ROOT}/"})["PYTHONPATH"] == str(ROOT)


def test_the_python_that_runs_it_is_ours() -> None:
    """The worker's command keeps the current folder off the import path."""
    assert worker_command([])[:2] == [sys.executable, "-P"]
    assert allowed({"OPENAI_API_KEY": "x", "PATH": "/bin"}) == allowed({"PATH": "/bin"})
