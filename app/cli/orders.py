"""`nightdesk orders list | show CID`: an order's life from the journal, every state with its time and why. Called by
app/cli/main.py; works without a worker.
"""

from collections.abc import Mapping
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown
from engine.amounts import price_text
from engine.clock import utc
from engine.errors import BadInput

JSON = typer.Option(False, "--json", help="one JSON object on stdout")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    orders = typer.Typer(no_args_is_help=True, help="Orders as they lived: list, show.")
    orders.command("list")(list_orders)
    orders.command("show")(show_order)
    app.add_typer(orders, name="orders")


def list_orders(
    sleeve: str = typer.Option("", "--sleeve", help="of one sleeve"),
    only_open: bool = typer.Option(False, "--open", help="those that have not ended"),
    limit: int = typer.Option(20, "--limit", min=1, max=1000, help="how many"),
    since: str = typer.Option("", "--since", help="UTC time: 2025-03-04T05:15 (default: the last seven days of desk time)"),
    as_json: bool = JSON,
) -> None:
    """List orders of the last days, open ones first, then the newest."""
    from app.home.home import existing_home
    from engine.sim.request import moment
    from engine.watch.order_lives import recent_lives

    path = existing_home().desk_journal
    found = recent_lives(path, sleeve=sleeve, only_open=only_open, limit=limit, since_ms=moment(since or None))
    items = [life._asdict() for life in found]
    out.emit({"items": items}, as_json=as_json, text=lambda: "\n".join(map(line, items)) or "No orders in these days.")


def show_order(
    cid: str = typer.Argument(..., metavar="CID", help="the order's client id, like ndmpj600000002E00"), as_json: bool = JSON
) -> None:
    """Show one order: its life as a line of states with times, then its executions."""
    from app.home.home import existing_home
    from engine.watch.order_lives import life_of

    life = life_of(existing_home().desk_journal, cid)
    if life is None:
        raise BadInput(f"the journal knows no order {cid[:64]!r}", "see nightdesk orders list")
    found = life._asdict()
    out.emit(found, as_json=as_json, text=lambda: order_text(found))


def line(found: Mapping[str, Any]) -> str:
    """An order in one line."""
    at = "market" if not found["price"] else f"{found['type']} {price_text(found['price'])}"
    what = f"{found['side']} {found['lots']:,} lots {found['instrument']} {at}"
    began = utc(found["states"][0]["t_ms"])
    name = f"{found['cid']} {shown(found['sleeve']):<16} {found['slot']:<10}"
    return f"{name} {what}: {found['state']}, {found['filled_lots']:,} filled; {began}"


def order_text(found: Mapping[str, Any]) -> str:
    """All of it."""
    venue = f"; the venue calls it {shown(found['venue_id'])}" if found["venue_id"] else ""
    lines = [line(found), f"  layer {found['layer']}, leg {found['leg']}{venue}"]
    lines += [
        f"  {utc(state['t_ms'])}  {state['state']:<10} {state['event']:<9}" + (f" {shown(state['why'])}" if state["why"] else "")
        for state in found["states"]
    ]
    for fill in found["fills"]:
        about = f"{fill['lots']:,} lots at {price_text(fill['price'])}, fee {fill['fee']:g} ({fill['liquidity']})"
        lines.append(f"  filled    {about}; trade {shown(fill['trade'])}, {fill['event']}")
    return "\n".join(lines)
