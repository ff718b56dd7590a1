"""A record far inside a journal is found without reading what stands before it."""

import builtins
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import JournalBroken
from engine.store.journal import Event, Journal, find, read


def _journal(path: Path, sizes: list[list[int]]) -> Path:
    """A journal of groups whose bodies are of these sizes."""
    path.unlink(missing_ok=True)
    journal = Journal(path, "test")
    for group in sizes:
        journal.append([Event("note", 1, {"x": "y" * size}) for size in group], sync=False)
    journal.close()
    return path


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 300), min_size=1, max_size=4), min_size=1, max_size=30))
def test_reading_on_from_anywhere_is_reading_all_of_it(tmp_path_factory: Any, sizes: list[list[int]]) -> None:
    """`read(after=n)` and `find` give what a walk from the first record gives, for every n and beyond both ends."""
    path = _journal(tmp_path_factory.mktemp("far") / "people.jsonl", sizes)
    whole = list(read(path))
    for n in range(len(whole) + 2):
        assert list(read(path, after=n)) == whole[n:]
        assert find(path, f"p-{n}") == (whole[n - 1] if 1 <= n <= len(whole) else None)


def test_a_record_is_found_by_halving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a journal of 4 MB, finding one record reads a small part."""
    path = _journal(tmp_path / "people.jsonl", [[400] * 50 for _ in range(100)])
    lines = [0]
    real = Path.open

    def counting(self: Path, *words: Any, **more: Any) -> Any:
        file = real(self, *words, **more)
        if self != path:
            return file

        class Counted(type(file)):  # type: ignore[misc]  # a reader that counts its lines
            def readline(self, *w: Any) -> bytes:
                lines[0] += 1
                return super().readline(*w)

            def __next__(self) -> bytes:
                lines[0] += 1
                return super().__next__()

        return Counted(builtins.open(self, "rb", buffering=0))

    monkeypatch.setattr(Path, "open", counting)
    found = find(path, "p-4711")
    assert found is not None
    assert found.seq == 4711
    assert 0 < lines[0] < 60


def test_a_broken_line_is_met_wherever_one_reads_from(tmp_path: Path) -> None:
    """A line that is no record stops a reading that begins before it."""
    path = _journal(tmp_path / "people.jsonl", [[10]] * 40)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:30], b"rubbish\n", *lines[30:]]))
    with pytest.raises(JournalBroken, match="not a journal record"):
        list(read(path, after=20))
