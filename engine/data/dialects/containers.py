"""Bytes of a file -> one table of cells: parquet, feather, csv, json, packed in gz or zip or not, within a stated memory bound.

Called by data/files.py. Text stays text, so that a bad number can be reported with its row. A `.CHECKSUM` or `.sha256` file
beside it is compared first. What another program has to convert is one line that says how.
"""

import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

import polars as pl

from engine.data.dialects import tables
from engine.data.dialects.spelling import one_header, plain_numbers, refuse_lost_header, utf8
from engine.data.dialects.tables import table_of, too_large, too_wide
from engine.errors import DataError

TEXT_MAX = 512 * 2**20  # bytes of text after unpacking
JSON_MAX = 96 * 2**20  # JSON needs about ten times its size in memory
LINE_MAX = 2**20  # bytes of one line of text
HEAD = 20_000  # bytes in which separator and header are looked for
TABLES = (".parquet", ".feather", ".ft", ".arrow")
TEXTS = (".csv", ".txt", ".tsv", ".json")
PACKED = (".gz", ".zip")
SUFFIXES = (*TABLES, *TEXTS, *(f"{text}.gz" for text in TEXTS), ".zip")
CONVERT = {  # other programs' formats -> one line that makes a file of ours
    (".h5", ".hdf5", ".hdf"): "pandas.read_hdf(FILE).reset_index().to_parquet('binance_BTC-USDT_perp_15m.parquet')",
    (".pkl", ".pickle"): "pandas.read_pickle(FILE).reset_index().to_parquet('binance_BTC-USDT_perp_15m.parquet')",
    (".xls", ".xlsx"): "pandas.read_excel(FILE).to_csv('binance_BTC-USDT_perp_15m.csv', index=False)",
    (".db", ".sqlite", ".sqlite3"): "sqlite3 -header -csv FILE 'select * from TABLE' > binance_BTC-USDT_perp_15m.csv",
    (".7z", ".rar", ".tar", ".tgz", ".tar.gz", ".bz2", ".xz", ".zst"): "unpack it, then import the csv inside",
}
MARKS = (  # the first bytes of what is often saved under another name
    (b"\x1f\x8b", "gzip-packed", "add .gz to its name"),
    (b"PK\x03\x04", "a zip, or a workbook", "name it .zip, or save the sheet as csv"),
    (b"\xfd7zXZ", "xz-packed", "unpack it, then import the csv inside"),
    (b"\x28\xb5\x2f\xfd", "zstd-packed", "unpack it, then import the csv inside"),
    (b"BZh", "bzip2-packed", "unpack it, then import the csv inside"),
    (b"PAR1", "a parquet file", "name it .parquet"),
    (b"ARROW1", "a feather file", "name it .feather"),
    (b"SQLite format 3", "a database", "export the table as csv"),
)
NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][-+]?\d+)?|\d{1,2}:\d{2}(:\d{2})?|nan|NaN|[Tt]rue|[Ff]alse|")


class Cells(NamedTuple):
    """A table as the file has it. `headless`: its columns are called 0, 1, 2, ... because the file names none."""

    frame: pl.DataFrame
    headless: bool
    notes: tuple[str, ...]
    stated: str = ""  # the symbol that a JSON answer states beside its rows


def cells_of(path: Path) -> Cells:
    """The file as a table. DataError in one line: unreadable, too large, of another program, or not what its checksum says."""
    name = path.name.lower()
    for suffixes, how in CONVERT.items():
        if name.endswith(suffixes):
            raise DataError(f"{path} has an unsupported file type", f"convert it: {how}")
    if not name.endswith(SUFFIXES):
        raise DataError(f"{path} has an unsupported file type", f"use one of {', '.join(SUFFIXES)}")
    try:  # zipfile raises RuntimeError for an encrypted member and for a compression that it lacks
        verified = _checksum_notes(path)
        if name.endswith(TABLES):
            read = Cells(table_of(path), False, ())
        else:
            content, inner = _text(path)
            read = _json(content, path) if inner.endswith(".json") else _csv(content, path)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise DataError(f"{path} cannot be read ({_line(error)})", "check permissions and that the download is whole") from error
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} cannot be read ({_line(error)})", "check permissions and that the download is whole") from error
    return read._replace(notes=(*verified, *read.notes))


