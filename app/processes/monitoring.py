"""When the monitor looks: at its interval and after alerts, as a process of its own that is killed when it takes too long.

Called by app.processes.scheduler on a thread of its own. It knows nothing of models: what it starts is app/monitor/look.py, which
sees what the API may see, a model's key and no venue's.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

from app.home.home import Home
from app.processes.children import allowed_api, begun_beside, monitor_command
from engine.clock import MINUTE_MS
from engine.watch.alert_rows import AlertChange

LONGEST_MS = 10 * MINUTE_MS  # of one look
GAP_MS = 2 * MINUTE_MS  # between two looks, however many alerts open
WAKING = ("opened", "raised")


class Monitoring:
    """The looks of one home. `clock`: wall time."""

    def __init__(self, home: Home, clock: Callable[[], int]) -> None:
        self.home, self.clock, self.entry = home, clock, home.desk.monitor
        self._woken = False
        self._began_ms: int | None = None
        self._running: Any = None

    def alerted(self, changes: Sequence[AlertChange]) -> None:
        """Alerts that changed at a check; costs nothing, so that it is never on their path."""
        self._woken = self._woken or (self.entry.after_alerts and any(change.step in WAKING for change in changes))

    def look_when_due(self) -> bool:
        """Begin a look when one is due; whether it began. One that takes too long is killed first."""
        now_ms = self.clock()
        if self._running is not None and self._running.poll() is None:
            if self._began_ms is not None and now_ms - self._began_ms > LONGEST_MS:
                self._running.kill()
            return False
        waited = None if self._began_ms is None else now_ms - self._began_ms
        due = waited is None or waited >= self.entry.every_minutes * MINUTE_MS or (self._woken and waited >= GAP_MS)
        if not self.entry.every_minutes or not due:
            return False
        self._woken, self._began_ms = False, now_ms
        self._running = self._begin()
        return True

    def _begin(self) -> Any:
        return begun_beside(monitor_command(), allowed_api(os.environ, self.home.path), self.home.path)

    def stop(self) -> None:
        """End a look that runs."""
        if self._running is not None and self._running.poll() is None:
            self._running.kill()
