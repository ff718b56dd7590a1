"""What a desk is handed over as: image, compose files and unit say what docs/deploy.md promises.

There is no Docker engine here: the files are read, and what they name is looked for. packaging/chroot.sh runs the image's steps.
"""

import configparser
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from app.api.access import OPEN
from app.processes.supervisor import STOP_S

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTALL = (ROOT / "packaging" / "install.sh").read_text(encoding="utf-8")
CHROOT = (ROOT / "packaging" / "chroot.sh").read_text(encoding="utf-8")
COMPOSE = {name: yaml.safe_load((ROOT / name).read_text(encoding="utf-8")) for name in ("compose.yaml", "compose.postgres.yaml")}
SERVICES = [(f"{file}:{name}", part) for file, found in COMPOSE.items() for name, part in found["services"].items()]
DESK = COMPOSE["compose.yaml"]["services"]["nightdesk"]
UNIT = ROOT / "packaging" / "nightdesk.service"
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|KEY")


def instructions(name: str) -> list[str]:
    """What follows each instruction of this name in the Dockerfile, continued lines joined."""
    return re.findall(rf"^{name} (.+)$", DOCKERFILE.replace("\\\n", ""), re.MULTILINE)


def unit() -> dict[str, str]:
    """The unit's [Service] section."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read_string(UNIT.read_text(encoding="utf-8"))
    return dict(parser["Service"])


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server on a port of loopback that answers everything with `status`."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/api/health" else 404)
            self.end_headers()

        def log_message(self, *_words: Any) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def test_the_image_runs_as_the_user_that_its_steps_make() -> None:
    """By number, not root; the last USER is the one that counts."""
    (owner,) = re.findall(r"^OWNER=(\d+)", INSTALL, re.MULTILINE)
    assert instructions("USER")[-1] == f"{owner}:{owner}"
    assert int(owner) > 1000
    assert f"--reuid={owner} --regid={owner}" in CHROOT


def test_what_was_tried_in_a_root_is_what_the_image_does() -> None:
    """Every RUN is a stage of install.sh, on the same Debian; chroot.sh runs the same two stages."""
    found = [re.fullmatch(r"(?:--mount=\S+ )*\S*packaging/install\.sh (\w+)(?: /src)?", run) for run in instructions("RUN")]
    stages = [run and run[1] for run in found]
    assert stages == ["build", "run"]
    assert re.findall(r"install\.sh (\w+)(?: /src)?\n", CHROOT) == stages
    (suite,) = re.findall(r"^SUITE=(\w+)", CHROOT, re.MULTILINE)
    assert {image.split()[0] for image in instructions("FROM")} == {f"debian:{suite}-slim"}


def test_no_layer_has_a_secret() -> None:
    """No variable or argument of the image is one, and only what install.sh copies goes to the builder."""
    assert not instructions("ARG")
    names = re.findall(r"(\w+)=", " ".join(instructions("ENV")))
    assert set(names) == {"PATH", "HOME", "LANG", "NIGHTDESK_HOME"}
    ignored = [line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert ignored[0] == "*"
    (copied,) = re.findall(r"for name in (app .+); do", INSTALL)
    wanted = {*copied.split(), "packaging", "requirements.lock", "scripts/bootstrap.sh"}
    assert {line[1:] for line in ignored if line.startswith("!")} == wanted
    for where, part in SERVICES:
        for name, value in (part.get("environment") or {}).items():
            assert not SECRET.search(name) or str(value).startswith(("${", "/run/secrets/")), f"{where}: {name}"
        assert "://" not in str(part.get("environment")) or "${NIGHTDESK_DB_PASSWORD:?" in str(part["environment"])


@pytest.mark.parametrize(("where", "part"), SERVICES, ids=[where for where, _ in SERVICES])
def test_ports_are_published_on_loopback_alone(where: str, part: dict[str, Any]) -> None:
    """Of every service; a database publishes none. None is privileged or lives in the machine's own network."""
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in part.get("ports", []))
    assert not part.get("privileged")
    assert part.get("network_mode", "service:nightdesk") == "service:nightdesk"


