"""A journal read onward: events of some kinds behind a byte, and the byte to go on from. Called by engine.control.checklists.

For readings that are kept in a process: what was read once is not read again, and of lines of other kinds nothing is parsed.
"""

from collections.abc import Collection
from pathlib import Path

from engine.errors import JournalBroken
from engine.store.chain import Event, encode_body, event_of
from engine.store.journal import HEAD_BYTES
from engine.store.opened import open_journal

ENDS = (
    b',"left":0,'  # a record that ends its group; quotes inside a text are escaped, so that only the record's own field matches
)


def onward(path: Path, at: int, kinds: Collection[str]) -> tuple[list[Event], int]:
    """(events of `kinds` in finished groups behind byte `at`, oldest first; the byte behind the last finished group).

    `at` is 0 or what an earlier call returned. Raises JournalBroken at a line of these kinds that is not a record.
    """
    words = [f'"kind":{encode_body(kind)},"schema":'.encode("ascii") for kind in kinds]
    found: list[Event] = []
    group: list[Event] = []
    try:
        file = open_journal(path)
    except FileNotFoundError:
        return [], 0
    with file:
        file.seek(at)
        end = at
        for line in file:
            if not line.endswith(b"\n"):
                break
            end += len(line)
            if any(word in line[:HEAD_BYTES] for word in words):
                event = event_of(line[:-1])
                if event is None:
                    raise JournalBroken(f"{path} byte {end - len(line)} is not a journal record", "`nightdesk journal verify`")
                group.append(event)
            if ENDS in line:
                found += group
                group, at = [], end
    return found, at
