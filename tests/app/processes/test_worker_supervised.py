"""`nightdesk up`: worker, API and page start, die, come back and end with their parent; the second terminal works meanwhile.

Two desks for all of it: one is watched, loses its API and its worker, and is stopped by the last of its tests; the other one's
supervisor is killed.
"""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner

from app.cli import desk as desk_commands
from app.home.home import open_home
from app.processes.supervisor import lines_of
from engine.errors import BadInput
from engine.store.journal import verify
from engine.watch.heartbeat import heartbeat_of
from tests.app.typed import typed
from tests.fakes.canaries import MODEL_KEYS, OWN_ACCOUNT, OWN_MODEL, SECRETS, VENUE_KEYS
from tests.fakes.papers import WALL_MS, furnished
from tests.fakes.running_desk import RunningDesk, running_desk
from tests.fakes.waiting import alive, until

DAYS = 15  # 5 that warm up, 5 of replay, 5 more: longer than these tests take at three bars a second
LEARNERS = ("lightgbm", "hmmlearn", "sklearn")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    """A desk with secrets in its environment, all of it running, on a short synthetic market."""
    home = furnished(tmp_path_factory.mktemp("shared") / "home", DAYS)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NIGHTDESK_HOME", str(home))
        open_home()
    with (home / "desk.toml").open("a") as file:
        file.write(OWN_MODEL + OWN_ACCOUNT)
    state = str(home.parent / "state")
    with running_desk(home, NIGHTDESK_MODEL="offline", XDG_STATE_HOME=state, **SECRETS, **VENUE_KEYS) as started:
        started.wait_all()
        yield started


@pytest.fixture(scope="module")
def killed_desk(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, int], Path]:
    """A desk whose supervisor was killed by kill -9 while nobody read its words: (its children, its home). Take a copy of it."""
    home = furnished(tmp_path_factory.mktemp("killed") / "home", DAYS)
    with running_desk(home, unread=True) as started:
        started.wait_all()
        children = started.children()
        assert started.up.stdout is not None
        started.up.stdout.close()
    return children, home


def test_each_process_sees_its_own_part_of_the_environment(desk: RunningDesk) -> None:
    """/proc/PID/environ: the API the models' keys and no venue's, the worker neither, the page nothing at all."""
    seen = {name: Path(f"/proc/{pid}/environ").read_bytes() for name, pid in desk.children().items()}
    for name, value in SECRETS.items():
        assert (value.encode() in seen["api"]) == (name in MODEL_KEYS), name
        assert value.encode() not in seen["worker"] + seen["page"], name
    started = below(set(desk.children().values()))  # strategy processes among them
    assert started
    for name, value in VENUE_KEYS.items():
        assert value.encode() in seen["worker"], name
        assert value.encode() not in b"".join([seen["api"], seen["page"], *started]), name


