"""A disk that fills up, played by the kernel's own limit on file sizes: journals, halt and runs keep what was whole."""

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from polars.exceptions import ComputeError
from sqlalchemy import Engine

from app.home.written import write_whole
from engine.control import halt
from engine.errors import DataError, DeskError, JournalBroken
from engine.store import db as database
from engine.store.journal import Event, Journal, read, verify
from engine.store.runs import FRAMES, Runs
from engine.store.tables import Thread
from memory.shelf import Shelf
from tests.engine.store.test_runs import FRAME, NOW, run_of

ANN = {"name": "ann"}


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes: what a full disk does, with another number in the error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


GROUP = [Event("bar", 2, {"n": 1}), Event("mark", 2, {"text": "x" * 50})]


@pytest.mark.parametrize("name", ["desk", "people"])
def test_a_group_that_does_not_fit_whole_is_not_there_at_all(tmp_path: Path, name: str) -> None:
    """However much of it the disk takes: none, a byte, a whole line, all but its last byte. One byte more and it is durable."""
    whole = Journal(tmp_path / f"{name}.jsonl", "test")
    whole.append([Event("bar", 1, {})])
    before = whole.path.read_bytes()
    size = len(before)
    whole.append(GROUP)
    full = whole.path.stat().st_size
    whole.close()
    first_line = size + len(whole.path.read_bytes()[size:].splitlines(keepends=True)[0])
    for most in (size, size + 1, first_line - 1, first_line, first_line + 1, full - 1):
        whole.path.write_bytes(before)
        journal = Journal(whole.path, "test")
        with room(most), pytest.raises(JournalBroken, match=f"the last record is {name[0]}-1"):
            journal.append(GROUP)
        assert journal.path.read_bytes() == before, most
        with pytest.raises(JournalBroken, match="accepts no more records"):
            journal.append(GROUP)
        journal.close()
    whole.path.write_bytes(before)
    journal = Journal(whole.path, "test")
    with room(full):
        journal.append(GROUP)
    journal.close()
    assert verify(journal.path).rows == 3


def test_a_start_after_the_disk_was_freed_goes_on_where_the_journal_stood(tmp_path: Path) -> None:
    """Same numbers, one chain; nothing was set aside because nothing was left half written."""
    journal = Journal(tmp_path / "desk.jsonl", "test")
    journal.append([Event("bar", 1, {})])
    with room(journal.path.stat().st_size + 40), pytest.raises(JournalBroken):
        journal.append(GROUP)
    journal.close()
    again = Journal(tmp_path / "desk.jsonl", "test")
    assert again.set_aside == []
    assert [head.id for head in again.append(GROUP)] == ["d-2", "d-3"]
    again.close()
    assert [event.kind for event in read(again.path)] == ["bar", "bar", "mark"]
    assert verify(again.path).ok


def test_another_process_writes_on_when_one_met_the_full_disk(tmp_path: Path) -> None:
    """The people journal is shared: who failed stops, the next one appends to the same head."""
    one, other = (Journal(tmp_path / "people.jsonl", name) for name in ("one", "other"))
    one.append([Event("ask", 1, {})])
    with room(one.path.stat().st_size + 40), pytest.raises(JournalBroken):
        one.append(GROUP)
    assert other.append([Event("ask", 2, {})])[0].id == "p-2"
    assert verify(other.path).ok


