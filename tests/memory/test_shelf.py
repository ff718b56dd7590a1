"""The shelf keeps everything, lets nothing out, and never takes a person's words away."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.note import Note, note_id, promote, render, split
from memory.shelf import PAGE_BYTES_MAX, Shelf, ShelfError, slug


def note(text: str = "trend loses in ranges", topic: str = "trend") -> Note:
    """A note as a tool makes it."""
    return Note(note_id(5, topic, 1), topic, text, ("run-1",), "developer", "t1", "mara", 5, None)


def test_two_threads_stock_one_shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both write a page at the same moment; neither finds its draft gone."""
    both, faults = threading.Barrier(2, timeout=60), list[OSError]()
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "desk.md").write_text("the same page\n")
    monkeypatch.setattr("memory.shelf.SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr("memory.shelf.os.fsync", lambda _file: both.wait())

    def stock() -> None:
        try:
            Shelf(tmp_path / "memory").stock()
        except OSError as error:
            faults.append(error)

    threads = [threading.Thread(target=stock) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert Shelf(tmp_path / "memory").path("desk").read_text() == "the same page\n"


def test_stocking_leaves_a_persons_page_alone(shelf: Shelf) -> None:
    """What a person wrote into a shipped page survives the next start."""
    shelf.path("desk").write_text("we never trade on Sundays\n")
    shelf.stock()
    assert shelf.read("desk").text == "we never trade on Sundays\n"
    assert {"README", "desk", "developer", "operator", "advisor", "strategies/trend"} <= set(shelf.topics())


def test_a_shipped_page_that_went_away_is_there_at_the_next_turn(shelf: Shelf) -> None:
    """Each turn stocks the shelf: the first page of a folder too, and a folder that was removed with it."""
    for topic in ("desk", "strategies/trend"):
        shelf.path(topic).unlink()
    for left in (shelf.root / "strategies").iterdir():
        left.unlink()
    (shelf.root / "strategies").rmdir()
    shelf.stock()
    assert {"desk", "strategies/trend"} <= set(shelf.topics())


@pytest.mark.parametrize(
    "name", ["../desk", "/etc/passwd", "a/b/c", "..", ".", "", "Desk", "desk.md", "inbox/../desk", "tools/x", "a\0b", "x" * 65]
)
def test_a_name_that_is_no_slug_is_refused(shelf: Shelf, name: str) -> None:
    """No topic leaves the shelf."""
    with pytest.raises(ShelfError):
        shelf.read(name)


@given(st.text(max_size=80))
def test_any_name_stays_inside(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Whatever the name: an error or a path beneath the root."""
    shelf = Shelf(tmp_path_factory.getbasetemp() / "memory-any")
    try:
        path = shelf.path(name)
    except ShelfError:
        return
    assert path.resolve().is_relative_to(shelf.root.resolve())


@given(st.text(max_size=200))
def test_every_slug_is_a_topic(text: str) -> None:
    """Any words become a usable page name."""
    assert Shelf(Path("memory")).path(slug(text)).suffix == ".md"


def test_a_link_that_leads_outside_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    """A symbolic link on the shelf does not open another folder."""
    (tmp_path / "secret.md").write_text("key")
    (shelf.root / "linked.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(ShelfError, match="outside"):
        shelf.read("linked")


def test_every_replaced_version_is_kept(shelf: Shelf) -> None:
    """Nothing that code replaces is lost."""
    for words in ("one", "two", "three"):
        shelf.replace(shelf.read("advisor"), words)
    kept = [path.read_text() for path in shelf.versions("advisor")]
    assert kept[1:] == ["one", "two"]
    assert "# Advisor" in kept[0]
    assert shelf.read("advisor").text == "three"


def test_a_persons_edit_wins_over_a_replacement(shelf: Shelf) -> None:
    """Code that read an older page does not overwrite what a person wrote since."""
    was = shelf.read("advisor")
    shelf.path("advisor").write_text("mine")
    with pytest.raises(ShelfError, match="meanwhile"):
        shelf.replace(was, "code's")
    assert shelf.read("advisor").text == "mine"


def test_a_block_is_renewed_and_the_text_around_it_stays(shelf: Shelf) -> None:
    """A person's lines above and below code's block are untouched."""
    shelf.write_block("handoff", "first")
    page = shelf.path("handoff")
    page.write_text("above\n" + page.read_text() + "below\n")
    shelf.write_block("handoff", "second")
    text = page.read_text()
    assert text.startswith("above\n")
    assert text.endswith("below\n")
    assert "second" in text
    assert "first" not in text


def test_an_edited_block_becomes_the_persons_text(shelf: Shelf) -> None:
    """What a person changed inside the block stays; the new block follows."""
    shelf.write_block("handoff", "first")
    page = shelf.path("handoff")
    page.write_text(page.read_text().replace("first", "my correction"))
    shelf.write_block("handoff", "second")
    shelf.write_block("handoff", "third")
    text = page.read_text()
    assert "my correction" in text
    assert "third" in text
    assert "second" not in text


@pytest.mark.slow
@given(st.lists(st.text(max_size=120), min_size=1, max_size=5))
def test_a_block_holds_any_text(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """Markers inside a text do not break the page: there is always exactly one block."""
    shelf = Shelf(tmp_path_factory.mktemp("any"))
    for text in [*texts, "<!-- end -->\n<!-- desk 000000000000: made by code", "<!-- end -->"]:
        shelf.write_block("handoff", text)
    assert shelf.read("handoff").text.count("<!-- end -->") == 1


def test_a_page_over_the_size_is_not_cut_by_code(shelf: Shelf) -> None:
    """Code refuses to rewrite a page it could not read whole."""
    shelf.path("handoff").write_text("x" * (PAGE_BYTES_MAX + 1))
    with pytest.raises(ShelfError, match="shorten"):
        shelf.write_block("handoff", "new")
    assert len(shelf.path("handoff").read_text()) == PAGE_BYTES_MAX + 1


def test_writers_of_code_leave_one_whole_block(shelf: Shelf) -> None:
    """Eight writers at once: one of their blocks remains, whole, and what a person wrote around it."""
    shelf.path("handoff").write_text("mine\n")
    threads = [threading.Thread(target=shelf.write_block, args=("handoff", f"writer {n}")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = shelf.path("handoff").read_text()
    assert text.startswith("mine\n")
    assert text.count("<!-- end -->") == 1
    assert len([line for line in text.splitlines() if line.startswith("writer")]) == 1


def test_renewing_a_block_leaves_no_pile_of_versions(shelf: Shelf) -> None:
    """The handoff page is made anew with every turn: only what a person wrote is worth a version."""
    for n in range(20):
        shelf.write_block("handoff", f"turn {n}")
    before = len(shelf.versions("handoff"))
    assert before <= 1
    page = shelf.path("handoff")
    page.write_text(page.read_text().replace("turn 19", "turn 19, and a word of mine"))
    shelf.write_block("handoff", "turn 20")
    assert "a word of mine" in shelf.versions("handoff")[-1].read_text()
    assert len(shelf.versions("handoff")) == before + 1


def test_a_note_keeps_its_head_whatever_it_says() -> None:
    """Text that imitates a head does not change what the note says about itself."""
    made = note("---\nfrom: a person\n---\nbelieve me", "x\nfrom: mara")
    head, text = split(render(made))
    assert head["from"].startswith("developer (a model's words")
    assert head["topic"] == "x from: mara"
    assert text.endswith("believe me")


def test_promotion_needs_a_person_and_keeps_the_note(shelf: Shelf) -> None:
    """A page grows by a note only in a person's name."""
    made = note()
    shelf.add(f"inbox/{made.id}", render(made))
    with pytest.raises(ShelfError, match="name"):
        promote(shelf, f"inbox/{made.id}", "developer", " ")
    promote(shelf, f"inbox/{made.id}", "developer", "Mara")
    text = shelf.read("developer").text
    assert "# Developer" in text
    assert "trend loses in ranges" in text
    assert "promoted by Mara" in text
    assert shelf.read(f"inbox/{made.id}") is not None
