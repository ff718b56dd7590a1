"""A packed journal reads as the plain one: whatever was appended, packed, opened again and unpacked, in whatever order."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Busy, JournalBroken
from engine.store import packing, segments
from engine.store.chain import Event, Head
from engine.store.journal import Journal, find, journal_hash, read, tail, verify
from engine.store.lookback import last
from engine.store.onward import onward
from engine.store.opened import open_journal, parts_of, size_of
from engine.store.segments import PartBroken
from engine.watch.window import between, first_after

FAR = 1 << 62


@pytest.fixture(autouse=True)
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of a few records, so that a small journal has many."""
    monkeypatch.setattr(packing, "FRAME", 700)


def grown(path: Path, count: int, first_ms: int = 0, size: int = 40) -> Path:
    """A journal with `count` groups of a bar, now and then an incident, and a mark."""
    journal = Journal(path, "test")
    for n in range(count):
        ms = first_ms + n * 1000
        odd = [Event("incident", 1 << 50, {"what": "x"})] if n % 7 == 3 else []
        journal.append([Event("bar", ms, {"n": n, "t": "y" * size}), *odd, Event("mark", ms, {"n": n})], sync=False)
    journal.close()
    return path


def packed(path: Path, part: int = 3000, **more: Any) -> Path:
    """The journal packed as far as whole parts go."""
    assert packing.pack(path, FAR, part, **more)
    return path


def plain_bytes(path: Path) -> bytes:
    """The journal as its readers see it."""
    with open_journal(path) as file:
        return file.read()


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(0, 300), min_size=1, max_size=4)),
        st.tuples(st.just("pack"), st.integers(200, 4000)),
        st.tuples(st.just("unpack"), st.just(0)),
        st.tuples(st.just("reopen"), st.just(0)),
    ),
    min_size=3,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(ACTS, st.sampled_from(["desk", "people"]))
def test_any_order_of_acts_reads_as_a_plain_journal(tmp_path_factory: Any, acts: list[Any], name: str) -> None:
    """Same bytes, heads, chain, records by number, time, kind and from the end; each group once."""
    folder = tmp_path_factory.mktemp("packed")
    path, beside = folder / f"{name}.jsonl", folder / "plain" / f"{name}.jsonl"
    journal, plain, n = Journal(path, "w"), Journal(beside, "w"), 0
    for act, value in acts:
        if act == "append":
            n += 1
            group = [Event("incident" if size == 77 else "note", n * 10, {"x": "y" * size}) for size in value]
            assert journal.append(group, sync=False) == plain.append(group, sync=False)
            continue
        if name == "desk" or act == "reopen":
            journal.close()
        if act == "pack":
            packing.pack(path, FAR, value)
        elif act == "unpack":
            packing.unpack(path)
            assert parts_of(path) == ()
        if name == "desk" or act == "reopen":
            journal = Journal(path, "w")
    journal.close()
    plain.close()
    assert plain_bytes(path) == beside.read_bytes()
    assert size_of(path) == beside.stat().st_size
    alike(path, beside)


def alike(path: Path, beside: Path) -> None:
    """Every way to read gives what it gives of the plain journal."""
    assert verify(path) == verify(beside)
    assert journal_hash(path) == journal_hash(beside)
    events = list(read(beside))
    for seq in range(len(events) + 2):
        assert list(read(path, after=seq)) == events[seq:]
        assert find(path, f"{path.name[0]}-{seq}") == find(beside, f"{path.name[0]}-{seq}")
    for count in (1, 3, 1000):
        assert tail(path, count) == tail(beside, count)
    assert last(path, ("note",)) == last(beside, ("note",))
    assert onward(path, 0, ("note",)) == onward(beside, 0, ("note",))
    with open_journal(path) as one, beside.open("rb") as other:
        for ms in range(-5, (events[-1].t_event_ms if events else 0) + 25, 5):
            assert first_after(one, ms) == first_after(other, ms)
    assert list(between(path, 15, 100)) == list(between(beside, 15, 100))


@pytest.mark.sample(1)
@pytest.mark.parametrize("name", ["desk", "people"])
def test_a_grown_journal_is_smaller_and_reads_the_same(tmp_path: Path, name: str) -> None:
    """Several parts of several frames; a second packing goes on where the first ended."""
    path = grown(tmp_path / f"{name}.jsonl", 30, size=500)
    shutil.copytree(tmp_path, tmp_path / "plain")
    packed(path, most=2)
    assert len(parts_of(path)) == 2
    packed(path)
    assert len(parts_of(path)) > 3
    assert sum(file.stat().st_size for file in tmp_path.glob("*.jsonl*")) < (tmp_path / "plain" / path.name).stat().st_size / 2
    alike(path, tmp_path / "plain" / path.name)
    journal = Journal(path, "test")
    assert journal.append([Event("mark", 99_000, {})])[0].seq == verify(tmp_path / "plain" / path.name).rows + 1
    journal.close()
    assert verify(path).ok


