"""`nightdesk up` starts worker, API and page: each sees its own part of the environment, and none outlives its parent."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.home.home import open_home
from app.processes.children import allowed, allowed_api, allowed_ui, ports
from tests.fakes.papers import furnished
from tests.fakes.waiting import WAIT_S, alive, free_port, until

NIGHTDESK = [sys.executable, "-P", "-c", "from app.cli.main import run; run()"]
SECRETS = {
    "OPENAI_API_KEY": "sk-canary-model",
    "MY_MODEL_KEY": "canary-named",
    "BINANCE_API_SECRET": "canary-venue",
    "OKX_SECRET": "canary-venue",
    "AWS_SECRET_ACCESS_KEY": "canary-cloud",
    "NIGHTDESK_TOKEN": "canary-token",
    "SLACK_APP_TOKEN": "canary-slack",
}


def of_parent(pid: int) -> dict[str, int]:
    """The living children of a process, by what they are."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and (folder / "stat").read_text().rpartition(")")[2].split()[1] == str(pid):
                words = (folder / "cmdline").read_bytes().decode().replace("\0", " ")
                name = "worker" if "app.processes.worker" in words else "api" if "app.api" in words else "page"
                found[name] = int(folder.name)
        except OSError:
            continue
    return found


@pytest.fixture
def up(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """`nightdesk up` with canaries in its environment, once all three run."""
    for name in ("NIGHTDESK_API_PORT", "NIGHTDESK_UI_PORT"):
        monkeypatch.setenv(name, str(free_port()))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    furnished(own_home, 24)
    home = open_home()
    with home.settings.desk_toml.open("a") as file:
        file.write('\n[models.own]\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\nkey_env = "MY_MODEL_KEY"\n')
    process = subprocess.Popen(
        [*NIGHTDESK, "up"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    until(lambda: len(of_parent(process.pid)) == 3, "not all three were started", lambda: of_parent(process.pid))
    until(lambda: answers(ports(own_home)[0]) and answers(ports(own_home)[1]), "API and page never listened")
    yield process
    if process.poll() is None:
        process.kill()
        process.wait(WAIT_S)


def answers(port: int) -> bool:
    """Somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_each_process_sees_its_own_part_of_the_environment(up, own_home: Path) -> None:
    """/proc/PID/environ: the API the models' keys and no venue's, the worker neither, the page nothing at all."""
    seen = {name: Path(f"/proc/{pid}/environ").read_bytes() for name, pid in of_parent(up.pid).items()}
    assert b"sk-canary-model" in seen["api"]
    assert b"canary-named" in seen["api"]
    assert not [value for value in SECRETS.values() if value.encode() in seen["worker"] + seen["page"]]
    left = {v for k, v in SECRETS.items() if k not in ("OPENAI_API_KEY", "MY_MODEL_KEY")}
    assert not [value for value in left if value.encode() in seen["api"]]


def test_everything_listens_on_this_machine_alone_and_ends_with_its_parent(up, own_home: Path) -> None:
    """Open sockets are loopback ones; kill -9 of the supervisor, with nobody reading its words, leaves nobody behind."""
    pids = of_parent(up.pid)
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    mine = {f"{port:04X}" for port in ports(own_home)}
    bound = [row[1].rpartition(":") for row in rows if row[3] == "0A" and row[1].rpartition(":")[2] in mine]
    assert {host for host, _, _ in bound} == {"0100007F"}
    assert up.stdout is not None
    up.stdout.close()
    up.kill()
    up.wait(WAIT_S)
    until(lambda: not any(alive(pid) for pid in pids.values()), f"somebody outlived the supervisor: {pids}")


def test_the_link_logs_in_and_a_dead_api_comes_back(up, own_home: Path) -> None:
    """The printed link sets a cookie that the API knows; kill -9 of the API is mended, and the cookie still holds."""
    link = (own_home / "login-link").read_text().strip()
    assert (own_home / "login-link").stat().st_mode & 0o077 == 0
    port = ports(own_home)[0]
    answer = httpx.get(link, follow_redirects=False)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].partition(";")[0]
    api = of_parent(up.pid)["api"]
    os.kill(api, signal.SIGKILL)
    until(lambda: of_parent(up.pid).get("api") not in (None, api) and answers(port), "no new API came")
    assert httpx.get(f"http://127.0.0.1:{port}/api/session", headers={"cookie": cookie}).json()["scope"] == "all"
    up.send_signal(signal.SIGINT)
    said, _ = up.communicate(timeout=WAIT_S)
    assert "The API was killed by signal 9" in said
    assert link in said
    assert up.returncode == 0


def test_a_taken_port_is_one_clear_line(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which port, whose, and how to choose another; nothing is started."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("NIGHTDESK_API_PORT", str(port))
        for words in (["up"], ["api"]):
            done = subprocess.run([*NIGHTDESK, *words], capture_output=True, text=True, timeout=WAIT_S, check=False)
            assert done.returncode == 1
            assert f"port {port}" in done.stderr
            assert "NIGHTDESK_API_PORT" in done.stderr
            assert len(done.stderr.splitlines()) == 1


def test_what_each_may_see_is_a_list(own_home: Path) -> None:
    """By name: no variable passes that is not listed, whatever desk.toml calls a key."""
    open_home()
    with (own_home / "desk.toml").open("a") as file:
        file.write('\n[models.own]\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\nkey_env = "MY_MODEL_KEY"\n')
    everything = {**SECRETS, "PATH": "/bin", "LD_PRELOAD": "x", "PYTHONPATH": "y", "LANGSMITH_TRACING": "true"}
    assert set(allowed_api(everything, own_home)) & set(everything) == {"PATH", "OPENAI_API_KEY", "MY_MODEL_KEY"}
    assert set(allowed(everything)) & set(everything) == {"PATH"}
    assert set(allowed_ui(everything)) & set(everything) == {"PATH"}
