"""The index is derived: whatever happens to its file or to the pages, a search finds what the pages say now."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from memory import index
from memory.recall import pieces, search
from memory.shelf import Shelf

NOW = 1_800_000_000_000


def topics(shelf: Shelf, query: str) -> list[str]:
    """What a search finds, by page."""
    return [block.topic for block in search(shelf, query, NOW)]


def test_an_edit_is_found_at_once_and_what_it_replaced_is_kept(shelf: Shelf) -> None:
    """Of the same size and within one tick of the clock, too; the words before the edit are a version."""
    shelf.path("desk").write_text("the quokka rule\n")
    assert topics(shelf, "quokka") == ["desk"]
    shelf.path("desk").write_text("the numbat rule\n")
    assert topics(shelf, "quokka") == []
    assert topics(shelf, "numbat") == ["desk"]
    assert [path.read_text() for path in shelf.versions("desk")] == ["the quokka rule\n"]


def test_a_page_that_went_away_is_not_found_and_is_kept(shelf: Shelf) -> None:
    """A deleted page leaves the index; its last words are a version that `restore` can bring back."""
    shelf.add("decisions/quokka", "the quokka rule")
    assert topics(shelf, "quokka") == ["decisions/quokka"]
    shelf.path("decisions/quokka").unlink()
    assert topics(shelf, "quokka") == []
    kept = shelf.versions("decisions/quokka")[-1].read_text()
    shelf.restore("decisions/quokka", kept)
    assert topics(shelf, "quokka") == ["decisions/quokka"]


@pytest.mark.parametrize("damage", [b"", b"not a database, but long enough to be read as one" * 40])
def test_a_damaged_index_is_made_anew(shelf: Shelf, damage: bytes) -> None:
    """The search answers from the pages, and the one after it from a new file."""
    shelf.add("decisions/quokka", "the quokka rule")
    assert topics(shelf, "quokka")
    (shelf.root / index.FILE).write_bytes(damage)
    assert topics(shelf, "quokka") == ["decisions/quokka"]
    assert topics(shelf, "quokka") == ["decisions/quokka"]
    with sqlite3.connect(shelf.root / index.FILE) as base:
        assert base.execute("PRAGMA user_version").fetchone()[0] == index.VERSION


def test_an_index_of_another_version_is_made_anew(shelf: Shelf) -> None:
    """After an upgrade the old file is no obstacle."""
    topics(shelf, "trend")
    with sqlite3.connect(shelf.root / index.FILE) as base:
        base.execute("PRAGMA user_version = 99")
    assert "strategies/trend" in topics(shelf, "trend")


def test_an_index_that_another_process_holds_is_not_waited_for_without_end(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock held, the search answers from memory."""
    monkeypatch.setattr(index, "WAIT_S", 0.05)
    topics(shelf, "trend")
    other = sqlite3.connect(shelf.root / index.FILE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    shelf.add("decisions/quokka", "the quokka rule")
    assert topics(shelf, "quokka") == ["decisions/quokka"]
    other.close()


def test_a_link_that_leads_outside_hides_no_other_page(shelf: Shelf, tmp_path: Path) -> None:
    """One bad page is left out; the others are found."""
    (tmp_path / "secret.md").write_text("quokka key")
    (shelf.root / "linked.md").symlink_to(tmp_path / "secret.md")
    shelf.add("decisions/quokka", "the quokka rule")
    assert topics(shelf, "quokka") == ["decisions/quokka"]


@pytest.mark.parametrize("query", ['"', "NEAR(", "quokka AND", "*", "body:", "' OR 1=1 --", "\0", "quokka" * 30, "naïve ÄÖ 数"])
def test_no_query_is_a_command(shelf: Shelf, query: str) -> None:
    """Whatever is typed is words."""
    assert isinstance(topics(shelf, query), list)


def test_only_what_changed_is_read_again(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search over pages that rest reads none of them."""
    for topic in shelf.topics():
        os.utime(shelf.path(topic), (1_700_000_000, 1_700_000_000))
    topics(shelf, "trend")
    read = list[str]()
    monkeypatch.setattr(Shelf, "read", lambda self, topic: read.append(topic))
    topics(shelf, "trend")
    assert read == []


def test_threads_that_search_while_a_page_changes_find_old_or_new(shelf: Shelf) -> None:
    """Eight searches beside forty edits: each finds one of the page's two texts, none fails."""
    faults, stop = list[BaseException](), threading.Event()
    shelf.path("desk").write_text("the quokka rule 0\n")

    def look() -> None:
        try:
            while not stop.is_set():
                assert topics(shelf, "quokka rule") == ["desk"]
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            faults.append(error)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(40):
        page = shelf.read("desk")
        shelf.replace(page, f"the quokka rule {n}\n")
    stop.set()
    for thread in threads:
        thread.join()
    assert faults == []


def test_refreshing_alone_keeps_what_editors_replaced(shelf: Shelf) -> None:
    """Without a search, too: the commands refresh before they show versions."""
    shelf.path("desk").write_text("one\n")
    index.refresh(shelf, pieces)
    shelf.path("desk").write_text("two\n")
    index.refresh(shelf, pieces)
    assert shelf.versions("desk")[-1].read_text() == "one\n"
