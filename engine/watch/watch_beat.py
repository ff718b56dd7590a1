"""When the watch last looked for what is wrong: without it "no alert is open" says nothing.

Written by app.processes.scheduler after a check that went through, at most every BEAT_MS; read by engine.watch.step_asks. A file
of the home, derived. Times are wall times, UTC ms.
"""

import json
from contextlib import suppress
from pathlib import Path

FILE = "cache/watch.json"
BEAT_MS = 15_000
LATE_MS = 180_000  # desk.toml may ask for a check each minute; later than this it does not look any more
BYTES_MAX = 200


def note_look(home: Path, now_ms: int) -> None:
    """Write that the watch has looked. On a full disk the time before stays: alerts then count as not looked for."""
    path = home / FILE
    draft = path.with_name("watch.json.draft")
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        draft.write_text(json.dumps({"wall_ms": now_ms}), encoding="ascii")
        draft.replace(path)


def looked_ms(home: Path) -> int | None:
    """When it last looked; None where that cannot be read."""
    try:
        with (home / FILE).open("rb") as file:
            return int(json.loads(file.read(BYTES_MAX))["wall_ms"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def looks(home: Path, now_ms: int) -> bool:
    """Whether the watch has looked lately."""
    at = looked_ms(home)
    return at is not None and -LATE_MS <= now_ms - at <= LATE_MS