def test_the_desks_container_writes_into_its_volume_alone() -> None:
    """Read-only root, no capability, /tmp in memory; it listens for the ports that are published."""
    assert DESK["read_only"] is True
    assert DESK["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in DESK["security_opt"]
    assert [mount.partition(":")[2] for mount in DESK["volumes"]] == ["/var/lib/nightdesk"] == instructions("VOLUME")
    assert DESK["environment"]["NIGHTDESK_LISTEN"] == "0.0.0.0"
    assert DESK["ports"] == ["127.0.0.1:8420:8420", "127.0.0.1:8421:8421"]


def test_what_is_mounted_is_there() -> None:
    """Each file of this repository that a compose file mounts; Prometheus finds its token where its configuration says."""
    for where, part in SERVICES:
        for mount in part.get("volumes", []):
            assert not mount.startswith("./") or (ROOT / mount.partition(":")[0]).exists(), f"{where}: {mount}"
    scraping = yaml.safe_load((ROOT / "docs" / "grafana" / "prometheus.yml").read_text(encoding="utf-8"))
    (token,) = COMPOSE["compose.yaml"]["services"]["prometheus"]["secrets"]
    assert scraping["scrape_configs"][0]["authorization"]["credentials_file"] == token["target"]
    for page in (ROOT / "docs" / "grafana" / "provisioning").rglob("*.yml"):
        assert yaml.safe_load(page.read_text(encoding="utf-8"))["apiVersion"] == 1


def test_the_health_check_asks_an_open_route_and_believes_its_answer() -> None:
    """Run as written: 0 where the API answers, not 0 where it refuses or nobody listens."""
    (check,) = instructions("HEALTHCHECK")
    command = json.loads(check.partition("CMD ")[2])
    assert command[0] == "python"
    (path,) = re.findall(r"'(/api/\w+)'", command[-1])
    assert path in OPEN

    def code(port: int) -> int:
        words = [sys.executable, *command[1:]]
        return subprocess.run(words, env={"NIGHTDESK_API_PORT": str(port)}, capture_output=True, check=False).returncode

    with answering(200) as port:
        assert code(port) == 0
    assert code(port) != 0
    with answering(503) as port:
        assert code(port) != 0


def test_a_stop_is_given_the_time_that_it_takes() -> None:
    """More than the supervisor gives its processes and then its alerts; what is left over is killed."""
    needed = 2 * STOP_S
    assert int(DESK["stop_grace_period"].removesuffix("s")) > needed
    assert int(unit()["TimeoutStopSec"]) > needed
    assert unit()["KillMode"] == "mixed"
    assert instructions("STOPSIGNAL") == ["SIGTERM"]


def test_the_unit_starts_what_the_steps_install() -> None:
    """The same place, user and folder; compiled code needs memory that can be written and run."""
    options = unit()
    assert options["ExecStart"] == "/usr/local/lib/nightdesk/bin/nightdesk up"
    assert "PLACE=/usr/local/lib/nightdesk\n" in INSTALL
    assert (options["User"], options["Restart"], options["NoNewPrivileges"]) == ("nightdesk", "on-failure", "yes")
    assert options["StateDirectory"] == "nightdesk"
    assert "STATE=/var/lib/nightdesk\n" in INSTALL
    assert "MemoryDenyWriteExecute" not in options


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Nothing that it does not know or ignores."""
    path = tmp_path / "nightdesk.service"
    path.write_text(
        UNIT.read_text(encoding="utf-8").replace("/usr/local/lib/nightdesk/bin/nightdesk", "/bin/true"), encoding="utf-8"
    )
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("script", sorted((ROOT / "packaging").glob("*.sh")), ids=lambda path: path.name)
def test_the_scripts_are_scripts(script: Path) -> None:
    """sh reads them, and a word that they do not know is a usage error."""
    subprocess.run(["sh", "-n", script], check=True)
    done = subprocess.run(["sh", script, "nonsense"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.startswith("usage: ")) == (2, True)
