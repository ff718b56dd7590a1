"""`nightdesk l2 record`: a venue's public order book and trades, as received, into tapes of the home. Called by app/cli/l2.py."""

from collections.abc import Mapping
from typing import Any

import typer

from app.cli import out


def register(group: typer.Typer) -> None:
    """Add the command to the `l2` group."""
    group.command("record")(record_book)


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
    out.emit(body, as_json=as_json, text=lambda: _text(body))


def _text(body: Mapping[str, Any]) -> str:
    """A line an instrument."""
    lines = []
    for item in body["items"]:
        counts = (
            f"{item['messages']:,} messages, {item['trades']:,} trades, {item['bytes'] / 1e6:,.1f} MB in {item['parts']:,} parts"
        )
        faults = f"{item['gaps']:,} gaps, {item['resyncs']:,} resyncs, {item['lost']:,} lost"
        lines.append(f"{item['symbol']}: {counts}; {faults}; {item['folder']}")
    return "\n".join(lines)
