"""A recording: every row comes back in order, whatever ended the process; a full disk costs rows, which are counted."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.data import recording as module
from engine.data.recorded import recorded
from engine.data.recording import CHUNK, ROW_BYTES, Recording, path_of
from engine.errors import BadInput, DataError
from tests.fakes.exchange.stage import HandClock

HOUR = 3_600_000
START = 1_700_000_000_000 // HOUR * HOUR + 1_000


@pytest.fixture
def clock() -> HandClock:
    """One second past an hour."""
    return HandClock(START)


@pytest.fixture
def begun(tmp_path: Path, clock: HandClock) -> Callable[[], Recording]:
    """Starts a recording of OKX in the same folder: again after a crash."""
    return lambda: Recording(tmp_path, "okx", clock)


def written(recording: Recording, clock: HandClock, *bodies: object) -> None:
    """Rows a second apart, each its own member."""
    for body in bodies:
        recording.keep("ws", body)
        recording.flush(force=True)
        clock.step(1_000)


def test_rows_come_back_in_order_by_hours(tmp_path: Path, clock: HandClock, begun: Callable[[], Recording]) -> None:
    """Two hours are two files; a span of them can be read alone; gzip reads each."""
    recording = begun()
    for n in range(4):
        recording.keep("ws", {"n": n})
        clock.step(HOUR // 2)
    recording.flush(force=True)
    assert [row.body["n"] for row in recorded(tmp_path, "okx")] == [0, 1, 2, 3]
    assert [row.body["n"] for row in recorded(tmp_path, "okx", START + HOUR // 2, START + HOUR)] == [1]
    files = sorted((tmp_path / "okx").glob("*/*.gz"))
    assert len(files) == 2
    assert [json.loads(line)["body"] for line in gzip.decompress(files[1].read_bytes()).splitlines()] == [{"n": 2}, {"n": 3}]
    size = recording.size()
    assert (size.rows, size.lost_rows, size.first_ms, size.last_ms) == (4, 0, START, START + 3 * HOUR // 2)
    assert size.written_bytes == sum(path.stat().st_size for path in files)
    assert size.bytes_per_day == size.written_bytes * 86_400_000 // (3 * HOUR // 2)


def test_every_torn_end_leaves_what_was_synced(tmp_path: Path, clock: HandClock, begun: Callable[[], Recording]) -> None:
    """The last member cut at any byte: the members before it are read, a restart goes on behind them, nothing is doubled."""
    written(begun(), clock, "a", "b")
    path = path_of(tmp_path / "okx", START)
    before = path.stat().st_size
    written(begun(), clock, "torn")
    full = path.read_bytes()
    for length in range(before, len(full)):
        path.write_bytes(full[:length])
        assert [row.body for row in recorded(tmp_path, "okx")] == ["a", "b"], length
    os.truncate(path, len(full) - 3)
    written(begun(), clock, "c")
    assert [row.body for row in recorded(tmp_path, "okx")] == ["a", "b", "c"]


def test_a_restart_goes_on_behind_large_members(tmp_path: Path, clock: HandClock, begun: Callable[[], Recording]) -> None:
    """Members that unpack to more than is read at once, as a venue's list of instruments does, one behind the other."""
    large = "x" * (3 * CHUNK)
    written(begun(), clock, large, "a", large)
    written(begun(), clock, "b")
    assert [row.body for row in recorded(tmp_path, "okx")] == [large, "a", large, "b"]


def test_nothing_is_written_before_it_is_due(tmp_path: Path, clock: HandClock, begun: Callable[[], Recording]) -> None:
    """A member a few seconds, not one a row."""
    recording = begun()
    recording.keep("ws", 1)
    recording.flush()
    assert recording.size().rows == 0
    clock.step(5_000)
    recording.flush()
    assert recording.size().rows == 1


def test_a_disk_that_fails_costs_rows_only_beyond_the_buffer(
    tmp_path: Path, begun: Callable[[], Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is not writable: named, memory bounded, lost rows counted; once it is, what was kept is written."""
    monkeypatch.setattr(module, "BUFFER_BYTES", 4_000)
    recording, blocked = begun(), tmp_path / "okx"
    blocked.write_text("a file where the folder should be")
    body = "x" * 500
    for _ in range(20):
        recording.keep("rest", body)
        recording.flush(force=True)
    assert "cannot be written" in recording.broken
    assert recording.size().lost_rows == 20 - 7
    blocked.unlink()
    recording.flush(force=True)
    assert (recording.broken, recording.size().rows) == ("", 7)


def test_a_huge_body_is_cut(tmp_path: Path, begun: Callable[[], Recording]) -> None:
    """A list of all instruments: its address and length are kept."""
    recording = begun()
    recording.keep("rest", {"url": "u", "body": "x" * (ROW_BYTES + 1)})
    recording.flush(force=True)
    (row,) = recorded(tmp_path, "okx")
    assert row.body["url"] == "u"
    assert len(row.body["body"]) < 40


def test_no_recording_and_a_changed_one_are_named(tmp_path: Path, clock: HandClock, begun: Callable[[], Recording]) -> None:
    """One line each."""
    with pytest.raises(BadInput, match="no recording of okx"):
        list(recorded(tmp_path, "okx"))
    written(begun(), clock, 1)
    path_of(tmp_path / "okx", START).write_bytes(gzip.compress(b"[]\n"))
    with pytest.raises(DataError, match="line 1 is not a row"):
        list(recorded(tmp_path, "okx"))
