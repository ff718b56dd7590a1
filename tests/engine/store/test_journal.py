"""The journals: whole groups or nothing, every fault named with its line, one hash for equal runs."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import Busy, DataError, JournalBroken
from engine.store import journal as journals
from engine.store.anchors import anchor_claims, note_head, verify_home
from engine.store.journal import Event, Journal, find, journal_hash, read, tail, verify
from tests.fakes.waiting import WAIT_S

BODY = {"close": 64012.1, "lots": 3, "why": "none", "features": {"sma(40)": 1 / 3}}


def _fill(path: Path, groups: int, size: int = 3, **body: object) -> None:
    """Write `groups` groups of `size` events."""
    journal = Journal(path, "test")
    for n in range(groups):
        journal.append([Event("bar", n, {**BODY, **body, "n": n})] * size, sync=False)
    journal.close()


def test_what_is_appended_is_read_back_in_order(tmp_path: Path) -> None:
    """Envelope, ids and causes come back as they were given or made."""
    journal = Journal(tmp_path / "desk.jsonl", "worker 1")
    heads = journal.append(
        [
            Event("bar", 900_000, BODY, config_version=4, run_id="r", code_hash="c", t_recv_ms=7),
            Event("decision", 900_000, {}, cause_id="@0"),
        ]
    )
    assert [head.id for head in heads] == ["d-1", "d-2"]
    bar, decision = read(journal.path)
    assert bar.body == BODY
    assert (bar.config_version, bar.run_id, bar.code_hash, bar.t_recv_ms, bar.writer) == (4, "r", "c", 7, "worker 1")
    assert (decision.cause_id, decision.prev, decision.hash) == ("d-1", bar.hash, heads[1].hash)
    assert journal.id_ahead(0) == "d-3"
    assert (find(journal.path, "d-2"), find(journal.path, "d-3"), find(journal.path, "p-2")) == (decision, None, None)
    assert tail(journal.path, 1) == [decision]
    assert list(read(journal.path, kinds={"decision"})) == [decision]
    assert list(read(journal.path, after=1)) == [decision]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5), st.text(max_size=20))
@example([], "half a pair: \ud83d")
def test_numbers_and_texts_come_back_bit_for_bit(numbers: list[float], text: str) -> None:
    """Every finite float and every text, also half a surrogate pair, survives the line."""
    line, _ = journals.line_of(Event("x", 1, {"n": numbers, "t": text}), journals.EMPTY, "d-", "w", 0, "")
    back = journals.event_of(line[:-1]).body
    assert [x.hex() for x in back["n"]] == [x.hex() for x in numbers]
    assert back["t"] == text


@given(st.integers())
@example(1 << 64)
@example(-(1 << 63) - 1)
def test_a_whole_number_comes_back_as_it_is_or_is_refused(number: int) -> None:
    """Beyond 64 bits a reader would get a float: never written, so never read."""
    try:
        line, _ = journals.line_of(Event("x", 1, {"n": number}), journals.EMPTY, "d-", "w", 0, "")
    except DataError:
        assert not -(1 << 63) <= number < 1 << 64
        return
    back = journals.event_of(line[:-1]).body["n"]
    assert (type(back), back) == (int, number)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, object(), {1, 2}, 1 << 64])
def test_what_is_no_json_is_refused_and_nothing_is_written(tmp_path: Path, value: object) -> None:
    """A group with one bad body leaves no trace, and the journal goes on."""
    journal = Journal(tmp_path / "desk.jsonl", "w")
    with pytest.raises(DataError, match="decision"):
        journal.append([Event("bar", 1, {}), Event("decision", 1, {"x": {"y": value}})])
    assert journal.path.read_bytes() == b""
    assert journal.append([Event("bar", 1, {})])[0].id == "d-1"


def test_cut_at_every_byte_whole_groups_survive_and_nothing_is_lost(tmp_path: Path) -> None:
    """Whatever byte a crash stops at: whole groups stay, the rest lies beside the journal, and appending goes on."""
    whole = tmp_path / "whole" / "desk.jsonl"
    _fill(whole, groups=3, size=2)
    data = whole.read_bytes()
    lines = data.splitlines(keepends=True)
    ends = [sum(map(len, lines[:n])) for n in (0, 2, 4, 6)]
    for cut in range(len(data) + 1):
        path = tmp_path / f"cut{cut}" / "desk.jsonl"
        path.parent.mkdir()
        path.write_bytes(data[:cut])
        journal = Journal(path, "w")
        end = max(e for e in ends if e <= cut)
        kept = b"".join(p.read_bytes() for p in journal.set_aside)
        assert path.read_bytes() + kept == data[:cut]
        assert path.stat().st_size == end
        assert journal.append([Event("bar", 9, {})], sync=False)[0].seq == 2 * ends.index(end) + 1
        journal.close()
        report = verify(path)
        assert report.ok, (cut, report)
        assert bool(report.set_aside) == (cut not in ends)


def test_a_hole_of_zero_bytes_at_the_end_is_set_aside(tmp_path: Path) -> None:
    """A machine that lost power may have grown the file without its bytes, even with a newline behind."""
    path = tmp_path / "desk.jsonl"
    _fill(path, groups=2)
    good = path.read_bytes()
    path.write_bytes(good + b'{"seq":7' + b"\0" * 100 + b"\n" + b"\0" * 70_000)
    journal = Journal(path, "w")
    assert path.read_bytes() == good
    assert journal.head.seq == 6
    assert journal.set_aside[0].stat().st_size == 70_000 + 109


def test_a_changed_last_record_stops_the_writer(tmp_path: Path) -> None:
    """A finished line that does not carry its hash is damage: nothing is cut, nothing is appended."""
    path = tmp_path / "desk.jsonl"
    _fill(path, groups=2)
    damaged = path.read_bytes()[:-80] + b"x" + path.read_bytes()[-79:]
    path.write_bytes(damaged)
    with pytest.raises(JournalBroken, match="byte"):
        Journal(path, "w")
    assert path.read_bytes() == damaged


def test_a_group_longer_than_a_block_is_found_from_the_end(tmp_path: Path) -> None:
    """The head is found also behind lines of hundreds of kilobytes."""
    path = tmp_path / "desk.jsonl"
    _fill(path, groups=2, size=2, snapshot="s" * 300_000)
    assert Journal(path, "w").head.seq == 4
    assert [e.seq for e in tail(path, 3)] == [2, 3, 4]


def _swap(lines: list[bytes]) -> None:
    lines[4], lines[5] = lines[5], lines[4]


def _edit(lines: list[bytes]) -> None:
    lines[4] = lines[4].replace(b'"lots":3', b'"lots":4')


def _drop(lines: list[bytes]) -> None:
    del lines[4]


def _double(lines: list[bytes]) -> None:
    lines.insert(4, lines[3])


def _garbage(lines: list[bytes]) -> None:
    lines[4] = b"\xff not json\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [(_edit, "changed"), (_drop, "removed"), (_swap, "removed"), (_double, "removed"), (_garbage, "not a journal record")],
)
def test_verify_names_the_line_and_the_reason(tmp_path: Path, change: object, words: str) -> None:
    """Any tampering in the middle is told with its line number, from 1."""
    path = tmp_path / "desk.jsonl"
    _fill(path, groups=3)
    lines = path.read_bytes().splitlines(keepends=True)
    change(lines)
    path.write_bytes(b"".join(lines))
    report = verify(path)
    assert (report.ok, report.line, report.rows) == (False, 5, 3)
    assert words in report.reason


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """No single byte of a journal can be changed without verification telling."""
    path = tmp_path / "desk.jsonl"
    _fill(path, groups=2, size=1)
    data = path.read_bytes()
    for n in range(len(data)):
        path.write_bytes(data[:n] + bytes([data[n] ^ 1]) + data[n + 1 :])
        report = verify(path)
        assert not report.ok or report.unfinished_bytes, n


def test_records_dropped_at_the_end_are_noticed_by_the_database(tmp_path: Path, sqlite: object) -> None:
    """A chain cut at a whole record is sound in itself; the anchored head gives it away."""
    path = tmp_path / "desk.jsonl"
    _fill(path, groups=4, size=1)
    note_head(sqlite, "desk", verify(path).head, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    assert verify(path).ok
    report = verify_home(tmp_path, sqlite)["desk"]
    assert (report.ok, report.line) == (False, 3)
    assert "2 records are missing at the end: the database recorded d-4" in report.reason
    path.unlink()
    assert not verify_home(tmp_path, sqlite)["desk"].ok


def test_a_journal_written_anew_is_noticed_by_the_database(tmp_path: Path, sqlite: object) -> None:
    """A fresh chain of the same length is not the one that was anchored."""
    path = tmp_path / "desk.jsonl"
    _fill(path, groups=2, size=1)
    note_head(sqlite, "desk", verify(path).head, 1)
    path.unlink()
    _fill(path, groups=3, size=1, lie=True)
    report = verify_home(tmp_path, sqlite)["desk"]
    assert (report.ok, report.line) == (False, 2)
    assert "rewritten" in report.reason


def test_an_anchor_never_moves_backwards(sqlite: object) -> None:
    """A slower process cannot hide what a faster one has seen."""
    for seq in (5, 3):
        note_head(sqlite, "desk", journals.Head(seq, f"d-{seq}", f"h{seq}"), 1)
    assert [claim.seq for claim in anchor_claims(sqlite, "desk")] == [5]


def test_each_journal_remembers_the_other(tmp_path: Path) -> None:
    """Cutting one journal alone is told by the other, without any database."""
    desk, people = Journal(tmp_path / "desk.jsonl", "worker"), Journal(tmp_path / "people.jsonl", "cli")
    desk.append([Event("bar", 1, {})])
    people.append([Event("ask", 1, {})])
    desk.append([Event("bar", 2, {})])
    people.append([Event("ask", 2, {}), Event("tool", 2, {})])
    assert [bool(e.other) for e in read(people.path)] == [True, True, False]
    assert all(report.ok for report in verify_home(tmp_path, None).values())
    desk.path.write_bytes(desk.path.read_bytes().splitlines(keepends=True)[0])
    report = verify_home(tmp_path, None)["desk"]
    assert not report.ok
    assert "p-2 recorded d-2" in report.reason


def test_the_desk_journal_has_one_writer(tmp_path: Path) -> None:
    """A second writer is told so; after the first has gone it may write."""
    first = Journal(tmp_path / "desk.jsonl", "worker")
    with pytest.raises(Busy, match="already has a writer"):
        Journal(tmp_path / "desk.jsonl", "another")
    first.close()
    Journal(tmp_path / "desk.jsonl", "another").close()


def test_a_desk_journal_changed_under_its_writer_stops_it(tmp_path: Path) -> None:
    """What the writer did not write is not built upon."""
    journal = Journal(tmp_path / "desk.jsonl", "worker")
    journal.append([Event("bar", 1, {})])
    journal.path.write_bytes(b"")
    for _ in range(2):
        with pytest.raises(JournalBroken):
            journal.append([Event("bar", 2, {})])


@pytest.mark.parametrize("broken", ["write", "fdatasync"])
def test_a_failing_disk_stops_the_journal_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """A failed write or sync is never tried again, and leaves no record that might not be there tomorrow."""
    journal = Journal(tmp_path / "desk.jsonl", "worker")
    journal.append([Event("bar", 1, {})])
    before = journal.path.read_bytes()

    def fail(*_args: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, broken, fail)
        with pytest.raises(JournalBroken, match="No space left on device; the last record is d-1"):
            journal.append([Event("bar", 2, {})])
    with pytest.raises(JournalBroken, match="accepts no more records"):
        journal.append([Event("bar", 2, {})])
    assert journal.path.read_bytes() == before


def test_half_a_write_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up in the middle of a group leaves the groups before it."""
    journal = Journal(tmp_path / "desk.jsonl", "worker")
    journal.append([Event("bar", 1, {})])
    before, real = journal.path.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[: len(data) // 2]))
    with pytest.raises(JournalBroken):
        journal.append([Event("bar", 2, {})] * 3)
    assert journal.path.read_bytes() == before


def test_a_group_in_the_making_does_not_show(tmp_path: Path) -> None:
    """A reader sees whole groups only, and verification says how many bytes are unfinished."""
    path = tmp_path / "desk.jsonl"
    _fill(path, groups=2, size=3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5]) + b'{"seq"')
    assert len(list(read(path))) == 3
    report = verify(path)
    assert (report.ok, report.rows, report.head.seq) == (True, 3, 3)
    assert report.unfinished_bytes == len(lines[3] + lines[4]) + 6


