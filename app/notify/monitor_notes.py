"""The monitor's notes as they are kept: what it saw last, its notes, and why it wrote none. A file of the home, derived.

Written by app/monitor, read by deliveries.py, `nightdesk monitor` and the page. No model is reached from here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.views.kept import natural, rows_in
from engine.watch import derived

if TYPE_CHECKING:
    from app.home.home import Home

FILE = "cache/monitor.json"
NOTES_MAX = 20  # the newest
SUBJECT = "monitor "  # how the subject of a note's deliveries begins


def read_monitor(home: Path) -> dict[str, Any]:
    """{"seen", "wall_ms", "why", "notes"}; empty where nothing is kept, or it cannot be read."""
    return derived.kept(home / FILE)


def keep_monitor(home: Path, seen: Mapping[str, Any], wall_ms: int, why: str, note: Mapping[str, Any] | None) -> None:
    """Keep a look: what was seen, and its note or why there is none. Raises OSError."""
    notes = [*([dict(note)] if note else []), *read_monitor(home).get("notes", ())][:NOTES_MAX]
    body = {"seen": dict(seen), "wall_ms": wall_ms, "why": why[:400], "notes": notes}
    derived.keep(home / FILE, body)


def note_of(home: Path, subject: str) -> dict[str, Any] | None:
    """The note of a delivery's subject; None for one that is no longer kept."""
    turn = subject.removeprefix(SUBJECT)
    return next((note for note in read_monitor(home).get("notes", ()) if note.get("turn") == turn), None)


def monitor_of(home: "Home") -> dict[str, Any]:
    """{every_minutes (0: off), after_alerts, tokens_day, to, last_ms, why, items}: setting, last look, notes newest first."""
    kept, entry = read_monitor(home.path), home.desk.monitor
    notes = [note for note in rows_in(kept.get("notes")) if natural(note.get("at_ms")) is not None]
    value = {"every_minutes": entry.every_minutes, "after_alerts": entry.after_alerts, "tokens_day": entry.tokens_day}
    return value | {
        "to": list(entry.to),
        "last_ms": natural(kept.get("wall_ms")),
        "why": str(kept.get("why") or "") or None,
        "items": [
            {
                **note,
                **{key: str(note.get(key) or "") for key in ("turn", "text", "model")},
                **{key: natural(note.get(key)) or 0 for key in ("left_out", "tokens")},
            }
            for note in notes
        ],
    }
