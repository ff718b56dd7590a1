"""`nightdesk notify list | test`: the ways to people that desk.toml names, and a test of them. Called by app/cli/main.py.

A test is a delivery like any other: the running supervisor brings it, and its outcome is in its row. Where none runs, this
command brings it with the variables of its own environment.
"""

import time
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown

JSON = typer.Option(False, "--json")
WAIT_S = 12.0  # for the supervisor, which delivers once a second


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Ways to people: Slack, Telegram, Discord, webhooks; try them.")
    group.command("list")(list_ways)
    group.command("test")(send_test)
    app.add_typer(group, name="notify")


def list_ways(as_json: bool = JSON) -> None:
    """List the ways that desk.toml names, what is missing for them here, and what the last day did not deliver."""
    from app.home.home import existing_home
    from app.notify import ways

    home, now_ms = existing_home(), time.time_ns() // 1_000_000
    ready = [*(["slack"] if _slack(home) else []), *(sink.name for sink in ways.sinks_of(home))]
    named = ways.names_of(home.desk)
    value = {"items": [{"name": name, "ready_here": name in ready} for name in named], "failures": ways.failures(home, now_ms)}
    lacks = ways.lacking(home.desk, ready)
    lines = [
        f"{lacks[name]} (in this shell; a running desk has its own)" if name in lacks else f"{name}: ready" for name in named
    ]
    lines += [f"NOT DELIVERED {_line(row)}" for row in value["failures"]]
    out.emit(value, as_json=as_json, text=lambda: "\n".join(lines) or "desk.toml names no way to people: alerts are on the page.")


def send_test(as_json: bool = JSON) -> None:
    """Send a test message every way, and say what became of it. Exit code 1 when one was not delivered."""
    from app.home.home import existing_home
    from app.notify import deliveries, ways
    from app.people.identity import os_user
    from engine.errors import BadInput
    from engine.watch.health import worker_pid

    home, now_ms = existing_home(), time.time_ns() // 1_000_000
    if not ways.names_of(home.desk):
        raise BadInput("desk.toml names no way to people", "add [slack], [telegram], [discord] or [webhooks.NAME]")
    subject = ways.ask_for_test(home, os_user(), now_ms)
    rows = ways.outcome_of(home, subject, WAIT_S if worker_pid(home.path) is not None else 0.0)
    if any(row["state"] == "waiting" and not row["error"] for row in rows):  # nobody else brings it
        slack = _slack(home)
        sinks = [*([slack] if slack else []), *ways.sinks_of(home)]
        deliveries.deliver(home, sinks, now_ms, subject)
        rows = ways.outcome_of(home, subject)
        lacks = ways.lacking(home.desk, {sink.name for sink in sinks})
        rows = [{**row, "error": row["error"] or lacks.get(row["sink"], "")} for row in rows]
    out.emit({"items": rows}, as_json=as_json, text=lambda: "\n".join(map(_line, rows)))
    if any(row["state"] != "sent" for row in rows):
        raise typer.Exit(1)


def _slack(home: Any) -> Any:
    from app.slack.sink import connect

    return connect(home)


def _line(row: dict[str, Any]) -> str:
    """A delivery in a line."""
    why = f": {shown(row['error'])}" if row["error"] else ""
    return f"{shown(row['sink'])}: {row['state']} ({shown(row['subject'])}, {row['step']}){why}"
