"""Which machine a home last ran on: two machines that run copies of one home undo each other's orders at one account.

Called by `nightdesk up` and `nightdesk worker` before anything starts; the start's note (started.py) keeps the machine. A home
that runs elsewhere at this moment is refused. One that last ran elsewhere comes up halted where it trades an account, as after a
restore; on paper it is said, and nothing else. Clocks of two machines may be apart by anything: a heartbeat that moves while it
is watched is alive, whatever time it says.
"""

import hashlib
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.control import halt
from engine.control.started import started_of
from engine.errors import Busy
from engine.watch.heartbeat import heartbeat_of

if TYPE_CHECKING:
    from app.home.home import Home

KEY = "machine"
MACHINE_ID = Path("/etc/machine-id")
FRESH_MS = 60_000  # a heartbeat is written once a second
WATCHED_S = 4.0  # an old one is watched for this long
BY = {"name": "start", "channel": "machine"}


def machine() -> str:
    """`a1b2c3d4e5f6 nas-1`: a digest of the machine's id, of its name where it has none, and the name."""
    name = platform.node() or "unnamed"
    try:
        own = MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        own = ""
    return f"{hashlib.blake2b((own or name).encode(), digest_size=6, person=b'nightdesk').hexdigest()} {name[:80]}"


def came_from(home: Path) -> str:
    """The name of the other machine that this home last ran on; "" where it was this one, or none is known."""
    kept = started_of(home).get(KEY, "")
    return "" if not kept or kept.split()[0] == machine().split()[0] else kept.partition(" ")[2]


def arrive(home: "Home", now_ms: int, wait: Callable[[float], None] = time.sleep) -> str:
    """What a person is told of a home that last ran on another machine; "" for one that did not. Raises Busy while it runs there.

    A desk that trades an account is halted first, durably: only a person knows whether the other one still runs.
    """
    if not (other := came_from(home.path)):
        return ""
    if alive := _alive(home.path, now_ms, wait):
        raise Busy(f"{home.path} runs on {other}: {alive}", "stop it there and wait a minute; two machines must not run one home")
    if home.desk.mode == "paper":
        return f"This home last ran on {other}; if a copy still runs there, the two share nothing from here on."
    reason = f"this home last ran on {other}: stop it there, reconcile, then release"
    halt.set(home.path, reason, BY, now_ms, home.engine)
    return f"HALTED: {reason}"


def _alive(home: Path, now_ms: int, wait: Callable[[float], None]) -> str:
    """How it is known that a worker is alive there; "" where none is, as far as can be seen from here."""
    beat = heartbeat_of(home)
    beat_ms = beat.get("wall_ms")
    if isinstance(beat_ms, int) and abs(now_ms - beat_ms) < FRESH_MS:
        return f"its worker was alive {max(0, (now_ms - beat_ms) // 1000)} s ago"
    if not beat:
        return ""
    wait(WATCHED_S)
    later = heartbeat_of(home)
    if later in (beat, {}):
        return ""
    return "its worker is alive: its heartbeat moves, though the clocks of the two machines are apart"
