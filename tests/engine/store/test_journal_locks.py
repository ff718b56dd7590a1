"""A journal's writer and its file: one at a time, nothing leaks, and a file that is gone takes no records."""

import os
from pathlib import Path

import pytest

from engine.errors import Busy, JournalBroken
from engine.store.journal import Event, Journal

BODY = {"close": 64012.1}


def open_files() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def test_a_journal_that_cannot_be_opened_leaks_nothing(tmp_path: Path) -> None:
    """Held by another writer, damaged at its end, or a folder in its place: every descriptor is given back."""
    path = tmp_path / "desk.jsonl"
    held = Journal(path, "one")
    before = open_files()
    for _ in range(3):
        with pytest.raises(Busy):
            Journal(path, "two")
    held.close()
    path.write_bytes(b"damaged\n" * 3)
    for _ in range(3):
        with pytest.raises(JournalBroken):
            Journal(path, "two")
    path.unlink()
    path.mkdir()
    with pytest.raises(JournalBroken, match="cannot be opened"):
        Journal(path, "two")
    assert open_files() <= before
    path.rmdir()
    Journal(path, "three").close()


def test_a_journal_removed_under_its_writer_takes_no_more_records(tmp_path: Path) -> None:
    """Deleted, or replaced by a copy: what would be written into a file without a name is refused."""
    path = tmp_path / "desk.jsonl"
    journal = Journal(path, "worker")
    journal.append([Event("bar", 1, BODY)])
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    copy.replace(path)
    with pytest.raises(JournalBroken, match="removed under its writer"):
        journal.append([Event("bar", 2, BODY)])
    journal.close()
