"""Which makers a halt of the desk has stopped: those whose journals say so since it was latched, and those that have yet to.

Called by `nightdesk halt` and the page's progress of a halt. Standard library and the journal's reader alone: a halt waits for
nothing heavy. Never raises for what a folder or a journal contains: what cannot be read is not stopped.
"""

import fcntl
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from engine.errors import DeskError
from engine.making.stored import FOLDER, JOURNAL, LISTED_MAX, LOCK, NAME
from engine.store.journal import tail

LOOKED_AT = 2_000  # events at a journal's end; what rests is cancelled behind the halt
WAIT_MS, LOOK_MS = 2_000, 50  # a maker looks twenty times a second


class HaltedMaker(NamedTuple):
    """A maker that ran when the desk was halted, or since."""

    name: str
    stopped: bool  # its journal has the halt; else its process still has to see it

    @property
    def text(self) -> str:
        """As it is said."""
        return f"maker {self.name}: {'stopped' if self.stopped else 'has not stopped yet'}"


def makers_under_halt(home: Path, since_ms: int) -> list[HaltedMaker]:
    """By name; makers that neither run nor have halted since `since_ms` (wall time) are none of them."""
    found = []
    with suppress(OSError):
        for folder in sorted((home / FOLDER).iterdir())[: 10 * LISTED_MAX]:
            if NAME.fullmatch(folder.name) and (folder / JOURNAL).is_file():
                stopped = _halted_since(folder / JOURNAL, since_ms)
                if stopped or _runs(folder / LOCK):
                    found.append(HaltedMaker(folder.name, stopped))
    return found[:LISTED_MAX]


def waited_for(home: Path, since_ms: int, sleep: Callable[[float], None]) -> list[HaltedMaker]:
    """The same, once each has stopped, or after WAIT_MS."""
    found = makers_under_halt(home, since_ms)
    for _ in range(WAIT_MS // LOOK_MS):
        if all(one.stopped for one in found):
            break
        sleep(LOOK_MS / 1000)
        found = makers_under_halt(home, since_ms)
    return found


def as_json(makers: Sequence[HaltedMaker]) -> list[dict[str, object]]:
    """As commands and the page have them."""
    return [{"name": one.name, "stopped": one.stopped} for one in makers]


def _halted_since(path: Path, since_ms: int) -> bool:
    """Whether a journal has a halt since then; one that was latched before the process looked for it counts from its session."""
    try:
        return any(event.t_recv_ms >= since_ms for event in tail(path, LOOKED_AT, {"halt"}))
    except (OSError, DeskError, ValueError):
        return False


def _runs(lock: Path) -> bool:
    """Whether a process has the maker's lock. A maker that begins in the very moment of this look would find the desk halted."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
