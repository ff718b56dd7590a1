"""A desk for the tasks: the synthetic market, thirty days replayed by a real trading process, then nobody trades on.

Called by app/cli/evals.py. The home is a folder of its own; the person's desk is not read and not written.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.home.home import Home, open_home
from app.processes.children import allowed_worker, worker_command
from engine.errors import BadInput
from engine.watch.heartbeat import heartbeat_of

REPLAY_S = 300.0  # that the replay may take
STOP_S = 30.0
OWN = ("NIGHTDESK_HOME", "NIGHTDESK_DATA", "NIGHTDESK_DATABASE_URL")  # what names the person's own desk


@contextmanager
def furnished_desk(folder: Path, progress: Callable[[float], None]) -> Iterator[Home]:
    """The desk in `folder`, which this process calls its home meanwhile. Raises BadInput where its trading process fails."""
    before = {name: os.environ.pop(name, None) for name in OWN}
    os.environ["NIGHTDESK_HOME"] = str(folder / "home")
    try:
        home = open_home()
        _replay(home.path, progress)
        yield open_home()
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})
        if before["NIGHTDESK_HOME"] is None:
            del os.environ["NIGHTDESK_HOME"]


def _replay(home: Path, progress: Callable[[float], None]) -> None:
    """Let the trading process walk the past, and end it."""
    log = home.parent / "worker.txt"
    with log.open("w") as lines:
        sees = allowed_worker(os.environ, home)
        worker = subprocess.Popen(worker_command([]), stdout=lines, stderr=lines, env=sees)  # noqa: S603 - our own
    end = time.monotonic() + REPLAY_S
    try:
        while heartbeat_of(home).get("phase") != "running":
            if worker.poll() is not None or time.monotonic() > end:
                why = log.read_text(encoding="utf-8", errors="replace").strip()[-300:] or "it took too long"
                raise BadInput(f"the desk of the tasks did not begin: {why}", "nightdesk doctor")
            progress(0.0)
            time.sleep(0.1)
    finally:
        worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(STOP_S)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