APPENDING = """
import os, sys, time
from pathlib import Path
from engine.store.journal import Event, Journal
path, name, rows = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
journal = Journal(path, name)
print("ready", flush=True)
sys.stdin.readline()
write = os.write
os.write = lambda *given: time.sleep(0.002) or write(*given)  # others come while it writes, on a machine of one core too
for n in range(rows):
    journal.append([Event("tool", n, {"n": n})] * (1 + n % 3))
"""


def test_four_processes_write_one_chain(tmp_path: Path) -> None:
    """Rows of all processes are there, in one unbroken chain, groups undivided."""
    path, rows, names = tmp_path / "people.jsonl", 30, ("w0", "w1", "w2", "w3")
    command = [sys.executable, "-c", APPENDING, str(path)]
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, name, str(rows)], **piped) for name in names]
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 4
    for writer in writers:  # all have their journal open, and begin now
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=WAIT_S)
    assert [writer.returncode for writer in writers] == [0] * 4
    report = verify(path)
    assert (report.ok, report.rows) == (True, 4 * rows * 2)
    for name in names:
        assert [e.body["n"] for e in read(path) if e.writer == name] == [n for n in range(rows) for _ in range(1 + n % 3)]


def test_people_journal_recovers_what_another_process_left_unfinished(tmp_path: Path) -> None:
    """A process killed while writing does not stop the others."""
    journal = Journal(tmp_path / "people.jsonl", "cli")
    journal.append([Event("ask", 1, {})])
    with journal.path.open("ab") as file:
        file.write(b'{"seq":2,"id":"p-2","ki')
    assert journal.append([Event("ask", 2, {})])[0].id == "p-2"
    assert verify(journal.path).ok
    assert journal.set_aside[0].read_bytes() == b'{"seq":2,"id":"p-2","ki'


