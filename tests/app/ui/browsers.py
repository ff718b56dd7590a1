"""Debian's browser, ports, and a desk's processes, for the page's tests in a real browser."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fakes.waiting import WAIT_S

WAIT_MS = 60_000
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NIGHTDESK = [sys.executable, "-P", "-c", "from app.cli.main import run; run()"]
FOREIGN = ("NIGHTDESK_", "OPENAI_", "SLACK_")


class Place:
    """A home, where its API and page are, and the environment of its processes."""

    def __init__(self, home: Path, **more: str) -> None:
        self.home, (self.api, self.ui) = home, free_ports()
        kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        where = {"NIGHTDESK_HOME": str(home), "NIGHTDESK_API_PORT": str(self.api), "NIGHTDESK_UI_PORT": str(self.ui)}
        self.env = {**kept, **where, **more}
        self.page = f"http://127.0.0.1:{self.ui}/"

    def command(self, *words: str, **more: str) -> dict[str, Any]:
        """A command of a second terminal, as JSON."""
        done = subprocess.run(
            [*NIGHTDESK, *words, "--json"], env=self.env | more, capture_output=True, text=True, timeout=WAIT_S, check=False
        )
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def listens(self) -> bool:
        """Whether API and page do."""
        return answers(self.api) and answers(self.ui)

    def processes(self, word: str) -> list[int]:
        """Ids of this desk's processes that have a word in their command line."""
        found = []
        mine = f"NIGHTDESK_HOME={self.home}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words, held = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            except OSError:
                continue
            if word.encode() in words and mine in held.split(b"\0"):
                found.append(int(entry.name))
        return found


def free_ports() -> tuple[int, int]:
    """Two loopback ports that nobody listens on."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(two.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def started(place: Place, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of the desk while it is needed, in a session of its own."""
    with (place.home.parent / f"{words[0]}.log").open("w") as log:
        process = subprocess.Popen([*NIGHTDESK, *words], env=place.env, stdout=log, stderr=log, start_new_session=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(WAIT_S)


def browser(place: Place, chromium: Any, **more: Any) -> tuple[Any, list[str]]:
    """A new browser profile, logged in as vera by the one-time link, and the list of requests that left the machine."""
    asked: list[str] = []
    context = chromium.new_context(**{"viewport": {"width": 1360, "height": 900}, **more})
    context.on("request", lambda r: None if r.url.startswith(("http://127.0.0.1:", "data:", "blob:")) else asked.append(r.url))
    made = context.new_page()
    made.set_default_timeout(WAIT_MS)
    made.goto(place.command("login", "--as", "vera")["url"])
    made.locator(".st-key-head").wait_for()
    return made, asked
