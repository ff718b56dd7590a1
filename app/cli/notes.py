"""`nightdesk notes list | promote`: agents' notes in the inbox, and promoting one into the memory. Called by app/cli/main.py.

Nothing in the inbox is treated as fact. Promoting appends a note's text to a page under a person's name; the note stays.
"""

import time

import typer

from app.cli import out
from app.cli.words import shown
from engine.errors import BadInput


def register(app: typer.Typer) -> None:
    """Add the commands."""
    notes = typer.Typer(no_args_is_help=True, help="Agents' notes: list, promote to a memory page.")
    notes.command("list")(list_notes)
    notes.command()(promote)
    app.add_typer(notes, name="notes")


def list_notes(as_json: bool = typer.Option(False, "--json")) -> None:
    """List the inbox, oldest first."""
    from app.home.home import existing_home
    from memory.note import split
    from memory.shelf import INBOX, Shelf

    shelf = Shelf(existing_home().path / "memory")
    found = []
    for topic in shelf.topics():
        page = shelf.read(topic) if topic.startswith(f"{INBOX}/") else None
        if page is not None:
            head, text = split(page.text)
            found.append({"note": topic.removeprefix(f"{INBOX}/"), **head, "text": text})
    nothing = "the inbox is empty"
    lines = [f"{item['note']}\n  {shown(item['text'])}" for item in found]
    out.emit({"items": found}, as_json=as_json, text=lambda: "\n".join(lines) or nothing)


def promote(
    note: str = typer.Argument(help="the note's name, as `notes list` shows it"),
    to: str = typer.Option(..., help="the page: desk, developer, operator, advisor, or a topic such as strategies/trend"),
    by: str = typer.Option(..., "--as", metavar="NAME", help="who vouches for it"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Append a note's text to a memory page, in your name."""
    from app.home.home import existing_home
    from app.people.approvals import permit, record
    from app.people.identity import identify
    from memory import note as notes
    from memory.shelf import INBOX, Shelf, ShelfError

    home = existing_home()
    actor, now_ms = identify(home.path, by, "cli"), round(time.time() * 1000)
    permit(home, actor, "note", now_ms)
    try:
        notes.promote(Shelf(home.path / "memory"), f"{INBOX}/{note}", to, actor.name)
    except ShelfError as error:
        raise BadInput(str(error), "see `nightdesk notes list`") from None
    journal_id = record(home, "promote", {"note": note, "page": to, "actor": actor.as_json()}, now_ms)
    done = {"note": note, "page": to, "actor": actor.as_json(), "journal_id": journal_id}
    out.emit(done, as_json=as_json, text=lambda: f"{note} was added to the page {to} by {actor.name} ({journal_id})")
