"""A stored file that is damaged after it was stored: one line that names it and the way out, the other series go on."""

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.data import writer
from engine.data.catalog import Catalog, Series
from engine.data.checksums import WAY_OUT, beside, digests_of
from engine.data.writer import write_series
from engine.errors import DataError
from tests.fakes import recordings

NAME, OTHER = "binance_BTC-USDT_perp_15m.parquet", "binance_ETH-USDT_perp_15m.parquet"
BARS = recordings.bars(300, seed=1, price=60_000.0, tick=0.1)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Two series as an import stores them."""
    for name in (NAME, OTHER):
        write_series(tmp_path / "data" / name, BARS, "recorded", {"file": "x"})
    return tmp_path / "data" / NAME


def read(path: Path) -> tuple[pl.DataFrame, Series]:
    """The bars as every caller gets them."""
    catalog = Catalog([(path.parent, "recorded")])
    s = catalog.find("binance", path.name.split("_")[1], "15m")
    return catalog.bars(s), s


def footer_bytes(data: bytes) -> int:
    """How long the footer is."""
    return int(struct.unpack("<I", data[-8:-4])[0])


def flipped(data: bytes, where: int) -> bytes:
    """One bit."""
    return data[:where] + bytes([data[where] ^ 4]) + data[where + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "zero length": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "without its last byte": lambda data: data[:-1],
    "a hole": lambda data: data[:2_000] + data[3_000:],
    "a bit of a page": lambda data: flipped(data, len(data) // 2),
    "a bit of the footer": lambda data: flipped(data, len(data) - 8 - footer_bytes(data) // 2),
    "an absurd footer": lambda data: data[:-8] + struct.pack("<I", 2**32 - 1) + b"PAR1",
    "more behind its end": lambda data: data + b"x",
    "text": lambda data: b"ts,open\n1,2\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_with_the_way_out(stored: Path, damage: str) -> None:
    """Before anything parses it. Its bytes stay; the series beside it is read as before."""
    read(stored)
    data = DAMAGES[damage](stored.read_bytes())
    stored.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read(stored)
    assert str(stored) in caught.value.what
    assert "it does not match its checksum in" in caught.value.what
    assert (caught.value.hint, stored.read_bytes()) == (WAY_OUT, data)
    assert read(stored.with_name(OTHER))[0].height == 300


def test_a_file_damaged_between_the_look_and_the_read_is_not_read(stored: Path) -> None:
    """The catalog listed it whole; what is read later is checked again."""
    catalog = Catalog([(stored.parent, "recorded")])
    s = catalog.find("binance", "BTC-USDT", "15m")
    stored.write_bytes(flipped(stored.read_bytes(), 3_000))
    for look in (lambda: catalog.bars(s), lambda: catalog.rows(s, "close")):
        with pytest.raises(DataError, match=r"binance_BTC-USDT_perp_15m\.parquet: it is damaged"):
            look()


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_not_opened(stored: Path, kind: str) -> None:
    """A folder in its place; a pipe, which would be waited for."""
    import os

    stored.unlink()
    stored.mkdir() if kind == "folder" else os.mkfifo(stored)
    with pytest.raises(DataError, match="it is not a file"):
        read(stored)
    assert read(stored.with_name(OTHER))[0].height == 300


def test_a_checksum_that_is_damaged_itself_refuses_too(stored: Path) -> None:
    """Which of both is whole is unknown; without one a file is read as it is, as one that a person put there."""
    beside(stored).write_bytes(b"\xff\x00")
    with pytest.raises(DataError, match="does not match its checksum"):
        read(stored)
    beside(stored).unlink()
    assert read(stored)[0].height == 300


def test_the_checksum_is_that_of_sha256sum(stored: Path) -> None:
    """A person checks a whole folder with one command."""
    checked = subprocess.run(
        ["sha256sum", "-c", beside(stored).name], cwd=stored.parent, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout) == (0, f"{NAME}: OK\n")


@pytest.mark.parametrize("step", ["replace", "second note"])
def test_a_write_that_breaks_off_leaves_a_file_that_is_read(stored: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Killed before the new file is in place or just after: one of both, whole, and noted."""
    note = writer.note_digests

    def broken(path: Path, *digests: str) -> None:
        if step == "replace" or len(digests) > 1:
            note(path, *digests)
        if step == "replace" or len(digests) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(writer, "note_digests", broken)
    with pytest.raises(KeyboardInterrupt):
        write_series(stored, BARS.head(200), "recorded", {"file": "y"})
    assert read(stored)[0].height == (300 if step == "replace" else 200)
    assert len(digests_of(stored) or []) == 2
    monkeypatch.undo()
    write_series(stored, BARS.head(100), "recorded", {"file": "z"})
    assert (read(stored)[0].height, len(digests_of(stored) or [])) == (100, 1)


