"""`nightdesk canary list | show | full`: applied changes that are watched, at a part of the size or at the whole.

A breach is taken back by the desk itself, as the approved card said. Going back by hand is `nightdesk proposals rollback`. No
command here changes what the desk trades: the whole size is a proposal that a person applies.
"""

import time
from collections.abc import Mapping
from typing import Any

import typer

from app.cli import out

SLEEVE = typer.Option("", "--sleeve", metavar="NAME", help="which one, where a card changed several")
JSON = typer.Option(False, "--json", help="one JSON object on stdout")
CARD = typer.Argument(..., metavar="PROPOSAL", help="the proposal with the canary: prop-3")


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        no_args_is_help=True, help="Applied changes that are watched: list, show, end one or ask for the whole size."
    )
    group.command("list")(list_canaries)
    group.command("show")(show)
    group.command("full")(full)
    app.add_typer(group, name="canary")


def list_canaries(as_json: bool = JSON) -> None:
    """The latest change of each sleeve that is or was watched: how far it is, what was measured, what became of it."""
    from app.home.home import existing_home
    from engine.control.canary import canaries
    from engine.watch.canaries import read_status

    home = existing_home()
    done = read_status(home.path)
    items = [_item(run, done) for run in canaries(home.engine)]
    none = "Nothing is watched yet. Each approved change is, unless [canary] of desk.toml says none (docs/changes.md)."
    lines = [f"{one['sleeve']:<16} {one['text']}" for one in items]
    out.emit({"items": items}, as_json=as_json, text=lambda: "\n".join(lines) or none)


def show(proposal: str = CARD, sleeve: str = SLEEVE, as_json: bool = JSON) -> None:
    """One canary: its breaches with their numbers, beside what was measured so far."""
    from app.home.home import existing_home
    from engine.control.canary import canary_of
    from engine.watch.canaries import read_status

    home = existing_home()
    item = _item(canary_of(home.engine, proposal, sleeve), read_status(home.path))
    out.emit(item, as_json=as_json, text=lambda: _text(item))


def full(
    proposal: str = CARD,
    sleeve: str = SLEEVE,
    as_name: str = typer.Option(..., "--as", metavar="NAME", help="who ends it"),
    as_json: bool = JSON,
) -> None:
    """End a watch early; of one at a part of the size, propose the size of before, which takes an approval."""
    from app.home.home import existing_home
    from app.people import canaries as card
    from app.people.identity import identify
    from engine.control.canary import canary_of
    from engine.errors import Refused
    from engine.watch.canaries import read_status

    home = existing_home()
    actor, run = identify(home.path, as_name, "cli"), canary_of(home.engine, proposal, sleeve)
    now_ms = time.time_ns() // 1_000_000
    done = read_status(home.path).get(run.key) or {}
    row = card.ended_by(home, run, done, actor, now_ms)
    if run.is_whole:
        out.emit(
            {"canary": run.key}, as_json=as_json, text=lambda: f"The watch of {run.key} is ended; nothing takes it back now."
        )
        return
    if row is None:
        raise Refused(f"another proposal of {run.sleeve} waits: the whole size would take its place", "decide that one first")
    text = f"{row} proposes the whole size of {run.sleeve}. A person decides: nightdesk proposals approve {row} --as NAME"
    out.emit({"proposal": row, "canary": run.key}, as_json=as_json, text=lambda: text)


def _item(run: Any, done: Mapping[str, Any]) -> dict[str, Any]:
    from engine.control.canary import terms_rows
    from engine.watch.canaries import state_text

    measured = run.found.get("done") or done.get(run.key) or {}
    more = {"text": state_text(run, measured), "terms_text": terms_rows(run.terms, run.from_version), "measured": measured}
    return {**run._asdict(), **more}


def _text(item: Mapping[str, Any]) -> str:
    from engine.watch.canaries import measured_text

    so_far = f"\nmeasured: {measured_text(item['measured'])}" if item["measured"] else ""
    rows = "\n".join(f"  {label:<20} {text}" for label, text in item["terms_text"])
    return f"{item['sleeve']}: {item['text']}{so_far}\n{rows}"
