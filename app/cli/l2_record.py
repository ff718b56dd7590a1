"""`nightdesk l2 record | bars`: a venue's book and trades, as received, into tapes of the home; tapes into series at bar closes.

Called by app/cli/l2.py.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from app.cli import out

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


def register(group: typer.Typer) -> None:
    """Add the two commands to the `l2` group."""
    group.command("record")(record_book)
    group.command("bars")(write_bars)


def record_book(
    venue: str = typer.Option("binance", help="binance, okx or bybit."),
    symbol: list[str] = typer.Option(..., "--symbol", help="BTC-USDT; may be given several times."),
    market: str = typer.Option("perp", help="perp or spot."),
    minutes: float | None = typer.Option(None, "--minutes", min=0.01, help="Stop after so long; default: at Ctrl-C."),
    mirror: str = typer.Option("", envvar="NIGHTDESK_MIRROR", help="Another address with the venue's API."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Record level 2 and trades until Ctrl-C, a folder a day; gaps are noted and closed by a new snapshot. Needs no key."""
    import asyncio

    from app.home.settings import read_settings
    from app.market_data.book_recorder import BookRequest, record_books
    from app.market_data.recorder import until_stopped

    request = BookRequest(venue, symbol, market, mirror)
    home = read_settings().home
    body = asyncio.run(until_stopped(lambda stop: record_books(home, request, stop, out.say), minutes))
    out.emit(body, as_json=as_json, text=lambda: _recorded_text(body))


def _recorded_text(body: Mapping[str, Any]) -> str:
    """A line an instrument."""
    lines = []
    for item in body["items"]:
        counts = (
            f"{item['messages']:,} messages, {item['trades']:,} trades, {item['bytes'] / 1e6:,.1f} MB in {item['parts']:,} parts"
        )
        faults = f"{item['gaps']:,} gaps, {item['resyncs']:,} resyncs, {item['lost']:,} lost"
        lines.append(f"{item['symbol']}: {counts}; {faults}; {item['folder']}")
    return "\n".join(lines)


def write_bars(
    path: str = typer.Argument(..., metavar="FILE|FOLDER", help="A tape, or a folder of tapes of one instrument or several."),
    timeframe: str = typer.Option("1m", "--timeframe", help="1m, 5m, 15m, ...: the length of a bar."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Imbalance, depth, spread and taker flow at bar closes as a series of the home, each with the time it was known."""
    from app.cli.data import named_path
    from app.home.settings import read_settings
    from engine.clock import TIMEFRAMES, timeframe_ms
    from engine.errors import BadInput
    from engine.l2.bars import book_bars
    from engine.l2.checks import sound_tape, tapes_in

    if timeframe not in TIMEFRAMES:
        raise BadInput(f"unknown timeframe {timeframe!r}", f"use {', '.join(TIMEFRAMES)}")
    found: dict[Path, dict[str, Any]] = {}
    for file in tapes_in(named_path(path)):
        opened = sound_tape(file)
        frame = book_bars(opened.tape, opened.report.replayed, opened.trades, timeframe_ms(timeframe))
        series = _series(read_settings().home, opened.tape, timeframe)
        item = found.setdefault(series, {"path": str(series), "tapes": 0, "bars": 0, "new": 0})
        item["tapes"], item["bars"] = item["tapes"] + 1, item["bars"] + frame.height
        item["new"] += _merged(series, frame)
    body = {"items": list(found.values())}
    out.emit(body, as_json=as_json, text=lambda: _bars_text(body))


def _bars_text(body: Mapping[str, Any]) -> str:
    """A line a series."""
    return "\n".join(f"{item['path']}: {item['bars']:,} bars, {item['new']:,} new" for item in body["items"])


def _series(home: "Path", tape: Any, timeframe: str) -> "Path":
    """Where a tape's bars go."""
    from engine.data.writer import file_name
    from engine.l2.bars import WORD

    return home / "data" / file_name(tape.venue, tape.symbol, tape.market, f"{WORD}_{timeframe}")


def _merged(path: "Path", new: "pl.DataFrame") -> int:
    """Add bars to a series; those that are there stay. Returns how many are new. Raises DataError and BadInput."""
    import polars as pl

    from engine.data.catalog import readable
    from engine.data.writer import write_series

    if path.exists():
        with readable(path):
            have = pl.read_parquet(path).with_columns(pl.col("ts").dt.epoch("ms"))
        new = new.filter(~pl.col("ts").is_in(have["ts"].implode()))
        both = pl.concat([have, new], how="vertical_relaxed")
    else:
        both = new
    if new.height:
        write_series(path, both.sort("ts"), "recorded", {})
    return new.height
