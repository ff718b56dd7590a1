"""`nightdesk people on-call | rota`: who is asked when something pages, and in which order. Called by app/cli/people.py."""

import time
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown

JSON = typer.Option(False, "--json")
ALWAYS = "always"


def on_call(
    name: str = typer.Argument(..., metavar="NAME"),
    order: int = typer.Option(None, "--order", min=0, max=20, help="place in the rota: 1 is asked first; 0: not on call"),
    reach: str = typer.Option(None, "--reach", help="slack, telegram, discord or webhook:NAME of desk.toml"),
    shift: str = typer.Option(None, "--shift", help="22:00-06:00 of their clock; always: at all hours"),
    quiet: str = typer.Option(None, "--quiet", help="hours in which only pages come; always: none"),
    timezone: str = typer.Option(None, "--timezone", help="their clock: Europe/Berlin (default UTC)"),
    as_name: str = typer.Option("", "--as", metavar="NAME", help="the admin who does it (asked for when it is left out)"),
    as_json: bool = JSON,
) -> None:
    """Put NAME on call, or change their place, way, shift, quiet hours or time zone."""
    from app.home.home import existing_home
    from app.notify.on_call import put_on_call, rota_rows
    from app.people.identity import identify
    from engine.errors import BadInput

    given = {"on_call": order, "reach": reach, "shift": shift, "quiet": quiet, "timezone": timezone}
    fields = {key: "" if value == ALWAYS else value for key, value in given.items() if value is not None}
    if not fields:
        raise BadInput("nothing to change", "give --order, --reach, --shift, --quiet or --timezone")
    home, now_ms = existing_home(), time.time_ns() // 1_000_000
    actor = identify(home.path, as_name or typer.prompt("your own name", err=True), "cli")
    put_on_call(home, name, fields, actor, now_ms)
    rows = rota_rows(home, now_ms)
    out.emit({"items": rows}, as_json=as_json, text=lambda: rota_text(rows))


def show_rota(as_json: bool = JSON) -> None:
    """Show whom a page would go to now, first to last, with their hours and what did not reach them."""
    from app.home.home import existing_home
    from app.notify.on_call import rota_rows

    home = existing_home()
    rows = rota_rows(home, time.time_ns() // 1_000_000)
    out.emit({"items": rows}, as_json=as_json, text=lambda: rota_text(rows))


def rota_text(rows: list[dict[str, Any]]) -> str:
    """A line each, in the order of being asked."""
    if not rows:
        return "Nobody is on call: every message goes every way. Put someone: nightdesk people on-call NAME --order 1 --reach WAY"
    return "\n".join(_row(n, row) for n, row in enumerate(rows, 1))


def _row(number: int, row: dict[str, Any]) -> str:
    hours = f"shift {row['shift']}" if row["shift"] else "all hours"
    quiet = f", quiet {row['quiet']}{' (now)' if row['quiet_now'] else ''}" if row["quiet"] else ""
    away = "" if row["on_shift"] else ", NOT ON SHIFT"
    lost = f", {row['undelivered']} NOT DELIVERED in a day" if row["undelivered"] else ""
    unnamed = "" if row["named"] else " (desk.toml names no such way: NOT REACHED)"
    return (
        f"{number}. {shown(row['name'])} by {shown(row['reach'])}{unnamed}, {hours}{quiet}, {shown(row['timezone'])}{away}{lost}"
    )