HASH_PROGRAM = """
import sys
from pathlib import Path
from engine.store.journal import Event, Journal, journal_hash
journal = Journal(Path(sys.argv[1]), sys.argv[2])
for n in range(20):
    journal.append([Event("bar", n, {k: n / 3 for k in set("abcdefgh")}, t_recv_ms=int(sys.argv[3]))], sync=False)
    if sys.argv[3] == "5":
        journal.append([Event("snapshot", n, {"pid": 7}), Event("incident", n, {"what": "restart"})], sync=False)
print(journal_hash(journal.path))
"""


def test_equal_runs_have_one_hash_whatever_the_hash_seed(tmp_path: Path) -> None:
    """Wall time, writer, snapshots, incidents and PYTHONHASHSEED do not enter the journal's hash."""
    found = set()
    for seed in ("1", "2", "5"):
        path = tmp_path / seed / "desk.jsonl"
        words = [sys.executable, "-c", HASH_PROGRAM, str(path), f"writer {seed}", seed]
        done = subprocess.run(
            words, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": seed}, timeout=WAIT_S
        )
        found.add(done.stdout.strip())
    assert len(found) == 1


def test_the_hash_tells_runs_apart(tmp_path: Path) -> None:
    """One changed number is another hash."""
    _fill(tmp_path / "a" / "desk.jsonl", 3)
    _fill(tmp_path / "b" / "desk.jsonl", 3, close=64012.100000000006)
    assert journal_hash(tmp_path / "a" / "desk.jsonl") != journal_hash(tmp_path / "b" / "desk.jsonl")


def test_a_line_can_be_checked_with_ordinary_tools(tmp_path: Path) -> None:
    """The rule of the hash is the documented one: SHA-256 of the text before `,"hash":`."""
    from hashlib import sha256

    path = tmp_path / "desk.jsonl"
    _fill(path, 1)
    for line in path.read_text().splitlines():
        assert sha256(line.partition(',"hash":')[0].encode()).hexdigest() == json.loads(line)["hash"]


def test_a_journal_that_cannot_be_opened_is_one_clear_line(tmp_path: Path) -> None:
    """A file where its folder should be, a folder where it should be."""
    (tmp_path / "journal").write_text("x")
    (tmp_path / "people.jsonl").mkdir()
    for path in (tmp_path / "journal" / "desk.jsonl", tmp_path / "people.jsonl"):
        with pytest.raises(JournalBroken, match="cannot be opened"):
            Journal(path, "w")
