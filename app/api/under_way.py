"""Proposals whose evidence runs: kept in the home, and made when it is there though the page that asked has long been left.

Called by app.api.proposing. One file a request, so that every API process and the next one finds it. While a page sends its
request again and again it is that page's; what nobody has sent for a while is sent by a thread here. A job that a person cancels
ends it.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from sqlmodel import col, select

from app.api.context import now_ms
from app.home.written import alone_in, write_whole
from engine.clock import DAY_MS
from engine.store import db
from engine.store.tables import Job

FOLDER = "proposing"
LOCK = ".lock"
LOOK_S = 2.5  # between two looks at whether the evidence is there
LEFT_S = 10.0  # that a page has not sent its request again: it was left
KEPT_MS = DAY_MS  # a request that nobody took up for longer is forgotten


class KeptRequest(NamedTuple):
    """One request. `turn`: of its jobs, the same for the same words; `body`: as it was sent."""

    turn: str
    person: str
    channel: str
    since_ms: int
    body: dict[str, Any]


class UnderWay:
    """Those of one home."""

    def __init__(self, home: Path, engine: Any) -> None:
        self.folder, self.engine = home / FOLDER, engine

    def keep(self, asked: KeptRequest, send: Callable[[KeptRequest], bool]) -> None:
        """Its evidence runs, and its page is there. `send` sends it again: whether it is made; raises where it is refused."""
        path = self._path(asked.turn)
        self.folder.mkdir(exist_ok=True)
        if path.exists():
            os.utime(path)
        else:
            write_whole(path, json.dumps(asked._asdict()))
        threading.Thread(target=self._follow, args=(asked.turn, send), name="proposing", daemon=True).start()

    def forget(self, turn: str) -> None:
        """It is made, refused or given up."""
        for path in (self._path(turn), self._path(turn).with_suffix(LOCK)):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def of(self, person: str) -> list[KeptRequest]:
        """Those of a person, the oldest first."""
        files = sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []
        found = [asked for path in files if (asked := self._read(path.stem)) is not None and asked.person == person]
        return sorted(found, key=lambda asked: asked.since_ms)

    def _path(self, turn: str) -> Path:
        return self.folder / f"{turn}.json"

    def _read(self, turn: str) -> KeptRequest | None:
        """A request that goes on; one that has ended meanwhile is forgotten."""
        try:
            asked = KeptRequest(**json.loads(self._path(turn).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        if now_ms() - asked.since_ms <= KEPT_MS and not self._cancelled(asked):
            return asked
        self.forget(turn)
        return None

    def _cancelled(self, asked: KeptRequest) -> bool:
        """Whether a person has cancelled a job of it."""
        gone = (Job.turn == asked.turn, Job.state == "cancelled", col(Job.ended_ms) >= asked.since_ms)
        with db.read(self.engine) as session:
            return session.exec(select(Job.id).where(*gone)).first() is not None

    def _follow(self, turn: str, send: Callable[[KeptRequest], bool]) -> None:
        """Send it again once no page does, until it is made, refused or given up: one thread of all processes. A refusal waits
        for who comes back to it.
        """
        try:
            with alone_in(self.folder, f"{turn}{LOCK}", "another thread follows it"):
                while (asked := self._read(turn)) is not None:
                    left = time.time() - self._path(turn).stat().st_mtime > LEFT_S
                    if left and send(asked):
                        self.forget(turn)
                        return
                    time.sleep(LOOK_S)
        except Exception:  # noqa: BLE001 - followed already, refused, or the desk cannot be read: who comes back reads why
            return
