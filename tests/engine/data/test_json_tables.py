"""The table in a venue's JSON is found wherever it stands, and what stands beside it is evidence."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError
from tests.fakes.made_files import BARS, OHLCV, read, same_bars

SHORT = BARS[:60]
ROWS = [[ts, *(str(v) for v in values)] for ts, *values in SHORT.rows()]
NAMED = [dict(zip(("timestamp", *OHLCV), row, strict=True)) for row in ROWS]
COLUMNS = {("t" if name == "ts" else name[0]): SHORT[name].to_list() for name in ("ts", *OHLCV)}
KRAKEN = [
    [ts // 1000, *(str(x) for x in (o, h, low, c, (h + low) / 2, v)), n + 1]
    for n, (ts, o, h, low, c, v) in enumerate(SHORT.rows())
]


def answer(folder: Path, value: Any, name: str = "bitstamp_BTC-USD_spot_15m.json") -> Path:
    """An answer of a venue, saved as it came."""
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


@pytest.mark.parametrize(
    "value",
    [
        {"data": {"pair": "BTC/USD", "ohlc": NAMED}},
        {"candles": NAMED},
        {"error": [], "result": {"XXBTZUSD": KRAKEN, "last": 1}},
        {"jsonrpc": "2.0", "result": {"status": "ok", **COLUMNS}},
        {"s": "ok", **COLUMNS},
        "\n".join(json.dumps(row) for row in NAMED),
    ],
    ids=["bitstamp", "dydx", "kraken", "deribit", "udf", "lines"],
)
def test_bars_are_found_wherever_an_answer_has_them(tmp_path: Path, value: Any) -> None:
    """As rows, objects or columns, at any key, and as JSON lines."""
    assert same_bars(read(answer(tmp_path, value)), SHORT)


def test_the_symbol_beside_the_rows_is_what_they_are_of(tmp_path: Path) -> None:
    """Bybit, Bitstamp and others name it once."""
    found = read(answer(tmp_path, {"result": {"symbol": "ETHUSDT", "list": ROWS}}))
    assert found.stated == "ETHUSDT"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"code": -1121, "msg": "Invalid symbol."}, "has no rows: it says 'Invalid symbol.'"),
        ({"ok": True, "page": 3}, "has no rows, only ok, page"),
        ({"result": {"XXBTZUSD": ROWS, "XETHZUSD": ROWS}}, "has 2 tables (XXBTZUSD, XETHZUSD) - split it: one file for each"),
        ([[1, 2], [1]], "rows of different shapes"),
        ("[[1, NaN]]", "write null for NaN"),
        ([], "has no rows"),
        ({"a": {"b": {"c": {"d": {"e": {"f": ROWS}}}}}}, "has no rows"),
    ],
)
def test_an_answer_without_one_table_says_what_it_has(tmp_path: Path, value: Any, said: str) -> None:
    """A venue's own error, its keys, or the names of the tables."""
    with pytest.raises(DataError) as refused:
        read(answer(tmp_path, value))
    assert said in str(refused.value)
