"""A strategy that waits at a gate, and looking at a thread until code has posted into it: shared by the tests of posting."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.home.home import open_home
from app.jobs.queue import JobQueue
from tests.fakes import recordings
from tests.fakes.waiting import until

GATED = """    import pathlib, time
    while not pathlib.Path({gate!r}).exists():
        time.sleep(0.02)
    later ="""


@contextmanager
def gated(own_home: Path) -> Iterator[Path]:
    """A strategy `slow` whose signals wait until this file is there; bars to run it on. What still runs at the end is killed."""
    recordings.record(own_home / "data")
    home = open_home()
    path = own_home.parent / "gate"
    recordings.strategy(home.strategies, "slow", recordings.LEAKING.replace("    later =", GATED.format(gate=str(path))))
    yield path
    jobs = JobQueue(home)
    for view in jobs.live():
        jobs.cancel(view.id)


def done(api: httpx.Client, turn: str) -> dict[str, Any]:
    """The turn when it has ended."""
    return until(lambda: (said := api.get(f"/api/turns/{turn}").json())["state"] not in ("running", "owed") and said, "no end")


def posted(api: httpx.Client, thread: str, count: int = 1) -> list[dict[str, Any]]:
    """What code has posted in the thread, when it is so many and nothing is owed."""

    def look() -> Any:
        whole = api.get(f"/api/threads/{thread}").json()
        found = [turn for turn in whole["turns"] if turn["posts"] and turn["state"] != "running"]
        return found if len(found) >= count and not whole["owed"] else None

    found: list[dict[str, Any]] = until(look, "nothing was posted")
    assert len(found) == count
    return found
