"""The fields of every answer against recorded payloads of the venue: what is not in them is in a table, with its source."""

import importlib
import json
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.fakes.exchange.recorded import ARCHIVE, CCXT, MEMORY, not_recorded, other_types, payloads

VENUES = ("okx", "binance", "bybit")
# endpoint -> the recorded payload of its candles, which are lists
CANDLES = {
    "binance": {"GET klines": "http_futures_market_klines"},
    "okx": {"GET market/candles": "http_get_candlesticks_full", "WS candle15m": "ws_candle"},
    "bybit": {"GET market/kline": "http_get_klines_linear"},
}


def part(venue: str, name: str) -> ModuleType:
    """A module of a venue: all have the same ones."""
    return importlib.import_module(f"tests.fakes.exchange.{venue}.{name}")


@cache
def rows(venue: str) -> dict[str, list[Any]]:
    """One of each that the local venue says."""
    found: dict[str, list[Any]] = part(venue, "rows_seen").rows_by_endpoint()
    return found


def recorded(folder: Path, venue: str) -> dict[str, Any]:
    """Name -> the recorded payload; skips where there are none."""
    if not (folder / ARCHIVE).is_file():
        pytest.skip(f"no recorded payloads: looked for {folder / ARCHIVE}")
    return payloads(folder, venue)


def seen(folder: Path, venue: str) -> dict[str, list[Any]]:
    """Endpoint -> recorded rows."""
    found, rows_of = recorded(folder, venue), part(venue, "rows_seen").rows_of
    recorded_in = part(venue, "not_seen").RECORDED_IN
    return {endpoint: [row for name in names for row in rows_of(found[name])] for endpoint, names in recorded_in.items()}


@pytest.mark.parametrize("venue", VENUES)
def test_every_field_is_recorded_or_marked_not_seen(venue: str, market_data: Path) -> None:
    """The table is exactly what the run shows: nothing unmarked, and no mark that has become wrong."""
    found = not_recorded(rows(venue), seen(market_data, venue), venue)
    assert found == part(venue, "not_seen").NOT_SEEN, json.dumps(found, indent=1)


@pytest.mark.parametrize("venue", VENUES)
def test_recorded_fields_have_the_recorded_types(venue: str, market_data: Path) -> None:
    """A number that the venue writes as text is text here too."""
    wrong = other_types(rows(venue), seen(market_data, venue))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("venue", VENUES)
def test_candles_have_the_recorded_columns(venue: str, market_data: Path) -> None:
    """As many, of the same types."""
    found, rows_of = recorded(market_data, venue), part(venue, "rows_seen").rows_of
    for endpoint, name in CANDLES[venue].items():
        shapes = {tuple(type(cell).__name__ for cell in row) for row in rows(venue)[endpoint]}
        assert shapes == {tuple(type(cell).__name__ for cell in row) for row in rows_of(found[name])}


@pytest.mark.parametrize("venue", VENUES)
def test_the_table_counts_what_is_not_known(venue: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Printed for the report: how many fields of each endpoint come from ccxt alone, and how many from memory alone."""
    table = part(venue, "not_seen").NOT_SEEN
    for endpoint, fields in sorted(table.items()):
        counts = [len(fields.get(source, "").split()) for source in (CCXT, MEMORY)]
        print(f"{endpoint}: {counts[0]} from ccxt, {counts[1]} from memory")
    assert "ws order" in capsys.readouterr().out.lower()
    assert {source for fields in table.values() for source in fields} <= {CCXT, MEMORY}


@pytest.mark.parametrize("venue", VENUES)
def test_what_a_venue_is_made_to_do_names_its_source(venue: str) -> None:
    """A behaviour that no payload can hold: from ccxt's source, or from memory."""
    done = part(venue, "not_seen").NOT_SEEN_DONE
    assert {source for source, _ in done.values()} == {CCXT, MEMORY}
    assert all(text for _, text in done.values())
