"""`nightdesk monitor`: the last notes that a model wrote by itself, and why there is none. Called by app/cli/main.py."""

from typing import Any

import typer

from app.cli import out
from app.cli.words import shown
from engine.clock import utc

SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("monitor")(show_monitor)


def show_monitor(
    now: bool = typer.Option(False, "--now", help="look now; sends a note where something changed"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Show the monitor's notes and what its last look came to; it is off until [monitor] of desk.toml says how often."""
    from app.home.home import existing_home
    from app.notify.monitor_notes import monitor_of

    home = existing_home()
    if now:
        from app.monitor.look import run_once

        run_once(home)
    value = monitor_of(home)
    out.emit(value, as_json=as_json, text=lambda: "\n".join(_lines(value)))


def _lines(value: dict[str, Any]) -> list[str]:
    """How often it looks, what the last look came to, the newest notes."""
    often = (
        f"every {value['every_minutes']} min" if value["every_minutes"] else "off: set every_minutes under [monitor] of desk.toml"
    )
    last = f"; last look {utc(value['last_ms'])}: {shown(value['why'] or 'a note')}" if value["last_ms"] else ""
    notes = [f"{utc(note['at_ms'])}  {shown(note['text'])} ({shown(note['model'])}, {note['turn']})" for note in value["items"]]
    return [f"Monitor {often}{last}", *notes[:SHOWN]]
