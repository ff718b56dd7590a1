"""The handoff page: who asked which role when, what ran and was proposed, what is pending. Written by code, read every turn.

Called when a turn ends (agents/turns.py, through tools/handoff.py, which reads the tables). It holds no question: every thread
reads it, and what a thread was asked stays there.
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
    thread: str
    runs: tuple[str, ...]
    proposals: tuple[str, ...]


def text_of(entries: Sequence[Entry], pending: Sequence[str], open_jobs: Sequence[str]) -> str:
    """The page's block: pending first, then the last turns, one line each."""
    lines = ["# Handoff", ""]
    lines += [f"- pending proposal {line}" for line in pending] or ["- no pending proposals"]
    lines += [f"- job {line}" for line in open_jobs]
    lines += ["", "## Last turns", ""]
    for entry in entries[:ENTRIES_MAX]:
        thread = " ".join(entry.thread.split())[:60]
        ran = f"; ran {', '.join(entry.runs)}" if entry.runs else ""
        proposed = f"; proposed {', '.join(entry.proposals)}" if entry.proposals else ""
        lines.append(f"- {entry.when} {entry.person} asked the {entry.role} in {thread}{ran}{proposed}")
    return "\n".join(lines)


def write(shelf: Shelf, entries: Sequence[Entry], pending: Sequence[str], open_jobs: Sequence[str]) -> None:
    """Update the block of handoff.md; a person's own lines around it are kept."""
    shelf.write_block(TOPIC, text_of(entries, pending, open_jobs))
