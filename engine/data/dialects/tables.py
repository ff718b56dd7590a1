"""A parquet or feather file -> its columns of numbers, times and short texts, once its own index says that they fit into memory.

Called by dialects/containers.py. A few kilobytes can unpack to any size, so the size is added up before anything is unpacked:
for parquet from the footer, for feather from the length that stands before each packed buffer. Columns that no market data has
(lists, structs, bytes) are not read at all.
"""

import mmap
import struct
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from engine.errors import DataError

ROWS_MAX = 12_000_000  # over 20 years of 1m bars
CELLS_MAX = 200_000_000
COLUMNS_MAX = 1_000  # market data has a dozen
UNPACKED_MAX = 2 * 2**30  # bytes of all columns that are read
TEXTS_MAX = 512 * 2**20  # bytes of their texts alone
CELL_MAX = 1_000  # characters of one text: a time, a symbol, a side
NAUTILUS = "pandas.DataFrame([b.to_dict(b) for b in ParquetDataCatalog(FOLDER).bars()]).to_csv('binance_BTC-USDT_perp_15m.csv')"
NUMBER_BYTES, SLACK = 32, 1_024  # the widest number; what a short batch may have besides
BUFFERS_MAX = 1_000_000  # of a feather file: 12,000,000 rows in batches of a thousand have half of them
BATCH = 2**16  # rows of a parquet file that are unpacked at once
NOT_PACKED = -1  # stands before a buffer that is as it is in a packed batch


def table_of(path: Path) -> pl.DataFrame:
    """The file's flat columns. DataError in one line: damaged, too wide, too large once unpacked, a text of over CELL_MAX.

    pyarrow reads it, which raises for a damaged file; polars would end the process.
    """
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as file:
            table = _parquet(path, file) if path.name.lower().endswith(".parquet") else _feather(path, file)
            table.validate(full=True)
            frame = pl.DataFrame({name: pl.from_arrow(table[name]) for name in table.column_names})
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        what = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise DataError(f"{path} cannot be read ({what})", "check permissions and that the download is whole") from error
    for name, kind in frame.schema.items():
        if kind == pl.String:
            _short(int(frame[name].str.len_bytes().max() or 0), name, path)  # type: ignore[arg-type]  # lengths are whole numbers
    return frame


def _parquet(path: Path, file: Any) -> Any:
    """The flat columns of a parquet file."""
    import pyarrow.parquet as pq

    footer = pq.read_metadata(file)
    flat = _flat(path, footer.schema.to_arrow_schema())
    _parquet_fits(path, footer, set(flat))
    source = pq.ParquetFile(file, read_dictionary=flat)  # a text that comes again is there once
    groups = (source.iter_batches(BATCH, row_groups=[n], columns=flat) for n in range(footer.num_row_groups))
    return _spelled(path, chain.from_iterable(groups), footer.num_rows)


def _feather(path: Path, file: Any) -> Any:
    """The flat columns of a feather file."""
    from pyarrow import ipc

    schema = ipc.open_file(file).schema
    flat = _flat(path, schema)
    numbers = [n for n, name in enumerate(schema.names) if name in flat]
    source = ipc.open_file(file, options=ipc.IpcReadOptions(included_fields=numbers))
    batches, rows = map(source.get_batch, range(source.num_record_batches)), _feather_fits(path, len(schema))
    return _spelled(path, batches, rows)


def _flat(path: Path, schema: Any) -> list[str]:
    """The columns that are numbers, times, switches or texts. DataError for too many, and for a nautilus catalog."""
    import pyarrow.types as kinds

    names = schema.names
    if len(names) > COLUMNS_MAX:
        raise too_wide(path, f"{len(names):,} columns")
    if {"ts_event", "ts_init"} & set(names) and any(_is_bytes(kind) for kind in schema.types):
        raise DataError(f"{path} is a file of a nautilus catalog", f"convert it: {NAUTILUS}")
    texts = (kinds.is_string, kinds.is_large_string, kinds.is_string_view)
    taken = (*texts, kinds.is_integer, kinds.is_floating, kinds.is_decimal, kinds.is_boolean, kinds.is_temporal, kinds.is_null)

    def is_flat(kind: Any) -> bool:
        if kinds.is_dictionary(kind):
            return any(test(kind.value_type) for test in texts)
        return any(test(kind) for test in taken)

    return [name for name, kind in zip(names, schema.types, strict=True) if is_flat(kind)]


def too_large(path: Path, what: str) -> DataError:
    """The one line for what would not fit into memory."""
    return DataError(f"{path} is too large: {what}", "split it, one file a year for example")


def too_wide(path: Path, what: str) -> DataError:
    """The one line for what is no table of market data."""
    return DataError(f"{path} is too wide: {what}, at most {COLUMNS_MAX:,} columns are read", "keep one column a value")


def _is_bytes(kind: Any) -> bool:
    """Whether a column holds bytes of any layout."""
    import pyarrow.types as kinds

    tests = (kinds.is_fixed_size_binary, kinds.is_binary, kinds.is_large_binary, kinds.is_binary_view)
    return any(test(kind) for test in tests)


def _fits(path: Path, columns: int, rows: int, size: int, texts: int) -> None:
    """Raise DataError for rows, columns or texts that unpack to more than is read."""
    if rows > ROWS_MAX or rows * max(columns, 1) > CELLS_MAX:
        raise too_large(path, f"{rows:,} rows of {columns} columns, at most {ROWS_MAX:,} rows are read")
    for found, most, what in ((size, UNPACKED_MAX, ""), (texts, TEXTS_MAX, " of text")):
        if found > most:
            raise too_large(path, f"{found / 2**20:,.0f} MiB{what} unpacked, at most {most / 2**20:,.0f} are read")