def test_a_record_by_number_or_time_opens_one_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many parts there are."""
    path = packed(grown(tmp_path / "desk.jsonl", 200))
    opened: list[int] = []
    real = segments.frame_text

    def counting(segment: Any, descriptor: int, index: Any, number: int) -> bytes:
        opened.append(number)
        return real(segment, descriptor, index, number)

    monkeypatch.setattr(segments, "frame_text", counting)
    for seq in (1, 17, 150, 300):
        segments._TEXTS.clear()
        opened.clear()
        event = find(path, f"d-{seq}")
        assert event is not None
        assert event.seq == seq
        assert len(opened) == 1
    opened.clear()
    assert next(between(path, 49_000, 50_000, {"bar"})).body["n"] == 50
    assert len(opened) <= 2  # the one that follows, where the window begins at its end
    opened.clear()
    assert next(between(path, 49_000, 50_000, {"bar"})).body["n"] == 50
    assert opened == []  # what was read lately is unpacked already


def test_a_part_that_is_changed_after_it_was_read_is_found(tmp_path: Path) -> None:
    """What a process has unpacked is no answer for a file that was written to since, whatever times it is given."""
    path = packed(grown(tmp_path / "desk.jsonl", 200))
    part, before = parts_of(path)[0], find(path, "d-1")
    status = part.path.stat()
    with part.path.open("r+b") as file:
        file.seek(40)
        byte = file.read(1)
        file.seek(40)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(part.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert before is not None
    with pytest.raises(PartBroken):
        find(path, "d-1")


def test_what_was_unpacked_is_kept_within_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole reading leaves the last frames; one larger than half of the room is not kept."""
    path = packed(grown(tmp_path / "desk.jsonl", 200))
    segments._TEXTS.clear()
    sizes = [len(text) for part in parts_of(path) for text in segments.texts_of(part)]
    room = max(sizes) * 3
    monkeypatch.setattr(segments, "TEXTS_MAX", room)
    assert verify(path).ok
    assert 0 < sum(map(len, segments._TEXTS.values())) <= room
    segments._TEXTS.clear()
    monkeypatch.setattr(segments, "TEXTS_MAX", 2 * min(sizes) - 1)
    assert verify(path).ok
    assert not segments._TEXTS


def test_the_lines_are_there_for_any_zstd(tmp_path: Path) -> None:
    """A part unpacks to the lines without Nightdesk: the index is left out."""
    import zstandard

    path = grown(tmp_path / "desk.jsonl", 60)
    whole = path.read_bytes()
    packed(path)
    text = b"".join(
        zstandard.ZstdDecompressor().stream_reader(part.path.open("rb"), read_across_frames=True).read()
        for part in parts_of(path)
    )
    assert text + path.read_bytes() == whole


def test_a_desk_that_is_written_is_not_packed(tmp_path: Path) -> None:
    """Nor is one without its lock file."""
    path = grown(tmp_path / "desk.jsonl", 60)
    journal = Journal(path, "worker")
    with pytest.raises(Busy, match="stop the desk first"):
        packing.pack(path, FAR, 3000)
    os.unlink(path.with_suffix(".lock"))
    with pytest.raises(Busy):
        packing.pack(path, FAR, 3000)
    journal.close()
    packed(path)


def test_a_broken_chain_is_not_packed(tmp_path: Path) -> None:
    """Damage stays where a person finds it."""
    path = grown(tmp_path / "desk.jsonl", 60)
    text = path.read_bytes()
    path.write_bytes(text.replace(b'{"n":7,', b'{"n":8,', 1))
    with pytest.raises(JournalBroken, match="was changed"):
        packing.pack(path, FAR, 3000)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["desk.jsonl", "desk.lock"]


def two_parts(folder: Path) -> tuple[Path, Path, Path]:
    """A packed journal, and its first two parts."""
    path = packed(grown(folder / "desk.jsonl", 60))
    first, second = parts_of(path)[:2]
    return path, first.path, second.path


def flipped(path: Path, at: int) -> None:
    """One bit of a file, changed."""
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


@pytest.mark.slow
def test_a_changed_bit_anywhere_in_a_part_is_found(tmp_path: Path) -> None:
    """In a frame with the number of its first record, in the index with that of the part; never a wrong event."""
    path, _, second = two_parts(tmp_path)
    sealed = second.read_bytes()
    firsts = {frame.seq for frame in segments.last_frame(parts_of(path)[1])[0].frames}
    events = list(read(path))
    for at in range(0, len(sealed), 7):
        flipped(second, at)
        segments._INDEXES.clear()  # within one tick of the file system's clock nothing says that it was written
        report = verify(path)
        assert not report.ok, at
        assert report.line in firsts, at
        assert report.rows <= report.line - 1, at
        got = list[Event]()
        with pytest.raises(JournalBroken):
            got.extend(read(path))
        assert got == events[: len(got)]
        second.write_bytes(sealed)
    assert verify(path).ok


