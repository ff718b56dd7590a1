"""What people have set, followed by a desk: halt and release, the version in force, adoptions, the journal's verification.

Called by engine.live.loop (paper) and engine.live.account_loop (an account at a venue), which meet `FollowedDesk`: one path for
both. Everything here becomes an event that the desk takes; nothing is asked of a venue.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from engine.book.book import Book
from engine.control import halt
from engine.control.agreement import LOST_VERSION_ACTION
from engine.control.config import DeskVersion
from engine.errors import DataError, DeskError
from engine.features.reads import Reads
from engine.live import config_event
from engine.live.controls import Controls, ControlState
from engine.ports import Clock
from engine.store.journal import Journal

VERIFICATION = "verification"
Reread = Callable[[DeskVersion], dict[str, Any]]  # -> body of its config event


class FollowedDesk(Protocol):
    """What follows people needs of a desk."""

    @property
    def book(self) -> Book:
        """The desk as it stands."""

    def take(self, kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """One event through the fold, durable, acted on; its body as journaled."""

    def incident(self, what: str, more: Mapping[str, Any]) -> None:
        """Something that a person should know, into the journal."""

    def cover(self, reads: Sequence[Reads]) -> None:
        """Have what strategies read. Raises DeskError where it cannot be had; then everything stays as it was."""

    def keep_signals(self, wanted: Sequence[Mapping[str, Any]]) -> None:
        """Let go of the strategies of other versions than these (journaled sleeves)."""


class Following:
    """Follows one home's controls for one desk."""

    def __init__(
        self, desk: FollowedDesk, journal: Journal, controls: Controls, folder: Path, body_of: Reread, now_ms: Clock
    ) -> None:
        self.desk, self.journal, self.controls, self.folder = desk, journal, controls, folder
        self.body_of, self._now_ms = body_of, now_ms
        self.refused = ""  # why the version in force cannot be followed
        self._held = ""  # why the desk keeps itself halted
        self._compared: ControlState | None = None  # what the database last said, held against the journal's version
        self._compared_with, self._lost = 0, ""

    def poll(self) -> bool:
        """Follow the halt, the version in force and adoptions. True when something was journaled."""
        seen, before = self.controls.poll(), self.journal.head
        book = self.desk.book
        if book.tripped_ms and not seen.latch.halted and not self.controls.latched_for(book.tripped_ms):
            self.controls.latch_drawdown(book.tripped_ms, self._now_ms())  # a crash came between the breaker and its latch
            seen = self.controls.poll()
        lost = self._lost_version(seen)
        if lost:
            seen = self._hold(f"the desk stays on version {book.version}: {lost}", LOST_VERSION_ACTION)
        if seen.latch.unreadable:
            self.controls.latch_unreadable(seen.latch.unreadable, self._now_ms())
        if seen.latch.halted and book.desk.halted == 0:
            self._halt({"state": "halted", "reason": seen.latch.reason, "by": seen.latch.by})
        elif not lost and not seen.latch.halted and book.desk.halted != 0:
            self._release()
        if not lost and seen.version != book.version:
            self.adopt(seen.version)
        self.controls.answer_adoptions(seen, book, self.desk.take, self._now_ms())
        return self.journal.head != before

    def verified(self, why: str) -> None:
        """Entries are withheld while the journal is not verified; `why` is empty once it is."""
        if bool(why) != (VERIFICATION in self.desk.book.health):
            self.desk.take("health", {"what": VERIFICATION, "state": "begun" if why else "over", "why": why})

    def _release(self) -> None:
        """The latch is gone: a named person's release ends the halt; without one it was lost, and the desk stays halted."""
        book = self.desk.book
        reason, by = str(book.halt.get("reason", "")), str(book.halt.get("by", ""))
        found = self.controls.release_of(self.journal.path, reason, by)
        if found is not None:
            self._held = ""
            self._halt({"state": "released", "reason": found.reason, "by": found.by, "high_water": book.highest})
            return
        what = f"the halt of {by or 'unknown'} ({reason}) is gone from file and database, and no named person released it"
        self._hold(what, "find out what removed it (a lost or older database?), then: nightdesk release --reason WHY --as NAME")

    def _lost_version(self, seen: ControlState) -> str:
        """Why the version in force, as the database tells it, cannot be followed; asked again when anything was written."""
        book = self.desk.book
        if seen is not self._compared or book.version != self._compared_with:
            given = (self.journal.path, book.version, str(book.config.get("sha256", "")), seen.version)
            self._compared, self._compared_with, self._lost = seen, book.version, self.controls.lost_version(*given)
        return self._lost

    def _hold(self, what: str, action: str) -> ControlState:
        """Halt, or stay halted, until a person has looked: latched for people, told once in the journal."""
        if not self.controls.poll().latch.halted:
            self.controls.latch_for_people(what, self._now_ms())
        if self._held != what:
            self._held = what
            self.desk.incident(what, {"action": action})
        seen = self.controls.poll()
        if not seen.latch.halted and self.desk.book.desk.halted == 0:  # neither file nor database could be written
            self._halt({"state": "halted", "reason": what, "by": halt.WORKER})
        return seen

    def _halt(self, body: dict[str, Any]) -> None:
        """Latched or released: journaled first, then entry orders are cancelled at the venue and exits placed."""
        self.desk.take("halt", body)

    def adopt(self, version: int) -> bool:
        """Follow a version, or the same one whose limits, costs or code changed since; False when nothing did.

        A version that this desk cannot follow is an incident, once, and the one before stays in force.
        """
        book = self.desk.book
        if version == book.version and self._lost_version(self.controls.poll()):
            return False
        desk, to_open = self.controls.config(version, config_event.followed(book.config))
        try:
            body = self.body_of(desk)
            if config_event.fixed(body) != config_event.fixed(book.config):
                raise DataError("it has other sleeves, instruments or cash than this home", "begin a new home for them")
            self.desk.cover(config_event.reads_of_config(desk.config, self.folder))
        except DeskError as error:
            if self.refused != str(error):
                self.desk.incident(f"configuration version {version} cannot be followed: {error}", {"version": version})
            self.refused = str(error)
            return False
        self.refused = ""
        if body == book.config:
            return False
        self.desk.take("config", body | {"to_open": to_open})
        book = self.desk.book
        self.desk.keep_signals([spec.source for spec in (*book.specs, *book.waiting) if spec is not None])
        return True