def _parquet_fits(path: Path, footer: Any, flat: set[str]) -> None:
    """Raise DataError when what the footer states of the flat columns is too much."""
    size = texts = 0
    for group in map(footer.row_group, range(footer.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            if chunk.path_in_schema in flat:
                size += chunk.total_uncompressed_size
                texts += chunk.total_uncompressed_size if chunk.physical_type.endswith("BYTE_ARRAY") else 0
    _fits(path, footer.num_columns, footer.num_rows, size, texts)


def _feather_fits(path: Path, columns: int) -> int:
    """The rows of the file. Raises DataError when its buffers unpack to too much.

    A buffer of more bytes a row than a number has holds texts, or lists, which are unpacked with their batch even where their
    column is not read.
    """
    rows = size = texts = count = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            for height, buffer in _buffers(content):
                count += 1
                if count > BUFFERS_MAX:
                    raise DataError(f"{path} has over {BUFFERS_MAX:,} buffers", "write it in larger batches, or as parquet")
                rows += height if buffer is None else 0
                size += buffer or 0
                texts += buffer if buffer is not None and buffer > NUMBER_BYTES * height + SLACK else 0
        except (struct.error, IndexError, OverflowError) as error:
            raise DataError(f"{path} cannot be read (its index is damaged)", "the download is damaged: get it again") from error
    _fits(path, columns, rows, size, texts)
    return rows


class _Fields(NamedTuple):
    """A table of a flatbuffer at `at`: where its fields are."""

    content: mmap.mmap
    at: int

    def field(self, number: int) -> int:
        """Where field `number` stands; 0 when it is left out."""
        index = self.at - _number(self.content, self.at, "i")
        if 4 + 2 * number >= _number(self.content, index, "H"):
            return 0
        offset = _number(self.content, index + 4 + 2 * number, "H")
        return self.at + offset if offset else 0

    def inner(self, number: int) -> "_Fields | None":
        """The table that the field points to."""
        place = self.field(number)
        return _Fields(self.content, place + _number(self.content, place, "I")) if place else None

    def items(self, number: int, size: int) -> Iterator[int]:
        """Where each item, of `size` bytes, of a vector stands."""
        place = self.field(number)
        if not place:
            return
        start = place + _number(self.content, place, "I")
        count = _number(self.content, start, "I")
        if start + 4 + count * size > len(self.content):
            raise IndexError(count)
        yield from range(start + 4, start + 4 + count * size, size)


def _number(content: mmap.mmap, at: int, kind: str) -> int:
    """A little-endian number at a place of the file."""
    if at < 0:
        raise IndexError(at)
    return int(struct.unpack_from(f"<{kind}", content, at)[0])


def _buffers(content: mmap.mmap) -> Iterator[tuple[int, int | None]]:
    """By the file's own index (Arrow's columnar format), for every batch and dictionary: (its rows, None) for a batch, then (its
    rows, unpacked size) of each buffer.
    """
    end = len(content) - 10
    start = end - _number(content, end, "i")
    footer = _Fields(content, start + _number(content, start, "I"))
    for vector in (2, 3):  # dictionaries, record batches: Block {offset: long, metaDataLength: int, bodyLength: long}
        for block in footer.items(vector, 24):
            at, length = _number(content, block, "q"), _number(content, block + 8, "i")
            first = at + (8 if _number(content, at, "I") == 0xFFFFFFFF else 4)  # before 0.15 without the mark
            message = _Fields(content, first + _number(content, first, "I"))
            batch = message.inner(2)
            if batch is not None and vector == 2:
                batch = batch.inner(1)  # DictionaryBatch {id, data}
            if batch is None:
                continue
            packed, rows = bool(batch.field(3)), _number(content, batch.field(0), "q") if batch.field(0) else 0
            yield (rows if vector == 3 else 0), None
            for buffer in batch.items(2, 16):  # Buffer {offset: long, length: long}
                place, size = at + length + _number(content, buffer, "q"), _number(content, buffer + 8, "q")
                stated = _number(content, place, "q") if packed and size else NOT_PACKED
                yield rows, size if stated == NOT_PACKED else stated


def _spelled(path: Path, batches: Iterable[Any], rows: int) -> Any:
    """Batches with texts that stand once in a dictionary -> one table with a text a row, where that is not too much."""
    import pyarrow as pa
    import pyarrow.compute as pc

    done = []
    for batch in batches:
        columns = []
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            columns.append(column)
            if pa.types.is_dictionary(column.type):
                longest = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
                _short(longest, name, path)
                _fits(path, 1, rows, 0, longest * rows)
                columns[-1] = column.dictionary_decode()
        done.append(pa.record_batch(columns, names=batch.schema.names))
    if not done:
        raise DataError(f"{path} has no rows", "the download may have failed: get it again")
    return pa.Table.from_batches(done)


def _short(longest: int, name: str, path: Path) -> None:
    """Raise DataError for a text of more than CELL_MAX: nothing that works on texts may copy it once a row."""
    if longest > CELL_MAX:
        what = f"column {name[:60]!r} has a text of {longest:,} characters, at most {CELL_MAX:,} are read"
        raise DataError(f"{path} is not a table of market data: {what}", "leave that column out")
