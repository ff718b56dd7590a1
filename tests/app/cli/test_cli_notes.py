"""The inbox by command line: what a model wrote becomes memory only by a person's name."""

import json
from pathlib import Path

import pytest
from sqlmodel import select
from typer.testing import CliRunner

from app.cli import main
from engine.errors import BadInput
from engine.store.db import read, write
from engine.store.tables import InboxNote
from memory.shelf import Shelf

NOTE = "inbox/n-1-1-fees"
PAGE = "---\nnote: n-1-1-fees\ntopic: fees\nfrom: operator\n---\n\nFees eat the edge of btc-trend."


@pytest.fixture
def desk(own_home: Path) -> Path:
    """A home with one note in its inbox."""
    from app.home.home import open_home

    home = open_home()
    Shelf(home.path / "memory").add(NOTE, PAGE)
    main.load_groups()
    return own_home


def json_of(*words: str) -> dict:
    """A command's JSON."""
    done = CliRunner().invoke(main.app, [*words, "--json"], catch_exceptions=False, standalone_mode=False)
    return json.loads(done.stdout)


def test_a_note_is_listed_and_promoted_by_name(desk: Path) -> None:
    """The page then holds the words and who vouched for them, the people journal the decision, and the note stays."""
    assert [item["note"] for item in json_of("notes", "list")["items"]] == ["n-1-1-fees"]
    done = json_of("notes", "promote", "n-1-1-fees", "--to", "strategies/trend", "--as", "ada")
    text = (desk / "memory" / "strategies" / "trend.md").read_text()
    assert "Fees eat the edge of btc-trend." in text
    assert "promoted by ada" in text
    assert done["journal_id"].startswith("p-")
    assert (desk / "memory" / f"{NOTE}.md").exists()


def test_a_note_that_is_not_there_is_refused(desk: Path) -> None:
    """One clear line, and no page is touched."""
    with pytest.raises(BadInput, match="unknown note"):
        json_of("notes", "promote", "n-9-9-none", "--to", "desk", "--as", "ada")


def test_what_a_person_has_settled_is_out_of_the_inbox(desk: Path) -> None:
    """Promoted or dropped: not listed, not among the unread ones that fill the inbox, and in the journal; then refused."""
    from app.home.home import open_home

    home = open_home()
    with write(home.engine) as session:
        session.add(InboxNote(id="n-1-1-fees", role="operator", created_ms=1))
    assert json_of("notes", "drop", "n-1-1-fees", "--as", "ada")["journal_id"].startswith("p-")
    assert json_of("notes", "list") == {"items": []}
    assert [item["settled"] for item in json_of("notes", "list", "--all")["items"]] == ["dropped by ada"]
    with read(home.engine) as session:
        assert [row.state for row in session.exec(select(InboxNote))] == ["dropped"]
    with pytest.raises(BadInput, match="was dropped by ada"):
        json_of("notes", "drop", "n-1-1-fees", "--as", "ada")
