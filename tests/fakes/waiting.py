"""Waiting for a state: the one loop of every test that watches a process, a thread or a socket.

A test says what it waits for, never how long that may take: the bound is minutes, so that a busy machine is slow and not red,
and only a state that never comes is waited out.
"""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WAIT_S = 300.0  # for any state of a test, also at a load of twenty
POLL_S, POLL_MAX_S = 0.02, 0.15  # between two looks: what is long in coming is looked for less often


def until(reached: Callable[[], Any], why: str, seen: Callable[[], Any] | None = None) -> Any:
    """What `reached()` gives once it gives something true; else AssertionError: `why`, and what `seen()` (or it) gave last.

    Nothing is caught: a `reached` that raises (a process that has ended, say) ends the wait at once.
    """
    end, pause_s = time.monotonic() + WAIT_S, POLL_S
    while True:
        found = reached()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{why} (waited {WAIT_S:g} s; last seen: {found if seen is None else seen()!r})")
        time.sleep(pause_s)
        pause_s = min(1.2 * pause_s, POLL_MAX_S)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(pid: int) -> bool:
    """A process that has not ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
