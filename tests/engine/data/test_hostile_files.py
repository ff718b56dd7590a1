"""What is no file of market data, or no sane one, is one true line before anything reads it whole."""

import os
import random
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from engine.data.dialects import containers, tables
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
    monkeypatch.setattr(tables, "COLUMNS_MAX", 5)
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


BARS = {"ts": [1_735_689_600_000 + n * 900_000 for n in range(50)]} | {
    name: [100.0 + 7 * n % 11 for n in range(50)] for name in ("open", "high", "low", "close")
}
BARS["volume"] = [1.0 + 5 * n % 13 for n in range(50)]
GIANT = "x" * 40_000


def array_of(texts: list[str]) -> pa.Array:
    """Texts as a column; one that comes again and again is kept once. Made in a test: pyarrow loads pandas for it."""
    return pa.array(texts) if len(set(texts)) > 1 else pa.array(texts).dictionary_encode()


def written(path: Path, texts: pa.Array) -> Path:
    """Bars with a column of texts, zstd as anybody packs it; texts that come again stand once."""
    table = pa.table({**BARS, "symbol": texts})
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="zstd", dictionary_pagesize_limit=2**30, store_schema=False)
    else:
        feather.write_feather(table, path, compression=path.stem)
    return path


@pytest.mark.parametrize("name", ["x.parquet", "zstd.feather", "lz4.feather", "uncompressed.feather"])
@pytest.mark.parametrize("texts", [[f"{n}{GIANT}" for n in range(50)], [GIANT] * 50], ids=["each its own", "one again and again"])
def test_texts_that_unpack_to_too_much_are_refused_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, texts: list[str]
) -> None:
    """Four megabytes of file held one gigabyte of text; a text that comes again takes its size once a row."""
    monkeypatch.setattr(tables, "TEXTS_MAX", 1_000_000)
    monkeypatch.setattr(tables, "CELL_MAX", 10**9)
    with pytest.raises(DataError, match=r"too large: 2 MiB of text unpacked, at most 1 are read|1,\d{3} MiB"):
        read_any(written(tmp_path / name, array_of(texts)))


@pytest.mark.parametrize("name", ["x.parquet", "zstd.feather"])
@pytest.mark.parametrize("texts", [[GIANT, *"x" * 49], [GIANT] * 50], ids=["one", "one again and again"])
def test_one_giant_text_names_its_column(tmp_path: Path, name: str, texts: list[str]) -> None:
    """It is no table of market data, whatever fits."""
    with pytest.raises(DataError, match="column 'symbol' has a text of 40,000 characters, at most 1,000 are read"):
        read_any(written(tmp_path / name, array_of(texts)))


@pytest.mark.parametrize("name", ["x.parquet", "zstd.feather"])
def test_a_list_beside_the_bars_is_left_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """An order book in every row: parquet reads without it, feather has it in the same batch and says its size."""
    monkeypatch.setattr(tables, "TEXTS_MAX", 100_000)
    path = written(tmp_path / name, pa.array([[0.0] * 1_000] * 50))
    if name == "x.parquet":
        assert read_any(path).frame.height == 50
        return
    with pytest.raises(DataError, match="too large"):
        read_any(path)


@pytest.mark.parametrize("name", ["x.parquet", "zstd.feather", "uncompressed.feather"])
def test_a_damaged_table_ends_no_process(tmp_path: Path, name: str) -> None:
    """Bytes overwritten anywhere: read, or one line; polars aborted the whole process at some of these."""
    good = written(tmp_path / name, pa.array(["BTC"] * 50)).read_bytes()
    draws = random.Random(7)
    ended = set()
    for _ in range(150):
        bad = bytearray(good)
        for _ in range(draws.choice((1, 2, 20))):
            bad[draws.randrange(len(bad))] = draws.choice((0, 255, 127, draws.randrange(256)))
        (tmp_path / name).write_bytes(bad)
        ended.add(outcome(tmp_path / name))
    assert "refused in lines: 1" in ended
    assert ended <= {"bars", "prices", "series", "refused in lines: 1"}


def outcome(path: Path) -> str:
    """What reading it came to."""
    try:
        return read_any(path).kind
    except DataError as error:
        return f"refused in lines: {len(str(error).splitlines())}"
