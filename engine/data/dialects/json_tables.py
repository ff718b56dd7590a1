"""The JSON of ccxt, freqtrade and the venues -> one table of cells, wherever in the answer it stands.

Called by dialects/containers.py. A table is a list of rows, a list of objects, or an object of columns (Deribit, TradingView's
UDF). What stands beside it and names a symbol is evidence of what the rows are. Two tables in one answer are refused.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl

from engine.data.dialects.columns import GROUPS
from engine.errors import DataError

EXAMPLE = "give a JSON list of bars, [[ts, open, high, low, close, volume], ...]"
DEPTH_MAX = 4  # venues wrap a table three times at most
KEYS_MAX = 1_000  # of one object; a market's answer has a dozen
COLUMNS_MIN = 5  # columns that make an object a table: a time and four prices
SHOWN_MAX = 200


class JsonTable(NamedTuple):
    """A table of an answer. `stated`: the symbol that stands beside it."""

    frame: pl.DataFrame
    headless: bool
    stated: str


def json_table(content: bytes, path: Path) -> JsonTable:
    """The one table in the answer. Raises DataError for none, for several, and for rows of different shapes."""
    value = _parsed(content, path)
    found = list(_tables(value, "", "", 0))
    if not found:
        raise DataError(f"{path} has no rows{_instead(value)}", EXAMPLE)
    if len(found) > 1:
        names = ", ".join(where or "the list" for where, _, _ in found[:5])
        raise DataError(f"{path} has {len(found)} tables ({names})", "split it: one file for each")
    _, rows, stated = found[0]
    if isinstance(rows, dict):
        named = {"ts" if name == "ticks" else name: texts(column) for name, column in rows.items()}  # Deribit's
        return JsonTable(pl.DataFrame(named), False, stated)
    if all(isinstance(row, list) for row in rows) and len({len(row) for row in rows}) == 1:
        columns = list(zip(*rows, strict=True))
        return JsonTable(pl.DataFrame({str(n): texts(column) for n, column in enumerate(columns)}), True, stated)
    if all(isinstance(row, dict) for row in rows):
        flat = [key for key in rows[0] if not isinstance(rows[0][key], dict | list)]
        return JsonTable(pl.DataFrame({name: texts([row.get(name) for row in rows]) for name in flat}), False, stated)
    raise DataError(f"{path} holds rows of different shapes", EXAMPLE)


def _parsed(content: bytes, path: Path) -> Any:
    """The value of the text; of JSON lines, the list of them."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        lines = content.strip().splitlines()
        if len(lines) > 1 and lines[0][:1] in b"{[" and lines[0].strip()[-1:] in b"}]":
            try:
                return [orjson.loads(line) for line in lines if line.strip()]
            except orjson.JSONDecodeError:
                pass
        what = (str(error).splitlines() or [type(error).__name__])[0][:160]
        hint = "write null for NaN" if re.search(rb"[\[,:]\s*NaN\b", content) else "check that the download is whole"
        raise DataError(f"{path} cannot be read ({what})", hint) from error


def _tables(value: Any, where: str, stated: str, depth: int) -> Iterator[tuple[str, Any, str]]:
    """(its key, the table, the symbol beside it) of each table below `value`."""
    if isinstance(value, list):
        if value and isinstance(value[0], list | dict):
            yield where, value, stated
        return
    if not isinstance(value, dict) or depth > DEPTH_MAX:
        return
    stated = next((str(value[k])[:SHOWN_MAX] for k in GROUPS if isinstance(value.get(k), str)), stated)
    columns = {k: v for k, v in value.items() if isinstance(v, list) and v and not isinstance(v[0], list | dict)}
    if len(columns) >= COLUMNS_MIN and len({len(column) for column in columns.values()}) == 1:
        yield where, columns, stated
        return
    for key in list(value)[:KEYS_MAX]:
        yield from _tables(value[key], str(key)[:SHOWN_MAX], stated, depth + 1)


def _instead(value: Any) -> str:
    """What an answer without a table has: a venue's own error, or its keys."""
    if not isinstance(value, dict) or not value:
        return ""
    error = next((value[k] for k in ("msg", "message", "error", "retMsg") if isinstance(value.get(k), str) and value[k]), "")
    return f": it says {error[:SHOWN_MAX]!r}" if error else f", only {', '.join(str(k) for k in list(value)[:8])}"[:SHOWN_MAX]


def texts(column: Any) -> pl.Series:
    """JSON values as the text of cells: whole numbers as such, null as empty."""
    return pl.Series([None if value is None else str(value) for value in column], dtype=pl.String)
