"""What is no file of market data, or no sane one, is one true line before anything reads it whole."""

import os
from pathlib import Path

import polars as pl
import pytest

from engine.data.dialects import containers
from engine.data.files import read_any
from engine.errors import DataError


def fifo(path: Path) -> None:
    """A pipe that nobody writes into."""
    os.mkfifo(path)


def device(path: Path) -> None:
    """A link to a file without an end."""
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    """A link to itself."""
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [(Path.mkdir, "is a folder"), (fifo, "no regular file"), (device, "no regular file"), (loop, "a link that leads nowhere")],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_no_file_says_what_it_is(tmp_path: Path, make: object, words: str, suffix: str) -> None:
    """It is not opened: a pipe would wait for ever, a device has no end."""
    assert callable(make)
    make(path := tmp_path / f"x{suffix}")
    with pytest.raises(DataError, match=words):
        read_any(path)


def test_a_table_of_too_many_columns_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand columns took minutes."""
    monkeypatch.setattr(containers, "COLUMNS_MAX", 5)
    pl.DataFrame({f"c{n}": [1] for n in range(6)}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="too wide: 6 columns"):
        read_any(tmp_path / "x.parquet")


def test_a_first_line_that_is_too_long_is_not_called_empty(tmp_path: Path) -> None:
    """A header of a hundred thousand names."""
    path = tmp_path / "x.csv"
    path.write_text(",".join("c" * 10 for _ in range(3_000)) + "\n1,2\n")
    with pytest.raises(DataError, match="too wide: a first line of over 20,000 bytes"):
        read_any(path)


def test_a_line_without_an_end_is_not_taken_for_a_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell of 300 MB took 2.8 GB; lines that end may be many."""
    monkeypatch.setattr(containers, "LINE_MAX", 1_000)
    head = "ts,open,high,low,close,volume\n"
    (tmp_path / "long.csv").write_text(head + "1" * 3_000)
    with pytest.raises(DataError, match="a line of over"):
        read_any(tmp_path / "long.csv")
    rows = "".join(f"{1_735_689_600_000 + n * 900_000},1,1,1,1,1\n" for n in range(200))
    (tmp_path / "fine.csv").write_text(head + rows)
    assert read_any(tmp_path / "fine.csv").frame.height == 200
