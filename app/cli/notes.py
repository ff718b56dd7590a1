"""`nightdesk notes list | promote | drop`: agents' notes in the inbox, and what a person makes of one. Called by app/cli/main.py.

Nothing in the inbox is treated as fact. Promoting appends a note's text to a page under a person's name; the note stays, settled.
"""

import time
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown
from engine.errors import BadInput


def register(app: typer.Typer) -> None:
    """Add the commands."""
    notes = typer.Typer(no_args_is_help=True, help="Agents' notes: list, promote to a memory page, drop.")
    notes.command("list")(list_notes)
    notes.command()(promote)
    notes.command()(drop)
    app.add_typer(notes, name="notes")


def list_notes(
    settled: bool = typer.Option(False, "--all", help="those that were promoted or dropped, too"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """List the inbox, oldest first."""
    from app.home.home import existing_home
    from memory.note import SETTLED, split
    from memory.shelf import INBOX, Shelf

    shelf = Shelf(existing_home().path / "memory")
    found = []
    for topic in shelf.topics():
        page = shelf.read(topic) if topic.startswith(f"{INBOX}/") else None
        if page is not None:
            head, text = split(page.text)
            if SETTLED in head and not settled:
                continue
            found.append({"note": topic.removeprefix(f"{INBOX}/"), **head, "text": text})
    nothing = "the inbox is empty"
    ends = [f" ({shown(item[SETTLED])})" if SETTLED in item else "" for item in found]
    lines = [f"{item['note']}{end}\n  {shown(item['text'])}" for item, end in zip(found, ends, strict=True)]
    out.emit({"items": found}, as_json=as_json, text=lambda: "\n".join(lines) or nothing)


def promote(
    note: str = typer.Argument(help="the note's name, as `notes list` shows it"),
    to: str = typer.Option(..., help="the page: desk, developer, operator, advisor, or a topic such as strategies/trend"),
    by: str = typer.Option(..., "--as", metavar="NAME", help="who vouches for it"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Append a note's text to a memory page, in your name."""
    done = _settle(note, by, to)
    text = f"{note} was added to the page {to} by {done['actor']['name']} ({done['journal_id']})"
    out.emit(done, as_json=as_json, text=lambda: text)


def drop(
    note: str = typer.Argument(help="the note's name, as `notes list` shows it"),
    by: str = typer.Option(..., "--as", metavar="NAME", help="who has read it"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Take a note out of the inbox without making it memory; the file stays."""
    done = _settle(note, by)
    out.emit(done, as_json=as_json, text=lambda: f"{note} was dropped by {done['actor']['name']} ({done['journal_id']})")


def _settle(note: str, by: str, page: str = "") -> dict[str, Any]:
    """Promote a note to a page, or drop it without one: file, row and people journal. Raises BadInput, Denied."""
    from app.home.home import existing_home
    from app.people.approvals import permit, record
    from app.people.identity import identify
    from engine.store.db import write
    from engine.store.tables import InboxNote
    from memory import note as notes
    from memory.shelf import INBOX, Shelf, ShelfError

    home = existing_home()
    actor, now_ms = identify(home.path, by, "cli"), round(time.time() * 1000)
    permit(home, actor, "note", now_ms)
    shelf, topic = Shelf(home.path / "memory"), f"{INBOX}/{note}"
    try:
        notes.promote(shelf, topic, page, actor.name) if page else notes.drop(shelf, topic, actor.name)
    except ShelfError as error:
        raise BadInput(str(error), "see `nightdesk notes list --all`") from None
    with write(home.engine) as session:  # it no longer counts as unread, of which a role may leave so many
        row = session.get(InboxNote, note)
        if row is not None and row.state == "inbox":
            row.state = "promoted" if page else "dropped"
    body = {"note": note, "actor": actor.as_json()} | ({"page": page} if page else {})
    return body | {"journal_id": record(home, "promote" if page else "drop", body, now_ms)}
