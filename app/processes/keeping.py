"""What every trading process keeps beside its trading: a log, a heartbeat for the other processes, the journal's head anchored.

Called by app.processes.worker (bars of files) and app.processes.live_worker (live data, accounts). Neither note waits for another
process, and none of them can stop a trade.
"""

import json
import os
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.processes.unattended import open_positions, positions
from engine.watch import heartbeat

HEARTBEAT_S = 1.0
LOG_BYTES_MAX = 5_000_000  # then the log turns over
ANCHOR_S = 5.0  # between two notes of the journal's head in the database
LAST_ANCHOR_S = 6.0  # how long a clean end waits for such a note: a busy database gives up at 5 s


def now_ms() -> int:
    """Wall time, UTC ms."""
    return time.time_ns() // 1_000_000


class Log:
    """What the worker did and why, one JSON object a line. Written by hand: a logging library costs the process 6 MB."""

    def __init__(self, path: Path) -> None:
        """Append to `path`; the file before it is kept once it has grown large."""
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".1.jsonl"))
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def note(self, event: str, **about: Any) -> None:
        """What happened."""
        self._write("info", event, about)

    def warning(self, event: str, **about: Any) -> None:
        """What a person may have to look at."""
        self._write("warning", event, about)

    def _write(self, level: str, event: str, about: dict[str, Any]) -> None:
        stamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        with suppress(OSError):  # a full disk stops the journal, and with it the desk; a line of the log stops nothing
            self._file.write(json.dumps({**about, "event": event, "level": level, "timestamp": stamp}) + "\n")


class Heartbeat:
    """Says in the home how the desk stands: for the supervisor, doctor and status."""

    def __init__(self, home: Path) -> None:
        self._home, self._at = home, 0.0

    def due(self) -> bool:
        """Whether the next one is."""
        return time.monotonic() - self._at >= HEARTBEAT_S

    def write(self, book: Any, **about: Any) -> None:
        """One heartbeat: what `about` says of the process, and what the book says of the desk (None before there is one)."""
        from app.home.written import write_whole

        self._at = time.monotonic()
        body = {"pid": os.getpid(), "wall_ms": now_ms(), **heartbeat.clocks(), **about, **({} if book is None else of_book(book))}
        write_whole(self._home / heartbeat.FILE, json.dumps(body, indent=1) + "\n", durable=False)


def of_book(book: Any) -> dict[str, Any]:
    """What a heartbeat says of the desk."""
    return {
        "state": book.state,
        "halted": bool(book.desk.halted),
        "desk_ms": book.close_ms,
        "first_ms": book.start["first_ms"],
        "replay_until_ms": book.start["replay_until_ms"],
        "bars": book.count,
        "version": book.version,
        "equity": round(book.desk.equity, 2),
        "positions": positions(book),
        "open": open_positions(book),
    }


class HeadNotes:
    """The journal's head in the database, noted beside the loop."""

    def __init__(self, engine: Any) -> None:
        self._engine, self._noted, self._at = engine, 0, 0.0
        self._running: threading.Thread | None = None

    def note(self, head: Any, *, last: bool = False) -> None:
        """Note this head when one is due. The last head waits for the one before it, so that a clean end leaves no older head
        behind.
        """
        if last and self._running is not None:
            self._running.join(LAST_ANCHOR_S)
        running = self._running is not None and self._running.is_alive()
        if running or head.seq == self._noted:
            return
        if last or time.monotonic() - self._at >= ANCHOR_S:
            self._noted, self._at = head.seq, time.monotonic()
            self._running = threading.Thread(target=anchored, args=(self._engine, head), daemon=True)
            self._running.start()

    def end(self, head: Any) -> None:
        """Note the last head, and wait for it."""
        self.note(head, last=True)
        if self._running is not None:
            self._running.join(LAST_ANCHOR_S)


def anchored(engine: Any, head: Any) -> None:
    """Anchor a head; a database that is busy or away is tried again with the next head."""
    from engine.store.anchors import note_head

    with suppress(Exception):
        note_head(engine, "desk", head, now_ms())
