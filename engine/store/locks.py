"""The locks of a journal file: its single writer's, and the turn of one writer among many. Called by engine.store.journal.

A file and how it is to be held -> held, or Busy. The operating system gives a lock back when its process ends.
"""

import fcntl
import time
from pathlib import Path

from engine.errors import Busy

LOCK_S_MAX = 10.0  # how long a writer of the people journal waits for another


def lock_shared(descriptor: int, path: Path) -> None:
    """Take the file's lock for one group of records; raises Busy when its holder keeps it too long."""
    deadline = time.monotonic() + LOCK_S_MAX
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Busy(f"{path} is held by another process", "see who: fuser -v on the file") from None
            time.sleep(0.0005)


def lock_alone(descriptor: int, path: Path) -> None:
    """Take the single writer's lock, held until the process ends; raises Busy when it is taken."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy(f"{path} already has a writer", "one worker per home: stop the other one first") from None
