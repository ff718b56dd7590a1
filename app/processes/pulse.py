"""Whether the API answers: /api/health is asked every few seconds, beside the supervisor's loop. Standard library alone.

Called by app.processes.supervisor, which kills and restarts an API that hangs. Turns answers into seconds of silence; an API that
never answered gets longer, because it loads its libraries first. How often a hanging API is restarted is bounded here too.
"""

import http.client
import threading
import time
from collections import deque
from pathlib import Path

from app.processes import children

ASK_S = 5.0  # between two questions
ANSWER_S = 5.0  # for an answer
HANG_S = 60.0  # an API that has answered before is silent for so long: it hangs
START_S = 300.0  # the same for one that has not answered yet
RESTARTS_MAX, RESTARTS_S = 3, 3600.0  # restarts of a hanging API within this time; then it stays down
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


class Pulse:
    """The API of one home, asked on a thread of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.hangs: deque[float] = deque(maxlen=RESTARTS_MAX)
        self._answered = 0.0  # monotonic s; 0: this process of the API never has
        self._over = threading.Event()

    def begin(self) -> None:
        """Start asking."""
        threading.Thread(target=self._ask_on, name="pulse", daemon=True).start()

    def end(self) -> None:
        """Stop asking."""
        self._over.set()

    def started(self) -> None:
        """A new process of the API begins."""
        self._answered = 0.0

    def silent_s(self, began: float, now: float) -> float | None:
        """Seconds of silence once they are too many, else None; `began`: when the process was started (both monotonic s)."""
        since, most = (self._answered, HANG_S) if self._answered > began else (began, START_S)
        return now - since if now - since > most else None

    def may_restart(self, now: float) -> bool:
        """Note a hang; False when there were too many of late to try again."""
        full = len(self.hangs) == RESTARTS_MAX and now - self.hangs[0] < RESTARTS_S
        self.hangs.append(now)
        return not full

    def ask(self) -> bool:
        """Ask once; whether it answered with 200."""
        host, port = address(self.home)
        connection = http.client.HTTPConnection(host, port, timeout=ANSWER_S)
        try:
            connection.request("GET", "/api/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _ask_on(self) -> None:
        while not self._over.wait(ASK_S):
            asked = time.monotonic()
            if self.ask():
                self._answered = asked


def address(home: Path) -> tuple[str, int]:
    """Where the API of a home listens, as this machine reaches it."""
    entry = children.desk_toml(home).get("api")
    host = entry.get("host", children.LOOPBACK) if isinstance(entry, dict) else children.LOOPBACK
    return ANYWHERE.get(host, host) if isinstance(host, str) else children.LOOPBACK, children.ports(home)[0]
