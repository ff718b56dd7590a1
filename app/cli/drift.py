"""`nightdesk drift`: backtest, paper, shadow and live of a sleeve, in dollars by cause. Called by app/cli/main.py; computed by
app/jobs/kinds.py.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from app.cli import out
from engine.clock import utc

SHOWN = 8  # round trips of a pair that differ


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(drift)


def drift(
    sleeve: str | None = typer.Option(None, "--sleeve", help="one sleeve; default: all"),
    since: str | None = typer.Option(None, "--since", help="from that UTC day on: 2025, 2025-03, 2025-03-04; default: all days"),
    home: list[Path] | None = typer.Option(
        None, "--home", help="another home that trades the same sleeve: on paper, in shadow, live; default: [drift] of desk.toml"
    ),
    time_limit: float = typer.Option(600.0, "--time-limit", min=0.1, help="stop after this many seconds"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object on stdout"),
) -> None:
    """Every pair of backtest, paper, shadow and live over the same bars: what they differ by, in dollars by cause. Exit 1 where
    one is worse than the other says."""
    from app.home.home import existing_home
    from app.jobs import kinds
    from engine.sim.request import moment

    args = {"since": moment(since), "sleeve": sleeve} | (
        {"homes": [str(path.expanduser().resolve()) for path in home]} if home else {}
    )
    with out.progress("drift", 1.0) as advance, kinds.limited(time_limit, "the comparison of the sides"):
        found = kinds.desk_drift(existing_home(), args, advance)
    out.emit(found, as_json=as_json, text=lambda: text_of(found))
    if any(pair["worse"]["verdict"] == "worse" for pair in found["pairs"]):
        raise typer.Exit(1)


def text_of(found: Mapping[str, Any]) -> str:
    """A verdict a pair, its causes, its statistics, the round trips that differ."""
    sides = ", ".join(side["side"] for side in found["sides"])
    lines = [f"{sides}: {utc(found['from_ms'])} to {utc(found['to_ms'])}, {found['bars']:,} bars, {found['source'].upper()} data"]
    for pair in found["pairs"]:
        lines += ["", *pair_lines(pair)]
    return "\n".join(lines)


def pair_lines(pair: Mapping[str, Any]) -> list[str]:
    """One pair of sides."""
    from app.views.research import money

    both = f"{pair['one']} {money(pair['one_usd'])}, {pair['other']} {money(pair['other_usd'])}"
    lines = [f"{pair['sleeve']}: {both}, a difference of {money(pair['difference_usd'])}"]
    moved = [f"{cause} {money(usd)}" for cause, usd in pair["causes"].items() if usd]
    lines += [f"  by cause: {', '.join(moved)}"] if moved else ["  to the cent the same"]
    lines.append(f"  {worse_text(pair['worse'])}")
    for trip in pair["trips"][:SHOWN]:
        nets = " / ".join("-" if trip[side] is None else money(trip[side]) for side in ("one_usd", "other_usd"))
        lines.append(f"    {trip['side']} of {utc(trip['entry_ms'])}: {nets}, {money(trip['difference_usd'])}")
    return lines


def worse_text(found: Mapping[str, Any]) -> str:
    """`worse: -1.20 a round trip (-2.10 to -0.40, ...); it changed at 2025-03-04 (...)`, or after how many one can tell."""
    if found["verdict"] == "the same":
        return f"no round trip of {found['trips']} differs"
    needed = f"; it takes about {found['needed']:,} round trips to know" if found["needed"] else ""
    if found["low"] is None:
        return f"not known yet: {found['why'] or 'no round trip'}{needed}"
    span = f"{found['low']:+,.2f} to {found['high']:+,.2f}, 95 %, {found['trips']} of them"
    per_trip = f"{found['mean']:+,.2f} a round trip ({span})"
    text = f"{found['verdict']}: {per_trip}" + (needed if found["verdict"] == "not known yet" else "")
    if found["since_ms"] is None:
        return text
    span = f"between {utc(found['since_low_ms'])} and {utc(found['since_high_ms'])}, 95 %"
    means = f"{found['before']:+,.2f} a round trip before, {found['after']:+,.2f} after"
    return f"{text}; it changed at {utc(found['since_ms'])} ({span}): {means}"
