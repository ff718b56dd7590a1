"""The fields of every answer against recorded payloads of OKX: what is not in them is in a table, with its source."""

import json
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.fakes.exchange.okx.not_seen import CCXT, MEMORY, NOT_SEEN, RECORDED_IN
from tests.fakes.exchange.okx.rows_seen import rows_by_endpoint

ARCHIVE = "payloads/nautilus_binance_okx_bybit.tar.gz"
FOLDER = "crates/adapters/okx/test_data/"


@cache
def recorded(folder: Path) -> dict[str, Any]:
    """Name -> the recorded payload."""
    if not (folder / ARCHIVE).is_file():
        pytest.skip(f"no recorded payloads: looked for {folder / ARCHIVE}")
    with tarfile.open(folder / ARCHIVE) as archive:
        names = [name for name in archive.getnames() if FOLDER in name and name.endswith(".json")]
        return {Path(name).stem: json.load(archive.extractfile(name)) for name in names}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Any]]:
    """One of each."""
    return rows_by_endpoint()


def types_of(rows: list[Any]) -> dict[str, set[str]]:
    """Field -> JSON types; a field of an object inside, or of a list's objects, reads `details.ccy`."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.items() if isinstance(row, dict) else ():
            found.setdefault(name, set()).add(type(value).__name__)
            inner = value if isinstance(value, list) else [value]
            for part, kinds in types_of([item for item in inner if isinstance(item, dict)]).items():
                found.setdefault(f"{name}.{part}", set()).update(kinds)
    return found


def rows_of(payload: Any) -> list[Any]:
    """The rows of a recorded answer or push."""
    data = payload.get("data", [payload]) if isinstance(payload, dict) else payload
    return data if isinstance(data, list) else [data]


def source_of(name: str) -> str:
    """ccxt where its code or its samples of OKX's answers name the field, else memory."""
    texts = [(Path(ccxt.__file__).parent / part / "okx.py").read_text(encoding="utf-8") for part in (".", "pro")]
    bare = name.rpartition(".")[2]
    return CCXT if any(f'"{bare}"' in text or f"'{bare}'" in text or f" {bare}:" in text for text in texts) else MEMORY


def not_recorded(rows: dict[str, list[Any]], payloads: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Endpoint -> source -> fields that no payload of it has."""
    found = {}
    for endpoint, listed in rows.items():
        seen = types_of([row for name in RECORDED_IN.get(endpoint, ()) for row in rows_of(payloads[name])])
        missing = [(source_of(name), name) for name in sorted(types_of(listed)) if name not in seen]
        if missing:
            sources = sorted({source for source, _ in missing})
            found[endpoint] = {source: " ".join(name for of, name in missing if of == source) for source in sources}
    return found


def test_every_field_is_recorded_or_marked_not_seen(rows: dict[str, list[Any]], market_data: Path) -> None:
    """The table is exactly what the run shows: nothing unmarked, and no mark that has become wrong."""
    found = not_recorded(rows, recorded(market_data))
    assert found == NOT_SEEN, json.dumps(found, indent=1)


def test_recorded_fields_have_the_recorded_types(rows: dict[str, list[Any]], market_data: Path) -> None:
    """A number that OKX writes as text is text here too."""
    payloads, wrong = recorded(market_data), []
    for endpoint, names in RECORDED_IN.items():
        seen = types_of([row for name in names for row in rows_of(payloads[name])])
        for name, kinds in types_of(rows[endpoint]).items():
            if name in seen and not kinds <= seen[name]:
                wrong.append(f"{endpoint} {name}: {kinds} here, {seen[name]} recorded")
    assert not wrong, "\n".join(wrong)


def test_candles_have_nine_columns_of_text(rows: dict[str, list[Any]], market_data: Path) -> None:
    """As recorded: time, four prices, three volumes, closed."""
    payloads = recorded(market_data)
    for endpoint, name in (("GET market/candles", "http_get_candlesticks_full"), ("WS candle15m", "ws_candle")):
        shapes = {tuple(type(cell).__name__ for cell in row) for row in rows[endpoint]}
        assert shapes == {tuple(type(cell).__name__ for cell in row) for row in rows_of(payloads[name])}


def test_the_table_counts_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    """Printed for the report: how many fields of each endpoint come from ccxt alone, and how many from memory alone."""
    for endpoint, fields in sorted(NOT_SEEN.items()):
        counts = [len(fields.get(source, "").split()) for source in (CCXT, MEMORY)]
        print(f"{endpoint}: {counts[0]} from ccxt, {counts[1]} from memory")
    assert "WS orders: " in capsys.readouterr().out
    assert {source for fields in NOT_SEEN.values() for source in fields} == {CCXT, MEMORY}
