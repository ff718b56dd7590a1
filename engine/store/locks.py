"""The locks of a journal file: its single writer's, and the turn of one writer among many. Called by engine.store.journal.

A file and how it is to be held -> held, or Busy. The operating system gives a lock back when its process ends.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import Busy

LOCK_S_MAX = 10.0  # how long a writer of the people journal waits for another


_OWN: dict[Path, threading.Lock] = {}  # of the journals that this process writes: one home's, as a rule
os.register_at_fork(after_in_child=_OWN.clear)


@contextmanager
def shared_turn(descriptor: int, path: Path) -> Iterator[None]:
    """Hold the file's lock for one group of records; raises Busy when its holder keeps it too long.

    The threads of this process wait for each other without asking the file, first come first served: each look costs a wakeup,
    and the holder is often waiting for the disk.
    """
    deadline = time.monotonic() + LOCK_S_MAX
    own = _OWN.setdefault(path, threading.Lock())
    if not own.acquire(timeout=LOCK_S_MAX):
        raise Busy(f"{path} is held by another thread of this process", "try again in a moment")
    try:
        _lock_file(descriptor, path, deadline)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        own.release()


def _lock_file(descriptor: int, path: Path, deadline: float) -> None:
    """Take the file's lock against other processes."""
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
