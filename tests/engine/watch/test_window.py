"""A window of the journal is what a reader of the whole file would pick, at any size and any instant."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store.journal import Event, Journal, read
from engine.watch.window import between, desk_ms, journal_of, mark_at

BAR = 900_000


def write(home: Path, steps: list[int], pad: int = 0) -> Path:
    """A journal with a group of bar, fill and mark at each step of bars, and an incident out of time now and then."""
    path = journal_of(home)
    journal = Journal(path, "worker")
    t = 0
    for n, step in enumerate(steps):
        t += step * BAR
        bodies = [("bar", {"n": n}), ("fill", {"pad": "x" * pad}), ("mark", {"n": n})]
        journal.append([Event(kind, t, body) for kind, body in bodies], sync=False)
        if n % 3 == 2:
            journal.append([Event("incident", 99_999 * BAR, {})], sync=False)
    journal.close()
    return path


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(-1, 60), st.integers(0, 60), st.sampled_from([0, 3000]))
def test_it_equals_reading_the_whole_file(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], start: int, more: int, pad: int
) -> None:
    """Same events as a filter over everything; the same last mark."""
    path = write(tmp_path_factory.mktemp("home"), steps, pad)
    low, high = start * BAR, (start + more) * BAR
    everything = list(read(path))
    assert list(between(path, low, high)) == [e for e in everything if low < e.t_event_ms <= high]
    fills = [e for e in everything if e.kind == "fill" and low < e.t_event_ms <= high]
    assert list(between(path, low, high, {"fill"})) == fills
    marks = [e for e in everything if e.kind == "mark" and e.t_event_ms <= high]
    assert mark_at(path, high) == (marks[-1] if marks else None)


def test_an_unfinished_group_is_left_out(tmp_path: Path) -> None:
    """What a crash cut short is not shown."""
    path = write(tmp_path, [1, 1])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    assert [e.id for e in between(path, 0, 10 * BAR)] == ["d-1", "d-2", "d-3"]
    assert mark_at(path).id == "d-3"
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    assert mark_at(path).id == "d-3"
    assert desk_ms(tmp_path) == BAR


def test_without_a_journal_there_is_nothing(tmp_path: Path) -> None:
    """A home that never ran has no events and no desk time."""
    assert list(between(journal_of(tmp_path), 0, 10)) == []
    assert mark_at(journal_of(tmp_path)) is None
    assert desk_ms(tmp_path) is None


def test_the_last_mark_is_read_again_once_the_journal_has_grown(tmp_path: Path) -> None:
    """Between two records the file is read once; after one nobody sees the mark before it."""
    path = write(tmp_path, [1, 1])
    first = mark_at(path)
    assert first is mark_at(path)
    journal = Journal(path, "worker")
    for n in (3, 4):
        journal.append([Event("mark", n * BAR, {"n": n})])
        assert mark_at(path).t_event_ms == desk_ms(tmp_path) == n * BAR
    journal.close()
