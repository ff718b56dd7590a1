"""The last record of a kind, found from a journal's end without reading what lies before it.

Called by engine.control.agreement. Turns a journal file and kinds into one event; a year's journal is looked through in
blocks, so that the memory it takes does not grow with the file.
"""

from collections.abc import Callable, Collection
from pathlib import Path

from engine.store.chain import Event, event_of, quoted
from engine.store.journal import HEAD_BYTES

BLOCK = 1 << 20


def last(path: Path, kinds: Collection[str], fits: Callable[[Event], bool] = lambda _: True) -> Event | None:
    """The newest record of `kinds` that `fits`; None when there is none, or no journal."""
    words = [f'"kind":{quoted(kind)},"schema":'.encode("ascii") for kind in kinds]
    if not path.exists():
        return None
    with path.open("rb") as file:
        end, rest = path.stat().st_size, b""
        while end > 0:
            start = max(0, end - BLOCK)
            file.seek(start)
            lines = (file.read(end - start) + rest).split(b"\n")
            rest, end = lines.pop(0) if start else b"", start
            for line in reversed(lines):
                if any(word in line[:HEAD_BYTES] for word in words) and (event := event_of(line)) is not None and fits(event):
                    return event
    return None
