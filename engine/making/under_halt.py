"""Which makers a halt of the desk has stopped: those whose journals say so since it was latched, and those that have yet to.

Called by `nightdesk halt` and the page's progress of a halt. Standard library and the journal's reader alone: a halt waits for
nothing heavy. Never raises for what a folder or a journal contains: what cannot be read is not stopped.
"""

import fcntl
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from engine.errors import DeskError
from engine.making.stored import AT_ACCOUNT, FOLDER, JOURNAL, LISTED_MAX, LOCK, NAME
from engine.store.journal import tail

LOOKED_AT = 2_000  # events at a journal's end; what rests is cancelled behind the halt
WAIT_MS, LOOK_MS = 2_000, 50  # a maker looks twenty times a second
ENDS_MS = 10_000  # that one at an account has to cancel and to leave
FIRST_MAX = 100_000  # bytes of a journal's first line


class HaltedMaker(NamedTuple):
    """A maker that ran when the desk was halted, or since."""

    name: str
    stopped: bool  # its journal has the halt; else its process still has to see it
    ended: str | None = None  # at an account: KILLED or KILL_INCOMPLETE with what is left, "" not yet; None: on paper

    @property
    def text(self) -> str:
        """As it is said."""
        if not self.stopped:
            return f"maker {self.name}: has not stopped yet{'' if self.ended is None else ', AT AN ACCOUNT'}"
        ended = "" if self.ended is None else f", at its account: {self.ended or 'still cancelling and leaving'}"
        return f"maker {self.name}: stopped{ended}"

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come of it."""
        return self.stopped and self.ended != ""


def makers_under_halt(home: Path, since_ms: int) -> list[HaltedMaker]:
    """By name; makers that neither run nor have halted since `since_ms` (wall time) are none of them."""
    found = []
    with suppress(OSError):
        for folder in sorted((home / FOLDER).iterdir())[: 10 * LISTED_MAX]:
            if NAME.fullmatch(folder.name) and (folder / JOURNAL).is_file():
                stopped, ended = _halted_since(folder / JOURNAL, since_ms)
                if stopped or has_its_lock(folder / LOCK):
                    found.append(HaltedMaker(folder.name, stopped, ended if is_at_account(folder / JOURNAL) else None))
    return found[:LISTED_MAX]


def waited_for(home: Path, since_ms: int, sleep: Callable[[float], None]) -> list[HaltedMaker]:
    """The same, once each is over, or after WAIT_MS; of those at an account that have stopped, after ENDS_MS."""
    found = makers_under_halt(home, since_ms)
    for n in range(ENDS_MS // LOOK_MS):
        if all(one.is_over or (one.stopped is False and n >= WAIT_MS // LOOK_MS) for one in found):
            break
        sleep(LOOK_MS / 1000)
        found = makers_under_halt(home, since_ms)
    return found


def as_json(makers: Sequence[HaltedMaker]) -> list[dict[str, object]]:
    """As commands and the page have them."""
    return [one._asdict() for one in makers]


def _halted_since(path: Path, since_ms: int) -> tuple[bool, str]:
    """Whether a journal has a halt since then, and how it has ended at an account, "" while it has not.

    One that was latched before the process looked for it counts from its session.
    """
    try:
        found = [event for event in tail(path, LOOKED_AT, {"halt", "killed"}) if event.t_recv_ms >= since_ms]
        ended = next((event.body for event in reversed(found) if event.kind == "killed"), {"state": "", "left": ()})
        left = f", left: {'; '.join(map(str, ended['left']))}" if ended["left"] else ""
        return any(event.kind == "halt" for event in found), f"{ended['state']}{left}"
    except (OSError, DeskError, ValueError, KeyError, TypeError):
        return False, ""


def is_at_account(path: Path) -> bool:
    """Whether a journal is of a maker at an account, by its first line."""
    try:
        with path.open("rb") as file:
            first = json.loads(file.readline(FIRST_MAX))
        return first["body"]["kind"] in AT_ACCOUNT.values()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def has_its_lock(lock: Path) -> bool:
    """Whether a process has a maker's lock. A maker that begins in the very moment of this look would find the desk halted."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