def test_a_part_that_is_cut_missing_or_swapped_is_found(tmp_path: Path) -> None:
    """With the first record that is not there; a reader and a writer refuse, and nothing is written."""
    path, one, two = two_parts(tmp_path)
    starts = [part.first for part in parts_of(path)]
    whole = {file.name: file.read_bytes() for file in tmp_path.glob("*.jsonl*")}

    def put_back() -> None:
        for name, data in whole.items():
            (tmp_path / name).write_bytes(data)

    for cut in (0, 1, 10, len(whole[two.name]) // 2, len(whole[two.name]) - 1):
        two.write_bytes(whole[two.name][:cut])
        assert (verify(path).ok, verify(path).line) == (False, starts[1]), cut
    put_back()
    every = [part.path for part in parts_of(path)]
    for gone, files in ((starts[0], [one]), (starts[1], [two]), (starts[-1], every[-1:]), (starts[0], every)):
        for file in files:
            file.unlink()
        report = verify(path)
        assert (report.ok, report.line) == (False, gone)
        for reading in (lambda: list(read(path)), lambda: find(path, "d-1"), lambda: Journal(path, "w"), lambda: size_of(path)):
            with pytest.raises(JournalBroken, match="is missing"):
                reading()
        assert path.read_bytes() == whole[path.name]
        put_back()
    one.write_bytes(whole[two.name])
    two.write_bytes(whole[one.name])
    assert (verify(path).ok, verify(path).line) == (False, starts[0])
    put_back()
    assert verify(path).ok


def test_a_part_of_another_journal_does_not_follow(tmp_path: Path) -> None:
    """Same numbers and bytes, whole in itself: the chain does not go through it."""
    path, _, two = two_parts(tmp_path)
    other = tmp_path / "other" / "desk.jsonl"
    grown(other, 60, first_ms=1_000_000)
    text = other.read_bytes().replace(b'"n":', b'"m":')
    assert text != other.read_bytes()
    shutil.rmtree(tmp_path / "other")
    journal = Journal(other, "test")
    for n in range(60):
        odd = [Event("incident", 1 << 50, {"what": "x"})] if n % 7 == 3 else []
        journal.append([Event("bar", n * 1000, {"n": n, "t": "z" * 40}), *odd, Event("mark", n * 1000, {"n": n})], sync=False)
    journal.close()
    packed(other)
    assert other.with_name(two.name).exists()
    shutil.copy(other.with_name(two.name), two)
    report = verify(path)
    assert (report.ok, report.line) == (False, parts_of(path)[1].first)
    assert "does not follow" in report.reason


@pytest.mark.parametrize("left", [b"", b"\0" * 100, b"rubbish\n", None])
def test_the_plain_file_of_a_packed_journal_is_never_begun_anew(tmp_path: Path, left: bytes | None) -> None:
    """Missing, empty or overwritten: a journal that went on at number 1 would be another."""
    path, *_ = two_parts(tmp_path)
    due = parts_of(path)[-1].last + 1
    path.unlink() if left is None else path.write_bytes(left)
    report = verify(path)
    assert (report.ok, report.line) == (False, due)
    with pytest.raises(JournalBroken):
        Journal(path, "worker")
    assert path.exists() == (left is not None)
    assert left is None or path.read_bytes() == left


def test_a_plain_file_cut_inside_its_first_group_is_never_begun_anew(tmp_path: Path) -> None:
    """Its first record is there, its group is not: nothing is set aside, nothing is written."""
    path, *_ = two_parts(tmp_path)
    due = parts_of(path)[-1].last + 1
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    whole = path.read_bytes()
    with pytest.raises(JournalBroken, match=f"ends with record {due - 1}"):
        Journal(path, "worker")
    assert path.read_bytes() == whole
    assert not list(tmp_path.glob("*unfinished*"))


def test_an_older_plain_file_over_a_packed_journal_costs_no_part(tmp_path: Path) -> None:
    """Its parts have records that it has not: a packing removes none of them, and neither does unpacking."""
    path = grown(tmp_path / "desk.jsonl", 30)
    older = path.read_bytes()
    grown(path, 30, first_ms=100_000)
    packed(path)
    parts = [part.path for part in parts_of(path)]
    path.write_bytes(older)
    for act in (lambda: packing.pack(path, FAR, 3000), lambda: packing.unpack(path)):
        with pytest.raises(JournalBroken, match="one of them is of another time"):
            act()
    assert all(part.exists() for part in parts)
    assert path.read_bytes() == older


class Short(bytes):
    """Text that says it is shorter than it is."""

    def __len__(self) -> int:
        return 300


def test_a_frame_that_would_unpack_to_more_than_its_index_says_is_not_unpacked(tmp_path: Path) -> None:
    """A part that somebody made, with digests that fit: its size is compared before memory is taken."""
    path = tmp_path / "desk.jsonl"
    text = Short(b'{"seq":1,' + b"0" * 50_000_000 + b"\n")
    part = segments.PackedPart(segments.name_of(path, 1, 5, 0, 300), 1, 5, 0, 300)
    with part.path.open("wb") as out:
        segments.write_segment(out, [segments.FramePiece(1, 0, text)], 0, "0" * 64, lambda: Head(5, "d-5", "0" * 64))
    assert part.path.stat().st_size < 10_000
    path.write_bytes(b'{"seq":6,"id":"d-6"}\n')
    with pytest.raises(JournalBroken, match="another size"):
        list(read(path))
