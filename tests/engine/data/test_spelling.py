"""Files of other locales and programs: read to the same numbers, or refused with what could be meant."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.data.files import RawFile, read_any
from engine.data.synthetic import synthetic
from engine.errors import DataError

BARS = synthetic(["BTC-USDT"], 900_000, 1_735_689_600_000, 60, 3)[0]["BTC-USDT"].with_columns(
    pl.col("open", "high", "low", "close").round(1), pl.col("volume").round(3)
)
NAMES = ("open", "high", "low", "close", "volume")


def spelled(cell: Callable[[float], str], mark: str = ",", head: str = "") -> str:
    """The bars as text, each number as `cell` writes it."""
    lines = [head or mark.join(("ts", *NAMES))]
    lines += [mark.join((str(row[0]), *map(cell, row[1:]))) for row in BARS.select("ts", *NAMES).iter_rows()]
    return "\n".join(lines) + "\n"


def plain(number: float) -> str:
    """As everything writes it."""
    return f"{number:.3f}"


def continental(number: float) -> str:
    """95.000,500"""
    return f"{number:,.3f}".translate(str.maketrans(",.", ".,"))


def read(folder: Path, content: bytes | str) -> RawFile:
    """The file as it is read."""
    path = folder / "binance_BTC-USDT_perp_15m.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_any(path)


PLAIN = spelled(plain)


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (PLAIN.encode("utf-16"), ""),
        (PLAIN.encode("utf-8-sig"), ""),
        (PLAIN.replace("\n", "\r").encode(), ""),
        (PLAIN.replace("\n", "\r\n").encode("utf-16"), ""),
        (PLAIN.replace(",", "|").encode(), ""),
        (spelled(lambda n: f"{n:.3f}".replace(".", ","), ";").encode(), "numbers have a decimal comma, as in "),
        (spelled(continental, ";").encode(), "numbers have a decimal comma, as in "),
        (spelled(lambda n: f'"{n:,.3f}"').encode(), "thousands are divided, as in "),
        (spelled(lambda n: f"{n:,.3f}".replace(",", "'"), ";").encode(), "thousands are divided, as in "),
        (spelled(lambda n: f"{n:,.3f}".replace(",", "\u202f"), "\t").encode(), "thousands are divided, as in "),
        (
            PLAIN.replace(
                "ts,open,high,low,close,volume", "Price,Open,High,Low,Close,Volume\nTicker,B,B,B,B,B\nDatetime,,,,,"
            ).encode(),
            "a header of 3 lines",
        ),
    ],
    ids=["utf16", "bom", "cr", "utf16-crlf", "bar", "comma", "dot-comma", "comma-dot", "apostrophe", "thin-space", "yfinance"],
)
def test_other_spellings_are_the_same_bars(tmp_path: Path, content: bytes, note: str) -> None:
    """To the last digit; what could have gone otherwise is a note."""
    found = read(tmp_path, content)
    assert found.frame.select("ts", *NAMES).equals(BARS.select("ts", *NAMES))
    assert any(line.startswith(note) for line in (*found.notes, ""))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            spelled(lambda n: f"1,{int(n) % 1000:03d}", ";"),
            "can be read in two ways: '1,[0-9]{3}' may be 1.[0-9]{3} or 1[0-9]{3}",
        ),
        (
            spelled(lambda n: "1234,5" if int(n * 1_000) % 2 else "1,234.5", ";"),
            "a decimal comma .'1234,5'. and with another one .'1,234.5'.",
        ),
        (
            "ts;open;high;low;close;volume\n1735689600000;95,5;96,5;94,5;95,5;1.234\n",
            "column volume may have thousands .'1.234'. beside decimal commas",
        ),
        (spelled(lambda n: f"{n:.3f}".replace(".", ",")), "the header has 6 names, the rows have 11 cells"),
        (PLAIN + "Total,,,,,55\n", "row 60 of column ts is not a time: 'Total'"),
        (PLAIN.replace("\n", "\nms,USDT,USDT,USDT,USDT,BTC\n", 1), "row 0 of column ts is not a time: 'ms'"),
        (PLAIN.replace("ts,", "Дата,").replace("open", "Открытие"), "its columns: дата, открытие"),
        (PLAIN.replace("open", "Eröffnung").encode("cp1252"), "is not UTF-8 text .byte 5. - save it as UTF-8"),
        (PLAIN.encode("utf-16-be"), "zero bytes: UTF-16 without its mark"),
    ],
    ids=["either", "both", "thousands", "commas", "total", "units", "russian", "cp1252", "no-mark"],
)
def test_what_can_be_meant_in_two_ways_is_asked(tmp_path: Path, content: bytes | str, words: str) -> None:
    """One line with the place and what to write."""
    with pytest.raises(DataError, match=words) as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)
