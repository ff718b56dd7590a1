"""The supervisor's end of alerts and schedules: light until it begins, then a thread that loads app.processes.scheduler and
lets it run.

Called by app.processes.supervisor, which says what died. Nothing here can stop the supervisor or make it wait.
"""

import sys
import threading
import time
from collections.abc import Mapping
from typing import Any


class Watch:
    """Begins on a thread of its own, so that starting the worker waits for no import."""

    def __init__(self, left: Mapping[str, Any]) -> None:
        """`left`: what the last worker said of itself; one that never said it was stopping died with its supervisor."""
        self._schedules: Any = None
        died = bool(left) and left.get("phase") != "stopped"
        self._early: list[tuple[str, int | None, str]] = [("worker", None, "")] if died else []
        self._mutex = threading.Lock()
        self._ended = False

    def begin(self) -> None:
        """Open the home of this environment and start; a home that cannot be opened is told and tried again."""
        threading.Thread(target=self._begin, name="watch", daemon=True).start()

    def _begin(self) -> None:
        while not self._ended:
            try:
                from app.home.home import open_home
                from app.processes.scheduler import Schedules

                schedules = Schedules(open_home())
            except Exception as error:  # noqa: BLE001 - the supervisor goes on whatever this is
                sys.stdout.write("ALERT page: the watch cannot start: " + " ".join(str(error).split()) + "\n")
                sys.stdout.flush()
                time.sleep(10.0)
                continue
            with self._mutex:
                if self._ended:
                    return
                schedules.start()
                self._schedules = schedules
                for ended in self._early:
                    schedules.died(*ended)
            return

    def died(self, process: str, code: int | None, why: str = "") -> None:
        """A child ended without being asked to; `why`: the supervisor killed it, because of this."""
        with self._mutex:
            if self._schedules is not None:
                self._schedules.died(process, code, why)
            else:
                self._early.append((process, code, why))

    def end(self) -> None:
        """Stop watching."""
        with self._mutex:
            self._ended = True
            if self._schedules is not None:
                self._schedules.stop()
