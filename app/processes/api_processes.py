"""The parent of several API processes, where desk.toml wants more than one ([api] processes): they share one socket.

`python -m app.processes.api_processes [PORT]`, run by the supervisor and by `nightdesk api`; the standard library alone. It
listens, starts every process on that socket, starts again what dies, and kills what hangs: each process writes a byte into a
pipe of its own while its event loop runs. Who has the fewest connections takes the next one (app.processes.shared_port). One
that hangs takes none, so the others answer meanwhile; the supervisor's question to /api/health finds out when none of them
does. What they share is in the database, the journals and files of the home.
"""

import mmap
import os
import select
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from app.processes import children
from app.processes.pulse import HANG_S, START_S
from app.processes.supervisor import Child, end_all, say

BACKLOG = 2048  # connections that wait to be taken
FIRST_S = 0.2  # between two looks while they start
LOOK_S = 1.0


@dataclass
class Member:
    """One API process, and the pipe that it beats into."""

    child: Child
    beats: int  # the pipe's reading end
    beat: float = 0.0  # monotonic s of the last; 0: it has not served yet

    def silent_s(self, now: float) -> float:
        """Read the pipe; for how long it has been silent, 0 while that is not too long."""
        with suppress(BlockingIOError):
            if os.read(self.beats, 4096):
                self.beat = now
        since, most = (self.beat, HANG_S) if self.beat > self.child.began else (self.child.began, START_S)
        return now - since if now - since > most else 0.0


class ApiProcesses:
    """All API processes of a home."""

    def __init__(self, home: Path, listening: int, port: int) -> None:
        self.members: list[Member] = []
        self.numbers = tempfile.TemporaryFile()  # noqa: SIM115 - for as long as the processes run
        self.numbers.truncate(mmap.PAGESIZE)  # a row for each process (app.processes.shared_port)
        for n in range(1, children.api_count(home) + 1):
            reading, writing = os.pipe()
            os.set_blocking(reading, False)
            os.set_blocking(writing, False)
            fds = (listening, writing, self.numbers.fileno())
            command = [*children.one_api_command(), *map(str, (port, *fds, n))]
            child = Child(f"API process {n}", command, lambda: dict(os.environ), fds=fds)
            self.members.append(Member(child, reading))
        self.stopping = False
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._woken, False)

    def run(self) -> int:
        """Until it is stopped; the exit code. When the first processes cannot serve at all, they have said why."""
        signal.set_wakeup_fd(self._woken)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._signalled)
        try:
            while not self.stopping:
                if not all(map(self.attend, self.members)):
                    return 1
                ready, _, _ = select.select([self._wake], [], [], LOOK_S if all(m.beat for m in self.members) else FIRST_S)
                if ready:
                    os.read(self._wake, 4096)
            return 0
        finally:
            end_all([member.child for member in self.members])

    def attend(self, member: Member) -> bool:
        """Start a process that is due, report one that has died, kill one that hangs; False when the API cannot run at all."""
        child, now = member.child, time.monotonic()
        code = child.ended()
        if code is not None:
            child.process = None
            if code == 1 and not any(one.beat for one in self.members):
                return False
            child.due = now + child.wait_after(code)
            child.why = ""
        if child.process is None:
            if now >= child.due:
                child.start()
        elif not child.why and (silent_s := member.silent_s(now)):
            child.why = f"it did not serve for {silent_s:.0f} s"
            child.process.kill()  # what hangs does not follow SIGTERM
        return True

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self.stopping = True


def main(words: list[str]) -> int:
    """Listen and run until stopped; the exit code."""
    home = children.home_of(os.environ)
    host, port = children.api_address(home)
    port = int(words[0]) if words else port
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        what = f"port {port} of {host} cannot be listened on: {error.strerror or error}"
        sys.stderr.write(f"nightdesk: {what} - choose another: [api] port in desk.toml, or NIGHTDESK_API_PORT=...\n")
        return 1
    with listener, tempfile.TemporaryDirectory(prefix="nightdesk-api-") as measured:
        os.environ[children.MEASURED] = measured
        say(f"{children.api_count(home)} API processes on port {port}.")
        return ApiProcesses(home, listener.fileno(), port).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