@pytest.mark.parametrize("most", [0, 1, 20, 1_000])
def test_a_halt_on_a_full_disk_halts(tmp_path: Path, most: int) -> None:
    """Nothing of its line fits, or a part: the file is there, and that is a halt."""
    with room(most):
        latch = halt.set(tmp_path, "odd prices", ANN, NOW)
    assert latch.halted
    assert (latch.reason == "odd prices") is (most == 1_000)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A disk that takes so many more bytes of a file that grows, and every byte over one that is there: as ENOSPC does."""
    write = os.write

    def fills(left: int) -> None:
        def short(descriptor: int, data: bytes) -> int:
            if left == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, data[:left])

        monkeypatch.setattr(os, "write", short)

    return fills


@pytest.mark.parametrize("left", [0, 1, 20])
def test_a_halt_on_a_full_disk_keeps_who_and_why(tmp_path: Path, sqlite: Engine, full: Callable[[int], None], left: int) -> None:
    """In room that was taken before; released, the room is taken again."""
    halt.keep_spare(tmp_path)
    full(left)
    latch = halt.set(tmp_path, "odd prices \N{SNOWMAN}" * 90, ANN, NOW)
    assert (latch.halted, latch.by, latch.since_ms) == (True, "ann", NOW)
    assert latch.reason.startswith("odd prices \N{SNOWMAN}")
    assert not (tmp_path / halt.SPARE).exists()
    released = halt.release(tmp_path, sqlite, halt.read(tmp_path, sqlite), ANN, "looked", NOW + 1)
    assert not released.halted
    assert (tmp_path / halt.SPARE).stat().st_size == halt.SPARE_BYTES


def test_a_reason_that_follows_on_a_full_disk_is_not_lost(tmp_path: Path, full: Callable[[int], None]) -> None:
    """A halt in a hurry, then one with words, then a third one for which no room is left: the first who, the first why."""
    halt.set(tmp_path, "", ANN, NOW)
    halt.keep_spare(tmp_path)
    full(0)
    latch = halt.set(tmp_path, "odd prices", {"name": "bob"}, NOW + 1)
    assert (latch.by, latch.reason, latch.since_ms) == ("ann", "odd prices", NOW)
    assert halt.set(tmp_path, "again", {"name": "eve"}, NOW + 2) == latch
    halt.keep_spare(tmp_path)
    assert halt.set(tmp_path, "again", {"name": "eve"}, NOW + 3)[:4] == latch[:4]


def test_the_spare_room_halts_nothing(tmp_path: Path) -> None:
    """It is there from the first start on, once, and no link of that name is written to."""
    halt.keep_spare(tmp_path)
    assert not halt.read(tmp_path).halted
    assert (tmp_path / halt.SPARE).read_bytes().strip() == b""
    with room(0):
        halt.keep_spare(tmp_path / "other")
    (tmp_path / halt.SPARE).unlink()
    with room(halt.SPARE_BYTES - 1):
        halt.keep_spare(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_halt_whose_line_was_torn_has_its_reason_from_the_database(tmp_path: Path, sqlite: Engine) -> None:
    """Half a line in the file, a row in the database: who and why are known, and both have to be released."""
    (tmp_path / halt.FILE).write_bytes(b'{"by": {"na')
    halt.set_row(sqlite, "odd prices", ANN, NOW)
    latch = halt.read(tmp_path, sqlite)
    assert (latch.reason, latch.by, latch.where) == ("odd prices", "ann", ("file", "database"))
    released = halt.release(tmp_path, sqlite, latch, ANN, "looked", NOW + 1)
    assert not released.halted
    assert not (tmp_path / halt.FILE).exists()


def test_a_halt_after_a_torn_one_is_read_all_the_same(tmp_path: Path) -> None:
    """The disk was freed and somebody halts again: their line stands behind half a line."""
    with room(20):
        halt.set(tmp_path, "odd prices", ANN, NOW)
    latch = halt.set(tmp_path, "still odd", {"name": "bob"}, NOW + 1)
    assert latch.halted
    assert (latch.reason, latch.by) == ("still odd", "bob")


@pytest.mark.parametrize("most", [0, 300, 1_500])  # not its first byte, not a frame, not its page
def test_a_run_that_does_not_fit_leaves_nothing_and_says_so(tmp_path: Path, sqlite: Engine, most: int) -> None:
    """Its frames or its JSON: an OSError for the caller to explain, no folder, no row; with room it gets that very id."""
    runs = Runs(tmp_path / "runs", sqlite)
    frames = dict.fromkeys(FRAMES, FRAME)
    with room(most), pytest.raises(OSError, match="File too large"):
        runs.keep(run_of(), frames, lambda _: "x" * 5_000, NOW)
    assert list(runs.folder.iterdir()) == []
    assert runs.latest() == []
    assert runs.keep(run_of(), frames, lambda _: "x" * 5_000, NOW)["run_id"] == "r-20250314-1a2b3c4d"


def test_a_small_file_of_the_home_that_does_not_fit_stays_as_it_was(tmp_path: Path) -> None:
    """The heartbeat, feed.json: the error names the file, the old one is there whole, and no draft lies beside it."""
    path = tmp_path / "worker.json"
    write_whole(path, "old\n")
    for durable in (True, False):
        with room(20), pytest.raises(OSError, match="worker"):
            write_whole(path, "x" * 100, durable=durable)
    assert [p.name for p in tmp_path.iterdir()] == ["worker.json"]
    assert path.read_text() == "old\n"


def test_a_page_of_memory_that_does_not_fit_stays_as_it_was(tmp_path: Path) -> None:
    """Nothing of the new text, no draft; with room the same write goes through."""
    shelf = Shelf(tmp_path)
    shelf.write_block("handoff", "quiet")
    before = shelf.path("handoff").read_text()
    with room(100), pytest.raises(OSError, match="File too large"):
        shelf.write_block("handoff", "x" * 1_000)
    assert shelf.path("handoff").read_text() == before
    assert not list(tmp_path.rglob("*.draft"))
    shelf.write_block("handoff", "x" * 1_000)
    assert "x" * 1_000 in shelf.path("handoff").read_text()


def test_a_run_on_a_full_disk_is_said_in_the_systems_words(tmp_path: Path) -> None:
    """Which file, and `No space left on device`: not the words of the library that writes it."""

    class Frame:
        """A frame whose file does not fit."""

        def write_parquet(self, _path: Path, **_: object) -> None:
            """As polars says it."""
            raise ComputeError("parquet: File out of specification: underlying IO error: No space left on device (os error 28)")

    with pytest.raises(OSError, match="No space left on device") as caught:
        Runs(tmp_path / "runs").keep(run_of(), dict.fromkeys(FRAMES, Frame()), lambda _: "", NOW)  # type: ignore[arg-type]
    assert (caught.value.errno, caught.value.filename.rpartition("/")[2]) == (28, "rows.parquet")
    assert "specification" not in str(caught.value)


def test_a_database_on_a_full_disk_is_one_clear_line_and_loses_nothing(tmp_path: Path, sqlite: Engine) -> None:
    """A write that does not fit is taken back; reading goes on; with room again, so does writing."""
    with database.write(sqlite) as session:
        session.add(Thread(id="t-1", role="operator", created_ms=1))
    sqlite.dispose()
    with room(60_000), pytest.raises(DeskError) as caught, database.write(sqlite) as session:
        session.add_all([Thread(id=f"t-{n}", role="operator", created_ms=1, body="x" * 1_000) for n in range(2, 500)])
    assert isinstance(caught.value, DataError)
    assert "desk.db failed" in caught.value.what
    assert caught.value.hint == database.DISK_ADVICE
    with database.read(sqlite) as session:
        assert session.get(Thread, "t-1") is not None
        assert session.get(Thread, "t-2") is None
    with database.write(sqlite) as session:
        session.add(Thread(id="t-2", role="operator", created_ms=2))
