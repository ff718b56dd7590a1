"""What becomes of a decision that the worker has to carry out: it does so, or no worker does and how one comes to.

Called wherever a person halts, approves or looks whether the desk has followed: command line, chat, API, Slack. Turns a home
into one sentence, so that none of them promises what no process does. It never raises: a halt is latched before anybody asks.
"""

from pathlib import Path

from engine.book.bodies import SIMULATED
from engine.watch import health
from engine.watch.heartbeat import heartbeat_of

HALT = ("cancels entries and flattens at the next open", "nothing is cancelled or flattened")
AT_ONCE = "cancels entries and flattens at once"  # where a venue trades all the time
VERSION = ("adopts it within one bar", "the desk runs the version before")
LATE_MS = 5_000  # a heartbeat is due every second; later than this it is said


def carried_out(home: Path, now_ms: int, decision: tuple[str, str]) -> str:
    """`decision`: what a worker does about it, and what holds while none does. `now_ms` is wall time."""
    does, meanwhile = decision
    try:
        check, pid, beat = health.worker(home, now_ms), health.worker_pid(home), heartbeat_of(home)
        late_ms = now_ms - int(beat.get("wall_ms") or now_ms)
        waits = beat.get("phase") == "waiting" and decision is HALT
        if decision is HALT and beat.get("mode", "paper") not in SIMULATED:
            does = AT_ONCE
    except Exception as error:  # noqa: BLE001 - whatever cannot be read, the decision itself holds
        return f"Whether a worker runs cannot be seen ({type(error).__name__}): look at nightdesk status."
    if pid is None:
        left = "; ".join(map(str, beat.get("open") or ())) if decision is HALT else ""
        return f"NO WORKER RUNS: until one does (nightdesk up), {meanwhile}.{f' Open: {left}.' if left else ''}"
    if check.state != "ok":
        return f"THE WORKER DOES NOT ANSWER: {check.text}. Until it is ended (kill -9 {pid}) and started again, {meanwhile}."
    if waits:
        return f"The worker {does}. It waits for bars: until one comes, positions stay open."
    seen = f" Its last heartbeat is {late_ms // 1000} s old: check nightdesk status." if late_ms > LATE_MS else ""
    return f"The worker {does}.{seen}"
