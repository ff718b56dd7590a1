"""`nightdesk up` as a process with its children, for the tests that watch a whole desk. One start costs 10 s of CPU: share it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.watch.heartbeat import heartbeat_of
from tests.fakes.waiting import WAIT_S, free_port, until

DAYS = 24  # 8 that warm up, 8 of replay, 8 more
NIGHTDESK = [sys.executable, "-P", "-c", "from app.cli.main import run; run()"]
OURS = ("NIGHTDESK_", "OPENAI_", "SLACK_")


def nightdesk(*words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A command of the second terminal, as a process."""
    return subprocess.run([*NIGHTDESK, *words], env=environment, capture_output=True, text=True, timeout=WAIT_S, check=False)


class RunningDesk:
    """`nightdesk up` of one home: its process, its children by name, and what it has printed so far."""

    def __init__(self, home: Path, unread: bool = False, **environment: str) -> None:
        self.home, self.printed = home, home.parent / "up.txt"
        own = {"NIGHTDESK_HOME": str(home), **{name: str(free_port()) for name in ("NIGHTDESK_API_PORT", "NIGHTDESK_UI_PORT")}}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self.environment = {**inherited, **own, **environment}
        with self.printed.open("w") as out:
            command = [*NIGHTDESK, "up", "--bars-per-second", "3"]
            into = subprocess.PIPE if unread else out
            self.up = subprocess.Popen(
                command, env=self.environment, stdout=into, stderr=subprocess.STDOUT, start_new_session=True
            )

    def said(self) -> str:
        """What it has printed."""
        return self.printed.read_text()

    def children(self) -> dict[str, int]:
        """The living children: process ids of `worker`, `api` and `page`."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if parent == str(self.up.pid) and state != "Z":
                    words = (folder / "cmdline").read_bytes().decode().replace("\0", " ")
                    name = "worker" if "app.processes.worker" in words else "api" if "app.api" in words else "page"
                    found[name] = int(folder.name)
            except OSError:
                continue
        return found

    def worker(self) -> int:
        """The worker's process, as its heartbeat has it."""
        return int(heartbeat_of(self.home)["pid"])

    def wait_worker(self, before: int = 0) -> None:
        """Wait until another worker than `before` runs."""

        def look() -> bool:
            assert self.up.poll() is None, f"`up` has ended: {self.said()}"
            beat = heartbeat_of(self.home)
            return beat.get("phase") == "running" and beat.get("pid") != before

        until(look, "no worker runs", lambda: heartbeat_of(self.home))

    def wait_api(self, before: int = 0) -> None:
        """Wait until another API than `before` listens."""
        until(lambda: self.children().get("api") not in (None, before) and self.listens(0), "no API came", self.children)

    def wait_all(self) -> None:
        """Wait until the worker runs, and API and page listen."""
        self.wait_worker()
        self.wait_api()
        until(lambda: self.listens(1), "the page never listened", self.said)
        assert set(self.children()) == {"worker", "api", "page"}

    def ports(self) -> tuple[int, int]:
        """Of API and page."""
        return int(self.environment["NIGHTDESK_API_PORT"]), int(self.environment["NIGHTDESK_UI_PORT"])

    def listens(self, which: int) -> bool:
        """The API (0) or the page (1) takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports()[which])) == 0

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the second terminal."""
        return nightdesk(*words, environment=self.environment)

    def stop(self, number: int = signal.SIGINT) -> str:
        """A signal to the supervisor, and its end; all that it printed."""
        self.up.send_signal(number)
        self.up.wait(WAIT_S)
        return self.said()


@contextmanager
def running_desk(home: Path, unread: bool = False, **environment: str) -> Iterator[RunningDesk]:
    """The desk of a furnished home once its worker runs; whatever is left of it is killed at the end.

    `unread` gives it a pipe for its words instead of a file: who wants a terminal that nobody reads closes `up.stdout`.
    """
    desk = RunningDesk(home, unread, **environment)
    try:
        desk.wait_worker()
        yield desk
    finally:
        if desk.up.poll() is None:
            desk.up.kill()
            desk.up.wait(WAIT_S)
