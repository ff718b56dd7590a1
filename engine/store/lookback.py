"""The last record of a kind, found from a journal's end without reading what lies before it.

Called by engine.control.agreement. Turns a journal file and kinds into one event; a year's journal is looked through in
blocks, so that the memory it takes does not grow with the file.
"""

import os
from collections.abc import Callable, Collection
from pathlib import Path

from engine.store.chain import Event, event_of, quoted
from engine.store.journal import HEAD_BYTES
from engine.store.opened import open_journal

BLOCK = 1 << 20
FIRST_BLOCK = 1 << 16  # what is asked for most often stands at the very end


def last(path: Path, kinds: Collection[str], fits: Callable[[Event], bool] = lambda _: True) -> Event | None:
    """The newest record of `kinds` that `fits`; None when there is none, or no journal."""
    words = [f'"kind":{quoted(kind)},"schema":'.encode("ascii") for kind in kinds]
    try:
        file = open_journal(path)
    except FileNotFoundError:
        return None
    with file:
        end, rest, size = file.seek(0, os.SEEK_END), b"", FIRST_BLOCK
        while end > 0:
            start, size = max(0, end - size), BLOCK
            file.seek(start)
            data, end = file.read(end - start) + rest, start
            if start and not any(word in data for word in words):  # most blocks: only the line that began before it is kept
                rest = data[: data.find(b"\n") + 1] or data
                continue
            lines = data.split(b"\n")
            rest = lines.pop(0) if start else b""
            for line in reversed(lines):
                if any(word in line[:HEAD_BYTES] for word in words) and (event := event_of(line)) is not None and fits(event):
                    return event
    return None