def _line(error: BaseException) -> str:
    """The first line of a library's message."""
    return (str(error).splitlines() or [type(error).__name__])[0][:160]


def _checksum_notes(path: Path) -> list[str]:
    """A note when the checksum file beside it agrees, none without one. Raises DataError when it does not."""
    for suffix in (".CHECKSUM", ".sha256"):
        beside = path.with_name(path.name + suffix)
        if not beside.is_file():
            continue
        stated = re.match(r"\s*([0-9a-fA-F]{64})\b", beside.read_text(errors="replace")[:1000])
        if stated is None:
            raise DataError(f"{beside} holds no SHA-256", "download the checksum again, or remove it")
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != stated[1].lower():
            raise DataError(f"{path} does not match {beside.name}", "the download is damaged: get it again")
        return [f"the file matches {beside.name}"]
    return []


def _check_lines(content: bytes, path: Path) -> None:
    """Raise DataError for a line of over twice LINE_MAX bytes: a cell of it would take ten times its size."""
    for start in range(0, len(content) - LINE_MAX, LINE_MAX):
        if content.find(b"\n", start, start + LINE_MAX) < 0 and content.find(b"\r", start, start + LINE_MAX) < 0:
            raise DataError(f"{path} has a line of over {LINE_MAX / 2**20:g} MiB", "give a table: csv, parquet or feather")


def _text(path: Path) -> tuple[bytes, str]:
    """(the unpacked bytes, the name of what was packed), read up to the bound whatever a header claims."""
    name = path.name.lower()
    if name.endswith(".zip"):
        return _zipped(path)
    opener: Callable[..., IO[bytes]] = gzip.open if name.endswith(".gz") else open  # type: ignore[assignment]  # both read bytes
    with opener(path, "rb") as file:
        return _bounded(file, path), name.removesuffix(".gz")


def _zipped(path: Path) -> tuple[bytes, str]:
    """The one table in a zip."""
    with zipfile.ZipFile(path) as archive:
        inside = [entry for entry in archive.infolist() if not entry.is_dir() and not entry.filename.startswith("__MACOSX")]
        if not inside:
            raise DataError(f"{path} is an empty zip", "the download may have failed: get it again")
        tables = [entry for entry in inside if entry.filename.lower().endswith(TEXTS)]
        plain = [entry for entry in tables if not entry.filename.lower().endswith(".txt")]  # beside a readme or a licence
        tables = plain if len(plain) == 1 else tables
        if len(tables) != 1:
            what = f"contains {len(tables)} tables" if tables else f"contains no csv or json ({inside[0].filename[:60]})"
            raise DataError(f"{path} {what}", "unpack it and import what is inside")
        with archive.open(tables[0]) as file:
            return _bounded(file, path), tables[0].filename.lower()


def _bounded(file: IO[bytes], path: Path) -> bytes:
    """All bytes, or DataError once there are more than the bound."""
    parts, size = [], 0
    while part := file.read(2**20):
        size += len(part)
        if size > TEXT_MAX:
            raise too_large(path, f"over {TEXT_MAX // 2**20} MiB unpacked")
        parts.append(part)
    return b"".join(parts)


def _refuse_other_formats(content: bytes, path: Path) -> None:
    """Raise DataError for content that is not what the file's name says: packed, another program's, or a web page."""
    what, hint = next(((w, h) for mark, w, h in MARKS if content.startswith(mark)), ("", ""))
    if not what and re.match(rb"\s*<(!doctype|html|\?xml|head)", content[:200], re.IGNORECASE):
        what, hint = "a web page", "the download has failed: get it again"
    if what:
        raise DataError(f"{path} is {what}, not a table of text", hint)


