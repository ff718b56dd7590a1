"""`nightdesk weights`: how sleeves would be weighed by how they moved, and a proposal of it. Called by app/cli/main.py.

Turns engine/watch/sleeve_weights.py into a table; `--propose` goes through the tool that a role would call, with its evidence:
nothing is changed before a person approves it.
"""

from typing import TYPE_CHECKING, Any

import typer

from app.cli import out

if TYPE_CHECKING:
    from engine.watch.sleeve_weights import WeighedSleeves


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(weights)


def weights(
    sleeve: list[str] = typer.Option([], "--sleeve", help="repeatable; without it all that can be weighed"),
    days: int = typer.Option(365, "--days", min=60, max=1_000, help="whole UTC days that the desk has lived, at most"),
    propose: bool = typer.Option(False, "--propose", help="file the change of risk as a proposal, with its evidence"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object on stdout"),
) -> None:
    """Weigh the sleeves by hierarchical risk parity over their daily returns, each with an interval. Changes nothing."""
    from app.home.home import existing_home
    from engine.watch import sleeve_weights

    home = existing_home()
    found = sleeve_weights.weighed(home.path, sleeve, days)
    value = sleeve_weights.as_json(found) | {"proposal": None}
    if propose:
        value["proposal"] = proposed(home, found)
    out.emit(value, as_json=as_json, text=lambda: weights_text(value))


def proposed(home: Any, found: "WeighedSleeves") -> str:
    """The id of the proposal. Raises Refused where nothing is worth one, and what the tool refuses."""
    from app.cli.tool import context
    from engine.control.config import active
    from engine.errors import Refused
    from engine.strategies.isolated.described import read_strategy
    from engine.watch.sleeve_weights import SLEEVES_PROPOSED_MAX, changes_of, rationale_of
    from tools.catalog import call

    desk = active(home.engine, home.path)
    rows = [desk.config.sleeve(row.sleeve) for row in found.rows]
    params = {one.name: read_strategy(one.strategy, home.strategies).Params for one in rows}
    changes = [
        {"sleeve": name, "changes": [{"key": key, "value": value} for key, value in own.items()]}
        for name, own in changes_of(found, desk, params).items()
    ]
    if len(changes) > SLEEVES_PROPOSED_MAX:
        raise Refused(f"{len(changes)} sleeves would change, a proposal takes {SLEEVES_PROPOSED_MAX}", "choose some: --sleeve")
    args = {**changes[0], "also": changes[1:] or None, "rationale": rationale_of(found), "apply_to_open": None}
    with out.progress("evidence", 1.0) as advance:
        result = call(context(home, "operator", advance), "propose_tightening", args)
    if result.status != "ok":
        raise Refused(result.text[:600])
    return next(one.id for one in result.evidence if one.kind == "proposal")


def weights_text(value: dict[str, Any]) -> Any:
    """Verdict first, then a row a sleeve."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    lines = [value["verdict"]]
    lines += [f"left out: {name}: {why}" for name, why in value["left_out"].items()]
    if value["proposal"]:
        lines.append(f"{value['proposal']} waits for a person: nightdesk proposals show {value['proposal']}; nothing has changed")
    elif value["differs"]:
        lines.append("nothing has changed; --propose files it, lowering risk alone")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("sleeve", "now", "weight", "90 % of resampled days", "risk x", "days it moved"):
        table.add_column(name, justify="left" if name == "sleeve" else "right")
    for row in value["sleeves"]:
        spread = f"{row['low']:.2f} to {row['high']:.2f}"
        cells = (f"{row['now']:.2f}", f"{row['weight']:.2f}", spread, f"{row['factor']:.2f}", str(row["moved_days"]))
        table.add_row(row["sleeve"], *cells)
    return Group(Text("\n".join(lines)), table)
