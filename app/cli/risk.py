"""`nightdesk risk`: what sleeves risk together. Called by app/cli/main.py; reckoned by engine/watch/joint_risk.py."""

from typing import Any

import typer

from app.cli import out
from app.cli.words import shown
from engine.amounts import percent_text, price_text
from engine.clock import utc


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("risk")(risk)


def risk(
    days: int = typer.Option(90, "--days", min=20, max=1_000, help="whole UTC days that correlations are of, at most"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object on stdout"),
) -> None:
    """Stops that one move reaches together, each stop's distance, and how the sleeves' days have moved together."""
    from app.home.home import existing_home
    from engine.errors import BadInput
    from engine.watch.joint_risk import joint_risk

    found = joint_risk(existing_home().path, days)
    if found is None:
        raise BadInput("the desk has decided on no bar yet", "start it: nightdesk up")
    value = {name: getattr(found, name) for name in ("desk_ms", "event", "equity", "unprotected")}
    value |= {name: [one._asdict() for one in getattr(found, name)] for name in ("stops", "shared", "pairs")}
    out.emit(value, as_json=as_json, text=lambda: "\n".join(_lines(found)))


def _lines(found: Any) -> list[str]:
    """What is shared first, then each stop, then the pairs."""
    from engine.watch.joint_risk import pair_text, shared_text

    lines = [f"At {utc(found.desk_ms)} ({found.event}), equity {found.equity:,.2f}:"]
    lines += [f"ONE BET  {shown(shared_text(one))}" for one in found.shared] or ["No two open positions with stops are one bet."]
    lines += [f"NO STOP  {shown(name)} holds a position without one" for name in found.unprotected]
    lines += [
        f"stop     {shown(one.sleeve)} {one.side} at {price_text(one.price)}: {price_text(one.stop)}, "
        f"{percent_text(one.distance_frac)} away, {-one.loss:+,.2f} from here"
        for one in found.stops
    ]
    return [*lines, *(f"days     {shown(pair_text(one))}" for one in found.pairs)]