def _csv(content: bytes, path: Path) -> Cells:
    """Comma, semicolon, tab or bar; comment lines above the header are skipped; one that comes again is left out, with a note."""
    _refuse_other_formats(content, path)
    content = utf8(content, path).rstrip(b"\r\n")  # no second copy as text: polars reads the bytes
    _check_lines(content, path)
    head = content[:HEAD]
    if len(content) > HEAD and b"\n" not in head:
        raise too_wide(path, f"a first line of over {HEAD:,} bytes")
    lines = head[: head.rfind(b"\n") + 1 if len(content) > len(head) else None].decode(errors="strict").splitlines()
    if not any(line.strip() for line in lines):
        raise DataError(f"{path} is empty", "the download may have failed: get it again")
    bare = [re.sub(r'"[^"]*"', "", line) for line in lines[:50]]
    counts = [max((line.count(mark), mark) for mark in ",;\t|") for line in bare]
    width, mark = max(set(counts), key=counts.count)
    if width == 0:
        raise DataError(f"{path} has no columns (first line: {lines[0][:60]!r})", "give a table: csv, parquet or feather")
    skip = next(i for i, (n, m) in enumerate(counts) if n == width and m == mark)
    first = [cell.strip().strip('"') for cell in lines[skip].split(mark)]
    headless = bool(re.match(r"\d", first[0])) and all(NUMBER.fullmatch(cell) for cell in first[1:])
    try:
        table = pl.read_csv(content, separator=mark, skip_rows=skip, has_header=not headless, infer_schema=False)
    except pl.exceptions.ComputeError as error:
        raise _longer_row(content, mark, width, skip + (not headless), path) or error from error
    if table.height > tables.ROWS_MAX:
        raise too_large(path, f"{table.height:,} rows, at most {tables.ROWS_MAX:,} are read")
    if headless or any(cell and NUMBER.fullmatch(cell) for cell in first):
        refuse_lost_header(lines, skip, mark, path)
    if headless:
        table, notes = plain_numbers(table, path, mark)
        return Cells(table.rename({old: str(n) for n, old in enumerate(table.columns)}), True, notes)
    table, headers = one_header(table)
    read = _header_once(table)
    table, notes = plain_numbers(read.frame, path, mark)
    return Cells(table, False, (*headers, *read.notes, *notes))


def _longer_row(content: bytes, mark: str, width: int, first: int, path: Path) -> DataError | None:
    """What to say of the first row with more cells than the others, counted from 0 after the header; None without one."""
    for row, line in enumerate(io.BytesIO(content)):
        cells = len(re.sub(rb'"[^"]*"', b"", line).split(mark.encode()))
        if row >= first and cells > width + 1:
            return DataError(f"{path}: row {row - first} has {cells} cells, the others {width + 1}", "correct the row")
    return None


def _header_once(table: pl.DataFrame) -> Cells:
    """The table without rows that repeat its header."""
    name = table.columns[0]
    again = table[name].str.strip_chars() == name.strip()
    for other in table.columns[1:3]:
        again &= table[other].str.strip_chars() == other.strip()
    rows = again.fill_null(value=False).arg_true()
    if not rows.len():
        return Cells(table, False, ())
    note = f"the header comes again at row {int(rows[0])}: {rows.len()} such row{'s' if rows.len() > 1 else ''} left out"
    return Cells(table.filter(~again.fill_null(value=False)), False, (note,))


def _json(content: bytes, path: Path) -> Cells:
    """A list of rows (ccxt, freqtrade, the venues' REST), of objects, or columns, wherever in the answer it stands."""
    from engine.data.dialects.json_tables import json_table

    if len(content) > JSON_MAX:
        raise too_large(path, f"over {JSON_MAX // 2**20} MiB of JSON")
    found = json_table(content, path)
    return Cells(found.frame, found.headless, (), found.stated)