def test_no_other_folders_file_stands_in_for_a_damaged_one(stored: Path, tmp_path: Path) -> None:
    """The home's file is damaged, the data folder has an older one of that name: nothing trades on it without a word."""
    write_series(tmp_path / "old" / NAME, BARS.head(100), "recorded", {})
    stored.write_bytes(b"")
    catalog = Catalog([(tmp_path / "old", "recorded"), (stored.parent, "pulled")])
    with pytest.raises(DataError, match="it is damaged"):
        catalog.find("binance", "BTC-USDT", "15m")
    assert [s.symbol for s in catalog.series()] == ["ETH-USDT"]
    other = Catalog([(stored.parent, "pulled"), (tmp_path / "old", "recorded")])
    assert other.find("binance", "BTC-USDT", "15m").rows == 100


def test_damaged_funding_and_marks_are_not_taken_for_missing_ones(stored: Path) -> None:
    """None means that nobody recorded any: with `--funding none` or closes for marks the run would go on without a word."""
    folder = stored.parent
    write_series(folder / "binance_BTC-USDT_perp_funding.parquet", recordings.settlements(300), "recorded", {})
    for series in ("mark_15m", "mark_1h"):
        write_series(folder / f"binance_BTC-USDT_perp_{series}.parquet", BARS.drop("volume"), "recorded", {})
    (folder / "binance_BTC-USDT_perp_funding.parquet").write_bytes(b"")
    (folder / "binance_BTC-USDT_perp_mark_15m.parquet").write_bytes(b"")
    catalog = Catalog([(folder, "recorded")])
    with pytest.raises(DataError, match="funding cannot be read"):
        catalog.funding("binance", "BTC-USDT")
    with pytest.raises(DataError, match="mark_15m cannot be read"):
        catalog.marks("binance", "BTC-USDT")
    assert catalog.funding("binance", "ETH-USDT") is None


def test_a_file_without_a_checksum_raises_whatever_polars_makes_of_it(stored: Path) -> None:
    """A person's own file, a size in its footer made absurd: some are a panic of polars, which is no Exception; none ends us."""
    beside(stored).unlink()
    data, whole, causes = stored.read_bytes(), read(stored)[1], set()
    catalog = Catalog([(stored.parent, "recorded")])
    size = footer_bytes(data)
    for at in range(len(data) - 8 - size, len(data) - 8):
        stored.write_bytes(data[:at] + b"\xff" * 4 + data[at:-8] + struct.pack("<I", size + 4) + b"PAR1")
        try:
            catalog.bars(whole)
        except DataError as error:
            causes.add(type(error.__cause__).__name__)
    assert {"PanicException", "ComputeError"} <= causes


@pytest.mark.long  # 4,000 damages in processes of their own: what an abort would end is not ours
def test_no_damage_ends_the_process(stored: Path) -> None:
    """Sizes inside the footer made absurd at every byte, with 3 GB of address space: a line each time."""
    beside(stored).unlink()
    command = [sys.executable, "-c", ABSURD, str(stored)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (0, "all read"), ended.stderr[-400:]


ABSURD = """
import resource, struct, sys
from pathlib import Path
import polars
from engine.data.catalog import Catalog
from engine.errors import DeskError
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
path = Path(sys.argv[1])
data = path.read_bytes()
footer = struct.unpack("<I", data[-8:-4])[0]
for more in (2, 3, 4, 5, 8):
    for at in range(len(data) - 8 - footer, len(data) - 8):
        path.write_bytes(data[:at] + b"\\xff" * more + data[at:-8] + struct.pack("<I", footer + more) + b"PAR1")
        catalog = Catalog([(path.parent, "recorded")])
        try:
            catalog.bars(catalog.find("binance", "BTC-USDT", "15m"))
        except DeskError:
            pass
print("all read")
"""
