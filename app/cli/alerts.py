"""`nightdesk alerts ...`: list and acknowledge alerts, link Slack accounts to people. Called by app/cli/main.py."""

import time
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown
from engine.clock import utc

JSON = typer.Option(False, "--json")
AS = typer.Option("", "--as", metavar="NAME", help="who you are (default: your OS account's name)")


def register(app: typer.Typer) -> None:
    """Add `alerts`."""
    group = typer.Typer(no_args_is_help=True, help="Alerts: list, acknowledge; link Slack accounts to people.")
    group.command("list")(list_alerts)
    group.command("ack")(ack)
    group.command("slack")(slack)
    app.add_typer(group, name="alerts")


def list_alerts(
    state: str = typer.Option("", "--state", help="open or resolved; default: both"),
    limit: int = typer.Option(30, "--limit", min=1, max=1000),
    as_json: bool = JSON,
) -> None:
    """List alerts, newest first, with failed deliveries."""
    from app.home.home import existing_home
    from engine.errors import BadInput
    from engine.watch.alert_rows import STATES, deliveries_of, list_alerts, view

    if state and state not in STATES:
        raise BadInput(f"unknown state {state!r}", f"available: {', '.join(STATES)}")
    home = existing_home()
    items = [view(row, deliveries_of(home.engine, row.id)) for row in list_alerts(home.engine, state or None, limit)]
    out.emit({"items": items}, as_json=as_json, text=lambda: "\n".join(map(line, items)) or "No alerts.")


def line(item: dict[str, Any]) -> str:
    """An alert as two or three lines."""
    by = (item["acked_by"] or {}).get("name")
    resolved = item["state"] == "resolved"
    state = f"resolved {utc(item['resolved_ms'])}" if resolved else f"acknowledged by {shown(by)}" if by else "OPEN"
    head = f"{item['id']:<7}{item['severity']:<5} since {utc(item['since_ms'])}  {state}  {shown(item['what'])}"
    lost = [f"{d['step']} to {d['sink']}: {d['state']}, {shown(d['error'])}" for d in item["deliveries"] if d["error"]]
    do = [] if resolved else [f"       do: {shown(item['action'])} ({item['runbook']})"]
    return "\n".join([head, *do, *(f"       not delivered, {text}" for text in lost)])


def ack(alert_id: str = typer.Argument(..., metavar="ID"), as_name: str = AS, as_json: bool = JSON) -> None:
    """Acknowledge an alert: it is not sent again."""
    from app.home.home import existing_home
    from app.notify.deliveries import acknowledge
    from app.people.identity import identify, os_user
    from engine.watch.alert_rows import view

    home = existing_home()
    actor = identify(home.path, as_name or os_user(), "cli")
    row = acknowledge(home, alert_id, actor, time.time_ns() // 1_000_000)
    out.emit(view(row), as_json=as_json, text=lambda: f"{row.id} acknowledged by {actor.name}: it will not be sent again.")


def slack(
    name: str = typer.Argument(..., metavar="NAME"),
    team: str = typer.Option(..., "--team", help="the workspace's id, T0123ABCD"),
    user: str = typer.Option(..., "--user", help="the account's id, U0123ABCD"),
) -> None:
    """Let a Slack account decide as NAME. Needs NAME's own token."""
    from app.home.home import existing_home
    from app.people import register

    register.link(existing_home(), name.strip(), "slack", f"{team}/{user}", time.time_ns() // 1_000_000)
    typer.echo(f"{name} can now decide in Slack as {team}/{user}.")
