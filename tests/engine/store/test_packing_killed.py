"""A kill at any call of a packing or unpacking, a full disk, readers and writers meanwhile: the journal reads as it did."""

import errno
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError
from engine.store import opened, packing
from engine.store.chain import Event
from engine.store.journal import Journal, find, read, verify
from engine.store.opened import parts_of
from tests.engine.store.test_full_disk import room
from tests.engine.store.test_packed_journals import FAR, grown, packed, plain_bytes

CALLS = ("open", "fsync", "fchmod", "pread", "replace", "rename", "unlink", "link", "ftruncate", "listdir")
PART = 3500  # bytes, of which the killed journals have two and a bit
FORKED = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of a few records."""
    monkeypatch.setattr(packing, "FRAME", 700)


def killed_at(number: int, act: Callable[[], object]) -> bool:
    """Whether `act`, in a process of its own, got as far as system call `number` of CALLS and writes; there it ended, with no
    chance to clear up."""

    def run() -> None:
        left = [number]

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*words: Any, **more: Any) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    os._exit(9)
                return real(*words, **more)

            return call

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        packing.write_segment = counted(packing.write_segment)  # type: ignore[attr-defined]
        packing._copy = counted(packing._copy)
        act()
        os._exit(0)

    child = FORKED.Process(target=run)
    child.start()
    child.join(60)
    assert child.exitcode in (0, 9), child.exitcode
    return child.exitcode == 9


@pytest.mark.parametrize(  # one call in three of one act; all of them: long
    ("act", "every"), [("pack", 3), *(pytest.param(act, 1, marks=pytest.mark.long) for act in ("pack", "pack on", "unpack"))]
)
def test_a_kill_at_any_call_leaves_a_journal_that_reads_the_same(tmp_path: Path, act: str, every: int) -> None:
    """Then a writer goes on, and the same act again does the rest."""
    made = tmp_path / "made"
    grown(made / "desk.jsonl", 14)
    whole = (made / "desk.jsonl").read_bytes()
    if act != "pack":
        packed(made / "desk.jsonl", PART, most=1 if act == "pack on" else None)
    events = list(read(made / "desk.jsonl"))
    for number in range(1, 2000, every):
        folder = tmp_path / str(number)
        shutil.copytree(made, folder)
        path = folder / "desk.jsonl"
        work = partial(packing.unpack, path) if act == "unpack" else partial(packing.pack, path, FAR, PART)
        got_there = killed_at(number, work)
        assert plain_bytes(path) == whole, number
        assert list(read(path)) == events, number
        assert verify(path).ok, number
        journal = Journal(path, "worker")
        assert journal.append([Event("mark", 99_000, {})])[0].seq == len(events) + 1
        journal.close()
        assert bool(work()) or act == "unpack" or not got_there or parts_of(path), number
        assert verify(path).rows == len(events) + 1, number
        assert not list(folder.glob("*draft*")), number
        unread = {file.name for file in folder.glob("*.zst")} - {part.path.name for part in parts_of(path)}
        assert not unread, number
        shutil.rmtree(folder)
        if not got_there:
            assert number > 20
            return
    raise AssertionError("it never ended")


@pytest.mark.parametrize("size", [0, 10, 500, 2000, 4000, 8000, 16_000])
def test_a_full_disk_leaves_the_plain_journal(tmp_path: Path, size: int) -> None:
    """Whichever file it stops: no part, no draft, one line; packed once there is room."""
    path = grown(tmp_path / "desk.jsonl", 40)
    whole = path.read_bytes()
    assert len(whole) > 20_000
    with room(size), pytest.raises(DataError, match="free disk space"):
        packing.pack(path, FAR, 9000, most=1)
    assert path.read_bytes() == whole
    assert sorted(file.name for file in tmp_path.iterdir()) == ["desk.jsonl", "desk.lock"]
    packed(path, 9000)
    assert plain_bytes(path) == whole


@pytest.mark.parametrize("name", ["fsync", "rename", "replace"])
def test_a_disk_that_fails_leaves_a_journal_that_reads_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """At any of these calls, the first or the last, of packing and of unpacking."""
    path = grown(tmp_path / "desk.jsonl", 40)
    whole, real = path.read_bytes(), getattr(os, name)
    faults = 0
    again = partial(packing.pack, until=FAR, part_bytes=3000)
    for act, before in ((partial(again, path), packing.unpack), (partial(packing.unpack, path), again)):
        for number in range(1, 200):
            calls = [0]

            def failing(*words: Any, calls: list[int] = calls, number: int = number, **more: Any) -> Any:
                calls[0] += 1
                if calls[0] == number:
                    raise OSError(errno.EIO, "Input/output error")
                return real(*words, **more)

            monkeypatch.setattr(os, name, failing)
            said = ""
            try:
                act()
            except DataError as error:
                said = str(error)
            monkeypatch.setattr(os, name, real)
            assert plain_bytes(path) == whole, number
            assert verify(path).ok, number
            if not said:
                break
            assert "Input/output error" in said
            faults += 1
            before(path)
    assert faults


@pytest.mark.slow
@pytest.mark.parametrize("name", ["desk", "people"])
def test_readers_see_each_event_once_while_it_is_packed_and_unpacked(tmp_path: Path, name: str) -> None:
    """Two processes read from the front, by number and from where they were, over and over."""
    path = grown(tmp_path / f"{name}.jsonl", 60)
    count = verify(path).rows
    stop, faults = FORKED.Event(), FORKED.Queue()

    def reader(lag: int) -> None:
        try:
            rounds = 0
            while not stop.is_set() or rounds < 3:
                rounds += 1
                got = []
                for event in read(path, after=lag):
                    got.append(event.seq)
                    if event.seq % 40 == 0:
                        os.sched_yield()
                if got != list(range(lag + 1, count + 1)):
                    faults.put(f"read {got[:3]} ... {got[-3:]}")
                middle = find(path, f"{name[0]}-{count // 2}")
                if middle is None or middle.seq != count // 2:
                    faults.put("not found")
        except BaseException as error:  # noqa: BLE001 - it is reported
            faults.put(repr(error))

    readers = [FORKED.Process(target=reader, args=(lag,)) for lag in (0, 17)]
    for one in readers:
        one.start()
    for _ in range(25):
        assert packing.pack(path, FAR, 3000)
        assert packing.unpack(path)
    stop.set()
    for one in readers:
        one.join(60)
        assert one.exitcode == 0
    assert faults.empty(), faults.get()


def test_a_reader_goes_on_where_it_was_when_the_files_change_under_it(tmp_path: Path) -> None:
    """Opened packed and read on once it is plain, and the other way round."""
    path = packed(grown(tmp_path / "desk.jsonl", 60))
    count = verify(path).rows
    for change in (lambda: packing.unpack(path), lambda: packing.pack(path, FAR, 3000)) * 2:
        reading = read(path)
        got = [next(reading).seq for _ in range(9)]
        change()
        got += [event.seq for event in reading]
        assert got == list(range(1, count + 1))


@pytest.mark.slow
def test_writers_of_the_people_journal_go_on_while_it_is_packed(tmp_path: Path) -> None:
    """Each has the file open: none writes into the one that lost its name, no group is lost or doubled."""
    path = grown(tmp_path / "people.jsonl", 40)
    before = verify(path).rows
    journals = [Journal(path, f"w{n}") for n in range(3)]
    written, stop, failed = [0, 0, 0], threading.Event(), list[BaseException]()

    def write(which: int) -> None:
        try:
            while not stop.is_set():
                body = {"by": which, "n": written[which]}
                journals[which].append([Event("ask", 1, body), Event("answer", 1, {})], sync=False)
                written[which] += 1
        except BaseException as error:  # noqa: BLE001 - it is asserted below
            failed.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        assert packing.pack(path, FAR, 3000, most=4)
        packing.unpack(path)
    stop.set()
    for thread in threads:
        thread.join()
    for journal in journals:
        journal.close()
    assert not failed
    report = verify(path)
    assert (report.ok, report.rows) == (True, before + 2 * sum(written))
    said = [(event.body["by"], event.body["n"]) for event in read(path, {"ask"})]
    assert sorted(said) == [(n, k) for n in range(3) for k in range(written[n])]


def test_a_writer_waits_for_the_moment_in_which_the_file_is_replaced(tmp_path: Path) -> None:
    """What it writes then is in the journal, and not in the file that lost its name."""
    path = grown(tmp_path / "people.jsonl", 40)
    before = verify(path).rows
    journal = Journal(path, "api")
    writers: list[threading.Thread] = []

    def step(name: str) -> None:
        if name == "plain named":
            writers.append(threading.Thread(target=journal.append, args=([Event("ask", 1, {})],)))
            writers[0].start()
            writers[0].join(0.2)

    packing.pack(path, FAR, 3000, step=step)
    writers[0].join()
    journal.close()
    assert verify(path).rows == before + 1


def test_a_reader_that_opens_while_parts_go_reads_the_plain_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has opened the file that lost its name, and looks for parts that are gone: it looks again."""
    path = packed(grown(tmp_path / "desk.jsonl", 40))
    count, real = verify(path).rows, opened.segments_beside
    changed: list[object] = []

    def beside(journal: Path) -> Any:
        if not changed:
            changed.append(1)
            packing.unpack(path)
        return real(journal)

    monkeypatch.setattr(opened, "segments_beside", beside)
    assert [event.seq for event in read(path)] == list(range(1, count + 1))


