"""What people have set since the loop last looked: the halt, the version in force, what they adopt. Waits for nobody's lock.

Called by engine.live.loop before every bar and again right before orders are handed over. SQLite tells with one cheap
number whether anybody has written at all; only then, or when the halt file changed, is the rest read anew.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlmodel import select

from engine.book.book import Book
from engine.book.windows import is_ended
from engine.control import adoptions, agreement, halt
from engine.control.adoptions import AdoptionRequest
from engine.control.config import DeskVersion, active_version, version_of
from engine.errors import DataError
from engine.store.db import file_of, read
from engine.store.tables import Halt, Proposal, SleeveVersion

Take = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]  # of the loop: one event from outside -> its body as journaled
GUARDRAIL = "guardrail"  # who latches the halt when the drawdown breaker trips


class ControlState(NamedTuple):
    """The halt, the version in force, and the adoptions that wait for the worker."""

    latch: halt.Latch
    version: int
    adoptions: tuple[AdoptionRequest, ...] = ()


class Controls:
    """Looks at one home. `look` is made for asking at every bar."""

    def __init__(self, home: Path, engine: Engine) -> None:
        self.home, self.engine = home, engine
        self._last: ControlState | None = None
        self._mark: tuple[Any, ...] = ()
        self._peek: Any = None
        self._peeks_into: tuple[int, int] | None = None  # the file that it has open
        self._answered: set[int] = set()

    def close(self) -> None:
        """Close the connection that looks whether anybody has written; the next look opens another."""
        if self._peek is not None:
            self._peek.close()
            self._peek = None

    def poll(self) -> ControlState:
        """What holds now. A latch that cannot be read is a halt; a version that cannot be read is the one before."""
        mark = (halt.marks(self.home), self._database())
        if self._last is None or mark != self._mark or None in mark:
            latch = halt.read(self.home, self.engine)
            self._last, self._mark = ControlState(latch, self._version(), self._adoptions()), mark
        return self._last

    def _version(self) -> int:
        if self._last is None:
            return active_version(self.engine)
        with suppress(Exception):  # a database that fails has latched the halt already: see halt.read
            return active_version(self.engine)
        return self._last.version

    def _adoptions(self) -> tuple[AdoptionRequest, ...]:
        with suppress(Exception):  # what cannot be read is not adopted
            return adoptions.pending(self.engine)
        return ()

    def answer_adoptions(self, seen: ControlState, book: Book, take: Take, now_ms: int) -> None:
        """Let the desk `take` each adoption and each word about a window that waits, once, and write down what became of it.

        One that a crash kept from its answer is in the book already. An answer that cannot be written is tried at the next start.
        """
        for request in seen.adoptions:
            if request.id in self._answered:
                continue
            self._answered.add(request.id)
            led = {"adopted": True} if _is_done(book, request) else take(request.kind, request.body)
            done = bool(led.get("adopted") or led.get("taken"))
            with suppress(Exception):
                adoptions.answer(self.engine, request.id, done, str(led.get("why", "")), now_ms)

    def _database(self) -> tuple[Any, ...] | None:
        """What changes when another connection commits, or another file takes the database's place; None where nothing does."""
        if self.engine.dialect.name != "sqlite":
            return None
        try:
            if (file := file_of(self.engine)) != self._peeks_into:
                self.close()
            if self._peek is None:
                self._peek, self._peeks_into = self.engine.raw_connection(), file
                self._peek.detach()  # one for good: the pool's are for those who give them back
            return self._peeks_into, self._peek.cursor().execute("PRAGMA data_version").fetchone()[0]
        except Exception:  # noqa: BLE001 - then everything is read each time, and what cannot be read is a halt
            self._peek = None
            return None

    def config(self, version: int, followed: Mapping[str, int]) -> tuple[DeskVersion, list[str]]:
        """(a version of the desk, sleeves whose change counts for an open position too).

        `followed`: the version of each sleeve that the desk follows; only a sleeve that moves from it is asked about.
        """
        desk = version_of(self.engine, version, self.home)
        moved = [(name, number) for name, number in desk.sleeves.items() if followed.get(name) != number]
        with read(self.engine) as session:
            rows = [session.get(SleeveVersion, key) for key in moved]
            made = [(row.sleeve, session.get(Proposal, row.proposal_id)) for row in rows if row is not None and row.proposal_id]
            to_open = [name for name, found in made if found is not None and json.loads(found.diff).get("apply_to_open")]
        return desk, to_open

    def release_of(self, journal: Path, reason: str, by: str) -> agreement.Release | None:
        """The release by a named person of the halt that this journal knows; None when the database does not hold one."""
        with suppress(Exception):  # a database that cannot be read is no permission to trade
            halted = agreement.halt_of(journal)
            return agreement.release_of(self.engine, halted, reason, by) if halted is not None else None
        return None

    def lost_version(self, journal: Path, version: int, sha256: str, active: int) -> str:
        """Why the desk stays on `version` though the database names `active`; "" when it may follow it."""
        try:
            why = agreement.lost_version(self.engine, journal, version, sha256, active)
            return why or agreement.unreadable(self.engine, active)
        except Exception as error:  # noqa: BLE001 - it has latched the halt already; the version stays until it can be compared
            return "" if active == version else f"the database's versions cannot be read ({type(error).__name__})"

    def latched_for(self, tripped_ms: int) -> bool:
        """Whether the drawdown breaker that tripped at this desk time was ever latched here (and perhaps released)."""
        with read(self.engine) as session:
            rows = session.exec(select(Halt.set_by)).all()
        return any(json.loads(text).get("tripped_ms") == tripped_ms for text in rows)

    def latch_drawdown(self, tripped_ms: int, now_ms: int) -> None:
        """The drawdown breaker halts for people too, not only inside the core."""
        by = {"name": GUARDRAIL, "tripped_ms": tripped_ms}
        halt.set(self.home, "desk drawdown breaker", by, now_ms, self.engine)

    def latch_unreadable(self, what: str, now_ms: int) -> None:
        """A latch that could not be read halts until a person has looked: the file keeps it when the trouble passes."""
        if not halt.marks(self.home)[0]:
            halt.set(self.home, what, {"name": halt.WORKER}, now_ms)

    def latch_for_people(self, what: str, now_ms: int) -> None:
        """The desk itself refuses to go on until a person has looked. A latch that cannot be written changes nothing for it."""
        with suppress(DataError):
            halt.set(self.home, what, {"name": halt.WORKER}, now_ms, self.engine)


def _is_done(book: Book, request: AdoptionRequest) -> bool:
    """Whether the book holds what a request asks for: a crash came between its event and its answer."""
    if request.kind == adoptions.WINDOW:
        return is_ended(book, request.body)
    difference = request.body.get("difference")
    return difference in book.adopted and difference not in book.differences
