"""The worker's heartbeat: its own status, written once a second. Standard library alone.

Written by app.processes.worker; read by the supervisor, health, the observer, desk views and metrics.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

FILE = "worker.json"  # in the home
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # of the kernel: containers of one machine share it


class Age(NamedTuple):
    """How old a heartbeat is. `behind_ms`: how far the clock of the process that wrote it is behind ours; below 0 ahead; None
    where the two cannot be told apart: then `silent_ms` is by their wall clocks.
    """

    silent_ms: int
    behind_ms: int | None


def boot_id() -> str:
    """Which start of which kernel this is; "" where the kernel does not say."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def up_ms() -> int | None:
    """How long this kernel has been up, which nobody sets: the same for all its processes. None where it does not say."""
    with suppress(AttributeError, OSError):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return None


def clocks() -> dict[str, Any]:
    """What a heartbeat says of the machine's clock beside the wall's."""
    return {"boot": boot_id(), "up_ms": up_ms()}


def age_of(beat: Mapping[str, Any], now_ms: int) -> Age:
    """How old a heartbeat is, by the one clock that reader and writer share, else by the wall (`now_ms`). Raises what dict and
    int() raise for one without a time.
    """
    wall_ms, up, then = int(beat["wall_ms"]), up_ms(), beat.get("up_ms")
    if up is None or not isinstance(then, int) or not beat.get("boot") or beat["boot"] != boot_id() or then > up:
        return Age(now_ms - wall_ms, None)
    return Age(up - then, now_ms - (up - then) - wall_ms)


def heartbeat_of(home: Path) -> dict[str, Any]:
    """The heartbeat of a home's worker; empty when missing or unreadable."""
    try:
        body = json.loads((home / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def began_ms(pid: int) -> int | None:
    """Wall time at which a process of this machine began; None when the kernel does not say."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[19])
        boot = next(line for line in Path("/proc/stat").read_text(encoding="ascii").splitlines() if line.startswith("btime "))
        return int(boot.split()[1]) * 1000 + ticks * 1000 // os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def unattended_text(positions: Sequence[str], *, starts: bool = True) -> str:
    """The open positions that nobody looks after while no worker runs, and how to be flat; "" when there are none.

    `starts`: a worker can be started; where it has just refused, neither it nor a halt closes anything.
    """
    if not positions:
        return ""
    count = f"{len(positions)} open position{'' if len(positions) == 1 else 's'}"
    how = (
        "To go on: nightdesk up. To flatten: nightdesk halt, then nightdesk up; it closes them at the next open and stays halted."
        if starts
        else "The worker does not start, for the reason above: until that is put right, what is open at a venue is closed there, "
        "by hand; on paper it waits."
    )
    return f"NOBODY LOOKS AFTER {count}: {'; '.join(positions)}. {how}"
