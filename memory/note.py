"""A note: one thing worth remembering, with its author, time and evidence. Markdown with a small header.

Made by tools/notes.py, kept by shelf.py, read by recall.py and by people in any editor. Text from a model is data: it
is stored as received (cleaned and cut by the tool), and its header says that it is unconfirmed.
"""

import re
from typing import NamedTuple

from memory.shelf import INBOX, MemoryPage, Shelf, ShelfError, slug

HEAD = "---"
SETTLED = "settled"  # of a note's head: promoted or dropped, and by whom
_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Note(NamedTuple):
    """One note of the inbox. `created_ms` is wall time, `desk_ms` the desk's time it is about (both UTC ms)."""

    id: str
    topic: str
    text: str
    evidence: tuple[str, ...]
    role: str
    thread: str
    person: str
    created_ms: int
    desk_ms: int | None


def note_id(created_ms: int, topic: str, number: int) -> str:
    """A name that sorts by time and tells two notes of one millisecond apart; usable as a file name."""
    return slug(f"n-{created_ms}-{number}-{topic}"[:60])


def render(note: Note) -> str:
    """The note as a page: one `key: value` line each, then the text."""
    head = {
        "note": note.id,
        "topic": note.topic,
        "from": f"{note.role} (a model's words, not confirmed by a person)",
        "asked by": note.person,
        "thread": note.thread,
        "created_ms": note.created_ms,
        "desk_ms": "" if note.desk_ms is None else note.desk_ms,
        "evidence": ", ".join(note.evidence),
    }
    lines = [f"{key}: {_LINE.sub(' ', str(value))}" for key, value in head.items()]
    return "\n".join([HEAD, *lines, HEAD, "", note.text.strip(), ""])


def split(page: str) -> tuple[dict[str, str], str]:
    """(head, text) of a page; a page without a head has an empty one."""
    lines = page.splitlines()
    if not lines or lines[0].strip() != HEAD or HEAD not in [line.strip() for line in lines[1:]]:
        return {}, page
    end = [line.strip() for line in lines[1:]].index(HEAD) + 1
    pairs = (line.partition(":") for line in lines[1:end])
    return {key.strip(): value.strip() for key, _, value in pairs}, "\n".join(lines[end + 1 :]).strip()


def promote(shelf: Shelf, note_topic: str, page_topic: str, person: str) -> None:
    """Append an inbox note's text to a page, in the name of `person`. For people's commands only: no tool calls it.

    The note stays and says that it is settled. ShelfError: no such note, no name, the page has it already, or either was changed
    meanwhile.
    """
    note = _waiting(shelf, note_topic, person)
    words = f"{split(note.text)[1]}\n\n(promoted by {_LINE.sub(' ', person)} from {note_topic})\n"
    shelf.settle(note, _settled(note.text, f"promoted to {page_topic} by {person}"), page_topic, words)


def drop(shelf: Shelf, note_topic: str, person: str) -> None:
    """Settle a note that becomes no memory, in the name of `person`; it stays, and nothing reads it. ShelfError as of promote,
    and for one that is settled."""
    note = _waiting(shelf, note_topic, person)
    if end := split(note.text)[0].get(SETTLED):
        raise ShelfError(f"{note_topic} was {end}")
    shelf.settle(note, _settled(note.text, f"dropped by {person}"))


def _waiting(shelf: Shelf, note_topic: str, person: str) -> MemoryPage:
    """The note. Raises ShelfError for a page that is none, and without a name."""
    note = shelf.read(note_topic) if note_topic.startswith(f"{INBOX}/") else None
    if note is None:
        raise ShelfError(f"unknown note {note_topic}")
    if not person.strip():
        raise ShelfError("a note is settled by a person's name")
    return note


def _settled(text: str, end: str) -> str:
    """The note with what became of it in its head; one that has an end keeps the first."""
    head, words = split(text)
    if SETTLED in head:
        return text
    lines = [f"{key}: {value}" for key, value in head.items()] + [f"{SETTLED}: {_LINE.sub(' ', end)}"]
    return "\n".join([HEAD, *lines, HEAD, "", words.strip(), ""])
