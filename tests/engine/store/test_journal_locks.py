"""A journal's writer and its file: one at a time, nothing leaks, and a file that is gone takes no records."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from engine.errors import Busy, JournalBroken
from engine.store import locks
from engine.store.journal import Event, Journal, verify
from tests.fakes.waiting import WAIT_S

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


def test_threads_wait_for_each_other_without_asking_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One brings its record to the disk, seven wait: none polls, all are written, whole and in one chain."""
    asked, inside, fdatasync, begun = list[int](), threading.Event(), os.fdatasync, threading.Barrier(8)
    flock = fcntl.flock

    def slow(file: int) -> None:
        inside.wait(0.02)
        fdatasync(file)

    def looked(file: int, how: int) -> None:
        asked.append(how)
        flock(file, how)

    monkeypatch.setattr(locks.fcntl, "flock", looked)
    monkeypatch.setattr(os, "fdatasync", slow)

    def write(n: int) -> None:
        journal = Journal(tmp_path / "people.jsonl", f"thread {n}")
        begun.wait(WAIT_S)
        journal.append([Event("ask", n, BODY), Event("tool", n, BODY)])
        journal.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert verify(tmp_path / "people.jsonl").rows == 16
    assert len(asked) == 2 * 2 * 8  # each once for its head and once for its record, taken and given back


def test_a_thread_that_holds_a_journal_for_too_long_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread of the process, or another process: the waiting one is refused and the file is free afterwards."""
    monkeypatch.setattr(locks, "LOCK_S_MAX", 0.01)
    path = tmp_path / "people.jsonl"
    journal, other = Journal(path, "one"), path.open("rb")
    with locks.shared_turn(journal._file, path):
        refused: list[Exception] = []

        def late() -> None:
            try:
                Journal(path, "two")
            except Busy as error:
                refused.append(error)

        thread = threading.Thread(target=late)
        thread.start()
        thread.join(WAIT_S)
        assert "held by another thread" in str(refused[0])
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(Busy, match="held by another process"):
        journal.append([Event("ask", 1, BODY)])
    other.close()
    journal.append([Event("ask", 1, BODY)])
    journal.close()