def test_what_gets_a_name_is_on_the_disk_before_and_its_name_right_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut at any moment finds a whole part, or a whole plain file, under each name."""
    path = grown(tmp_path / "desk.jsonl", 40)
    done: list[tuple[str, str]] = []
    sync = os.fsync

    def synced(descriptor: int) -> None:
        done.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        sync(descriptor)

    def naming(real: Any) -> Any:
        def name(source: Any, target: Any, **more: Any) -> None:
            done.append(("name", Path(source).name))
            real(source, target, **more)

        return name

    monkeypatch.setattr(os, "fsync", synced)
    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, naming(getattr(os, name)))
    packing.pack(path, FAR, 3000)
    packing.unpack(path)
    named = [n for n, (what, _) in enumerate(done) if what == "name"]
    assert len(named) > 4
    for n in named:
        assert done[n - 1] == ("sync", done[n][1])
        assert done[n + 1] == ("sync", tmp_path.name)


def test_a_people_journal_that_was_replaced_by_another_gets_no_record(tmp_path: Path) -> None:
    """A packing goes on where the file was; a copy of yesterday does not."""
    path = grown(tmp_path / "people.jsonl", 40)
    yesterday = path.read_bytes()
    journal = Journal(path, "api")
    journal.append([Event("ask", 1, {})])
    other = tmp_path / "other"
    other.write_bytes(yesterday)
    other.replace(path)
    with pytest.raises(Exception, match="removed under its writer"):
        journal.append([Event("ask", 2, {})])
    journal.close()
    assert path.read_bytes() == yesterday


def test_a_journal_names_the_head_of_the_other_after_that_was_packed(tmp_path: Path) -> None:
    """An API that runs on while the desk is packed and goes on."""
    desk = grown(tmp_path / "desk.jsonl", 40)
    people = Journal(tmp_path / "people.jsonl", "api")
    people.append([Event("ask", 1, {})])
    packed(desk)
    worker = Journal(desk, "worker")
    head = worker.append([Event("mark", 99_000, {})])[-1]
    people.append([Event("ask", 2, {})])
    worker.close()
    people.close()
    assert next(reversed(list(read(tmp_path / "people.jsonl")))).other == f"{head.id}:{head.hash}"


def test_a_part_that_reads_back_differently_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk or a library that gives other bytes than it took: nothing is left of it."""
    path = grown(tmp_path / "desk.jsonl", 40)
    whole = path.read_bytes()
    monkeypatch.setattr(packing, "texts_of", lambda _: iter([b"other"]))
    with pytest.raises(DataError, match="reads back differently"):
        packing.pack(path, FAR, 3000)
    assert path.read_bytes() == whole
    assert sorted(file.name for file in tmp_path.iterdir()) == ["desk.jsonl", "desk.lock"]


def test_a_journal_that_is_replaced_while_it_is_packed_stays_what_it_was_replaced_by(tmp_path: Path) -> None:
    """Somebody puts back a copy in that moment: it is not overwritten by a shorter file of the other one."""
    path = grown(tmp_path / "desk.jsonl", 40)
    whole = path.read_bytes()

    def step(name: str) -> None:
        if name == "plain locked":
            (tmp_path / "copy").write_bytes(whole)
            (tmp_path / "copy").replace(path)

    with pytest.raises(DataError, match="was replaced"):
        packing.pack(path, FAR, 3000, step=step)
    assert path.read_bytes() == whole
    assert not list(tmp_path.glob("*.zst"))
