"""The memory by command line: search, show, diff, restore; what an editor replaced comes back under a person's name."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import main
from app.people.identity import add_person
from app.people.sessions import Denied
from engine.errors import BadInput
from memory.shelf import Shelf


@pytest.fixture
def shelf(own_home: Path) -> Shelf:
    """The memory of a home."""
    from app.home.home import open_home

    made = Shelf(open_home().path / "memory")
    made.stock()
    main.load_groups()
    return made


def json_of(*words: str) -> dict:
    """A command's JSON."""
    done = CliRunner().invoke(main.app, ["memory", *words, "--json"], catch_exceptions=False, standalone_mode=False)
    return json.loads(done.stdout)


def test_an_edit_is_found_shown_and_undone_by_name(shelf: Shelf) -> None:
    """Search sees the edit, diff shows it, restore brings the words before it back, and the people journal knows who did."""
    shelf.path("desk").write_text("We hold no quokkas.\n")
    assert json_of("search", "quokkas")["items"][0]["page"] == "desk"
    shelf.path("desk").write_text("We hold numbats.\n")
    changed = json_of("diff", "desk")
    assert "-We hold no quokkas." in changed["diff"]
    assert "+We hold numbats." in changed["diff"]
    done = json_of("restore", "desk", str(changed["version"]), "--as", "ada", "--yes")
    assert done["actor"]["name"] == "ada"
    assert shelf.path("desk").read_text() == "We hold no quokkas.\n"
    assert json_of("show", "desk")["versions"] == [1, 2]
    assert json_of("show", "desk", "--version", "2")["text"] == "We hold numbats.\n"
    json_of("show")
    page = next(topic for topic in shelf.topics() if topic.startswith("decisions/"))
    assert "ada (claimed) restored version 1 of the page desk" in shelf.read(page).text


def test_every_page_is_listed_with_its_source_and_what_contradicts_it(shelf: Shelf) -> None:
    """Two pages that cannot both be right are named in the list and beside the page."""
    shelf.add("strategies/notes", "stop_atr of trend-btc is 2")
    shelf.path("developer").write_text("stop_atr of trend-btc is 3\n")
    listed = json_of("show")
    assert {item["page"]: item["trust"] for item in listed["items"]}["developer"] == "people"
    assert {listed["contradictions"][0]["topic"], listed["contradictions"][0]["other"]} == {"strategies/notes", "developer"}
    assert json_of("show", "developer")["contradictions"]
    assert json_of("show", "desk")["contradictions"] == []


@pytest.mark.parametrize(
    "words",
    [
        ("show", "../x"),
        ("show", "none"),
        ("diff", "desk"),
        ("show", "desk", "--version", "9"),
        ("restore", "x/y", "1", "--as", "a"),
    ],
)
def test_what_is_not_there_is_said(shelf: Shelf, words: tuple[str, ...]) -> None:
    """An invalid page, one that never was, a version that nobody kept."""
    with pytest.raises(BadInput):
        CliRunner().invoke(main.app, ["memory", *words], catch_exceptions=False, standalone_mode=False)


def test_a_viewer_restores_no_page(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before anything is shown or asked; the page is as it was."""
    home = shelf.root.parent
    shelf.path("desk").write_text("We hold quokkas.\n")
    json_of("show", "desk")
    shelf.path("desk").write_text("We hold numbats.\n")
    version = json_of("show", "desk")["versions"][0]
    add_person(home, "ann")
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(home, "vic"))
    with pytest.raises(Denied, match="vic is a viewer and may not promote"):
        json_of("restore", "desk", str(version), "--as", "vic", "--yes")
    assert shelf.path("desk").read_text() == "We hold numbats.\n"
