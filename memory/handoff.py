"""The handoff page: what recent turns asked, ran and proposed, and what is pending. Written by code, read every turn.

Called when a turn ends (agents/turns.py, through tools/handoff.py, which reads the tables).
"""

from collections.abc import Sequence
from typing import NamedTuple

from memory.shelf import Shelf

TOPIC = "handoff"
ENTRIES_MAX = 12


class Entry(NamedTuple):
    """One turn of a thread, newest first in the page."""

    when: str  # UTC, to the minute
    role: str
    person: str
    asked: str
    runs: tuple[str, ...]
    proposals: tuple[str, ...]


def text_of(entries: Sequence[Entry], pending: Sequence[str], open_jobs: Sequence[str]) -> str:
    """The page's block: pending first, then the last turns, one line each."""
    lines = ["# Handoff", ""]
    lines += [f"- pending proposal {line}" for line in pending] or ["- no pending proposals"]
    lines += [f"- job {line}" for line in open_jobs]
    lines += ["", "## Last turns", ""]
    for entry in entries[:ENTRIES_MAX]:
        asked = " ".join(entry.asked.split())[:160]
        ran = f"; ran {', '.join(entry.runs)}" if entry.runs else ""
        proposed = f"; proposed {', '.join(entry.proposals)}" if entry.proposals else ""
        lines.append(f'- {entry.when} {entry.person} asked the {entry.role}: "{asked}"{ran}{proposed}')
    return "\n".join(lines)


def write(shelf: Shelf, entries: Sequence[Entry], pending: Sequence[str], open_jobs: Sequence[str]) -> None:
    """Update the block of handoff.md; a person's own lines around it are kept."""
    shelf.write_block(TOPIC, text_of(entries, pending, open_jobs))
