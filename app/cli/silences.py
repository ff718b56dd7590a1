"""`nightdesk silences`: looks now at what should have happened and did not. Called by app/cli/main.py."""

import time
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown
from engine.clock import utc


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("silences")(show_silences)


def show_silences(
    every: bool = typer.Option(False, "--all", help="also what is as expected"), as_json: bool = typer.Option(False, "--json")
) -> None:
    """Guards, exits, entries, features and feeds against how often each should have happened; exit 1 while one is silent."""
    from app.home.home import existing_home
    from engine.watch.silence.status import look_for_silences

    home = existing_home()
    found = look_for_silences(home.path, home.desk.limits, time.time_ns() // 1_000_000)
    out.emit(found, as_json=as_json, text=lambda: "\n".join(_lines(found, every=every)))
    if found["counts"]["silent"]:
        raise typer.Exit(1)


def _lines(found: Any, *, every: bool) -> list[str]:
    """A line each, silent ones first, then the counts."""
    counts = found["counts"]
    rows = [one for one in found["items"] if every or one["state"] != "as expected"]
    lines = [f"{one['state']:<12}{one['kind']:<9}{shown(one['text'])}" for one in rows]
    end = f"{counts['silent']} silent, {counts['as expected']} as expected, {counts['cannot tell']} that cannot be judged yet"
    return [*lines, f"{end}; {utc(found['wall_ms'])}. A silence that cannot be judged is not a pass."]
