"""`nightdesk parity`: does the desk do what its backtest says? Called by app/cli/main.py; computed by app/jobs/kinds.py."""

from collections.abc import Mapping
from typing import Any

import typer

from app.cli import out
from engine.clock import utc

SHOWN = 12  # round trips that differ


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(parity)


def parity(
    since: str | None = typer.Option(None, "--since", help="from that UTC day on: 2025, 2025-03, 2025-03-04; default: all days"),
    sleeve: str | None = typer.Option(None, "--sleeve", help="one sleeve; the whole desk is replayed all the same"),
    time_limit: float = typer.Option(600.0, "--time-limit", min=0.1, help="stop after this many seconds"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object on stdout"),
) -> None:
    """Replay the desk's days through the backtest; every dollar of the difference in a class. Exit 1 above 1 % unexplained."""
    from app.home.home import existing_home
    from app.jobs import kinds
    from engine.sim.request import moment

    start, home = moment(since), existing_home()
    with out.progress("parity", 1.0) as advance, kinds.limited(time_limit, "the comparison with the backtest"):
        found = kinds.parity(home, {"since": start, "sleeve": sleeve}, advance)
    out.emit(found, as_json=as_json, text=lambda: text_of(found))
    if found["unexplained_usd"] > found["unexplained_frac_max"] * found["gross_usd"]:
        raise typer.Exit(1)


def text_of(found: Mapping[str, Any]) -> Any:
    """The verdict, a table of classes a sleeve, the round trips that differ."""
    from rich.console import Group
    from rich.text import Text

    from app.views.research import parity_verdict

    days = f"{utc(found['from_ms'])} to {utc(found['to_ms'])}, {found['bars']:,} bars, {found['source'].upper()} data"
    lines: list[Any] = [Text(parity_verdict(found), style="bold"), Text(days), Text(""), class_table(found)]
    if found["trips"]:
        lines += [Text(""), Text(f"round trips that differ ({found['differing']}, the largest first)"), trip_table(found)]
    return Group(*lines)


def class_table(found: Mapping[str, Any]) -> Any:
    """A row a sleeve; a column for each class that holds anything, and for what is unexplained."""
    from rich.table import Table

    from app.views.research import CLASSES, money

    used = [name for name, one in found["classes"].items() if name == "unexplained" or any_of(found, name) or one["count"]]
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("sleeve")
    for name in ("desk", "backtest", "difference", *(CLASSES.get(name, name) for name in used)):
        table.add_column(name, justify="right")
    for s in found["sleeves"]:
        figures = [s["desk_usd"], s["replay_usd"], s["difference_usd"], *(s["classes"][name] for name in used)]
        table.add_row(s["sleeve"], *map(money, figures))
    if len(found["sleeves"]) > 1:
        sums = [found[name] for name in ("desk_usd", "replay_usd", "difference_usd")]
        table.add_row("desk", *map(money, [*sums, *(found["classes"][name]["usd"] for name in used)]), style="bold")
    return table


def any_of(found: Mapping[str, Any], name: str) -> bool:
    """Whether any sleeve has anything in a class."""
    return any(s["classes"][name] for s in found["sleeves"])


def trip_table(found: Mapping[str, Any]) -> Any:
    """The round trips with the largest differences."""
    from rich.table import Table

    from app.views.research import money

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("sleeve", "side", "entry"):
        table.add_column(name)
    for name in ("desk", "backtest", "difference"):
        table.add_column(name, justify="right")
    for trip in found["trips"][:SHOWN]:
        sides = [money(trip[side]["usd"]) if trip[side] else "-" for side in ("desk", "replay")]
        table.add_row(trip["sleeve"], trip["side"], utc(trip["entry_ms"]), *sides, money(trip["difference_usd"]))
    return table
