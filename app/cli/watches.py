"""`nightdesk watches ...`: levels to hear about: list, add, confirm, remove. Called by app/cli/main.py."""

import time
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown
from engine.clock import utc

JSON = typer.Option(False, "--json")
AS = typer.Option("", "--as", metavar="NAME", help="who you are (default: your OS account's name)")
ID = typer.Argument(..., metavar="ID", help="w-3, as `watches list` shows it")


def register(app: typer.Typer) -> None:
    """Add `watches`."""
    group = typer.Typer(no_args_is_help=True, help="Levels to hear about, of a price or of money: list, add, confirm, remove.")
    group.command("list")(list_watches)
    group.command("add")(add)
    group.command("confirm")(confirm)
    group.command("remove")(remove)
    app.add_typer(group, name="watches")


def list_watches(removed: bool = typer.Option(False, "--all", help="also those that were removed"), as_json: bool = JSON) -> None:
    """List watches with what each stands at, and those that wait for your confirmation."""
    from app.home.home import existing_home
    from app.views.watches import watch_list

    home = existing_home()
    items = watch_list(home.path, home.engine, now_ms(), removed=removed)
    nothing = "No watches. To add one: nightdesk watches add price BTC-USDT below 80000"
    out.emit({"items": items}, as_json=as_json, text=lambda: "\n".join(map(line, items)) or nothing)


def line(item: dict[str, Any]) -> str:
    """A watch as one line."""
    by = shown((item["decided_by"] or item["asked_by"]).get("name") or item["asked_by"].get("role") or "unknown")
    if item["state"] == "asked":
        state = f"WAITS: nightdesk watches confirm {item['id']}"
    else:
        state = f"{'in force' if item['state'] == 'active' else 'removed'} since {utc(item['decided_ms'])} by {by}"
    now = "not known" if item["value"] is None else f"{item['value']:,.7g}"
    now += f", {item['rearms']}" if item["passed"] else ""
    return f"{item['id']:<6}{'PASSED ' if item['passed'] else ''}{shown(item['text'])}; now {now}  {state}"


def add(
    metric: str = typer.Argument(..., help="price, day_pnl or equity"),
    subject: str = typer.Argument(..., help="BTC-USDT for a price; a sleeve, or desk, for money"),
    beyond: str = typer.Argument(..., help="below or above"),
    level: float = typer.Argument(..., help="of day_pnl a loss is negative: -- -200"),
    as_name: str = AS,
    as_json: bool = JSON,
) -> None:
    """Watch a level: an alert opens while it is passed. Nothing is traded."""
    from app.home.home import existing_home
    from app.people import watches
    from app.people.identity import identify, os_user
    from engine.control.watches import view, wish_of

    home = existing_home()
    actor = identify(home.path, as_name or os_user(), "cli")
    row = watches.add(home, wish_of(home.engine, home.path, metric, subject, beyond, level), actor, now_ms())
    out.emit(view(row), as_json=as_json, text=lambda: f"{row.id} watches the {view(row)['text']}, added by {actor.name}.")


def confirm(watch_id: str = ID, as_name: str = AS, as_json: bool = JSON) -> None:
    """Put a watch in force that was asked for in a chat."""
    _decide("confirm", watch_id, as_name, as_json=as_json)


def remove(watch_id: str = ID, as_name: str = AS, as_json: bool = JSON) -> None:
    """End a watch."""
    _decide("remove", watch_id, as_name, as_json=as_json)


def _decide(act: str, watch_id: str, as_name: str, *, as_json: bool) -> None:
    from app.home.home import existing_home
    from app.people import watches
    from app.people.identity import identify, os_user
    from engine.control.watches import view

    home = existing_home()
    actor = identify(home.path, as_name or os_user(), "cli")
    row = getattr(watches, act)(home, watch_id, actor, now_ms())
    done = "is in force" if act == "confirm" else "is removed"
    out.emit(view(row), as_json=as_json, text=lambda: f"{row.id} ({view(row)['text']}) {done}, by {actor.name}.")


def now_ms() -> int:
    """Wall time."""
    return time.time_ns() // 1_000_000
