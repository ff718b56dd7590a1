"""Whether the desk journal may be trusted with new entries: it is held against the database at start and verified once, whole.

Called by app.processes.worker. Turns journal and database into a reason to withhold entries ("" once the chain has verified).
A young journal is verified before the first bar; a large one in a thread beside the loop, line by line, while exits and
protective orders go on. A chain that does not verify latches the halt, which pages; the worker goes on without entries.
"""

import threading
import time
from pathlib import Path
from typing import Any

YOUNG_BYTES = 8 << 20  # verified in a blink


class ChainCheck:
    """The verification of one start."""

    def __init__(self, home: Path, engine: Any, log: Any) -> None:
        self.home, self.engine, self.log = home, engine, log
        self._withheld = "the journal is being verified"

    def start(self) -> None:
        """What was added since the last verification first, then everything: at once when it is young, else in a thread."""
        from engine.store.opened import size_of

        journal = self.home / "journal" / "desk.jsonl"
        if size_of(journal) <= YOUNG_BYTES:
            self._verify()
        else:
            threading.Thread(target=self._verify, name="chain-check", daemon=True).start()

    def withheld(self) -> str:
        """Why no entry may be made now; "" once the whole chain has verified."""
        return self._withheld

    def _verify(self) -> None:
        """Walk the chain; whatever goes wrong is a halt and never a permission."""
        from engine.store.anchors import verify_desk

        began = time.monotonic()
        try:
            for since in (True, False):  # the newest records first: most faults lie there
                report = verify_desk(self.home / "journal", self.engine, since=since)
                if not report.ok:
                    self._fail(f"the journal does not verify: line {report.line}: {report.reason}")
                    return
        except Exception as error:  # noqa: BLE001 - a check that cannot be made is not a check that passed
            self._fail(f"the journal could not be verified ({type(error).__name__}: {error})"[:400])
            return
        self._withheld = ""
        self.log.note("journal verified", records=report.rows, seconds=round(time.monotonic() - began, 1))

    def _fail(self, why: str) -> None:
        """Latch the halt and keep entries withheld for the life of this process."""
        from engine.control import halt
        from engine.errors import DataError

        self._withheld = why
        self.log.warning("journal does not verify", why=why)
        try:
            halt.set(self.home, why, {"name": halt.WORKER}, time.time_ns() // 1_000_000, self.engine)
        except DataError as error:
            self.log.warning("the halt could not be latched", why=str(error))


def held_against_anchor(journal: Any, engine: Any) -> None:
    """Raise JournalBroken when the journal ends before its anchor or has another record there: nothing is overwritten."""
    from engine.errors import JournalBroken
    from engine.store.anchors import anchor_fault

    if fault := anchor_fault(journal.path, engine, "desk"):
        raise JournalBroken(fault, "restore the journal from a copy; `nightdesk journal verify`")
