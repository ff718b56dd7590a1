"""`nightdesk l2 record | bars`: a venue's book and trades, as received, into tapes of the home; tapes into series at bar closes.

Called by app/cli/l2.py.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from app.cli import out

if TYPE_CHECKING:
    from pathlib import Path


def register(group: typer.Typer) -> None:
    """Add the two commands to the `l2` group."""
    group.command("record")(record_book)
    group.command("bars")(write_bars)


def record_book(
    venue: str = typer.Option("binance", help="binance, okx or bybit."),
    symbol: list[str] = typer.Option(..., "--symbol", help="BTC-USDT; may be given several times."),
    market: str = typer.Option("perp", help="perp or spot."),
    minutes: float | None = typer.Option(None, "--minutes", min=0.01, help="Stop after so long; default: at Ctrl-C."),
    bars: str = typer.Option("1m", "--bars", help="Write columns at the closes of this timeframe, too; none: do not."),
    mirror: str = typer.Option("", envvar="NIGHTDESK_MIRROR", help="Another address with the venue's API."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Record level 2 and trades until Ctrl-C, a folder a day; gaps are noted and closed by a new snapshot. Needs no key."""
    import asyncio

    from app.home.settings import read_settings
    from app.market_data.book_recorder import BookRequest, record_books
    from app.market_data.recorder import until_stopped

    request = BookRequest(venue, symbol, market, mirror, "" if bars == "none" else bars)
    home = read_settings().home
    body = asyncio.run(until_stopped(lambda stop: record_books(home, request, stop, out.say), minutes))
    out.emit(body, as_json=as_json, text=lambda: _recorded_text(body))


def _recorded_text(body: Mapping[str, Any]) -> str:
    """A line an instrument."""
    from app.market_data.book_recorder import size_text

    lines = []
    for item in body["items"]:
        faults = f"{item['gaps']:,} gaps, {item['resyncs']:,} resyncs, {item['lost']:,} lost"
        lines.append(f"{item['symbol']}: {size_text(item)}; {faults}; {item['folder']}")
    for item in body["bars"]:
        lines.append(f"{item['series']}: {item['bars']:,} bars, {item['gaps']:,} of them with a gap")
        lines += [f"  {item['broken']}"] if item["broken"] else []
    return "\n".join(lines)


def write_bars(
    path: str = typer.Argument(..., metavar="FILE|FOLDER", help="A tape, or a folder of tapes of one instrument or several."),
    timeframe: str = typer.Option("1m", "--timeframe", help="1m, 5m, 15m, ...: the length of a bar."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Imbalance, depth, spread and taker flow at bar closes as a series of the home, each with the time it was known."""
    from app.cli.data import named_path
    from app.home.settings import read_settings
    from app.market_data.book_columns import add_rows, series_of
    from engine.clock import timeframe_ms
    from engine.l2.bars import BookColumns
    from engine.l2.checks import sound_tape, tapes_in

    found: dict[Path, dict[str, Any]] = {}
    columns: dict[Path, BookColumns] = {}
    for file in tapes_in(named_path(path)):
        series = series_of(read_settings().home, file, timeframe)
        opened = sound_tape(file)
        of = columns.setdefault(series, BookColumns(timeframe_ms(timeframe)))
        of.next_tape()
        frame = of.take(opened.tape, opened.trades)
        item = found.setdefault(series, {"path": str(series), "tapes": 0, "bars": 0, "gaps": 0, "new": 0})
        item["tapes"], item["bars"] = item["tapes"] + 1, item["bars"] + frame.height
        item["gaps"] += int((frame["gap"] != "").sum())
        item["new"] += add_rows(series, frame)
    body = {"items": list(found.values())}
    out.emit(body, as_json=as_json, text=lambda: _bars_text(body))


def _bars_text(body: Mapping[str, Any]) -> str:
    """A line a series."""
    return "\n".join(
        f"{item['path']}: {item['bars']:,} bars, {item['gaps']:,} of them with a gap, {item['new']:,} new"
        for item in body["items"]
    )