def below(parents: set[int]) -> list[bytes]:
    """The environments of all that these processes have started, and what those have."""
    parent_of = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent_of[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
    found, fresh = set[int](), parents
    while fresh := {pid for pid, parent in parent_of.items() if parent in fresh}:
        found |= fresh
    return [Path(f"/proc/{pid}/environ").read_bytes() for pid in found]


def test_everything_listens_on_this_machine_alone(desk: RunningDesk) -> None:
    """Open sockets of API and page are loopback ones."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    mine = {f"{port:04X}" for port in desk.ports()}
    bound = [row[1].rpartition(":") for row in rows if row[3] == "0A" and row[1].rpartition(":")[2] in mine]
    assert {port for _, _, port in bound} == mine
    assert {host for host, _, _ in bound} == {"0100007F"}


def test_both_hold_only_the_libraries_they_work_with(desk: RunningDesk) -> None:
    """What of memory can be told by name; how much it is, `python -m bench commands` measures."""

    def mapped(pid: int) -> set[str]:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        return {line.partition("site-packages/")[2].partition("/")[0] for line in lines if "site-packages/" in line}

    until(lambda: "pydantic_core" in mapped(desk.up.pid), "the supervisor's watch never began")
    assert not mapped(desk.up.pid) & {"numpy", "_polars_runtime_32", "pyarrow", "pandas", "talib", "scipy", "numba", *LEARNERS}
    assert not mapped(desk.worker()) & {"pyarrow", "pandas", "scipy", "numba", "llvmlite", "alembic", *LEARNERS}
    assert {"numpy", "_polars_runtime_32"} <= mapped(desk.worker())  # so that the names above still are the right ones


def test_the_link_logs_in_and_a_dead_api_comes_back(desk: RunningDesk) -> None:
    """The printed link sets a cookie that the API knows; kill -9 of the API is mended, and the cookie still holds."""
    path = desk.home / "login-link"
    link = path.read_text().strip()
    assert path.stat().st_mode & 0o077 == 0
    until(lambda: link in desk.said(), "the link was not printed", desk.said)  # its file comes first
    answer = httpx.get(link, follow_redirects=False)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].partition(";")[0]
    api = desk.children()["api"]
    os.kill(api, signal.SIGKILL)
    desk.wait_api(before=api)
    session = httpx.get(f"http://127.0.0.1:{desk.ports()[0]}/api/session", headers={"cookie": cookie})
    assert session.json()["scope"] == "all"
    assert "The API was killed by signal 9" in desk.said()


@pytest.mark.slow
def test_a_dead_worker_comes_back_and_is_reported(desk: RunningDesk) -> None:
    """kill -9: another process, the same desk."""
    worker, bars = desk.worker(), heartbeat_of(desk.home)["bars"]
    os.kill(worker, signal.SIGKILL)
    desk.wait_worker(before=worker)
    assert heartbeat_of(desk.home)["bars"] >= bars
    assert "worker was killed by signal 9" in desk.said()


def test_the_second_terminal_works_while_it_runs(desk: RunningDesk) -> None:
    """status, doctor, halt; a second `up` is refused in one line."""
    value = json.loads(typed("status", "--json", environment=desk.environment).stdout)
    assert (value["state"], value["worker"]["running"], value["mode"], value["source"]) == ("running", True, "paper", "synthetic")
    assert set(value["sleeves"]) == {"btc-trend", "eth-trend", "sol-reversion"}
    again = desk.command("up")
    assert again.returncode == 1
    assert len(again.stderr.strip().splitlines()) == 1
    assert "already runs" in again.stderr
    looked = typed("doctor", "--json", environment=desk.environment)
    assert (looked.returncode, json.loads(looked.stdout)["ok"]) == (0, True), looked.stdout
    assert typed("halt", "--reason", "trying", "--as", "ann", environment=desk.environment).returncode == 0
    until(lambda: heartbeat_of(desk.home).get("halted"), "the halt was not honoured", lambda: heartbeat_of(desk.home))
    assert typed("doctor", environment=desk.environment).returncode == 1


def test_up_says_what_it_does_and_ctrl_c_stops_all_of_it(desk: RunningDesk) -> None:
    """Few plain lines, the commands to type next, exit 0, no process left, the journal whole. The last test of this desk."""
    children, bars = desk.children(), heartbeat_of(desk.home)["bars"]
    until(lambda: heartbeat_of(desk.home)["bars"] > bars + 3, "no bars came", lambda: heartbeat_of(desk.home))
    said = desk.stop(signal.SIGINT)
    assert desk.up.returncode == 0
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
    passing = "  equity "  # of the line about the desk, which comes now and then for as long as it runs
    assert len([line for line in said.splitlines() if passing not in line]) < 20
    assert not [value for value in [*SECRETS.values(), *VENUE_KEYS.values()] if value in said]
    kept = [path.read_bytes() for path in desk.home.parent.rglob("*") if path.is_file()]  # claims of keys, too
    assert not [value for value in VENUE_KEYS.values() if any(value.encode() in content for content in kept)]
    assert not any(alive(pid) for pid in children.values())
    assert heartbeat_of(desk.home)["phase"] == "stopped"
    assert verify(desk.home / "journal" / "desk.jsonl").ok


def test_nobody_outlives_a_killed_supervisor(killed_desk: tuple[dict[str, int], Path]) -> None:
    """kill -9 of the parent leaves no orphan that trades or listens unseen, and the journal is whole."""
    children, home = killed_desk
    until(lambda: not any(alive(pid) for pid in children.values()), f"somebody outlived the supervisor: {children}")
    assert verify(home / "journal" / "desk.jsonl").ok


def test_a_worker_that_died_with_an_open_position_is_no_safe_desk(
    killed_desk: tuple[dict[str, int], Path], own_home: Path
) -> None:
    """doctor says so with exit code 1."""
    children, home = killed_desk
    until(lambda: not alive(children["worker"]), "the worker outlived its supervisor")
    assert heartbeat_of(home)["phase"] == "stopped", "no clean stop"
    home = Path(shutil.copytree(home, own_home))
    (home / "worker.json").write_text(json.dumps({**heartbeat_of(home), "phase": "running"}))
    assert typed("doctor").returncode == 1


def test_doctor_and_status_of_a_desk_that_has_not_begun(own_home: Path) -> None:
    """Nothing is wrong with a fresh home; both say what to type."""
    furnished(own_home, DAYS)
    open_home(WALL_MS)
    app = typer.Typer()
    desk_commands.register(app)
    invoked = partial(CliRunner().invoke, app)
    assert "nightdesk up" in invoked(["status"]).output
    looked = invoked(["doctor"])
    assert looked.exit_code == 0, looked.output
    assert "SYNTHETIC" in looked.output
    assert isinstance(invoked(["up", "--bars-per-second", "0"]).exception, BadInput)


def test_a_change_of_phase_is_told_once_in_words() -> None:
    """Replay, running, end of data."""
    beat = {"phase": "waiting", "note": "End of the recorded bars.", "state": "running", "desk_ms": WALL_MS, "equity": 1.0}
    assert lines_of(beat, first=True)[0] == "End of the recorded bars."
    assert "REPLAYED" in lines_of({**beat, "phase": "replaying"}, first=True)[0]
