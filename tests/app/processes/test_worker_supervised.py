"""`nightdesk up`: the worker starts, dies, comes back and ends with its parent; the second terminal works meanwhile."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.home.home import open_home
from app.processes.supervisor import lines_of
from engine.store.journal import verify
from engine.watch.heartbeat import heartbeat_of
from tests.fakes.papers import WALL_MS, furnished
from tests.fakes.waiting import WAIT_S, alive, free_port, until

DAYS = 24  # 8 that warm up, 8 of replay, 8 more
NIGHTDESK = [sys.executable, "-P", "-c", "from app.cli.main import run; run()"]


def nightdesk(*words: str) -> subprocess.CompletedProcess[str]:
    """A command of the second terminal."""
    return subprocess.run([*NIGHTDESK, *words], capture_output=True, text=True, timeout=WAIT_S, check=False)


@contextmanager
def up_on(home: Path) -> Iterator[subprocess.Popen[str]]:
    """`nightdesk up` on a short synthetic market and ports of its own, once its worker runs."""
    furnished(home, DAYS)
    own = {"NIGHTDESK_HOME": str(home), **{name: str(free_port()) for name in ("NIGHTDESK_API_PORT", "NIGHTDESK_UI_PORT")}}
    up = subprocess.Popen(
        [*NIGHTDESK, "up", "--bars-per-second", "3"],
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        running(home, up)
        yield up
    finally:
        if up.poll() is None:
            up.kill()
            up.wait(WAIT_S)


@pytest.fixture
def desk(own_home: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A desk that runs, for this test alone: (`up`, its home)."""
    with up_on(own_home) as up:
        yield up, own_home


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A desk that runs, for the tests that neither stop nor kill any of it."""
    home = tmp_path_factory.mktemp("shared") / "home"
    with up_on(home) as up:
        yield up, home


@pytest.fixture(scope="module")
def killed_desk(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """A desk whose supervisor was killed by kill -9: (its worker's process, its home). Not to be changed: take a copy."""
    home = tmp_path_factory.mktemp("killed") / "home"
    with up_on(home):
        worker = pid_of(home)
    return worker, home


def running(home: Path, up: subprocess.Popen[str], before: int = 0) -> None:
    """Wait until another worker than `before` runs."""

    def look() -> bool:
        assert up.poll() is None, f"`up` has ended: {up.stdout.read() if up.stdout else ''}"
        beat = heartbeat_of(home)
        return beat.get("phase") == "running" and beat.get("pid") != before

    until(look, "no worker runs", lambda: heartbeat_of(home))


def pid_of(home: Path) -> int:
    """The worker's."""
    return int(heartbeat_of(home)["pid"])


def test_up_says_what_it_does_and_ctrl_c_stops_all_of_it(desk) -> None:
    """Few plain lines, the commands to type next, exit 0, no process left, the journal whole."""
    up, home = desk
    worker, bars = pid_of(home), heartbeat_of(home)["bars"]
    enough = bars + 6  # two seconds of bars: it has spoken by then
    until(lambda: heartbeat_of(home)["bars"] > enough, "no bars came", lambda: heartbeat_of(home))
    up.send_signal(signal.SIGINT)
    said, _ = up.communicate(timeout=WAIT_S)
    assert up.returncode == 0
    for words in (
        "SYNTHETIC",
        "REPLAYED",
        "PAPER",
        "nightdesk chat",
        "nightdesk proposals list",
        "nightdesk halt",
        "offline model",
    ):
        assert words in said
    assert len(said.splitlines()) < 25
    assert not alive(worker)
    assert heartbeat_of(home)["phase"] == "stopped"
    assert verify(home / "journal" / "desk.jsonl").ok


def test_a_dead_worker_comes_back_and_is_reported(desk) -> None:
    """kill -9: another process, the same desk."""
    up, home = desk
    worker, bars = pid_of(home), heartbeat_of(home)["bars"]
    os.kill(worker, signal.SIGKILL)
    running(home, up, worker)
    assert heartbeat_of(home)["bars"] >= bars
    up.send_signal(signal.SIGTERM)
    said, _ = up.communicate(timeout=WAIT_S)
    assert "was killed by signal 9" in said


def test_the_worker_ends_when_its_supervisor_is_killed(killed_desk: tuple[int, Path]) -> None:
    """kill -9 of the parent leaves no orphan that trades unseen."""
    worker, home = killed_desk
    until(lambda: not alive(worker), "the worker outlived its supervisor")
    assert verify(home / "journal" / "desk.jsonl").ok


def test_the_second_terminal_works_while_it_runs(shared_desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """status, doctor, halt; a second `up` is refused in one line."""
    _, home = shared_desk
    monkeypatch.setenv("NIGHTDESK_HOME", str(home))
    value = json.loads(nightdesk("status", "--json").stdout)
    assert (value["state"], value["worker"]["running"], value["mode"], value["source"]) == ("running", True, "paper", "synthetic")
    assert set(value["sleeves"]) == {"btc-trend", "eth-trend", "sol-reversion"}
    looked = nightdesk("doctor", "--json")
    assert (looked.returncode, json.loads(looked.stdout)["ok"]) == (0, True), looked.stdout
    again = nightdesk("up")
    assert again.returncode == 1
    assert len(again.stderr.strip().splitlines()) == 1
    assert "already runs" in again.stderr
    assert nightdesk("halt", "--reason", "trying", "--as", "ann").returncode == 0
    until(lambda: heartbeat_of(home).get("halted"), "the halt was not honoured", lambda: heartbeat_of(home))
    assert nightdesk("doctor").returncode == 1


def test_both_hold_only_the_libraries_they_work_with(shared_desk) -> None:
    """What of memory can be told by name; how much it is, `python -m bench commands` measures."""
    up, home = shared_desk

    def mapped(pid: int) -> set[str]:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        return {line.partition("site-packages/")[2].partition("/")[0] for line in lines if "site-packages/" in line}

    until(lambda: "pydantic_core" in mapped(up.pid), "the supervisor's watch never began")
    assert not mapped(up.pid) & {"numpy", "_polars_runtime_32", "pyarrow", "pandas", "talib", "scipy", "numba"}
    assert not mapped(pid_of(home)) & {"pyarrow", "pandas", "scipy", "numba", "llvmlite", "alembic"}
    assert {"numpy", "_polars_runtime_32"} <= mapped(pid_of(home))  # so that the names above still are the right ones


def test_doctor_and_status_of_a_desk_that_has_not_begun(own_home: Path) -> None:
    """Nothing is wrong with a fresh home; both say what to type."""
    furnished(own_home, DAYS)
    open_home(WALL_MS)
    assert "nightdesk up" in nightdesk("status").stdout
    looked = nightdesk("doctor")
    assert looked.returncode == 0, looked.stdout
    assert "SYNTHETIC" in looked.stdout
    assert nightdesk("up", "--bars-per-second", "0").returncode == 1


def test_a_worker_that_died_with_an_open_position_is_no_safe_desk(killed_desk: tuple[int, Path], own_home: Path) -> None:
    """doctor says so with exit code 1."""
    worker, home = killed_desk
    until(lambda: not alive(worker), "the worker outlived its supervisor")
    assert heartbeat_of(home)["phase"] == "stopped", "no clean stop"
    home = Path(shutil.copytree(home, own_home))
    (home / "worker.json").write_text(json.dumps({**heartbeat_of(home), "phase": "running"}))
    assert nightdesk("doctor").returncode == 1


def test_a_change_of_phase_is_told_once_in_words() -> None:
    """Replay, running, end of data."""
    beat = {"phase": "waiting", "note": "End of the recorded bars.", "state": "running", "desk_ms": WALL_MS, "equity": 1.0}
    assert lines_of(beat, first=True)[0] == "End of the recorded bars."
    assert "REPLAYED" in lines_of({**beat, "phase": "replaying"}, first=True)[0]
