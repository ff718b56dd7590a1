"""`nightdesk canary list | show | full`: changes that trade at a part of the size before they trade at the whole of it.

A breach is taken back by the desk itself, as the approved card said. Going back by hand is `nightdesk proposals rollback`. No
command here changes what the desk trades: the whole size is a proposal that a person applies.
"""

import time
from collections.abc import Mapping
from typing import Any

import typer

from app.cli import out

JSON = typer.Option(False, "--json", help="one JSON object on stdout")
CARD = typer.Argument(..., metavar="PROPOSAL", help="the proposal with the canary: prop-3")


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="Changes on trial at a part of the size: list, show, ask for the whole size.")
    group.command("list")(list_canaries)
    group.command("show")(show)
    group.command("full")(full)
    app.add_typer(group, name="canary")


def list_canaries(as_json: bool = JSON) -> None:
    """The latest canary of each sleeve: how far it is, what was measured, what became of it."""
    from app.home.home import existing_home
    from engine.control.canary import canaries
    from engine.watch.canaries import read_status

    home = existing_home()
    done = read_status(home.path)
    items = [_item(run, done) for run in canaries(home.engine)]
    none = "No canary yet. A model that is proposed has one; a parameter with [canary] of desk.toml (docs/models.md)."
    lines = [f"{one['sleeve']:<16} {one['text']}" for one in items]
    out.emit({"items": items}, as_json=as_json, text=lambda: "\n".join(lines) or none)


def show(proposal: str = CARD, as_json: bool = JSON) -> None:
    """One canary: its breaches with their numbers, beside what was measured so far."""
    from app.home.home import existing_home
    from engine.control.canary import canary_of
    from engine.watch.canaries import read_status

    home = existing_home()
    item = _item(canary_of(home.engine, proposal), read_status(home.path))
    out.emit(item, as_json=as_json, text=lambda: _text(item))


def full(
    proposal: str = CARD,
    as_name: str = typer.Option(..., "--as", metavar="NAME", help="who ends it"),
    as_json: bool = JSON,
) -> None:
    """End a canary early and propose the size that the sleeve had before; it is a loosening and takes an approval."""
    from app.home.home import existing_home
    from app.people import canaries as card
    from app.people.identity import identify
    from engine.control.canary import canary_of
    from engine.errors import Refused
    from engine.watch.canaries import read_status

    home = existing_home()
    actor, run = identify(home.path, as_name, "cli"), canary_of(home.engine, proposal)
    now_ms = time.time_ns() // 1_000_000
    done = read_status(home.path).get(run.proposal) or {}
    row = card.ended_by(home, run, done, actor, now_ms)
    if row is None:
        raise Refused(f"another proposal of {run.sleeve} waits: the whole size would take its place", "decide that one first")
    text = f"{row} proposes the whole size of {run.sleeve}. A person decides: nightdesk proposals approve {row} --as NAME"
    out.emit({"proposal": row, "canary": run.proposal}, as_json=as_json, text=lambda: text)


def _item(run: Any, done: Mapping[str, Any]) -> dict[str, Any]:
    from engine.control.canary import terms_rows
    from engine.watch.canaries import state_text

    measured = run.found.get("done") or done.get(run.proposal) or {}
    more = {"text": state_text(run, measured), "terms_text": terms_rows(run.terms, run.from_version), "measured": measured}
    return {**run._asdict(), **more}


def _text(item: Mapping[str, Any]) -> str:
    from engine.watch.canaries import measured_text

    so_far = f"\nmeasured: {measured_text(item['measured'])}" if item["measured"] else ""
    rows = "\n".join(f"  {label:<20} {text}" for label, text in item["terms_text"])
    return f"{item['sleeve']}: {item['text']}{so_far}\n{rows}"
