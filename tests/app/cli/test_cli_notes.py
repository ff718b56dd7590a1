"""The inbox by command line: what a model wrote becomes memory only by a person's name."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import main
from engine.errors import BadInput
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
