"""The worker's heartbeat: its own status, written once a second. Standard library alone.

Written by app.processes.worker; read by the supervisor, health, the observer, desk views and metrics.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FILE = "worker.json"  # in the home


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
