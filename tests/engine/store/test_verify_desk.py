"""The desk journal held against its anchor, and walked by the worker: forks and flipped bits are named."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.store.anchors import anchor_fault, note_head, verify_desk, verify_home
from engine.store.journal import Event, Journal

NOW = 1_800_000_000_000


def written(folder: Path, groups: int, text: str = "x") -> Journal:
    """A desk journal of so many groups of two."""
    journal = Journal(folder / "desk.jsonl", "worker")
    for n in range(groups):
        journal.append([Event("bar", n, {"n": n, "text": text * 40}), Event("mark", n, {"n": n})])
    return journal


def anchored_at(folder: Path, engine: Engine, groups: int) -> None:
    """A journal of so many groups, its head in the database."""
    journal = written(folder, groups)
    note_head(engine, "desk", journal.head, NOW)
    journal.close()


def flipped(path: Path, at: int) -> None:
    """One bit of the file is another."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_whole_journal_has_no_fault(tmp_path: Path, sqlite: Engine) -> None:
    """Also when it went on since the anchor, and from where it was verified."""
    anchored_at(tmp_path, sqlite, 5)
    written(tmp_path, 3).close()
    assert anchor_fault(tmp_path / "desk.jsonl", sqlite, "desk") == ""
    assert verify_desk(tmp_path, sqlite).ok
    verify_home(tmp_path, sqlite, NOW)
    written(tmp_path, 3).close()
    assert verify_desk(tmp_path, sqlite, since=True).ok


def test_a_fork_before_the_anchor_is_seen_by_its_hash(tmp_path: Path, sqlite: Engine) -> None:
    """Another journal, longer than the anchor: the number fits, the record is another."""
    anchored_at(tmp_path, sqlite, 5)
    (tmp_path / "desk.jsonl").unlink()
    written(tmp_path, 9, "y").close()
    assert "another d-10" in anchor_fault(tmp_path / "desk.jsonl", sqlite, "desk")
    assert not verify_desk(tmp_path, sqlite).ok


def test_dropped_records_are_seen_by_the_anchor(tmp_path: Path, sqlite: Engine) -> None:
    """The end is missing."""
    anchored_at(tmp_path, sqlite, 5)
    path = tmp_path / "desk.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:4]))
    assert "no d-10" in anchor_fault(path, sqlite, "desk")


@pytest.mark.parametrize("since", [False, True])
def test_a_flipped_bit_is_found_by_the_whole_walk_and_behind_the_last_verification_by_the_short_one(
    tmp_path: Path, sqlite: Engine, since: bool
) -> None:
    """In what was verified before, the short walk does not look: that is why the whole one follows."""
    written(tmp_path, 10).close()
    verify_home(tmp_path, sqlite, NOW)
    verified = (tmp_path / "desk.jsonl").stat().st_size
    written(tmp_path, 10).close()
    flipped(tmp_path / "desk.jsonl", verified // 2)
    assert verify_desk(tmp_path, sqlite, since=since).ok is since
    flipped(tmp_path / "desk.jsonl", verified // 2)
    flipped(tmp_path / "desk.jsonl", verified + 200)
    assert not verify_desk(tmp_path, sqlite, since=since).ok
